"""Commands that curate a corpus: `run`, `plan` and `dedup`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from outcross.pipeline.cli.lazy import Function, add_lazy_command
from outcross.pipeline.cli.session import Session

if TYPE_CHECKING:
    from outcross.schemas.config import Config


def add_corpus_commands(app: typer.Typer) -> None:
    """Add the commands to an app."""
    add_lazy_command(
        app,
        "run",
        "Curate a corpus: deduplicate, lift the tails, mix in human text, write shards.\n\n"
        "Beam's own options follow `--`, such as `-- --runner FlinkRunner`.",
        _run_command,
    )
    add_lazy_command(
        app,
        "plan",
        "Show what a run would take, and what other human shares would reach.",
        _plan_command,
    )
    add_lazy_command(
        app, "dedup", "Deduplicate, and write only the documents that are kept.", _dedup_command
    )


def _run_command() -> Function:
    from outcross.pipeline.cli.model_commands import corpus_command

    text = "check the request, look at the first rows, and say what a run takes"
    return corpus_command(_run, flags={"dry_run": text})


def _run(config: Config, flags: dict[str, bool], session: Session) -> None:
    if flags["dry_run"]:
        _dry_run(config, flags["as_json"], session)
        return
    with session.loading(kernels=True):
        from outcross.pipeline.cli.report_table import show_report
        from outcross.pipeline.commands.run import exit_code, run

    result = run(config, session.beam_args, session.open_progress())
    show_report(result.out, result.report, flags["as_json"], config.near_threshold)
    if code := exit_code(config, result.report):
        raise typer.Exit(code)


def _dry_run(config: Config, as_json: bool, session: Session) -> None:
    with session.loading(kernels=True):
        from outcross.pipeline.cli.preview_table import show_preview
        from outcross.pipeline.commands.preview import preview

    show_preview(preview(config, session.beam_args), as_json)


def _plan_command() -> Function:
    from outcross.pipeline.cli.model_commands import corpus_command

    text = "print which human text to gather: clusters by what a further token is worth"
    without = {"gates", "gate", "plan"}
    return corpus_command(_plan, without, flags={"shopping_list": text})


def _plan(config: Config, flags: dict[str, bool], session: Session) -> None:
    with session.loading(kernels=True):
        from outcross.pipeline.cli.plan_table import show_plan
        from outcross.pipeline.cli.preview_table import show_estimate
        from outcross.pipeline.commands.preview import estimate_of_plan
        from outcross.pipeline.commands.run import plan

    planned = plan(config, session.beam_args, session.open_progress())
    show_plan(planned, flags["as_json"], flags["shopping_list"])
    if not flags["as_json"]:
        show_estimate(estimate_of_plan(config), config.embedder)


def _dedup_command() -> Function:
    from outcross.pipeline.cli.model_commands import BUDGET_KEYS, corpus_command

    return corpus_command(_dedup, without=BUDGET_KEYS)


def _dedup(config: Config, flags: dict[str, bool], session: Session) -> None:
    with session.loading(kernels=True):
        from outcross.pipeline.cli.report_table import show_report
        from outcross.pipeline.commands.run import dedup

    result = dedup(config, session.beam_args, session.open_progress())
    show_report(result.out, result.report, flags["as_json"], config.near_threshold)

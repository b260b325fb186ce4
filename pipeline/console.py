"""What the commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.progress import StageProgress
from pipeline.run import RunResult
from schemas.config import Config
from schemas.plan import Plan
from schemas.report import Report


def progress(quiet: bool) -> StageProgress:
    """Stages on stderr, unless the result is for machines."""
    return StageProgress(quiet)


def show_report(result: RunResult, as_json: bool) -> None:
    """What became of the rows, and how diverse the result is."""
    report = result.report
    if as_json:
        print(report.model_dump_json(indent=2))
        return
    console = Console()
    console.print(_conservation_table(report))
    if report.stages:
        console.print(_stage_table(report))
        achieved = report.achieved
        planned = achieved.planned_human_tokens or 0
        share = 0.0 if achieved.human_share is None else achieved.human_share
        console.print(
            f"{achieved.tokens:,} tokens, {achieved.human_tokens:,} of them human "
            f"({share:.2%}; planned {planned:,.0f})",
            highlight=False,
        )
    for warning in report.verdict.reasons:
        console.print(f"warning: {warning}", markup=False, highlight=False)
    console.print(f"{result.out.rstrip('/')}/report.json", markup=False, highlight=False)


def _conservation_table(report: Report) -> Table:
    table = Table(title="rows")
    table.add_column("source")
    table.add_column("role")
    columns = ("filtered", "read", "rejected", "removed", "kept", "written", "copies")
    for column in columns:
        table.add_column(column, justify="right")
    for line in report.conservation:
        table.add_row(line.source, line.role, *(f"{getattr(line, column):,}" for column in columns))
    return table


def _stage_table(report: Report) -> Table:
    table = Table(title="diversity")
    for column in ("after", "role"):
        table.add_column(column)
    for column in ("documents", "tokens", "effective clusters", "tail", "off-support", "KL"):
        table.add_column(column, justify="right")
    for stage in report.stages:
        for role, figures in stage.roles.items():
            table.add_row(
                stage.name,
                role,
                f"{figures.documents:,}",
                f"{figures.tokens:,}",
                _number(figures.effective_clusters, ".1f"),
                _number(figures.tail_mass, ".1%"),
                _number(figures.off_support, ".1%"),
                _number(figures.kl_to_reference, ".4f"),
            )
    if report.reference is not None:
        yardstick = report.reference
        table.add_row(
            "reference",
            "human" if yardstick.human else "corpus",
            f"{yardstick.documents:,}",
            "",
            _number(yardstick.effective_clusters, ".1f"),
            _number(yardstick.tail_mass, ".1%"),
            "",
            "",
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"


def show_plan(plan: Plan, as_json: bool) -> None:
    """The budget and the frontier."""
    if as_json:
        print(plan.to_json().decode(), end="")
        return
    console = Console()
    reached = plan.reached
    console.print(
        f"{reached.tokens:,.0f} tokens: {reached.synthetic_tokens:,.0f} synthetic, "
        f"{reached.human_tokens:,.0f} human ({reached.human_share:.2%}), α = {reached.alpha:.3f}, "
        f"{reached.regime}",
        highlight=False,
    )
    console.print(
        f"entropy {reached.entropy:.4f} nats (worth {reached.effective_number:.1f} clusters), "
        f"KL to human {_number(reached.kl, '.4f')}, shadow price of a human token "
        f"{_number(reached.shadow_price, '.4f')}, {plan.shards} shards",
        highlight=False,
    )
    table = Table(title="frontier: the same tokens at other human shares")
    for column in ("human share", "human tokens", "entropy", "KL", "regime", "shadow price"):
        table.add_column(column, justify="right")
    for point in plan.frontier:
        table.add_row(
            f"{point.human_share:.0%}",
            f"{point.human_tokens:,.0f}",
            _number(point.entropy, ".4f") if point.reachable else "out of reach",
            _number(point.kl, ".4f"),
            point.regime or "",
            _number(point.shadow_price, ".4f"),
        )
    console.print(table)


def dry_run(config: Config, beam_args: Sequence[str], as_json: bool) -> None:
    """What would be read, without reading it."""
    from pipeline.context import Context
    from pipeline.stages.sketch import plan_input

    context = Context(config, beam_args, StageProgress(quiet=True))
    units, _ = plan_input(context)
    lines: list[dict[str, Any]] = []
    for number, source in enumerate(config.sources):
        own = [unit for unit in units if unit.source == number]
        lines.append(
            {
                "source": source.name,
                "role": source.role,
                "files": len({unit.file for unit in own}),
                "units": len(own),
                "bytes": sum(unit.bytes for unit in own),
            }
        )
    if as_json:
        print(json.dumps({"out": config.out, "sources": lines}, indent=2))
        return
    table = Table(title=f"would be read, and curated into {config.out}")
    for column in lines[0]:
        table.add_column(column)
    for line in lines:
        table.add_row(
            *(f"{value:,}" if isinstance(value, int) else value for value in line.values())
        )
    Console().print(table)

"""What the commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from outcross.pipeline.commands.audit import AuditResult
from outcross.pipeline.commands.estimate import check_disk, estimate, lines
from outcross.pipeline.commands.job import check_request
from outcross.pipeline.commands.preview import FIRST_ROWS, preview
from outcross.pipeline.engine.engines import pipeline_options
from outcross.pipeline.inputs.lineage import within_lineage
from outcross.pipeline.page.advice import advice, plain
from outcross.pipeline.stages.texts import printable
from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import found_table, new_table, show_table
from outcross.schemas.budget import OTHERS
from outcross.schemas.config import Config
from outcross.schemas.estimate import Estimate
from outcross.schemas.figures import OUTCOMES, Measure
from outcross.schemas.measures import CONFIDENCE, MEASURES
from outcross.schemas.plan import Plan, SourceTexts, Starved
from outcross.schemas.report import MEASURED, Report
from outcross.schemas.user_input import ConfigError
from outcross.transforms.inputs.input_files import STANDARD_INPUT

_BAR = 24  # characters of the longest bar


def show_report(out: str, report: Report, as_json: bool) -> None:
    """What became of the rows, and how diverse the result is."""
    if as_json:
        print_json(report.model_dump_json(indent=2))
        return
    console = Console()
    _show_rows(console, report)
    if report.stages:
        show_table(console, _stage_table(report))
    if (achieved := report.achieved) is not None and report.stages:
        planned = achieved.planned_human_tokens or 0
        cells = "clusters" if len(achieved.domains) < 2 else "domains and clusters"
        share = 0.0 if achieved.human_share is None else achieved.human_share
        _say(
            console,
            f"{achieved.tokens:,} tokens, {achieved.human_tokens:,} of them human "
            f"({share:.2%}; planned {planned:,.0f}), in {_count(len(report.shards), 'shard')}\n"
            f"entropy of the tokens over {cells}: {_number(achieved.entropy, '.4f')} nats "
            f"(planned {_number(achieved.planned_entropy, '.4f')})",
        )
        if report.asked is not None and report.asked.copies == "weights":
            rows = sum(line.written for line in report.conservation)
            counted = report.figures("write").documents
            _say(
                console,
                f"copies are weights: {_count(rows, 'row')} that count as {counted:,}",
            )
    _show_verdict(console, report)
    out = out.rstrip("/")
    _say(console, f"data in {out}/data, all figures in {out}/report.html and {out}/report.json")


def show_audit(result: AuditResult, as_json: bool) -> None:
    """How diverse a corpus is, and what the gates say of it."""
    report = result.report
    if as_json:
        print_json(report.model_dump_json(indent=2))
        return
    console = Console()
    _show_rows(console, report)
    show_table(console, _stage_table(report))
    if report.judged is not None:
        show_table(console, _measure_table(report.judged.measures))
    for line in report.prompts:
        if line.sampling is not None:
            sampling = line.sampling
            _say(
                console,
                f"{line.source}: of {sampling.k} answers to one prompt "
                f"{_number(sampling.distinct_at_k, '.1f')} are different ones; "
                f"{_count(sampling.collapsed_prompts, 'prompt')} of {sampling.prompts:,} collapsed",
            )
    _show_verdict(console, report)
    out = result.out.rstrip("/")
    _say(console, f"all figures in {out}/report.html and {out}/report.json")


def _show_rows(console: Console, report: Report) -> None:
    show_table(console, _conservation_table(report))
    if report.known_words:
        shares = (
            f"{line.source} {_number(line.share, '.0%')}{'' if line.enough else ' (too few)'}"
            for line in report.known_words
        )
        _say(console, f"words that the embedder knows: {', '.join(shares)}\n")
    if report.deduplication.found:
        show_table(console, found_table(report.deduplication.found))
    if report.deduplication.losses:
        show_table(console, _loss_table(report))


def _show_verdict(console: Console, report: Report) -> None:
    for warning in report.verdict.warnings:
        _say(console, f"warning: {warning}")
    _say(console, report.verdict.sentence)
    for reason in report.verdict.reasons:
        _say(console, f"  {reason}")
    for step in advice(report):
        _say(console, f"next: {plain(step)}")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _measure_table(measures: Sequence[Measure]) -> Table:
    table = new_table(
        "against as much human text",
        ["measure"],
        ["corpus", "human", "95% of human", "against", "± 95%", "n", "gate"],
    )
    for found in measures:
        info = MEASURES[found.name]
        band = "–"
        if found.low is not None and found.high is not None:
            band = f"{found.low:{info.form}} – {found.high:{info.form}}"
        form = ".0%" if info.kind == "ratio" else info.form
        error = None if found.error is None else CONFIDENCE * found.error
        table.add_row(
            info.title,
            _number(found.value, info.form),
            _number(found.human, info.form),
            band,
            _number(found.against, form),
            _number(error, form.replace("0%", "1%")),
            f"{found.n:,}",
            "" if found.outcome == "shown" else OUTCOMES.get(found.outcome, found.outcome),
        )
    return table


def _conservation_table(report: Report) -> Table:
    columns = ["read", "rejected", "removed", "kept", "written", "copies"]
    if report.kind == "audit":
        columns = [*columns[:4], "measured"]
    if any(line.filtered for line in report.conservation):
        columns.insert(0, "filtered")
    table = new_table("rows", ["source"], columns)
    for line in report.conservation:
        name = line.source if line.source == line.role else f"{line.source} ({line.role})"
        counts = line.model_dump() | {"measured": line.not_selected.get(MEASURED, 0)}
        table.add_row(escape(name), *(f"{counts[column]:,}" for column in columns))
    return table


def _loss_table(report: Report) -> Table:
    table = new_table(
        "what deduplication took",
        ["of", "class"],
        ["documents", "exact", "contained", "near", "near / others"],
    )
    last = ""
    for line in report.deduplication.losses:
        if line.documents:
            share = _number(line.near_share, ".2%")
            numbers = (line.documents, line.exact, line.contained, line.near)
            counts = [*(f"{number:,}" for number in numbers), share]
            table.add_row("" if line.role == last else line.role, line.kind, *counts)
            last = line.role
    return table


def _stage_table(report: Report) -> Table:
    measures = ["effective\nclusters", "tail", "off-\nsupport", "KL to\nhuman"]
    table = new_table("diversity", ["after", "role"], ["documents", "tokens", *measures])
    for stage in report.stages:
        for role, figures in stage.roles.items():
            table.add_row(
                stage.name if role == next(iter(stage.roles)) else "",
                role,
                f"{figures.documents:,}",
                f"{figures.tokens:,}",
                _number(figures.effective_clusters, ".1f"),
                _number(figures.tail_mass, ".1%"),
                _number(figures.off_support, ".1%"),
                _number(figures.kl_to_reference, ".4f"),
            )
    yardstick = report.reference
    if yardstick is not None and (yardstick.human or report.kind != "audit"):
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


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"


def show_plan(plan: Plan, as_json: bool, shopping_list: bool) -> None:
    """The budget and the frontier, and which human text to gather if that is asked for."""
    if as_json:
        print_json(plan.to_json().decode().rstrip("\n"))
        return
    console = Console()
    reached = plan.reached
    _say(
        console,
        f"{reached.tokens:,.0f} tokens: {reached.synthetic_tokens:,.0f} synthetic, "
        f"{reached.human_tokens:,.0f} human ({reached.human_share:.2%}), "
        f"α = {_number(reached.alpha, '.3f')}, {reached.regime}, {_count(plan.shards, 'shard')}"
        f"{', copies as weights' if plan.asked.copies == 'weights' else ''}\n"
        f"entropy {reached.entropy:.4f} nats (worth {reached.effective_number:.1f} "
        f"{'clusters' if len(plan.domains) < 2 else 'cells of domain and cluster'}), "
        f"KL to human {_number(reached.kl, '.4f')}, shadow price of a human token "
        f"{_number(reached.shadow_price, '.4f')}",
    )
    if plan.least_human_tokens is not None and plan.asked.effective_ratio is not None:
        share = plan.least_human_tokens / reached.tokens
        _say(
            console,
            f"the least human text for {plan.asked.effective_ratio:.0%} of the human effective "
            f"clusters: {plan.least_human_tokens:,.0f} tokens ({share:.2%})",
        )
    for texts in plan.texts:
        _say(console, _judged(texts))
    if len(plan.domains) > 1:
        show_table(console, _domain_table(plan))
    show_table(console, _frontier_table(plan))
    if shopping_list:
        lacking = [line for line in plan.starved if line.price != 0]
        if lacking:
            show_table(console, _shopping_table(lacking))
        else:
            _say(console, "no cluster lacks text: what is there only has to be asked for")


def _domain_table(plan: Plan) -> Table:
    table = new_table(
        "domains, each a budget of its own",
        ["domain", "kind"],
        ["tokens", "share", "of human", "human tokens", "α", "entropy", "KL"],
    )
    for domain in plan.domains:
        table.add_row(
            escape(printable(domain.name)),
            domain.kind,
            f"{domain.tokens:,.0f}",
            f"{domain.share:.1%}",
            f"{domain.reference_share:.1%}",
            f"{domain.human_tokens:,.0f}",
            f"{domain.alpha:.3f}",
            _number(domain.entropy, ".4f"),
            _number(domain.kl, ".4f"),
        )
    table.add_row("between them", *[""] * 6, f"{plan.reached.domain_entropy:.4f}", "")
    return table


def _frontier_table(plan: Plan) -> Table:
    table = new_table(
        "frontier: the same tokens at other human shares",
        [],
        ["human share", "human tokens", "entropy", "KL", "regime", "shadow price"],
    )
    table.add_column("effective clusters" if len(plan.domains) < 2 else "effective cells")
    worth = [None if p.entropy is None else math.exp(p.entropy) for p in plan.frontier]
    reached = plan.reached.reference_entropy
    human = math.exp(reached) if reached is not None else 0.0
    most = max([human, *(value for value in worth if value is not None)], default=1.0)
    for point, value in zip(plan.frontier, worth, strict=True):
        table.add_row(
            f"{point.human_share:.0%}",
            f"{point.human_tokens:,.0f}",
            _number(point.entropy, ".4f") if point.reachable else "out of reach",
            _number(point.kl, ".4f"),
            point.regime or "",
            _number(point.shadow_price, ".4f"),
            "" if value is None else f"{_bar(value / most)} {value:,.1f}",
        )
    if human:
        table.add_row("human text", "", "", "", "", "", f"{_bar(human / most)} {human:,.1f}")
    return table


def _bar(share: float) -> str:
    """A bar of a terminal plot, to an eighth of a character."""
    eighths = round(share * _BAR * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _shopping_table(lacking: Sequence[Starved]) -> Table:
    table = new_table(
        "which human text to gather: what one more token there is worth (nats × tokens)",
        [],
        ["cluster", "worth", "wanted", "there", "short of"],
    )
    table.add_column("about", overflow="fold", max_width=40)
    table.add_column("such as", overflow="fold", max_width=60)
    dearest = sorted(
        lacking, key=lambda line: (-math.inf if line.price is None else -line.price, -line.wanted)
    )
    for line in dearest:
        table.add_row(
            str(line.cluster)
            if line.domain == OTHERS
            else f"{escape(printable(line.domain))} {line.cluster}",
            "without bound" if line.price is None else f"{line.price:.3f}",
            f"{line.wanted:,.0f}",
            f"{line.available:,.0f}",
            f"{line.wanted - line.planned:,.0f}",
            escape(printable(", ".join(line.words))),
            escape(printable(line.text or "")[:120]),
        )
    return table


def dry_run(config: Config, beam_args: Sequence[str], as_json: bool) -> None:
    """Print what would be read and what that takes, from the first rows of every source."""
    pipeline_options(config.workers, beam_args)
    if config.lineage is not None:
        config, _ = within_lineage(config)
    for source in config.sources:
        if STANDARD_INPUT in source.files:
            raise ConfigError(
                f"dry_run: source {source.name!r} is standard input, which can be read only once; "
                "name a file, or run"
            )
    units = check_request(config)
    check_disk(config, units)
    figures = estimate(config, units)
    previews = preview(config, units)
    if as_json:
        request = config.model_dump(mode="json", exclude={"sources"}, exclude_unset=True)
        sources = [one.model_dump(mode="json") for one in previews]
        shown = {**request, "sources": sources, "estimate": figures.model_dump()}
        print_json(json.dumps(shown, indent=2))
        return
    console = Console()
    title = f"would be read, and curated into {escape(config.out)}"
    table = new_table(title, ["source", "role"], ["files", "bytes", *FIRST_ROWS])
    for one in previews:
        counts = [one.files, one.bytes, *(getattr(one, name) for name in FIRST_ROWS.values())]
        table.add_row(escape(one.source), one.role, *(f"{count:,}" for count in counts))
    show_table(console, table)
    for one in previews:
        _say(console, _judged(one))
        if one.reason is not None:
            _say(console, f"  rejected: {printable(one.reason)}")
        if one.text is not None:
            _say(console, f"  first text: {one.text}")
        for warning in one.warnings:
            _say(console, f"  warning: {printable(warning)}")
    _show_estimate(console, figures)


def show_estimate(config: Config) -> None:
    """Show what a run that carries out a plan takes.

    Args:
        config: of the plan.
    """
    if config.lineage is not None:
        config, _ = within_lineage(config)
    _show_estimate(Console(), estimate(config, check_request(config)))


def _show_estimate(console: Console, figures: Estimate) -> None:
    _say(console, "a run takes about")
    for line in lines(figures):
        _say(console, f"  {line}")


def _judged(texts: SourceTexts) -> str:
    """Return a line that says what is judged of a source, and what is carried."""
    roles = "" if texts.roles is None else f" (roles {', '.join(texts.roles)})"
    carried = ", ".join(texts.carried) or "nothing"
    judged = ", ".join(texts.judged)
    return printable(f"{texts.source}: judged: {judged}{roles}; carried: {carried}")

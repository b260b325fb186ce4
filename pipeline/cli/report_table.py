"""Tables of a report: rows, removals, diversity and the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from outcross.pipeline.page.advice import advice, plain
from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import (
    PlainConsole,
    counted,
    new_table,
    number_or_dash,
    print_line,
    repeats_table,
    show_table,
)
from outcross.schemas.deduplication import BandRecall
from outcross.schemas.report import MEASURED, Report
from outcross.transforms.base.visible import visible_name


def show_report(out: str, report: Report, as_json: bool, near_threshold: float = 0.8) -> None:
    """Print the report of a run or a deduplication.

    Args:
        out: output directory.
        report: the report.
        as_json: print JSON instead of tables.
        near_threshold: similarity from which two documents repeat; the line about planted copies
            is about it.
    """
    if as_json:
        print_json(report.model_dump_json(indent=2))
        return
    console = PlainConsole()
    show_rows(console, report)
    certificate = report.deduplication.certificate
    if certificate is not None and certificate.checked:
        left_out = certificate.unchecked_documents
        print_line(
            console,
            f"deduplication kept {certificate.kept:.2%} ± {certificate.error:.2%} of what could be "
            "kept"
            + (f", without {left_out:,} documents in groups too large to check" if left_out else "")
            + "\n",
        )
    if certificate is not None:
        _show_planted(console, certificate.recall, near_threshold)
    if report.stages:
        show_table(console, stage_table(report))
        _show_achieved(console, report)
    show_verdict(console, report)
    out = out.rstrip("/")
    print_line(
        console, f"data in {out}/data, all figures in {out}/report.html and {out}/report.json"
    )


def _show_planted(console: Console, recall: Sequence[BandRecall], near_threshold: float) -> None:
    """Print how many planted copies at the threshold were compared, with `check_recall`.

    The line is about the lowest similarity that reaches the threshold, else the highest one.
    """
    points = [point for point in recall if point.planted is not None]
    if not points:
        return
    reaching = [point for point in points if point.similarity >= near_threshold - 1e-9]
    point = reaching[0] if reaching else points[-1]
    figures = "none, as the texts are too short or too few"
    if point.planted:
        figures = (
            f"{number_or_dash(point.together, '.1%')} compared "
            f"({number_or_dash(point.expected, '.1%')} expected)"
        )
    print_line(console, f"planted copies of similarity {point.similarity:.2f}: {figures}\n")


def show_rows(console: Console, report: Report) -> None:
    """Print the rows of each source, the words that the embedder knows, and the removals."""
    show_table(console, _conservation_table(report))
    for line in report.pieces:
        documents = counted(line.written_documents, "document")
        print_line(
            console,
            f"{line.source}: {line.written_pieces:,} of {counted(line.pieces, 'piece')} are "
            f"written, of {documents}\n",
        )
    if report.tokenizer is not None:
        print_line(console, f"tokens are those of {visible_name(str(report.tokenizer))}\n")
    if report.known_words:
        shares = (
            f"{line.source} {number_or_dash(line.share, '.0%')}"
            f"{'' if line.enough else ' (too few)'}"
            for line in report.known_words
        )
        print_line(console, f"words that the embedder knows: {', '.join(shares)}\n")
    if (model := report.embedder) is not None:
        described = [f"embedder: {visible_name(model.name)}"]
        if model.cut_share is not None:
            described.append(f"{number_or_dash(model.cut_share, '.1%')} of the texts are cut")
        if model.texts_per_second is not None:
            described.append(f"{model.texts_per_second:,.0f} texts/s a thread")
        print_line(console, f"{', '.join(described)}\n")
    if report.deduplication.found:
        show_table(console, repeats_table(report.deduplication.found))
    if report.deduplication.losses:
        show_table(console, _loss_table(report))


def show_verdict(console: Console, report: Report) -> None:
    """Print the warnings, the verdict with its reasons, and advice."""
    for warning in report.verdict.warnings:
        print_line(console, f"warning: {visible_name(warning)}")
    print_line(console, visible_name(report.verdict.sentence))
    for reason in report.verdict.reasons:
        print_line(console, f"  {visible_name(reason)}")
    for step in advice(report):
        print_line(console, f"next: {visible_name(plain(step))}")


def stage_table(report: Report) -> Table:
    """Return the diversity of the documents after each stage, by role."""
    measures = ["effective\nclusters", "tail", "off-\nsupport", "KL to\nhuman"]
    table = new_table("diversity", ["after", "role"], ["documents", "tokens", *measures])
    for stage in report.stages:
        for role, figures in stage.roles.items():
            table.add_row(
                stage.name if role == next(iter(stage.roles)) else "",
                role,
                f"{figures.documents:,}",
                f"{figures.tokens:,}",
                number_or_dash(figures.effective_clusters, ".1f"),
                number_or_dash(figures.tail_mass, ".1%"),
                number_or_dash(figures.off_support, ".1%"),
                number_or_dash(figures.kl_to_reference, ".4f"),
            )
    reference = report.reference
    if reference is not None and (reference.human or report.kind != "audit"):
        table.add_row(
            "reference",
            "human" if reference.human else "corpus",
            f"{reference.documents:,}",
            "",
            number_or_dash(reference.effective_clusters, ".1f"),
            number_or_dash(reference.tail_mass, ".1%"),
            "",
            "",
        )
    return table


def _show_achieved(console: Console, report: Report) -> None:
    """Print the tokens and the entropy that a run reached, beside those of its plan."""
    achieved = report.achieved
    if achieved is None:
        return
    planned = achieved.planned_human_tokens or 0
    cells = "clusters" if len(achieved.domains) < 2 else "domains and clusters"
    share = 0.0 if achieved.human_share is None else achieved.human_share
    print_line(
        console,
        f"{achieved.tokens:,} tokens, {achieved.human_tokens:,} of them human "
        f"({share:.2%}; planned {planned:,.0f}), in {counted(len(report.shards), 'shard')}\n"
        f"entropy of the tokens over {cells}: {number_or_dash(achieved.entropy, '.4f')} nats "
        f"(planned {number_or_dash(achieved.planned_entropy, '.4f')})",
    )
    if report.gain is not None:
        before, after, human = report.gain.before, report.gain.after, report.gain.human
        print_line(
            console,
            f"gap to human text, in nats a human token: {after.words:.4f} in words, "
            f"{after.pairs:.4f} in pairs\n"
            f"as much text drawn blindly: {before.words:.4f} and {before.pairs:.4f}"
            + ("" if human is None else f"; human text: {human.words:.4f} and {human.pairs:.4f}"),
        )
    if report.asked is not None and report.asked.copies == "weights":
        rows = report.data_rows
        documents = report.figures("write").documents
        print_line(
            console, f"copies are weights: {counted(rows, 'row')} that count as {documents:,}"
        )


def _conservation_table(report: Report) -> Table:
    columns = ["read", "rejected", "removed", "kept", "written", "copies"]
    if report.kind == "audit":
        columns = [*columns[:4], "measured"]
    if any(line.filtered for line in report.conservation):
        columns.insert(0, "filtered")
    table = new_table("rows", ["source"], columns)
    for line in report.conservation:
        kind = ", ".join(filter(None, [line.role, line.provenance]))
        name = line.source if line.source == kind else f"{line.source} ({kind})"
        counts = line.model_dump() | {"measured": line.not_selected.get(MEASURED, 0)}
        table.add_row(visible_name(name), *(f"{counts[column]:,}" for column in columns))
    return table


def _loss_table(report: Report) -> Table:
    losses = report.deduplication.losses
    semantic = any(line.semantic_share is not None for line in losses)
    table = new_table(
        "what deduplication took",
        ["of", "class"],
        [
            "documents or pieces" if report.pieces else "documents",
            *("exact", "contained", "near", "near / others"),
            *(("semantic", "semantic / others") if semantic else ()),
        ],
    )
    role = ""
    for line in losses:
        if line.documents:
            share = number_or_dash(line.near_share, ".2%")
            numbers = (line.documents, line.exact, line.contained, line.near)
            counts = [*(f"{number:,}" for number in numbers), share]
            if semantic:
                share = number_or_dash(line.semantic_share, ".2%")
                counts += [f"{line.semantic:,}", share]
            table.add_row("" if line.role == role else line.role, line.kind, *counts)
            role = line.role
    return table

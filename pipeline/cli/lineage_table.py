"""Tables of `outcross lineage show`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import PlainConsole, new_table, show_table
from outcross.schemas.lineage import Generation, LineageSummary, Purchase


def show_lineage(summary: LineageSummary, as_json: bool) -> None:
    """Print a lineage: its generations, the ledger, and the archive.

    Args:
        summary: the lineage.
        as_json: print JSON instead of tables.
    """
    if as_json:
        print_json(summary.model_dump_json(indent=2))
        return
    console = PlainConsole()
    show_table(console, _generation_table(summary.generations))
    show_table(console, _ledger_table(summary.ledger))
    if any(generation.ranking for generation in summary.generations):
        show_table(console, _archive_table(summary.generations))


def _generation_table(generations: Sequence[Generation]) -> Table:
    """Return a table of the generations: new sources, and all that each could choose from."""
    table = new_table(
        "generations",
        ["generation"],
        ["tokens", "fresh human", "of the ledger", "human share", "new sources", "chosen from"],
    )
    for generation in generations:
        human = generation.fresh.tokens + generation.reused.tokens
        table.add_row(
            generation.name,
            f"{generation.tokens:,}",
            f"{generation.fresh.tokens:,}",
            f"{generation.reused.tokens:,}",
            f"{human / max(generation.tokens, 1):.1%}",
            f"{len(generation.sources):,}",
            f"{len(generation.ranking):,}",
        )
    return table


def _ledger_table(ledger: Sequence[Purchase]) -> Table:
    table = new_table(
        "the ledger, in human tokens",
        ["bought by"],
        ["bought", "used again", "never used again", "documents", "documents used again", "uses"],
    )
    for line in ledger:
        table.add_row(
            line.generation,
            f"{line.bought.tokens:,}",
            f"{line.used.tokens:,}",
            f"{line.left.tokens:,}",
            f"{line.bought.documents:,}",
            f"{line.used.documents:,}",
            f"{line.uses:,}",
        )
    return table


def _archive_table(generations: Sequence[Generation]) -> Table:
    table = new_table(
        "the archive: candidates by their distance to human text, mixed with the ledger",
        ["generation", "source"],
        ["distance", "tokens held", "taken to choose from"],
    )
    for generation in generations:
        for source in generation.ranking:
            table.add_row(
                generation.name,
                source.name,
                f"{source.distance:.4f}",
                f"{source.held.tokens:,}",
                f"{source.candidates.tokens:,}",
            )
    return table

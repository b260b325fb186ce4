"""Tables of `outcross clean`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import PlainConsole, new_table, print_line, show_table
from outcross.schemas.cleaning import Cleaning, Piece
from outcross.transforms.base.visible import visible_name


def show_cleaning(cleaning: Cleaning, as_json: bool) -> None:
    """Print the work that was removed, or would be.

    Args:
        cleaning: result of `clean`.
        as_json: print JSON instead of tables.
    """
    if as_json:
        print_json(cleaning.model_dump_json(indent=2))
        return
    console = PlainConsole()
    action = "would be removed" if cleaning.dry_run else "removed"
    if cleaning.removed:
        show_table(console, _table(action, cleaning.removed))
    if cleaning.unfinished:
        show_table(console, _table("kept, as it has no result yet", cleaning.unfinished))
    print_line(
        console,
        f"{cleaning.removed_bytes:,} bytes {action}, {cleaning.kept_bytes:,} bytes of work stay",
    )
    if cleaning.unfinished:
        print_line(
            console,
            "a run or a plan has left work that is newer than the result: the same command goes on "
            "from it; --all removes it",
        )
    elif cleaning.kept_bytes:
        print_line(console, "what stays is read by `explain`, by `against` and by the next run")


def _table(title: str, pieces: Sequence[Piece]) -> Table:
    table = new_table(title, ["path"], ["bytes"])
    for piece in pieces:
        table.add_row(visible_name(piece.path), f"{piece.bytes:,}")
    return table

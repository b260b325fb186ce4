"""Tables and lines of `outcross explain`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding

from outcross.pipeline.commands.explain import DocumentHistory, Removals
from outcross.pipeline.stages.texts import beginning
from outcross.pipeline.terminal.streams import print_json, print_message
from outcross.pipeline.terminal.tables import (
    PlainConsole,
    new_table,
    print_line,
    repeats_table,
    show_table,
)
from outcross.schemas.deduplication import Overlap
from outcross.schemas.sources import WRITABLE, Source
from outcross.transforms.base.visible import visible_name

_REPEATS = 20  # removed documents that are named one by one


def show_removals(removals: Removals, as_json: bool) -> None:
    """Print the removals of a run.

    Args:
        removals: the removals.
        as_json: print JSON instead of tables.
    """
    _note_changed(removals.changed_files)
    figures = removals.figures
    if as_json:
        print_json(json.dumps(figures, indent=2, ensure_ascii=False))
        return
    console = PlainConsole()
    names = ["exact", "near", "contained"]
    names += ["semantic"] if any("semantic" in line for line in figures["sources"]) else []
    columns = ["read", "distinct texts", *names, "kept"]
    table = new_table("what was removed", ["source"], columns)
    for line in figures["sources"]:
        table.add_row(*(f"{v:,}" if isinstance(v, int) else v for v in line.values()))
    show_table(console, table)
    if figures["found"]:
        show_table(console, repeats_table([Overlap(**line) for line in figures["found"]]))
    _show_most_repeated(console, figures["most_repeated"])
    _show_least_similar(console, "least similar removals", figures["least_similar"])
    _show_least_similar(console, "least similar paraphrases", figures.get("least_semantic", []))


def show_document(history: DocumentHistory, as_json: bool) -> None:
    """Print the history of one id, a paragraph for each source that has it.

    Args:
        history: the history.
        as_json: print JSON instead of lines.
    """
    _note_changed(history.changed_files)
    if as_json:
        print_json(json.dumps(history.as_json(), indent=2, ensure_ascii=False))
        return
    for name in history.earlier:
        repeats = [row for row in history.repeats if row["kept_source"] == name]
        _show_lines([f"{name}: written by an earlier run"], repeats)
    for source in history.sources:
        repeats = [row for row in history.repeats if row["kept_source"] == source.name]
        removed = [row for row in history.removed if row["source"] == source.name]
        written = [row for row in history.written if row["source"] == source.name]
        lines = [_removal(row) for row in removed] or [_fate(source, written)]
        _show_lines([f"{source.name}: {line}" for line in lines], repeats)


def _note_changed(paths: Sequence[str]) -> None:
    """Print the files that have changed since the run; what is said of the run stays true."""
    for path in paths:
        print_message(
            f"note: {visible_name(path)} is not what it was when the run read it, so no text of it "
            "is shown; all else is as the run found it"
        )


def _show_most_repeated(console: Console, lines: Sequence[dict[str, Any]]) -> None:
    if lines:
        print_line(console, "most repeated", "bold")
    for line in lines:
        console.print(
            f"\n{visible_name(line['kept_id'])} ({visible_name(line['kept_source'])}) stands for "
            f"{line['removed']:,} removed documents",
        )
        _show_text(console, line["text"])


def _show_least_similar(console: Console, title: str, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        print_line(console, f"\n{title}", "bold")
    for row in rows:
        console.print(
            f"\n{row['similarity']:.3f}  {row['stage']}, {row['rule']}\n"
            f"  removed {visible_name(row['id'])} ({visible_name(row['source'])})",
        )
        _show_text(console, row["text"])
        excluded = ", whose role is exclude" if row["kept_role"] == "exclude" else ""
        kept = visible_name(f"{row['kept_id']} ({row['kept_source']}{excluded})")
        console.print(f"  kept    {kept}")
        _show_text(console, row["kept_text"])


def _show_text(console: Console, text: str | None) -> None:
    if text is None:
        line = "(its text is not in data/, and the sources are not there as they were)"
    else:
        line = beginning(text)
    console.print(Padding(line, (0, 0, 0, 4)))


def _removal(row: dict[str, Any]) -> str:
    return (
        f"removed: {row['stage']}, {row['rule']}, similarity {row['similarity']:.3f} to "
        f"{visible_name(row['kept_id'])} ({row['kept_source']})"
    )


def _fate(source: Source, written: Sequence[dict[str, Any]]) -> str:
    """Return a line on a document that was not removed."""
    if written and (written[0].get("pieces") or 1) > 1:
        numbers = sorted({row["piece"] for row in written})
        line = f"{len(numbers)} of its {written[0]['pieces']} pieces written"
        shown = ", ".join(map(str, numbers[:_REPEATS])) + (", …" if numbers[_REPEATS:] else "")
        return f"{line} ({shown}), {sum(row['tokens'] for row in written)} tokens"
    if written:
        times = "once" if len(written) == 1 else f"{len(written)} times"
        cluster = written[0]["cluster"]
        line = f"written {times}, {written[0]['tokens']} tokens"
        return line if cluster is None else f"{line}, cluster {cluster}"
    if source.role in WRITABLE:
        return "kept, but not in data/: the budget left it out"
    return f"kept, and never written: the role of its source is {source.role}"


def _show_lines(lines: list[str], repeats: Sequence[dict[str, Any]]) -> None:
    """Print lines on a document, and the removed documents that it stands for."""
    if repeats:
        noun = "document" if len(repeats) == 1 else "documents"
        lines[-1] += f"; stands for {len(repeats):,} removed {noun}"
    lines += [
        f"  {row['similarity']:.3f}  {row['stage']}  {visible_name(row['id'])} ({row['source']})"
        for row in repeats[:_REPEATS]
    ]
    if len(repeats) > _REPEATS:
        lines.append(f"  … and {len(repeats) - _REPEATS:,} more")
    console = PlainConsole()
    for line in lines:
        print_line(console, line)

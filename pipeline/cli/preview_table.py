"""Tables of a dry run: sources with their first rows, and an estimate."""

from __future__ import annotations

import json

from rich.console import Console

from outcross.pipeline.commands.estimate import lines
from outcross.pipeline.commands.preview import Preview
from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import PlainConsole, new_table, print_line, show_table
from outcross.schemas.consistency import ENCODER
from outcross.schemas.estimate import Estimate
from outcross.schemas.plan import SourceTexts
from outcross.transforms.base.visible import visible_name

_FIRST_ROWS = {"first rows": "rows", "pass the filter": "passed", "are valid": "valid"}
"""Headings of the counts of first rows, and their names in a preview."""


def show_preview(preview: Preview, as_json: bool) -> None:
    """Print what a run would read, and what it would take.

    Args:
        preview: result of the dry run.
        as_json: print JSON instead of tables.
    """
    if as_json:
        print_json(json.dumps(_as_json(preview), indent=2))
        return
    console = PlainConsole()
    title = f"would be read, and curated into {visible_name(preview.config.out)}"
    table = new_table(title, ["source", "role"], ["files", "bytes", *_FIRST_ROWS])
    for source in preview.sources:
        counts = [source.files, source.bytes]
        counts += [getattr(source, name) for name in _FIRST_ROWS.values()]
        table.add_row(visible_name(source.source), source.role, *(f"{count:,}" for count in counts))
    show_table(console, table)
    for source in preview.sources:
        show_source_texts(console, source)
        if source.reason is not None:
            print_line(console, f"  rejected: {visible_name(source.reason)}")
        if source.text is not None:
            print_line(console, f"  first text: {source.text}")
        for warning in source.warnings:
            print_line(console, f"  warning: {visible_name(warning)}")
    show_estimate(preview.estimate, preview.config.embedder)


def show_estimate(estimate: Estimate, embedder: str | None) -> None:
    """Print what a run takes.

    Args:
        estimate: time, disk and memory of the run, without the time of an encoder.
        embedder: the key `embedder`.
    """
    console = PlainConsole()
    print_line(console, "a run takes about")
    for line in lines(estimate):
        print_line(console, f"  {line}")
    if embedder is not None and embedder.startswith(ENCODER):
        print_line(console, f"  without the time of {visible_name(embedder)}, which adds to it:")
        print_line(console, "  the texts, divided by its texts a second and by the cores")


def show_source_texts(console: Console, texts: SourceTexts) -> None:
    """Print which columns of a source are judged, and which are carried."""
    roles = "" if texts.roles is None else f" (roles {', '.join(texts.roles)})"
    carried = ", ".join(texts.carried) or "nothing"
    judged = ", ".join(texts.judged)
    line = f"{texts.source}: judged: {judged}{roles}; carried: {carried}"
    print_line(console, visible_name(line))


def _as_json(preview: Preview) -> dict[str, object]:
    request = preview.config.model_dump(mode="json", exclude={"sources"}, exclude_unset=True)
    sources = [source.model_dump(mode="json") for source in preview.sources]
    return {**request, "sources": sources, "estimate": preview.estimate.model_dump()}

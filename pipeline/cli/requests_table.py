"""Table of `outcross requests`."""

from __future__ import annotations

import json

from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import (
    PlainConsole,
    counted,
    new_table,
    print_line,
    show_table,
)
from outcross.schemas.budget import OTHERS
from outcross.schemas.requests import Requests
from outcross.transforms.base.visible import visible_name

_SHOWN = 10  # lines


def show_requests(requests: Requests, path: str, as_json: bool) -> None:
    """Print what the written lines ask for.

    Args:
        requests: the lines.
        path: the file that holds them.
        as_json: print JSON instead of a table.
    """
    clusters, prompts = requests.clusters, requests.prompts
    if as_json:
        summary = {
            "file": path,
            "clusters": len(clusters),
            "tokens": requests.tokens,
            "prompts": len(prompts),
            "warnings": requests.warnings,
        }
        print_json(json.dumps(summary, ensure_ascii=False))
        return
    console = PlainConsole()
    if clusters:
        table = new_table("what to ask the generator for, the most first", ["cluster"], ["tokens"])
        table.add_column("synthetic text", justify="right")
        table.add_column("wanted of it", justify="right")
        table.add_column("about", overflow="fold", max_width=60)
        for line in clusters[:_SHOWN]:
            domain = "" if line.domain == OTHERS else f"{visible_name(line.domain)} "
            table.add_row(
                f"{domain}{line.cluster}",
                f"{line.tokens:,}",
                f"{line.available:,.0f}",
                f"{line.wanted:,.0f}",
                visible_name(", ".join(line.words)),
            )
        show_table(console, table)
        if len(clusters) > _SHOWN:
            print_line(console, f"{_SHOWN} of {len(clusters):,} clusters are shown")
    print_line(console, f"{summary_line(requests)}; written to {path}")


def summary_line(requests: Requests) -> str:
    """Return what the lines ask for in one sentence."""
    clusters = len(requests.clusters)
    asked = (
        f"{requests.tokens:,} tokens of {counted(clusters, 'cluster')} to ask for"
        if clusters
        else "no cluster lacks synthetic text (--tokens N asks for N tokens of all clusters)"
    )
    return f"{asked}, {counted(len(requests.prompts), 'collapsed prompt')}"

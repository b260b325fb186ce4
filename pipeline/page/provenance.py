"""The reference that figures are measured on, and the manifest of the output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from outcross.pipeline.page.glossary import key_of
from outcross.pipeline.page.markup import (
    Cell,
    Column,
    Html,
    cut,
    el,
    escape,
    folded,
    join,
    many,
    more,
    name,
    number,
    section,
    size,
    table,
    term,
)
from outcross.schemas.report import ReferenceSummary, Report

_FILES = 200
_VALUE = 4000  # characters of a value
_INDENT = 2


def reference(report: Report) -> Html | None:
    """Return the section on the reference; None if the report has none."""
    summary = report.reference
    if summary is None:
        return None
    origin = "human text" if summary.human else "the corpus itself, as there is no human text"
    fields = {
        "fingerprint": cut(summary.fingerprint, 80),
        "clusters": number(summary.clusters),
        "documents": number(summary.documents),
        "effective_clusters": number(summary.effective_clusters, ",.1f"),
        "tail_mass": number(summary.tail_mass, ".1%"),
        "near_duplicate_rate": number(summary.near_duplicate_rate, ".2%"),
        "zstd_ratio": number(summary.zstd_ratio, ".2f"),
    }
    pairs = [
        el(
            "div",
            el("dt", term(key_of(ReferenceSummary, key), key.replace("_", " "))),
            el("dd", value),
        )
        for key, value in fields.items()
        if value != "–"
    ]
    return section(
        "reference",
        "The reference",
        el("p", f"A reference made from {origin}. Runs with the same fingerprint can be compared."),
        el("dl", *pairs, class_="pairs-of"),
        brief=f"{many(summary.documents, 'document')}, {many(summary.clusters, 'cluster')}",
    )


def manifest(fields: Mapping[str, Any]) -> Html:
    """Return the section with versions, configuration, inputs and outputs of manifest.json."""
    parts: list[Html | None] = []
    plain = {
        key: value for key, value in fields.items() if not isinstance(value, Mapping | list | tuple)
    }
    if plain:
        parts.append(_pairs("the run", plain))
    for key, value in fields.items():
        title = cut(key, 60).replace("_", " ")
        if key in plain or not value:
            continue
        if key == "inputs" and isinstance(value, Mapping):
            parts += _inputs(value)
        elif key == "outputs" and isinstance(value, list):
            parts += _outputs(value)
        elif isinstance(value, Mapping) and not any(
            isinstance(item, Mapping | list | tuple) for item in value.values()
        ):
            parts.append(_pairs(title, value))
        else:
            parts.append(folded(title, _tree(value)))
    brief = "versions, configuration and files"
    return section("manifest", "How it was made", *parts, brief=brief)


def _pairs(title: str, values: Mapping[str, Any]) -> Html:
    columns = [Column("key", numeric=False, heading=True), Column("value", numeric=False)]
    rows: list[list[Cell | str]] = [
        [cut(str(key), 60).replace("_", " "), Cell(el("bdi", cut(_plain(value))), classes="wrap")]
        for key, value in list(values.items())[:_FILES]
    ]
    return folded(title, table(title, columns, rows))


def _plain(value: Any) -> str:
    return "–" if value is None else str(value)


def _tree(value: Any) -> Html:
    text = json.dumps(value, indent=_INDENT, ensure_ascii=False, default=str)
    lines = text[:_VALUE].split("\n")
    shown = Html("\n".join(escape(line) for line in lines))
    return el("pre", shown, "\n…" if len(text) > _VALUE else None, tabindex=0)


def _inputs(files: Mapping[str, Any]) -> list[Html | None]:
    columns = [
        Column("file", numeric=False, heading=True),
        Column("sources", numeric=False),
        Column("rows"),
        Column("identity", numeric=False),
    ]
    rows: list[list[Cell | str]] = []
    for path, file in list(files.items())[:_FILES]:
        fields = file if isinstance(file, Mapping) else {}
        rows.append(
            [
                Cell(name(str(path)), classes="wrap"),
                cut(", ".join(map(str, fields.get("sources", [])))),
                _count(fields.get("rows")),
                cut(str(fields.get("identity", "–"))),
            ]
        )
    rest = more(len(files), _FILES, "files", "manifest.json")
    title = f"Inputs ({len(files):,})"
    return [folded(title, join([table("Files that were read", columns, rows), rest]))]


def _outputs(files: list[Any]) -> list[Html | None]:
    columns = [
        Column("file", numeric=False, heading=True),
        Column("rows"),
        Column("size"),
        Column("sha256", numeric=False),
    ]
    rows: list[list[Cell | str]] = []
    for file in files[:_FILES]:
        fields = file if isinstance(file, Mapping) else {}
        bytes_ = fields.get("bytes")
        rows.append(
            [
                Cell(name(str(fields.get("file", "–"))), classes="wrap"),
                _count(fields.get("rows")),
                size(bytes_) if isinstance(bytes_, int) else "–",
                el("code", cut(str(fields.get("sha256", "–")))),
            ]
        )
    rest = more(len(files), _FILES, "files", "manifest.json")
    title = f"Outputs ({len(files):,})"
    return [folded(title, join([table("Files that were written", columns, rows), rest]))]


def _count(value: Any) -> str:
    return number(value) if isinstance(value, int) else "–"

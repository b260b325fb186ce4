"""What the figures were measured on, and from what and how the output was made."""

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
from outcross.schemas.report import Report, Yardstick

_FILES = 200
_VALUE = 4000  # characters of a value
_INDENT = 2


def yardstick(report: Report) -> Html | None:
    """The reference that figures are measured on."""
    found = report.reference
    if found is None:
        return None
    made = "human text" if found.human else "the corpus itself, for want of human text"
    fields = {
        "fingerprint": cut(found.fingerprint, 80),
        "clusters": number(found.clusters),
        "documents": number(found.documents),
        "effective_clusters": number(found.effective_clusters, ",.1f"),
        "tail_mass": number(found.tail_mass, ".1%"),
        "near_duplicate_rate": number(found.near_duplicate_rate, ".2%"),
        "zstd_ratio": number(found.zstd_ratio, ".2f"),
    }
    pairs = [
        el("div", el("dt", term(key_of(Yardstick, key), key.replace("_", " "))), el("dd", value))
        for key, value in fields.items()
        if value != "–"
    ]
    return section(
        "yardstick",
        "What it was measured on",
        el("p", f"A yardstick made from {made}. Runs with the same fingerprint can be compared."),
        el("dl", *pairs, class_="pairs-of"),
        brief=f"{many(found.documents, 'document')}, {many(found.clusters, 'cluster')}",
    )


def manifest(found: Mapping[str, Any]) -> Html:
    """Versions, configuration, inputs and outputs, as manifest.json has them."""
    parts: list[Html | None] = []
    plain = {
        key: value for key, value in found.items() if not isinstance(value, Mapping | list | tuple)
    }
    if plain:
        parts.append(_pairs("the run", plain))
    for key, value in found.items():
        title = cut(key, 60).replace("_", " ")
        if key in plain or not value:
            continue
        if key == "inputs" and isinstance(value, Mapping):
            parts += _inputs(value)
        elif key == "outputs" and isinstance(value, list):
            parts += _outputs(value)
        elif isinstance(value, Mapping) and not any(
            isinstance(one, Mapping | list | tuple) for one in value.values()
        ):
            parts.append(_pairs(title, value))
        else:
            parts.append(_folded(title, _tree(value)))
    brief = "versions, configuration and files"
    return section("manifest", "How it was made", *parts, brief=brief)


def _pairs(title: str, values: Mapping[str, Any]) -> Html:
    columns = [Column("key", numeric=False, heading=True), Column("value", numeric=False)]
    rows: list[list[Cell | str]] = [
        [cut(str(key), 60).replace("_", " "), Cell(el("bdi", cut(_plain(value))), classes="wrap")]
        for key, value in list(values.items())[:_FILES]
    ]
    return _folded(title, table(title, columns, rows))


def _plain(value: Any) -> str:
    return "–" if value is None else str(value)


def _folded(title: str, content: Html) -> Html:
    return el("details", el("summary", title), content)


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
        own = file if isinstance(file, Mapping) else {}
        rows.append(
            [
                Cell(name(str(path)), classes="wrap"),
                cut(", ".join(map(str, own.get("sources", [])))),
                _count(own.get("rows")),
                cut(str(own.get("identity", "–"))),
            ]
        )
    rest = more(len(files), _FILES, "files", "manifest.json")
    title = f"Inputs ({len(files):,})"
    return [_folded(title, join([table("Files that were read", columns, rows), rest]))]


def _outputs(files: list[Any]) -> list[Html | None]:
    columns = [
        Column("file", numeric=False, heading=True),
        Column("rows"),
        Column("size"),
        Column("sha256", numeric=False),
    ]
    rows: list[list[Cell | str]] = []
    for file in files[:_FILES]:
        own = file if isinstance(file, Mapping) else {}
        of = own.get("bytes")
        rows.append(
            [
                Cell(name(str(own.get("file", "–"))), classes="wrap"),
                _count(own.get("rows")),
                size(of) if isinstance(of, int) else "–",
                el("code", cut(str(own.get("sha256", "–")))),
            ]
        )
    rest = more(len(files), _FILES, "files", "manifest.json")
    title = f"Outputs ({len(files):,})"
    return [_folded(title, join([table("Files that were written", columns, rows), rest]))]


def _count(value: Any) -> str:
    return number(value) if isinstance(value, int) else "–"

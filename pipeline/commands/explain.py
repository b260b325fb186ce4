"""What was removed, in favour of what, and why: read back from a run's output."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from outcross.pipeline.engine.artifacts import MANIFEST, WORK, check_manifest, read_manifest
from outcross.pipeline.stages.texts import (
    Name,
    beginning,
    ids_array,
    judged_texts,
    printable,
    texts_in_data,
    texts_of_earlier,
    texts_of_sources,
)
from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import found_table, new_table, show_table
from outcross.schemas.config import Config, parse
from outcross.schemas.deduplication import Overlap
from outcross.schemas.documents import REMOVED_FIELDS
from outcross.schemas.sources import WRITABLE, Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.dedup.decide import CONTAINED, STAGES

_NAMES = [field.name for field in REMOVED_FIELDS]


def explain_removals(out: str, least_similar: int, as_json: bool) -> None:
    """Prints how much was removed from where, what it repeats most, and the closest calls.

    Args:
        out: output directory of a run.
        least_similar: how many removals to show, the least similar first.
        as_json: print JSON instead of tables.
    """
    config, report = run_config(out, "explain"), files.read_json(files.join(out, "report.json"))
    roles = {source.name: source.role for source in config.sources}
    removed = _removed(out, _NAMES)
    counts = Counter(zip(removed["source"].to_pylist(), removed["stage"].to_pylist(), strict=True))
    by_kept = Counter(
        zip(removed["kept_source"].to_pylist(), removed["kept_id"].to_pylist(), strict=True)
    )
    whole = removed.filter(pc.not_equal(removed["stage"], STAGES[CONTAINED]))
    order = np.argsort(whole["similarity"].to_numpy(), kind="stable")[:least_similar]
    close = whole.take(pa.array(order)).to_pylist()
    shown = {(row["kept_source"], row["kept_id"]) for row in close} | set(_top(by_kept))
    kept_texts = texts_in_data(out, config, shown)
    kept_texts |= texts_of_earlier(config, shown - set(kept_texts))
    from_sources, changed = texts_of_sources(out, config, shown - set(kept_texts))
    kept_texts |= from_sources
    _note_changed(changed)
    own_texts = _removed_texts(out, config, {(row["source"], row["id"]) for row in close})
    for row in close:
        row["text"] = own_texts.get((row["source"], row["id"]))
        row["kept_text"] = kept_texts.get((row["kept_source"], row["kept_id"]))
        row["kept_role"] = roles.get(row["kept_source"])
    value = {
        "sources": [
            {
                "source": line["source"],
                "read": line["read"],
                "distinct": line["distinct"],
                "exact": counts[line["source"], "exact"],
                "near": counts[line["source"], "near"],
                "contained": counts[line["source"], "contained"],
                "kept": line["kept"],
            }
            for line in report["conservation"]
        ],
        "found": report["deduplication"]["found"],
        "most_repeated": [
            {
                "kept_id": kept[1],
                "kept_source": kept[0],
                "removed": by_kept[kept],
                "text": kept_texts.get(kept),
            }
            for kept in _top(by_kept)
        ],
        "least_similar": close,
    }
    if as_json:
        print_json(json.dumps(value, indent=2, ensure_ascii=False))
        return
    _show(Console(), value)


def _note_changed(changed: Mapping[Name, str]) -> None:
    """Names the files that can't be read as the run read them; what the run did stays true."""
    for path in sorted(set(changed.values())):
        print(
            f"note: {path} is not what it was when the run read it, so no text of it is shown; "
            "what is said here is of the run",
            file=sys.stderr,
        )


def _top(by_kept: Counter[Name]) -> list[Name]:
    """The documents that stand for most others, two at least; equal ones by id."""
    often = [kept for kept in by_kept if by_kept[kept] > 1]
    return sorted(often, key=lambda kept: (-by_kept[kept], kept))[:5]


def _show(console: Console, value: dict[str, Any]) -> None:
    table = new_table(
        "what was removed",
        ["source"],
        ["read", "distinct texts", "exact", "near", "contained", "kept"],
    )
    for line in value["sources"]:
        table.add_row(*(f"{v:,}" if isinstance(v, int) else v for v in line.values()))
    show_table(console, table)
    if value["found"]:
        show_table(console, found_table([Overlap(**line) for line in value["found"]]))
    if value["most_repeated"]:
        console.print("[bold]most repeated[/]")
    for line in value["most_repeated"]:
        console.print(
            f"\n{_id(line['kept_id'])} ({escape(line['kept_source'])}) stands for "
            f"{line['removed']:,} removed documents",
            highlight=False,
        )
        _show_text(console, line["text"])
    if value["least_similar"]:
        console.print("\n[bold]least similar removals[/]")
    for row in value["least_similar"]:
        console.print(
            f"\n{row['similarity']:.3f}  {row['stage']}, {row['rule']}\n"
            f"  removed {_id(row['id'])} ({escape(row['source'])})",
            highlight=False,
        )
        _show_text(console, row["text"])
        excluded = ", whose role is exclude" if row["kept_role"] == "exclude" else ""
        console.print(
            f"  kept    {_id(row['kept_id'])} ({escape(row['kept_source'])}{excluded})",
            highlight=False,
        )
        _show_text(console, row["kept_text"])


def _id(own: str) -> str:
    """An id as it may be printed: it is the corpus's, as the texts are."""
    return escape(printable(own))


def _show_text(console: Console, text: str | None) -> None:
    if text is None:
        line = "(its text is not in data/, and the sources are not there as they were)"
    else:
        line = beginning(text)
    console.print(Padding(Text(line), (0, 0, 0, 4)))


def explain_document(out: str, document: str, as_json: bool) -> None:
    """Prints what became of one document.

    Args:
        out: output directory of a run.
        document: its id.
        as_json: print JSON instead of lines.

    Raises:
        ConfigError: when the run has seen no document with the id, or has not written it.
    """
    config = run_config(out, "explain")
    removed = _removed(out, _NAMES)
    gone = removed.filter(pc.equal(removed["id"], document)).to_pylist()
    repeats = removed.filter(pc.equal(removed["kept_id"], document)).to_pylist()
    written = [
        row
        for path in files.list_files(files.join(out, "data", "*.parquet"))
        for row in _written(path, document)
    ]
    known = {row["source"] for row in gone} | {row["source"] for row in written}
    known |= {row["kept_source"] for row in repeats}
    others = {(source.name, document) for source in config.sources if source.name not in known}
    texts, changed = texts_of_sources(out, config, others)
    known |= {source for source, _ in (*texts, *changed)}
    _note_changed(changed)
    if not known:
        raise ConfigError(
            f"explain: the run knows no document {document!r}; ids are those of the column "
            f"outcross.id and of {out}/removed, and {out}/rejects holds what could not be read"
        )
    if as_json:
        value = {"id": document, "removed": gone, "written": written, "repeated_by": repeats}
        print_json(json.dumps(value, indent=2, ensure_ascii=False))
        return
    for name in sorted(known - {source.name for source in config.sources}):
        _show_lines(
            [f"{name}: written by an earlier run"],
            [row for row in repeats if row["kept_source"] == name],
        )
    for source in config.sources:
        if source.name in known:
            _show_document(
                source,
                [row for row in gone if row["source"] == source.name],
                [row for row in written if row["source"] == source.name],
                [row for row in repeats if row["kept_source"] == source.name],
            )


def _show_document(
    source: Source,
    gone: list[dict[str, Any]],
    written: list[dict[str, Any]],
    repeats: list[dict[str, Any]],
) -> None:
    if written:
        often = "once" if len(written) == 1 else f"{len(written)} times"
        cluster = written[0]["cluster"]
        told = f"written {often}, {written[0]['tokens']} tokens"
        told += "" if cluster is None else f", cluster {cluster}"
    elif source.role in WRITABLE:
        told = "kept, but not in data/: the budget left it out"
    else:
        told = f"kept, and never written: the role of its source is {source.role}"
    lines = [
        f"removed: {row['stage']}, {row['rule']}, similarity {row['similarity']:.3f} to "
        f"{printable(row['kept_id'])} ({row['kept_source']})"
        for row in gone
    ]
    _show_lines([f"{source.name}: {line}" for line in lines or [told]], repeats)


def _show_lines(lines: list[str], repeats: list[dict[str, Any]]) -> None:
    """What became of a document, and the removed ones that it stands for."""
    if repeats:
        what = "document" if len(repeats) == 1 else "documents"
        lines[-1] += f"; stands for {len(repeats):,} removed {what}"
    lines += [
        f"  {row['similarity']:.3f}  {row['stage']}  {printable(row['id'])} ({row['source']})"
        for row in repeats[:20]
    ]
    if len(repeats) > 20:
        lines.append(f"  … and {len(repeats) - 20:,} more")
    console = Console()
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _written(path: str, document: str) -> list[dict[str, Any]]:
    column = files.read_table(path, ["outcross"]).column(0)
    ids = pc.struct_field(column, "id")
    found: list[dict[str, Any]] = column.filter(pc.equal(ids, document)).to_pylist()
    return found


def run_config(out: str, command: str) -> Config:
    """Return the configuration of a finished run or deduplication.

    Args:
        out: its output directory.
        command: that asks for it.

    Raises:
        ConfigError: when the directory holds no such run, or one of another version.
    """
    path = files.join(out, MANIFEST)
    if not files.exists(path):
        raise ConfigError(
            f"{command}: {out} holds no {MANIFEST}; give the output directory of a finished run"
            + (" (this one has not finished)" if files.exists(files.join(out, WORK)) else "")
        )
    manifest = read_manifest(out)
    if manifest is None:
        raise ConfigError(
            f"{command}: {path} is not of an outcross run; give the output directory of a finished "
            "run"
        )
    if manifest.get("kind", "run") != "run":
        raise ConfigError(
            f"{command}: {out} was made by an audit or `reference build`, which write no removed/; "
            "its report.json has the commonest texts and the least similar pairs"
        )
    check_manifest(command, out, manifest)
    return parse(manifest["configuration"])


def _removed(out: str, columns: list[str]) -> pa.Table:
    paths = files.list_files(files.join(out, "removed", "*.parquet"))
    return pa.concat_tables([files.read_table(path, columns) for path in paths])


def _removed_texts(out: str, config: Config, wanted: set[Name]) -> dict[Name, str]:
    table = _removed(out, ["id", "source", "row"])
    table = table.filter(pc.is_in(table["id"], ids_array(wanted)))
    return judged_texts(config, table["id"], table["source"], table["row"])

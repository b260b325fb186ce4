"""What was removed, in favour of what, and why: read back from a run's output."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.artifacts import WORK
from schemas.config import Config, ConfigError, parse
from schemas.documents import REMOVED_FIELDS
from transforms import files
from transforms.fields import text_of

_SHOWN = 300  # characters of a text
_NAMES = [field.name for field in REMOVED_FIELDS]


def explain_removals(out: str, least_similar: int, as_json: bool) -> None:
    """Prints how much was removed from where, what it repeats most, and the closest calls.

    Args:
        out: output directory of a run.
        least_similar: how many removals to show, the least similar first.
        as_json: print JSON instead of tables.
    """
    config, report = _config(out), files.read_json(files.join(out, "report.json"))
    removed = _removed(out, _NAMES)
    counts = Counter(zip(removed["source"].to_pylist(), removed["stage"].to_pylist(), strict=True))
    by_kept = Counter(removed["kept_id"].to_pylist())
    order = np.argsort(removed["similarity"].to_numpy(), kind="stable")[:least_similar]
    close = removed.take(pa.array(order)).to_pylist()
    kept_texts = _texts(out, config, {row["kept_id"] for row in close} | set(_top(by_kept)))
    own_texts = _removed_texts(out, config, {row["id"] for row in close})
    for row in close:
        row["text"] = own_texts.get(row["id"])
        row["kept_text"] = kept_texts.get(row["kept_id"])
    value = {
        "sources": [
            {
                "source": line["source"],
                "read": line["read"],
                "exact": counts[line["source"], "exact"],
                "near": counts[line["source"], "near"],
                "kept": line["kept"],
            }
            for line in report["conservation"]
        ],
        "most_repeated": [
            {"kept_id": kept, "removed": by_kept[kept], "text": kept_texts.get(kept)}
            for kept in _top(by_kept)
        ],
        "least_similar": close,
    }
    if as_json:
        print(json.dumps(value, indent=2, ensure_ascii=False))
        return
    _show(Console(), value)


def _top(by_kept: Counter[str]) -> list[str]:
    """The documents that stand for most others; equal ones by id."""
    return sorted(by_kept, key=lambda kept: (-by_kept[kept], kept))[:5]


def _show(console: Console, value: dict[str, Any]) -> None:
    table = Table(title="what was removed")
    table.add_column("source")
    for column in ("read", "exact", "near", "kept"):
        table.add_column(column, justify="right")
    for line in value["sources"]:
        table.add_row(*(f"{v:,}" if isinstance(v, int) else v for v in line.values()))
    console.print(table)
    for line in value["most_repeated"]:
        console.print(
            f"[bold]{escape(line['kept_id'])}[/] stands for {line['removed']:,} removed documents"
        )
        console.print(f"    {_shown(line['text'])}", highlight=False)
    if value["least_similar"]:
        console.print("\n[bold]least similar removals[/]")
    for row in value["least_similar"]:
        console.print(
            f"\n{row['similarity']:.3f}  {row['stage']}, {row['rule']}\n"
            f"  removed {escape(row['id'])} ({escape(row['source'])})",
            highlight=False,
        )
        console.print(f"    {_shown(row['text'])}", highlight=False)
        console.print(
            f"  kept    {escape(row['kept_id'])} ({escape(row['kept_source'])})", highlight=False
        )
        console.print(f"    {_shown(row['kept_text'])}", highlight=False)


def _shown(text: str | None) -> str:
    if text is None:
        return "(kept, but not in data/: the budget did not select it)"
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return escape(line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…")


def explain_document(out: str, document: str, as_json: bool) -> None:
    """Prints what became of one document.

    Args:
        out: output directory of a run.
        document: its id.
        as_json: print JSON instead of lines.

    Raises:
        ConfigError: when the run has seen no document with the id, or has not written it.
    """
    _config(out)
    removed = _removed(out, _NAMES)
    gone = removed.filter(pc.equal(removed["id"], document)).to_pylist()
    repeats = removed.filter(pc.equal(removed["kept_id"], document)).to_pylist()
    written = [
        row
        for path in files.list_files(files.join(out, "data", "*.parquet"))
        for row in _written(path, document)
    ]
    if not (gone or repeats or written):
        raise ConfigError(
            f"explain: no document called {document!r} was removed, stands for another one or is "
            f"in data/; ids are those of the column outcross.id, and {out}/rejects holds what "
            "could not be read"
        )
    if as_json:
        value = {"id": document, "removed": gone, "written": written, "repeated_by": repeats}
        print(json.dumps(value, indent=2, ensure_ascii=False))
        return
    console = Console()
    for row in gone:
        console.print(
            f"removed: {row['stage']}, {row['rule']}, similarity {row['similarity']:.3f} to "
            f"{row['kept_id']} ({row['kept_source']})",
            markup=False,
            highlight=False,
        )
    if written:
        first = written[0]
        console.print(
            f"written {len(written)} times, cluster {first['cluster']}, {first['tokens']} tokens",
            markup=False,
            highlight=False,
        )
    elif not gone:
        console.print("kept, but not in data/: the budget did not select it")
    if repeats:
        console.print(f"stands for {len(repeats):,} removed documents:", highlight=False)
    for row in repeats[:20]:
        console.print(
            f"  {row['similarity']:.3f}  {row['stage']}  {row['id']}", markup=False, highlight=False
        )


def _written(path: str, document: str) -> list[dict[str, Any]]:
    column = files.read_table(path, ["outcross"]).column(0)
    ids = pc.struct_field(column, "id")
    found: list[dict[str, Any]] = column.filter(pc.equal(ids, document)).to_pylist()
    return found


def _config(out: str) -> Config:
    path = files.join(out, "manifest.json")
    if not files.exists(path):
        raise ConfigError(
            f"explain: {out} holds no manifest.json; give the output directory of a finished run"
            + (" (this one has not finished)" if files.exists(files.join(out, WORK)) else "")
        )
    return parse(files.read_json(path)["configuration"])


def _removed(out: str, columns: list[str]) -> pa.Table:
    paths = files.list_files(files.join(out, "removed", "*.parquet"))
    return pa.concat_tables([files.read_table(path, columns) for path in paths])


def _removed_texts(out: str, config: Config, ids: set[str]) -> dict[str, str]:
    table = _removed(out, ["id", "source", "row"])
    table = table.filter(pc.is_in(table["id"], pa.array(sorted(ids), pa.string())))
    return _judged(config, table["id"], table["source"], table["row"])


def _texts(out: str, config: Config, ids: set[str]) -> dict[str, str]:
    """Texts of documents that are in data/."""
    texts: dict[str, str] = {}
    wanted = pa.array(sorted(ids), pa.string())
    for path in files.list_files(files.join(out, "data", "*.parquet")):
        table = files.read_table(path)
        column = table["outcross"]
        table = table.filter(pc.is_in(pc.struct_field(column, "id"), wanted))
        rows = pa.chunked_array(
            [batch.to_struct_array() for batch in table.to_batches()],
            type=pa.struct(list(table.schema)),
        )
        column = table["outcross"]
        texts |= _judged(
            config, pc.struct_field(column, "id"), pc.struct_field(column, "source"), rows
        )
    return texts


def _judged(
    config: Config, ids: pa.ChunkedArray, sources: pa.ChunkedArray, rows: pa.ChunkedArray
) -> dict[str, str]:
    """The judged texts of rows, by id."""
    texts: dict[str, str] = {}
    for source in config.sources:
        mask = pc.equal(sources, source.name)
        chosen = rows.filter(mask).combine_chunks()
        if isinstance(chosen, pa.ChunkedArray):
            chosen = pa.concat_arrays(chosen.chunks) if chosen.num_chunks else None
        if chosen is None or len(chosen) == 0:
            continue
        batch = pa.RecordBatch.from_struct_array(chosen)
        text, _ = text_of(batch, source.text_field)
        texts |= dict(zip(ids.filter(mask).to_pylist(), text.to_pylist(), strict=True))
    return texts

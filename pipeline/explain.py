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
from rich.padding import Padding
from rich.text import Text

from pipeline.artifacts import MANIFEST, WORK
from pipeline.console import new_table, show_table
from pipeline.stages.sketch import plan_input
from schemas.config import WRITABLE, Config, ConfigError, Source, parse
from schemas.documents import REMOVED_FIELDS
from transforms import files
from transforms.fields import text_of
from transforms.identity import ids_of, repeated_ids
from transforms.read import read_unit
from transforms.sketch import Sketches

_SHOWN = 300  # characters of a text
Name = tuple[str, str]  # source and id, since an id is unique in its source only
_NAMES = [field.name for field in REMOVED_FIELDS]


def explain_removals(out: str, least_similar: int, as_json: bool) -> None:
    """Prints how much was removed from where, what it repeats most, and the closest calls.

    Args:
        out: output directory of a run.
        least_similar: how many removals to show, the least similar first.
        as_json: print JSON instead of tables.
    """
    config, report = _config(out), files.read_json(files.join(out, "report.json"))
    roles = {source.name: source.role for source in config.sources}
    removed = _removed(out, _NAMES)
    counts = Counter(zip(removed["source"].to_pylist(), removed["stage"].to_pylist(), strict=True))
    by_kept = Counter(
        zip(removed["kept_source"].to_pylist(), removed["kept_id"].to_pylist(), strict=True)
    )
    order = np.argsort(removed["similarity"].to_numpy(), kind="stable")[:least_similar]
    close = removed.take(pa.array(order)).to_pylist()
    shown = {(row["kept_source"], row["kept_id"]) for row in close} | set(_top(by_kept))
    kept_texts = _texts(out, config, shown)
    kept_texts |= _texts_of_sources(out, config, shown - set(kept_texts))
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
                "kept": line["kept"],
            }
            for line in report["conservation"]
        ],
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
        print(json.dumps(value, indent=2, ensure_ascii=False))
        return
    _show(Console(), value)


def _top(by_kept: Counter[Name]) -> list[Name]:
    """The documents that stand for most others, two at least; equal ones by id."""
    often = [kept for kept in by_kept if by_kept[kept] > 1]
    return sorted(often, key=lambda kept: (-by_kept[kept], kept))[:5]


def _show(console: Console, value: dict[str, Any]) -> None:
    table = new_table(
        "what was removed", ["source"], ["read", "distinct texts", "exact", "near", "kept"]
    )
    for line in value["sources"]:
        table.add_row(*(f"{v:,}" if isinstance(v, int) else v for v in line.values()))
    show_table(console, table)
    if value["most_repeated"]:
        console.print("[bold]most repeated[/]")
    for line in value["most_repeated"]:
        console.print(
            f"\n{escape(line['kept_id'])} ({escape(line['kept_source'])}) stands for "
            f"{line['removed']:,} removed documents",
            highlight=False,
        )
        _show_text(console, line["text"])
    if value["least_similar"]:
        console.print("\n[bold]least similar removals[/]")
    for row in value["least_similar"]:
        console.print(
            f"\n{row['similarity']:.3f}  {row['stage']}, {row['rule']}\n"
            f"  removed {escape(row['id'])} ({escape(row['source'])})",
            highlight=False,
        )
        _show_text(console, row["text"])
        excluded = ", whose role is exclude" if row["kept_role"] == "exclude" else ""
        console.print(
            f"  kept    {escape(row['kept_id'])} ({escape(row['kept_source'])}{excluded})",
            highlight=False,
        )
        _show_text(console, row["kept_text"])


def _show_text(console: Console, text: str | None) -> None:
    if text is None:
        line = "(its text is not in data/, and the sources are not there as they were)"
    else:
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        line = line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
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
    config = _config(out)
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
    known |= {source for source, _ in _texts_of_sources(out, config, others)}
    if not known:
        raise ConfigError(
            f"explain: the run knows no document {document!r}; ids are those of the column "
            f"outcross.id and of {out}/removed, and {out}/rejects holds what could not be read"
        )
    if as_json:
        value = {"id": document, "removed": gone, "written": written, "repeated_by": repeats}
        print(json.dumps(value, indent=2, ensure_ascii=False))
        return
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
        f"{row['kept_id']} ({row['kept_source']})"
        for row in gone
    ]
    if repeats:
        what = "document" if len(repeats) == 1 else "documents"
        told += f"; stands for {len(repeats):,} removed {what}"
    console = Console()
    for line in lines or [told]:
        console.print(f"{source.name}: {line}", markup=False, highlight=False, soft_wrap=True)
    for row in repeats[:20]:
        line = f"  {row['similarity']:.3f}  {row['stage']}  {row['id']} ({row['source']})"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(repeats) > 20:
        console.print(f"  … and {len(repeats) - 20:,} more", highlight=False)


def _written(path: str, document: str) -> list[dict[str, Any]]:
    column = files.read_table(path, ["outcross"]).column(0)
    ids = pc.struct_field(column, "id")
    found: list[dict[str, Any]] = column.filter(pc.equal(ids, document)).to_pylist()
    return found


def _config(out: str) -> Config:
    path = files.join(out, MANIFEST)
    if not files.exists(path):
        raise ConfigError(
            f"explain: {out} holds no {MANIFEST}; give the output directory of a finished run"
            + (" (this one has not finished)" if files.exists(files.join(out, WORK)) else "")
        )
    return parse(files.read_json(path)["configuration"])


def _removed(out: str, columns: list[str]) -> pa.Table:
    paths = files.list_files(files.join(out, "removed", "*.parquet"))
    return pa.concat_tables([files.read_table(path, columns) for path in paths])


def _removed_texts(out: str, config: Config, wanted: set[Name]) -> dict[Name, str]:
    table = _removed(out, ["id", "source", "row"])
    table = table.filter(pc.is_in(table["id"], _ids(wanted)))
    return _judged(config, table["id"], table["source"], table["row"])


def _texts(out: str, config: Config, wanted: set[Name]) -> dict[Name, str]:
    """Texts of documents that are in data/."""
    texts: dict[Name, str] = {}
    for path in files.list_files(files.join(out, "data", "*.parquet")):
        table = files.read_table(path)
        column = table["outcross"]
        table = table.filter(pc.is_in(pc.struct_field(column, "id"), _ids(wanted)))
        rows = pa.chunked_array(
            [batch.to_struct_array() for batch in table.to_batches()],
            type=pa.struct(list(table.schema)),
        )
        column = table["outcross"]
        texts |= _judged(
            config, pc.struct_field(column, "id"), pc.struct_field(column, "source"), rows
        )
    return texts


def _ids(wanted: set[Name]) -> pa.Array:
    return pa.array(sorted({name for _, name in wanted}), pa.string())


def _texts_of_sources(out: str, config: Config, wanted: set[Name]) -> dict[Name, str]:
    """Texts of documents that only the sources hold; none where these have changed since."""
    manifest = files.read_json(files.join(out, MANIFEST))
    folder = files.join(out, WORK, f"sketch-{manifest['sketch'][:16]}", "units")
    try:
        units, identities = plan_input(config)
        sketches = Sketches(folder, units)
    except (ConfigError, OSError):  # the input or the work directory is gone
        return {}
    known = {path: file["identity"] for path, file in manifest["inputs"].items()}
    if not wanted or identities != known:
        return {}
    repeated = repeated_ids(sketches, config.sources)
    texts: dict[Name, str] = {}
    for unit in units:
        source = config.sources[unit.source]
        names = {name for name in wanted if name[0] == source.name}
        if not names:
            continue
        documents = np.arange(sketches.offsets[unit.index], sketches.offsets[unit.index + 1])
        own = ids_of(sketches, config.sources, documents, repeated)
        places = np.flatnonzero(pc.is_in(own, _ids(names)).to_numpy())
        start = 0
        for block in read_unit(unit, source) if len(places) else ():
            stop = start + len(block.text)
            here = places[(places >= start) & (places < stop)]
            found = block.text.take(pa.array(here - start))
            texts |= _by_name(source.name, own.take(pa.array(here)), found)
            start = stop
    return texts


def _by_name(source: str, ids: pa.ChunkedArray, texts: pa.Array) -> dict[Name, str]:
    pairs = zip(ids.to_pylist(), texts.to_pylist(), strict=True)
    return {(source, own): text for own, text in pairs}


def _judged(
    config: Config, ids: pa.ChunkedArray, sources: pa.ChunkedArray, rows: pa.ChunkedArray
) -> dict[Name, str]:
    """The judged texts of rows."""
    texts: dict[Name, str] = {}
    for source in config.sources:
        mask = pc.equal(sources, source.name)
        chosen = rows.filter(mask).combine_chunks()
        if isinstance(chosen, pa.ChunkedArray):
            chosen = pa.concat_arrays(chosen.chunks) if chosen.num_chunks else None
        if chosen is None or len(chosen) == 0:
            continue
        batch = pa.RecordBatch.from_struct_array(chosen)
        text, _ = text_of(batch, source.text_field)
        texts |= _by_name(source.name, ids.filter(mask), text)
    return texts

"""Texts of documents that a run has written, removed or only read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import MANIFEST, artifact
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.earlier import earlier_runs
from outcross.pipeline.stages.sketch import Sketched, saved_units
from outcross.schemas.config import Config
from outcross.schemas.documents import Unit
from outcross.schemas.sources import Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.estimators.compression import BLOCK, BLOCKS
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.inputs.places import Places
from outcross.transforms.inputs.seals import ChangedError
from outcross.transforms.reading.look_up_texts import LookUpTexts
from outcross.transforms.reading.lookup import TextKind, texts_at
from outcross.transforms.reference.sample import sample_key
from outcross.transforms.rows.text_fields import text_of
from outcross.transforms.sketches.identity import ids_of, repeated_ids
from outcross.transforms.sketches.store import Sketches

SHOWN = 300  # characters of a text
LOOKED_UP = 4 * SHOWN  # white space and what can't be printed is taken out of them
Name = tuple[str, str]  # source and id, since an id is unique in its source only


@dataclass(frozen=True)
class Documents:
    """Some documents of one unit.

    Attributes:
        source: of the unit.
        unit: of the run.
        places: of the unit's rows.
        ids: of the n documents.
        rows: int64[n], their rows in the unit, ascending.
    """

    source: Source
    unit: Unit
    places: Places
    ids: list[str]
    rows: NDArray[np.int64]


def printable(text: str) -> str:
    """A text on one line, without what could steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def beginning(text: str) -> str:
    """The first characters of a text, printable."""
    line = " ".join(printable(text[:LOOKED_UP]).split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def texts_in_data(out: str, config: Config, wanted: set[Name]) -> dict[Name, str]:
    """Texts of documents that are in data/."""
    texts: dict[Name, str] = {}
    for path in files.list_files(files.join(out, "data", "*.parquet")):
        table = files.read_table(path)
        column = table["outcross"]
        table = table.filter(pc.is_in(pc.struct_field(column, "id"), ids_array(wanted)))
        rows = pa.chunked_array(
            [batch.to_struct_array() for batch in table.to_batches()],
            type=pa.struct(list(table.schema)),
        )
        column = table["outcross"]
        texts |= judged_texts(
            config, pc.struct_field(column, "id"), pc.struct_field(column, "source"), rows
        )
    return texts


def texts_of_earlier(config: Config, wanted: set[Name]) -> dict[Name, str]:
    """Texts that earlier runs have written; their sources have the run's name before their own.

    None where one of the runs is no longer there as it was.
    """
    try:
        runs = earlier_runs(config)
    except ConfigError:
        return {}
    texts: dict[Name, str] = {}
    for run in runs:
        own = {party.name: party.source.name for party in run.parties}
        names = {(own[source], name) for source, name in wanted if source in own}
        if names:
            found = texts_in_data(run.out, run.config, names)
            texts |= {(f"{run.name}/{source}", name): t for (source, name), t in found.items()}
    return texts


def documents_of_sources(out: str, config: Config, wanted: set[Name]) -> Iterator[Documents]:
    """Which of some documents a run has read, from its sketches alone: no source is opened."""
    manifest = files.read_json(files.join(out, MANIFEST))
    folder = files.join(out, manifest["work"]["sketch"])
    try:
        sketches = Sketches(files.join(folder, "units"), saved_units(folder))
    except OSError:  # the work directory is gone
        return
    repeated = repeated_ids(sketches, config.sources)
    for unit in sketches.units:
        source = config.sources[unit.source]
        names = {name for name in wanted if name[0] == source.name}
        if not names:
            continue
        first = sketches.offsets[unit.index]
        ids = ids_of(
            sketches, config.sources, np.arange(first, sketches.offsets[unit.index + 1]), repeated
        )
        chosen = np.flatnonzero(pc.is_in(ids, ids_array(names)).to_numpy())
        if len(chosen):
            rows = sketches.table(unit.index, ["row"]).column(0).to_numpy()[chosen]
            own = ids.take(pa.array(chosen)).to_pylist()
            yield Documents(source, unit, sketches.places[unit.index], own, rows)


def texts_of_sources(
    out: str, config: Config, wanted: set[Name]
) -> tuple[dict[Name, str], dict[Name, str]]:
    """Texts of documents that only the sources hold.

    Returns:
        The texts, and for documents whose files are not what they were when the run read them,
        the paths of these.
    """
    texts: dict[Name, str] = {}
    changed: dict[Name, str] = {}
    for documents in documents_of_sources(out, config, wanted):
        pieces = documents.places.piece_of(documents.rows)
        for number in np.unique(pieces).tolist():
            piece, own = documents.unit.pieces[number], np.flatnonzero(pieces == number)
            rows = documents.rows[own] - documents.places.starts[number]
            names = [(documents.source.name, documents.ids[place]) for place in own.tolist()]
            try:
                found = texts_at([piece], documents.source, np.stack([0 * rows, rows], 1))
            except (ChangedError, OSError):
                changed |= dict.fromkeys(names, piece.file)
                continue
            texts |= dict(zip(names, found, strict=True))
    return texts, changed


def texts_of_documents(
    context: Context,
    sketched: Sketched,
    documents: NDArray[np.int64],
    characters: int = LOOKED_UP,
    what: TextKind = "text",
) -> dict[int, str]:
    """Texts of documents of a run, from their beginning.

    Args:
        context, sketched: of the run.
        documents: ascending.
        characters: of each text.
        what: the judged text, or the prompt.
    """
    sources = context.config.sources
    done = artifact(
        context.config.out,
        "texts",
        sketch=sketched.artifact.key,
        documents=xxhash.xxh3_128_hexdigest(documents.tobytes()),
        characters=characters,
        what=what,
    )
    sketches, found = sketched.sketches, done.subfolder("found")
    parts = list(sketches.rows_of(documents))
    if not done.finished:
        wanted = done.subfolder("wanted")
        for number, rows, _ in parts:
            lines = sketches.table(number, ["row"]).column(0).to_numpy()[rows]
            own = sketches.places[number]
            piece = own.piece_of(lines)
            files.write_array(
                unit_file(wanted, number, "npy"), np.stack([piece, lines - own.starts[piece]], 1)
            )
        units = [sketches.units[number] for number, _, _ in parts]
        context.over_units(
            units, lambda p: p | LookUpTexts(sources, wanted, found, characters, what), reading=True
        )
        if context.config.texts:
            done.finish()
    texts: dict[int, str] = {}
    for number, _, places in parts:
        table = files.read_table(unit_file(found, number, "parquet"))
        texts |= dict(zip(documents[places].tolist(), table["text"].to_pylist(), strict=True))
    if not context.config.texts:  # nothing that could be read stays in the work
        files.delete_files([unit_file(found, number, "parquet") for number, _, _ in parts])
    return texts


def texts_by_hash(context: Context, sketched: Sketched, documents: NDArray[np.int64]) -> list[str]:
    """Whole texts of the documents with the smallest hashes, as many as compression looks at.

    Args:
        context, sketched: of the run.
        documents: ascending, to choose from.
    """
    hi, lo = (half[documents] for half in sketched.fingerprints)
    order = np.argsort(sample_key(hi, lo, np.ones(len(documents), np.int64)), kind="stable")
    length = np.minimum(sketched.sketches.numbers("length")[documents][order], BLOCK)
    chosen = documents[order[np.cumsum(length) - length < BLOCK * BLOCKS]]
    texts = texts_of_documents(context, sketched, np.sort(chosen), characters=BLOCK)
    return [texts[document] for document in chosen.tolist()]


def ids_array(wanted: set[Name]) -> pa.Array:
    return pa.array(sorted({name for _, name in wanted}), pa.string())


def _by_name(source: str, ids: pa.ChunkedArray, texts: pa.Array) -> dict[Name, str]:
    pairs = zip(ids.to_pylist(), texts.to_pylist(), strict=True)
    return {(source, own): text for own, text in pairs}


def judged_texts(
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
        text, _ = text_of(batch, source)
        texts |= _by_name(source.name, ids.filter(mask), text)
    return texts

"""Texts of documents that a run has written, removed or only read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from pipeline.artifacts import MANIFEST, artifact
from pipeline.context import Context
from pipeline.earlier import earlier_runs
from pipeline.stages.sketch import Sketched, plan_input
from schemas.config import Config, ConfigError, Source
from transforms import files
from transforms.compression import BLOCK, BLOCKS
from transforms.fields import text_of
from transforms.identity import ids_of, repeated_ids
from transforms.lookup import LookUpTexts
from transforms.read import read_unit
from transforms.sample import sample_key
from transforms.sketch import Sketches
from transforms.units import unit_file

SHOWN = 300  # characters of a text
LOOKED_UP = 4 * SHOWN  # white space and what can't be printed is taken out of them
Name = tuple[str, str]  # source and id, since an id is unique in its source only


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


def texts_of_sources(out: str, config: Config, wanted: set[Name]) -> dict[Name, str]:
    """Texts of documents that only the sources hold; none where these have changed since."""
    manifest = files.read_json(files.join(out, MANIFEST))
    folder = files.join(out, manifest["work"]["sketch"], "units")
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
        places = np.flatnonzero(pc.is_in(own, ids_array(names)).to_numpy())
        start = 0
        for block in read_unit(unit, source) if len(places) else ():
            stop = start + len(block.text)
            here = places[(places >= start) & (places < stop)]
            found = block.text.take(pa.array(here - start))
            texts |= _by_name(source.name, own.take(pa.array(here)), found)
            start = stop
    return texts


def texts_of_documents(
    context: Context,
    sketched: Sketched,
    documents: NDArray[np.int64],
    characters: int = LOOKED_UP,
    sources: Sequence[Source] | None = None,
) -> dict[int, str]:
    """Texts of documents of a run, from their beginning.

    Args:
        context, sketched: of the run.
        documents: ascending.
        characters: of each text.
        sources: with the `text_field` that is looked up; the run's if absent.
    """
    sources = context.config.sources if sources is None else sources
    done = artifact(
        context.config.out,
        "texts",
        sketch=sketched.artifact.key,
        documents=xxhash.xxh3_128_hexdigest(documents.tobytes()),
        characters=characters,
        fields=[source.text_field for source in sources],
    )
    sketches, found = sketched.sketches, done.subfolder("found")
    parts = list(sketches.rows_of(documents))
    if not done.finished:
        wanted = done.subfolder("wanted")
        for number, rows, _ in parts:
            lines = sketches.table(number, ["row"]).column(0).to_numpy()[rows]
            files.write_array(unit_file(wanted, number, "npy"), lines)
        units = [sketches.units[number] for number, _, _ in parts]
        context.over_units(units, lambda p: p | LookUpTexts(sources, wanted, found, characters))
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
        text, _ = text_of(batch, source.text_field)
        texts |= _by_name(source.name, ids.filter(mask), text)
    return texts

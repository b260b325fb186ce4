"""Texts of documents that a run has written, removed or only read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.artifacts import MANIFEST
from pipeline.earlier import earlier_runs
from pipeline.stages.sketch import plan_input
from schemas.config import Config, ConfigError, Source
from transforms import files
from transforms.fields import text_of
from transforms.identity import ids_of, repeated_ids
from transforms.lookup import texts_at
from transforms.read import read_unit
from transforms.sketch import Sketches

SHOWN = 300  # characters of a text
Name = tuple[str, str]  # source and id, since an id is unique in its source only


def printable(text: str) -> str:
    """A text on one line, without what could steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def beginning(text: str) -> str:
    """The first characters of a text, printable."""
    line = " ".join(printable(text[: 4 * SHOWN]).split())
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
    sketches: Sketches, sources: Sequence[Source], documents: NDArray[np.int64]
) -> dict[int, str]:
    """Texts of ascending documents of a run whose sources are as they were."""
    texts: dict[int, str] = {}
    for number, rows, places in sketches.rows_of(documents):
        unit = sketches.units[number]
        lines = sketches.table(number, ["row"]).column(0).to_numpy()[rows]
        found = texts_at(unit, sources[unit.source], lines)
        texts |= dict(zip(documents[places].tolist(), found, strict=True))
    return texts


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

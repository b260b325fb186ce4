"""Texts of documents that a run has written, removed or read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import MANIFEST, artifact
from outcross.pipeline.stages.earlier import EarlierRun, earlier_runs
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.config import Config
from outcross.schemas.documents import Unit
from outcross.schemas.sources import Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.estimators.compression import BLOCK, BLOCKS
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.inputs.places import Places
from outcross.transforms.inputs.seals import ChangedError
from outcross.transforms.reading.look_up_texts import WANTED, LookUpTexts
from outcross.transforms.reading.lookup import TextKind, texts_at
from outcross.transforms.reference.sample import sample_key
from outcross.transforms.rows.text_fields import text_of

SHOWN = 300  # characters of a text
LOOKED_UP = 4 * SHOWN  # characters read, as white space and control characters are taken out
Name = tuple[str, str]  # source and id, since an id is unique in its source only


@dataclass(frozen=True)
class Documents:
    """Some documents of one unit.

    Attributes:
        source: source of the unit.
        unit: unit of the run.
        places: places of the unit's rows in their files.
        ids: ids of the n documents.
        rows: int64[n], rows of the documents in the unit, ascending.
    """

    source: Source
    unit: Unit
    places: Places
    ids: list[str]
    rows: NDArray[np.int64]


def printable(text: str) -> str:
    """Replace the characters of a text that could steer a terminal, and line ends, by blanks."""
    return "".join(c if c.isprintable() else " " for c in text)


def beginning(text: str) -> str:
    """Return the first characters of a text as one printable line."""
    line = " ".join(printable(text[:LOOKED_UP]).split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def texts_in_data(out: str, config: Config, wanted: set[Name]) -> dict[Name, str]:
    """Read texts of documents from data/.

    Args:
        out: output directory of the run.
        config: configuration of the run.
        wanted: names of the documents.
    """
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
    """Read texts that earlier runs have written.

    Args:
        config: configuration of the run.
        wanted: names of documents, each with the earlier run's name before the source's.

    Returns:
        The texts by name; nothing if one of the runs has changed or is gone.
    """
    try:
        runs = earlier_runs(config)
    except ConfigError:
        return {}
    texts: dict[Name, str] = {}
    for run in runs:
        sources = {party.name: party.source.name for party in run.parties}
        names = {(sources[source], name) for source, name in wanted if source in sources}
        if names:
            in_data = texts_in_data(run.out, run.config, names)
            texts |= {(f"{run.name}/{source}", name): t for (source, name), t in in_data.items()}
    return texts


def documents_of_sources(out: str, config: Config, wanted: set[Name]) -> Iterator[Documents]:
    """Yield the documents that a run has read, from its work folder: no source is opened.

    Args:
        out: output directory of the run.
        config: configuration of the run.
        wanted: names of the documents.
    """
    run = EarlierRun(out, files.read_json(files.join(out, MANIFEST)))
    try:
        sketches = run.sketches
        ids = run.ids(np.arange(len(sketches)))
    except OSError:  # the work folder is gone
        return
    for unit in sketches.units:
        source = config.sources[unit.source]
        names = {name for name in wanted if name[0] == source.name}
        if not names:
            continue
        first, end = sketches.offsets[unit.index : unit.index + 2].tolist()
        unit_ids = ids.slice(first, end - first)
        chosen = np.flatnonzero(pc.is_in(unit_ids, ids_array(names)).to_numpy())
        if len(chosen):
            rows = sketches.table(unit.index, ["row"]).column(0).to_numpy()[chosen]
            chosen_ids = unit_ids.take(pa.array(chosen)).to_pylist()
            yield Documents(source, unit, sketches.places[unit.index], chosen_ids, rows)


def texts_of_sources(
    out: str, config: Config, wanted: set[Name]
) -> tuple[dict[Name, str], dict[Name, str]]:
    """Read texts of documents from the sources of a run.

    Args:
        out: output directory of the run.
        config: configuration of the run.
        wanted: names of the documents.

    Returns:
        The texts, and for documents whose files have changed since the run, the files' paths.
    """
    texts: dict[Name, str] = {}
    changed: dict[Name, str] = {}
    for documents in documents_of_sources(out, config, wanted):
        pieces = documents.places.piece_of(documents.rows)
        for number in np.unique(pieces).tolist():
            piece, chosen = documents.unit.pieces[number], np.flatnonzero(pieces == number)
            rows = documents.rows[chosen] - documents.places.starts[number]
            names = [(documents.source.name, documents.ids[place]) for place in chosen.tolist()]
            try:
                piece_texts = texts_at([piece], documents.source, np.stack([0 * rows, rows], 1))
            except (ChangedError, OSError):
                changed |= dict.fromkeys(names, piece.file)
                continue
            texts |= dict(zip(names, piece_texts, strict=True))
    return texts, changed


@dataclass(frozen=True)
class TextList:
    """Documents of the run whose texts are wanted.

    Attributes:
        documents: int64[m], numbers of documents in any order.
        characters: characters of each text from its beginning.
        kind: the judged text, or the prompt.
    """

    documents: NDArray[np.int64]
    characters: int = LOOKED_UP
    kind: TextKind = "text"


def look_up_texts(sketched: Sketched, lists: Mapping[str, TextList]) -> dict[str, dict[int, str]]:
    """Read the beginnings of texts for several lists of documents, in one pipeline.

    Each unit's files are read once for all lists.

    Args:
        sketched: result of `sketch`.
        lists: lists of documents by name.

    Returns:
        For each list, its texts by the numbers of the documents; no text is "".
    """
    context, config, sketches = sketched.context, sketched.config, sketched.sketches
    documents = [np.zeros(0, np.int64), *(part.documents for part in lists.values())]
    numbers = np.unique(np.concatenate(documents))
    wanted = {"text": np.zeros(len(numbers), np.int32), "prompt": np.zeros(len(numbers), np.int32)}
    for part in lists.values():
        places = np.searchsorted(numbers, part.documents)
        np.maximum.at(wanted[part.kind], places, part.characters)
    columns = {"documents": numbers, **wanted}
    done = artifact(
        config.out,
        "texts",
        sketch=sketched.artifact.key,
        kept=config.texts,
        **{name: xxhash.xxh3_128_hexdigest(column.tobytes()) for name, column in columns.items()},
    )
    folder, parts = done.subfolder("found"), list(sketches.rows_of(numbers))
    if not done.finished:
        chosen = done.subfolder("wanted")
        for number, rows, places in parts:
            limits = {kind: limit[places] for kind, limit in wanted.items()}
            table = pa.table({"row": rows, **limits}, schema=WANTED)
            files.write_table(unit_file(chosen, number, "parquet"), table)
        units = [sketches.units[number] for number, _, _ in parts]
        work = LookUpTexts(config.sources, sketches.folder, chosen, folder)
        context.over_units(units, lambda p: p | work, reading=True)
        if config.texts:
            done.finish()
    paths = [unit_file(folder, number, "parquet") for number, _, _ in parts]
    tables = [pa.table({}), *map(files.read_table, paths)]
    read = pa.concat_tables(tables, promote_options="default")
    texts: dict[str, dict[int, str]] = {}
    for name, part in lists.items():
        rows = np.searchsorted(numbers, part.documents)
        column = read[part.kind].take(pa.array(rows)).to_pylist() if len(rows) else []
        pairs = zip(part.documents.tolist(), column, strict=True)
        texts[name] = {document: text[: part.characters] for document, text in pairs}
    if not config.texts:  # no readable text stays in the work folder
        files.delete_files(paths)
    return texts


def texts_of_documents(
    sketched: Sketched,
    documents: NDArray[np.int64],
    characters: int = LOOKED_UP,
    part: TextKind = "text",
) -> dict[int, str]:
    """Read the beginnings of some documents of the run, by their numbers.

    Args:
        sketched: result of `sketch`.
        documents: int64[m], ascending numbers of documents.
        characters: characters of each text.
        part: "text" for the judged text, "prompt" for the prompt.
    """
    # until the report asks for all its texts at once
    return look_up_texts(sketched, {"": TextList(documents, characters, part)})[""]


def texts_by_hash(sketched: Sketched, documents: NDArray[np.int64]) -> list[str]:
    """Read the texts of the documents with the smallest hashes, as many as compression needs.

    Args:
        sketched: result of `sketch`.
        documents: int64[m], ascending numbers of documents to choose from.
    """
    hi, lo = (half[documents] for half in sketched.fingerprints)
    order = np.argsort(sample_key(hi, lo, np.ones(len(documents), np.int64)), kind="stable")
    length = np.minimum(sketched.sketches.numbers("length")[documents][order], BLOCK)
    chosen = documents[order[np.cumsum(length) - length < BLOCK * BLOCKS]]
    texts = texts_of_documents(sketched, np.sort(chosen), characters=BLOCK)
    return [texts[document] for document in chosen.tolist()]


def ids_array(wanted: set[Name]) -> pa.Array:
    """Return the different ids of some names, sorted."""
    return pa.array(sorted({name for _, name in wanted}), pa.string())


def _by_name(source: str, ids: pa.ChunkedArray, texts: pa.Array) -> dict[Name, str]:
    pairs = zip(ids.to_pylist(), texts.to_pylist(), strict=True)
    return {(source, name): text for name, text in pairs}


def judged_texts(
    config: Config, ids: pa.ChunkedArray, sources: pa.ChunkedArray, rows: pa.ChunkedArray
) -> dict[Name, str]:
    """Return the judged texts of rows by their names.

    Args:
        config: configuration of the run.
        ids: string[n], id of each row.
        sources: string[n], name of each row's source.
        rows: struct[n], all columns of each row.
    """
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

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
from outcross.transforms.base.damage import MissingError
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.inputs.places import Places
from outcross.transforms.inputs.seals import ChangedError
from outcross.transforms.reading.lookup import TextKind, texts_at
from outcross.transforms.rows.text_fields import text_of
from outcross.transforms.sketches.look_up_texts import WANTED, LookUpTexts

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
    line = " ".join(text[:LOOKED_UP].split())
    if not line.isprintable():
        line = " ".join(printable(line).split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def texts_in_data(out: str, config: Config, wanted: set[Name]) -> dict[Name, str]:
    """Read texts of documents from data/; of a document in several pieces it holds none.

    Args:
        out: output directory of the run.
        config: configuration of the run.
        wanted: names of the documents.
    """
    texts: dict[Name, str] = {}
    for path in files.list_files(files.join(out, "data", "*.parquet")):
        table = files.read_table(path)
        column = table["outcross"]
        mask = pc.is_in(pc.struct_field(column, "id"), ids_array(wanted))
        if column.type.get_field_index("pieces") >= 0:
            pieces = pc.fill_null(pc.struct_field(column, "pieces"), 1)
            mask = pc.and_(mask, pc.equal(pieces, 1))
        table = table.filter(mask)
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
    except MissingError:  # the work folder is gone
        return
    for unit in sketches.units:
        source = config.sources[unit.source]
        names = {name for name in wanted if name[0] == source.name}
        if not names:
            continue
        try:
            table = sketches.table(unit.index, ["id", "row"])
            ids = run.named(unit.index).names(table, np.arange(table.num_rows), None)
        except MissingError:  # the work folder is gone
            return
        chosen = np.flatnonzero(pc.is_in(ids, ids_array(names)).to_numpy(zero_copy_only=False))
        if len(chosen):
            rows = table["row"].to_numpy()[chosen]
            chosen_ids = ids.take(pa.array(chosen)).to_pylist()
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


class TextLookup:
    """Lookup of the beginnings of texts for several lists of documents.

    Each unit's files are read once for all lists. It can share the pipeline of another stage.

    Args:
        sketched: result of `sketch`.
        lists: lists of documents by name.
    """

    def __init__(self, sketched: Sketched, lists: Mapping[str, TextList]) -> None:
        self.sketched, self.lists = sketched, lists
        documents = [np.zeros(0, np.int64), *(part.documents for part in lists.values())]
        self.numbers = np.unique(np.concatenate(documents))
        limits = [np.zeros(len(self.numbers), np.int32) for _ in range(2)]
        self.wanted = dict(zip(("text", "prompt"), limits, strict=True))
        for part in lists.values():
            places = np.searchsorted(self.numbers, part.documents)
            np.maximum.at(self.wanted[part.kind], places, part.characters)
        columns = {"documents": self.numbers, **self.wanted}
        hashed = {name: xxhash.xxh3_128_hexdigest(c.tobytes()) for name, c in columns.items()}
        config = sketched.config
        key, kept = sketched.artifact.key, config.texts
        self.done = artifact(config.out, "texts", sketch=key, kept=kept, **hashed)
        self._read = False

    @property
    def finished(self) -> bool:
        """True if the texts have been read."""
        return self._read or self.done.finished

    def transform(self, _: str | None = None) -> LookUpTexts:
        """Return the transform of lanes of units; units without a wanted text are skipped."""
        wanted, sketches = self.done.subfolder("wanted"), self.sketched.sketches
        for number, rows, places in sketches.rows_of(self.numbers):
            limits = {kind: limit[places] for kind, limit in self.wanted.items()}
            table = pa.table({"row": rows, **limits}, schema=WANTED)
            files.write_table(unit_file(wanted, number, "parquet"), table)
        folder = self.done.subfolder("found")
        return LookUpTexts(self.sketched.config.sources, sketches.folder, wanted, folder)

    def finish(self) -> None:
        """Note that the texts have been read."""
        self._read = True
        if self.sketched.config.texts:  # else no readable text stays in the work folder
            self.done.finish()

    def texts(self) -> dict[str, dict[int, str]]:
        """Return the texts of each list by the numbers of the documents; no text is "".

        Texts that no other stage has read are read by a pipeline of their own.
        """
        sketches = self.sketched.sketches
        units = [number for number, _, _ in sketches.rows_of(self.numbers)]
        if not self.finished:
            work = self.transform()
            wanted = [sketches.units[number] for number in units]
            self.sketched.context.over_units(wanted, lambda p: p | work, reading=True)
            self.finish()
        paths = [unit_file(self.done.path("found"), number, "parquet") for number in units]
        tables = [pa.table({}), *map(files.read_table, paths)]
        read = pa.concat_tables(tables, promote_options="default")
        texts: dict[str, dict[int, str]] = {}
        for name, part in self.lists.items():
            rows = np.searchsorted(self.numbers, part.documents)
            column = read[part.kind].take(pa.array(rows)).to_pylist() if len(rows) else []
            pairs = zip(part.documents.tolist(), column, strict=True)
            texts[name] = {document: text[: part.characters] for document, text in pairs}
        if not self.sketched.config.texts:
            files.delete_files(paths)
        return texts


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

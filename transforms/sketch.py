"""What is kept of a document for deciding: fingerprint, signature, embedding, surface, counts."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.columns import unite
from schemas.config import Source
from schemas.documents import REJECTS, Unit, sketch_schema
from transforms import files
from transforms.blocks import Block, Reject
from transforms.damage import Damage, damages
from transforms.digest import row_digest
from transforms.embed import Embedder, load_default
from transforms.fields import extract, string_field
from transforms.filters import Met
from transforms.known import Known
from transforms.meaning import items
from transforms.memory import keep_freed_memory
from transforms.minhash import signatures
from transforms.places import Places, places_of
from transforms.progress import count
from transforms.read import read_unit
from transforms.signs import signs, with_signs
from transforms.surface import surface
from transforms.units import PerUnit, unit_file
from transforms.words import fingerprints, split_words, word_ids

NGRAM_COLUMNS = ["words", "signs"]


@dataclass(frozen=True)
class UnitReport:
    """What was found in one unit.

    Attributes:
        unit: the unit's index.
        rows: valid rows, each with a sketch.
        lines: lines or rows in each piece, valid or not, for numbering what follows it.
        piece_rows: valid rows of each piece.
        read, rejected, filtered: rows, for conservation.
        lost: input bytes that could not be read.
        reasons: why rows were rejected, with counts.
        damaged: what could not be read of files that are broken, the largest parts first.
        schema: Arrow schema of the user's columns, serialised.
        everywhere: columns with a value in every valid row.
        named: by field, how many valid rows have an id, a domain, a generation, a prompt.
        tokens: words in the valid rows.
        words, known: of the embedder, as `Known` has them; 0 without one.
        met: what the keys of the source's `where` met, in their order, as `Met` has it.
    """

    unit: int
    rows: int = 0
    lines: list[int] = field(default_factory=list)
    piece_rows: list[int] = field(default_factory=list)
    read: int = 0
    rejected: int = 0
    filtered: int = 0
    tokens: int = 0
    lost: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    damaged: list[Damage] = field(default_factory=list)
    schema: str = ""
    everywhere: list[str] = field(default_factory=list)
    named: dict[str, int] = field(default_factory=dict)
    words: int = 0
    known: int = 0
    met: list[dict[str, Any]] = field(default_factory=list)

    def arrow_schema(self) -> pa.Schema:
        """The user's columns in this unit."""
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.schema)))


@dataclass
class SketchDocuments(beam.PTransform):
    """Sketches each unit into a row-aligned Parquet file; units that have theirs are skipped.

    Elements in: lists of `Unit`; elements out: indexes of the units.

    Args:
        sources: the configuration's sources; `Unit.source` counts in them.
        folder: where the files go.
        ngram: words in a shingle.
        num_perm: permutations of the signature.
        embedded: whether embeddings, surfaces and signs are made; deduplication needs none.
    """

    sources: Sequence[Source]
    folder: str
    ngram: int
    num_perm: int
    embedded: bool = True

    def expand(self, lanes: Any) -> Any:
        work = _SketchUnit(self.sources, self.folder, self.ngram, self.num_perm, self.embedded)
        return lanes | PerUnit(work)


@dataclass
class _SketchUnit:
    sources: Sequence[Source]
    folder: str
    ngram: int
    num_perm: int
    embedded: bool

    def setup(self) -> None:
        keep_freed_memory()
        self.embedder = load_default() if self.embedded else None

    def run(self, unit: Unit) -> int:
        report_path = unit_file(self.folder, unit.index, "json")
        if files.exists(report_path):
            return unit.index
        source = self.sources[unit.source]
        schema = sketch_schema(self.num_perm, self.embedded)
        found: list[UnitReport] = []

        def write(sink: Any) -> None:
            # Signatures and embeddings don't compress, and are read back by every later stage.
            with pq.ParquetWriter(
                sink, schema, compression="none", use_dictionary=False, write_statistics=False
            ) as writer:
                found.append(self._blocks(unit, source, writer))

        files.write_whole(unit_file(self.folder, unit.index, "parquet"), write)
        files.write_json(report_path, asdict(found[0]))
        return unit.index

    def _blocks(self, unit: Unit, source: Source, writer: pq.ParquetWriter) -> UnitReport:
        rows = read = filtered = tokens = 0
        lines = np.zeros(len(unit.pieces), np.int64)
        valid: list[NDArray[np.int64]] = []
        reasons: Counter[str] = Counter()
        named: Counter[str] = Counter()
        schemas: list[pa.Schema] = []
        rejects: list[Reject] = []
        known: list[Known] = []
        met: list[tuple[Met, ...]] = []
        everywhere: set[str] | None = None
        for block in read_unit(unit, source):
            batch, words = sketch_block(block, source, self.embedder, self.ngram, self.num_perm)
            known.append(words)
            met += [block.met] if block.met else []
            if batch.num_rows:
                writer.write_batch(batch)
                schemas.append(block.batch.schema)
                full = {c for c in block.batch.schema.names if not block.batch[c].null_count}
                everywhere = full if everywhere is None else everywhere & full
            named.update(_named(batch))
            rows += batch.num_rows
            for piece, covered in block.pieces:
                lines[piece] += covered
            valid.append(block.rows)
            read += block.read
            filtered += block.filtered
            tokens += int(pc.sum(batch.column("tokens")).as_py() or 0)
            for reject in block.rejects:
                reasons[reject.reason] += reject.rows
            rejects += block.rejects
            count("documents", block.read)
            count("bytes", block.bytes)
        if rejects:
            files.write_table(
                unit_file(self.folder, unit.index, "rejects.parquet"),
                pa.Table.from_pylist([asdict(reject) for reject in rejects]),
            )
        merged = unite(schemas)
        ends = np.searchsorted(np.concatenate([np.zeros(0, np.int64), *valid]), np.cumsum(lines))
        return UnitReport(
            unit=unit.index,
            rows=rows,
            lines=lines.tolist(),
            piece_rows=np.diff(ends, prepend=0).tolist(),
            read=read,
            rejected=sum(reject.rows for reject in rejects),
            filtered=filtered,
            tokens=tokens,
            lost=sum(reject.lost for reject in rejects),
            damaged=damages(unit, rejects, lines.tolist()),
            reasons=dict(sorted(reasons.items())),
            everywhere=sorted(everywhere or ()),
            named=dict(named),
            schema=base64.b64encode(merged.serialize().to_pybytes()).decode(),
            **Known.total(known)._asdict(),
            met=[asdict(Met.total(parts)) for parts in zip(*met, strict=True)],
        )


def sketch_block(
    block: Block, source: Source, embedder: Embedder | None, ngram: int, num_perm: int
) -> tuple[pa.RecordBatch, Known]:
    """The sketches of a block's valid rows, with `sketch_schema`, and what the embedder knows.

    Args:
        block: what was read.
        source: says which columns hold id, prompt, domain, generation and priority.
        embedder: makes int8 embeddings from words; None for sketches without, and without surfaces
            and signs.
        ngram: words in a shingle.
        num_perm: permutations of the signature.
    """
    batch, text = block.batch, block.text
    schema = sketch_schema(num_perm, embedder is not None)
    n = batch.num_rows
    if n == 0:
        empty = [pa.array([], field.type) for field in schema]
        return pa.record_batch(empty, schema=schema), Known(0, 0)
    words, known = split_words(text), Known(0, 0)
    hi, lo = fingerprints(words)
    row_hash, size = row_digest(batch)
    columns = {
        "row": pa.array(block.rows),
        "id": _text_column(batch, source.id_field),
        "fingerprint_hi": pa.array(hi),
        "fingerprint_lo": pa.array(lo),
        "row_hash": pa.array(row_hash),
        "size": pa.array(size),
        "length": pc.binary_length(text).cast(pa.int64()),
        "tokens": pa.array(np.diff(words.offsets)),
        "priority": _priority(batch, source.priority_field),
        "domain": _text_column(batch, source.domain_field),
        "generation": _text_column(batch, source.generation_field),
        "prompt": _prompt(batch, source.prompt_field),
        "signature": _fixed(signatures(words, ngram, num_perm)),
        "words": _packed(words.offsets, word_ids(words)),
        "letters": pa.array(words.letters),
    }
    if embedder is not None:
        vectors, known = embedder.embed(words, text)
        columns["embedding"] = _fixed(vectors)
        columns["surface"] = _fixed(surface(text))
        columns["signs"] = _packed(*signs(words))
    # Last, as in a first run another process is compiling it (`transforms.first`).
    item_offsets, values, wording = items(words)
    columns["wording"] = pa.array(wording)
    columns["items"] = _packed(item_offsets, values)
    return pa.record_batch([columns[name] for name in schema.names], schema=schema), known


def _named(batch: pa.RecordBatch) -> dict[str, int]:
    columns = {name: batch.column(name) for name in ("id", "domain", "generation")}
    found = {name: len(column) - column.null_count for name, column in columns.items()}
    return found | {"prompt": int(np.count_nonzero(batch.column("prompt").to_numpy()))}


def _text_column(batch: pa.RecordBatch, path: str | None) -> pa.Array:
    found = string_field(batch, path)
    return pa.nulls(batch.num_rows, pa.string()) if found is None else found


def _priority(batch: pa.RecordBatch, path: str | None) -> pa.Array:
    """A document's own priority: a number, or text of one; whatever else there is counts as 0.

    Text of numbers counts because a block in which one row holds text has them all as text.
    """
    if path is None:
        return pa.array(np.zeros(batch.num_rows))
    found = extract(batch, path)
    if pa.types.is_integer(found.type) or pa.types.is_floating(found.type):
        values = pc.fill_null(found.cast(pa.float64(), safe=False), 0.0).to_numpy()
    else:
        texts = _text_column(batch, path).to_pylist()
        values = np.array([_number(text) for text in texts], np.float64)
    return pa.array(np.where(np.isfinite(values), values, 0.0))


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _prompt(batch: pa.RecordBatch, path: str | None) -> pa.Array:
    if path is None:
        return pa.array(np.zeros(batch.num_rows, np.uint64))
    found = string_field(batch, path)
    hashed, _ = row_digest(pa.record_batch([found], names=["prompt"]))
    return pa.array(np.where(pc.is_valid(found).to_numpy(zero_copy_only=False), hashed, 0))


def _fixed(values: NDArray[Any]) -> pa.Array:
    """The rows of a matrix as fixed-size binary values."""
    width = values.shape[1] * values.itemsize
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.binary(width), len(values), [None, data])


def _packed(offsets: NDArray[np.int64], values: NDArray[Any]) -> pa.Array:
    """Runs of numbers as binary values: Parquet copies bytes, lists it would encode."""
    starts = pa.py_buffer(np.ascontiguousarray(offsets * values.itemsize))
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, [None, starts, data])


class Sketches:
    """The sketches of a run, as the driver and the later stages see them.

    Documents are counted through: document `offsets[u] + i` is the i-th valid row of unit u.

    Args:
        folder: where `SketchDocuments` put them.
        units: all units, in order.
    """

    def __init__(self, folder: str, units: Sequence[Unit]) -> None:
        self.folder = folder
        self.units = list(units)
        self.paths = [unit_file(folder, unit.index, "parquet") for unit in units]
        self.reports = [
            UnitReport(**files.read_json(unit_file(folder, unit.index, "json"))) for unit in units
        ]
        self.offsets: NDArray[np.int64] = np.concatenate(
            [[0], np.cumsum([report.rows for report in self.reports], dtype=np.int64)]
        ).astype(np.int64)

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def table(self, unit: int, columns: Sequence[str]) -> pa.Table:
        """Some columns of one unit's sketches."""
        return files.read_table(self.paths[unit], columns)

    def numbers(self, column: str) -> NDArray[Any]:
        """A numeric column over all documents."""
        kind = np.dtype(str(sketch_schema(8).field(column).type))
        out = np.empty(len(self), kind)
        for unit, part in self.per_unit(out):
            at = 0
            for chunk in self.table(unit.index, [column]).column(0).chunks:
                part[at : at + len(chunk)] = chunk.to_numpy()
                at += len(chunk)
        return out

    def per_unit(self, values: NDArray[Any]) -> Iterable[tuple[Unit, NDArray[Any]]]:
        """Cuts an array over all documents into the units' parts."""
        for unit in self.units:
            yield unit, values[self.offsets[unit.index] : self.offsets[unit.index + 1]]

    def rows_of(
        self, documents: NDArray[np.int64]
    ) -> Iterable[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """For ascending documents: unit, their rows in it, and their places in `documents`."""
        cuts = np.searchsorted(documents, self.offsets)
        for unit in range(len(self.units)):
            places = np.arange(cuts[unit], cuts[unit + 1])
            if len(places):
                yield unit, documents[places] - self.offsets[unit], places

    def matrix(
        self,
        column: str,
        documents: NDArray[np.int64],
        dtype: Any,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """A fixed-width column of some documents as a matrix.

        Args:
            column: "signature", "embedding" or "surface".
            documents: ascending document numbers.
            dtype: of the entries.
            out: filled when given, such as a memory map.
        """
        for unit, rows, places in self.rows_of(documents):
            part = fixed_matrix(self.table(unit, [column]).column(0), dtype)
            if out is None:
                out = np.empty((len(documents), part.shape[1]), dtype)
            out[places] = part[rows]
        return np.zeros((0, 0), dtype) if out is None else out

    def words(self, documents: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """The word hashes of some documents, few enough for memory.

        Args:
            documents: document numbers in any order.

        Returns:
            int64[n + 1] offsets and uint32[total] hashes.
        """
        ascending = np.argsort(documents, kind="stable")
        runs: list[NDArray[np.uint32]] = [np.zeros(0, np.uint32)] * len(documents)
        for unit, rows, places in self.rows_of(documents[ascending]):
            offsets, hashes = packed_runs(self.table(unit, ["words"]).column(0))
            for row, place in zip(rows, places, strict=True):
                runs[ascending[place]] = hashes[offsets[row] : offsets[row + 1]]
        ends = np.cumsum([0, *map(len, runs)], dtype=np.int64)
        return ends, np.concatenate([np.zeros(0, np.uint32), *runs])

    @cached_property
    def places(self) -> list[Places]:
        """Of each unit, where its rows stand."""
        return places_of(self.units, [report.lines for report in self.reports])

    def rejects(self, sources: Sequence[Source]) -> pa.Table:
        """All rejected rows, with their places in the files.

        Args:
            sources: the configuration's sources.
        """
        rows: list[dict[str, Any]] = []
        for unit, report in zip(self.units, self.reports, strict=True):
            if not report.rejected:
                continue
            own = self.places[unit.index]
            table = files.read_table(unit_file(self.folder, unit.index, "rejects.parquet"))
            for reject in table.to_pylist():
                at = reject["kind"], reject["number"], reject["piece"]
                rows.append(
                    {
                        "source": sources[unit.source].name,
                        "file": own.names[own.piece(*at)],
                        "place": own.place_of(*at),
                        "reason": reject["reason"],
                        "rows": reject["rows"],
                        "raw": reject["raw"],
                    }
                )
        return pa.Table.from_pylist(rows, schema=REJECTS)


def fixed_matrix(column: pa.ChunkedArray, dtype: Any) -> NDArray[Any]:
    """A fixed-size binary column as a matrix, one row a document, without a copy where possible."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    width = array.type.byte_width // np.dtype(dtype).itemsize
    flat = np.frombuffer(array.buffers()[1], dtype) if len(array) else np.zeros(0, dtype)
    return flat[array.offset * width : (array.offset + len(array)) * width].reshape(-1, width)


def packed_runs(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The `words` column as (offsets int64[n + 1], word hashes uint32[total])."""
    return _unpacked(column, np.uint32)


def item_runs(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Return the `items` column as (offsets int64[n + 1], items uint64[total])."""
    return _unpacked(column, np.uint64)


def ngram_runs(table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """What n-grams are counted of, words, signs and borders, from the columns `NGRAM_COLUMNS`.

    Returns:
        int64[n + 1] offsets and uint32[total] hashes.
    """
    return with_signs(*packed_runs(table["words"]), *_unpacked(table["signs"], np.uint8))


def _unpacked(column: pa.ChunkedArray, dtype: Any) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """The reverse of `_packed`."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if len(array) == 0:
        return np.zeros(1, np.int64), np.zeros(0, dtype)
    _, starts, data = array.buffers()
    offsets = np.frombuffer(starts, np.int64)[array.offset : array.offset + len(array) + 1]
    offsets = offsets // np.dtype(dtype).itemsize
    values = np.frombuffer(data, dtype) if data is not None else np.zeros(0, dtype)
    return offsets - offsets[0], values[offsets[0] : offsets[-1]]

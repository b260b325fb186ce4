"""Sketch one block of valid rows."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.schemas.documents import WHOLE, WORD_COUNT, sketch_schema
from outcross.schemas.sources import Source
from outcross.transforms.rows.blocks import Block
from outcross.transforms.rows.fields import extract, string_field
from outcross.transforms.sketches.digest import row_digest
from outcross.transforms.text.embed import Embedder, Reading
from outcross.transforms.text.fingerprints import fingerprints
from outcross.transforms.text.known import Known
from outcross.transforms.text.meaning import items
from outcross.transforms.text.minhash import signatures
from outcross.transforms.text.signs import signs
from outcross.transforms.text.surface import surface
from outcross.transforms.text.tokens import count_tokens
from outcross.transforms.text.words import split_words, word_ids


class Embedding(NamedTuple):
    """What embedding the texts of a block has taken.

    Attributes:
        known: number of words, and how many of them the embedder knows.
        reading: how much of the texts the embedder reads.
        seconds: time that it took, of one thread; 0 for an embedder that reads whole texts.
    """

    known: Known = Known(0, 0)
    reading: Reading = Reading()
    seconds: float = 0.0


def sketch_block(
    block: Block, source: Source, embedder: Embedder | None, ngram: int, num_perm: int
) -> tuple[pa.RecordBatch, Embedding]:
    """Sketch the valid rows of a block.

    Args:
        block: n valid rows and their texts.
        source: configuration that names the columns of id, prompt, domain, generation, priority.
        embedder: embedder of the documents; None for sketches without embeddings, surfaces and
            signs.
        ngram: words in a shingle.
        num_perm: number of permutations of a signature.

    Returns:
        The sketches, n rows with `sketch_schema`, and what embedding them has taken.
    """
    batch, text = block.batch, block.text
    tokenizer = source.tokenizer
    counted = tokenizer is not None
    schema = sketch_schema(num_perm, embedded=False, counted=counted)
    if embedder is not None:
        schema = sketch_schema(num_perm, True, embedder.dims, counted, embedder.encodes)
    n = batch.num_rows
    if n == 0:
        empty = [pa.array([], field.type) for field in schema]
        return pa.record_batch(empty, schema=schema), Embedding()
    words, embedding = split_words(text), Embedding()
    hi, lo = fingerprints(words)
    row_hash, size = row_digest(batch)
    columns = {
        "row": pa.array(block.rows),
        "id": _ids(batch, source.id_field),
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
        "words": pack_runs(words.offsets, word_ids(words)),
        "letters": pa.array(words.letters),
    }
    if tokenizer is not None:
        columns[WORD_COUNT.name] = columns["tokens"]
        columns["tokens"] = pa.array(count_tokens(text, tokenizer))
    if embedder is not None:
        started = time.perf_counter()
        vectors, known, reading, whole = embedder.embed(words, text)
        seconds = time.perf_counter() - started
        embedding = Embedding(known) if reading is None else Embedding(known, reading, seconds)
        columns["embedding"] = _fixed(vectors)
        if whole is not None:
            columns[WHOLE.name] = pa.array(whole)
        columns["surface"] = _fixed(surface(text))
        columns["signs"] = pack_runs(*signs(words))
    # Last, as in a first run another process is compiling it (`outcross.pipeline.engine.warm_up`).
    item_offsets, values, wording = items(words)
    columns["wording"] = pa.array(wording)
    columns["items"] = pack_runs(item_offsets, values)
    return pa.record_batch([columns[name] for name in schema.names], schema=schema), embedding


def count_fields(batch: pa.RecordBatch) -> dict[str, int]:
    """Count the sketches that have an id, a domain, a generation, a prompt."""
    columns = {name: batch.column(name) for name in ("id", "domain", "generation")}
    counts = {name: len(column) - column.null_count for name, column in columns.items()}
    return counts | {"prompt": int(np.count_nonzero(batch.column("prompt").to_numpy()))}


def _ids(batch: pa.RecordBatch, path: str | None) -> pa.Array:
    """Return the ids of documents. A piece that a run has written is a document of its own."""
    ids = _text_column(batch, path)
    if path != "outcross.id":
        return ids
    piece, pieces = (_text_column(batch, f"outcross.{name}") for name in ("piece", "pieces"))
    named = pc.binary_join_element_wise(ids, ", piece ", piece, " of ", pieces, "")
    cut = pc.fill_null(pc.not_equal(pieces, "1"), False)
    return pc.if_else(pc.and_(cut, pc.is_valid(named)), named, ids)


def _text_column(batch: pa.RecordBatch, path: str | None) -> pa.Array:
    column = string_field(batch, path)
    return pa.nulls(batch.num_rows, pa.string()) if column is None else column


def _priority(batch: pa.RecordBatch, path: str | None) -> pa.Array:
    """Return the priorities of documents: numbers, or text of numbers; anything else counts as 0.

    Text of numbers counts because a block in which one row holds text has them all as text.
    """
    if path is None:
        return pa.array(np.zeros(batch.num_rows))
    column = extract(batch, path)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        values = pc.fill_null(column.cast(pa.float64(), safe=False), 0.0).to_numpy()
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
    column = string_field(batch, path)
    hashed, _ = row_digest(pa.record_batch([column], names=["prompt"]))
    return pa.array(np.where(pc.is_valid(column).to_numpy(zero_copy_only=False), hashed, 0))


def _fixed(values: NDArray[Any]) -> pa.Array:
    """Pack the rows of a matrix as fixed-size binary values."""
    width = values.shape[1] * values.itemsize
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.binary(width), len(values), [None, data])


def pack_runs(offsets: NDArray[np.int64], values: NDArray[Any]) -> pa.Array:
    """Pack runs of numbers as binary values: Parquet copies bytes, but encodes lists."""
    starts = pa.py_buffer(np.ascontiguousarray(offsets * values.itemsize))
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, [None, starts, data])

"""Static models in the format of model2vec: a row of a table for each token, summed.

The format is that of https://github.com/MinishLab/model2vec: tensors `embeddings`, and where a
model has them `weights` of the tokens and `mapping` from tokens to rows. Rows are quantised to int8
with one scale, so that sums are exact integers. Embeddings have unit length, whatever the model's
key `normalize` says, as only directions are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from tokenizers import Tokenizer

from outcross.transforms.encoders.hub import EXTRA
from outcross.transforms.encoders.model_files import ADVICE, ModelFiles
from outcross.transforms.text.embed import (
    COUNTED,
    KNOWN,
    MAX_DIMS,
    Embedded,
    Embedder,
    Reading,
    StaticEmbedder,
    sum_rows,
)
from outcross.transforms.text.known import Known
from outcross.transforms.text.tokens import encode_batch
from outcross.transforms.text.wordpiece import WordPiece
from outcross.transforms.text.words import Words

STATIC_FILES = ("model.safetensors", "tokenizer.json", "config.json")
"""Files of a static model."""

MOST_CHARACTERS = 1 << 16
"""Characters of a text that are read where a model's own tokenizer reads whole texts."""

# NumPy's kinds of types: a table in bfloat16 has the kind V.
_NO_NUMBERS, _NO_INTEGERS = "bc", "bcfV"

LEAST_DIMS = 64
"""Fewest dimensions, as many as the second codebook and the Vendi score look at."""


@dataclass
class TokenEmbedder:
    """Sums the table rows of a document's tokens, by the model's own tokenizer.

    Args:
        table: int8[vocabulary, dims], shared and only read.
        tokenizer: gives row numbers of the table.
        unknown: id of the token for what the vocabulary lacks; None if there is none.
        name: name for people.
        fingerprint: hash of table and tokenizer.
    """

    table: NDArray[np.int8]
    tokenizer: Tokenizer
    unknown: int | None
    name: str
    fingerprint: str

    encodes = False

    def __post_init__(self) -> None:
        rows = len(self.table)
        self.dims = int(self.table.shape[1])
        self._starts = np.arange(rows + 1)
        self._rows = np.arange(rows, dtype=np.int32)
        self._states = np.full(rows, COUNTED | KNOWN, np.uint8)
        if self.unknown is not None:
            self._states[self.unknown] = COUNTED

    def embed(self, words: Words, texts: pa.Array | pa.ChunkedArray) -> Embedded:
        """Embed n documents by their tokens; see `Embedder.embed`."""
        del words
        values, characters = cut_texts(texts, MOST_CHARACTERS)
        encoder = partial(self.tokenizer.encode_batch_fast, add_special_tokens=False)
        encodings = encode_batch(values, encoder, "embedder", self.name)
        ids = [encoding.ids for encoding in encodings]
        sizes = np.array([len(each) for each in ids], np.int64)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        entries = np.concatenate([np.zeros(0, np.int32), *(np.array(i, np.int32) for i in ids)])
        out, counted, known = sum_rows(
            offsets, entries, self._starts, self._rows, self._states, self.table
        )
        read = np.minimum(characters, MOST_CHARACTERS)
        cut = int((characters > MOST_CHARACTERS).sum())
        reading = Reading(
            len(values), cut, int(characters.sum()), int(read.sum()), int(sizes.sum())
        )
        return Embedded(out, Known(int(counted), int(known)), reading)


def cut_texts(texts: pa.Array | pa.ChunkedArray, most: int) -> tuple[list[str], NDArray[np.int64]]:
    """Cut texts to their first characters.

    Args:
        texts: n Arrow strings.
        most: characters to keep.

    Returns:
        The beginnings of the texts, and int64[n] characters of the whole texts.
    """
    characters = pc.utf8_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
    values: list[str] = pc.utf8_slice_codeunits(texts, 0, most).to_pylist()
    return values, characters


def load_static(files: ModelFiles) -> tuple[int, Callable[[str], Embedder]]:
    """Load a static model.

    A tokenizer that is BERT's uncased WordPiece goes through the product's kernel, which splits
    each word once. With another tokenizer the model reads whole texts.

    Args:
        files: the model's files.

    Returns:
        Its dimensions, and a function that makes an embedder for a thread with a fingerprint.

    Raises:
        ConfigError: the model can't be used.
    """
    files.json("config.json", {})
    tokenizer = files.tokenizer()
    table = _table(files, 1 + max(tokenizer.get_vocab().values()))
    unknown = files.unknown_token(tokenizer)
    if unknown is not None:
        table[unknown] = 0  # model2vec leaves unknown tokens out
    table.flags.writeable = False
    name = files.spec.name
    try:
        WordPiece(tokenizer)
    except ValueError:
        return table.shape[1], partial(TokenEmbedder, table, tokenizer, unknown, name)
    return table.shape[1], lambda fingerprint: StaticEmbedder(
        table, tokenizer, name=name, fingerprint=fingerprint
    )


def _table(files: ModelFiles, tokens: int) -> NDArray[np.int8]:
    """Read and quantise the table: int8[tokens, dims].

    Each step is one correctly rounded operation on each number, so the bytes are the same on every
    machine.
    """
    name = "model.safetensors"
    path = files.path(name)
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise files.refused(
            "needs the package safetensors, which is not installed", EXTRA
        ) from None
    try:
        tensors: dict[str, NDArray[Any]] = load_file(str(path))
    except Exception as error:  # safetensors exports no errors of its own
        raise files.refused(f"has a {name} that can't be read ({error})", ADVICE) from None
    rows = tensors.get("embeddings", tensors.get("embedding.weight"))
    if rows is None or rows.ndim != 2:
        raise files.refused(
            f"has no table `embeddings` in its {name}, which has {', '.join(sorted(tensors))}",
            "name a model in the format of model2vec, or an encoder as transformers:PLACE",
        )
    if not LEAST_DIMS <= rows.shape[1] <= MAX_DIMS:
        raise files.refused(
            f"has {rows.shape[1]:,} dimensions",
            f"models of {LEAST_DIMS} to {MAX_DIMS:,} work; distil it with other `pca_dims`",
        )
    if rows.dtype.kind in _NO_NUMBERS:
        raise files.refused(f"has a table `embeddings` of {rows.dtype}", ADVICE)
    mapping, weights = tensors.get("mapping"), tensors.get("weights")
    for tensor, values, refused in (
        ("mapping", mapping, _NO_INTEGERS),
        ("weights", weights, _NO_NUMBERS),
    ):
        if values is not None and (values.ndim != 1 or values.dtype.kind in refused):
            needed = "whole numbers" if refused == _NO_INTEGERS else "numbers"
            raise files.refused(
                f"has a tensor `{tensor}` of {values.dtype} with the shape {list(values.shape)}, "
                f"and one dimension of {needed} is needed",
                ADVICE,
            )
        if values is not None and len(values) < tokens:
            raise files.refused(
                f"has {len(values):,} `{tensor}` for a vocabulary of {tokens:,} tokens", ADVICE
            )
    if mapping is not None:
        outside = mapping[(mapping < 0) | (mapping >= len(rows))]
        if len(outside):
            raise files.refused(
                f"has a `mapping` to row {outside[0]} of a table of {len(rows):,} rows", ADVICE
            )
        rows = rows[mapping[:tokens]]
    if len(rows) < tokens:
        raise files.refused(f"has {len(rows):,} rows for {tokens:,} tokens", ADVICE)
    table = rows[:tokens].astype(np.float64)
    with np.errstate(all="ignore"):
        if weights is not None:
            table *= weights[:tokens, None].astype(np.float64)
        largest = np.abs(table).max(initial=0)
        factor = 127 / largest
    if not np.isfinite(largest) or not np.isfinite(factor):
        raise files.refused("has a table of zeros, or of numbers that aren't finite", ADVICE)
    return np.rint(table * factor).astype(np.int8)

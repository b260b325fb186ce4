"""Tokens of texts, as a fast tokenizer of Hugging Face makes them, without special tokens.

A tokenizer is read once a process, and its threads stay off: a run has a worker for each core, and
workers that fork would wait for threads that no longer exist.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator
from threading import Lock

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Encoding
from tokenizers import Tokenizer as FastTokenizer

from outcross.schemas.tokens import TokenizerFile
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files

BATCH_BYTES = 1 << 18
"""Bytes of texts that are tokenized together, about: tokens take 100 times their bytes."""

_loading = Lock()


def read_tokenizer(data: bytes, path: str) -> FastTokenizer:
    """Make a tokenizer of the contents of a tokenizer.json, without padding and truncation.

    Args:
        data: contents of the file.
        path: where they are from, for the message.

    Raises:
        ConfigError: they are no tokenizer.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        tokenizer = FastTokenizer.from_str(data.decode())
    except Exception as error:  # the library raises bare exceptions
        raise ConfigError(
            f"tokenizer: {path} is no tokenizer.json ({error}); give the file that "
            "`save_pretrained` of a fast tokenizer has written, or its directory"
        ) from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def load_tokenizer(file: TokenizerFile) -> FastTokenizer:
    """Return a tokenizer, which all threads of the process share.

    Raises:
        ConfigError: the file has changed, or is no tokenizer.
    """
    with _loading:  # or each thread would make one
        return _loaded(file)


@functools.lru_cache(maxsize=2)
def _loaded(file: TokenizerFile) -> FastTokenizer:
    data = files.read_bytes(file.path)
    if hashlib.sha256(data).hexdigest() != file.tokenizer.sha256:
        raise ConfigError(
            f"tokenizer: {file.path} has changed since the command began; start it again"
        )
    return read_tokenizer(data, file.path)


def count_tokens(texts: pa.Array | pa.ChunkedArray, file: TokenizerFile) -> NDArray[np.int64]:
    """Count the tokens of texts.

    Args:
        texts: n texts, Arrow string or large_string, none of them null.
        file: the tokenizer.

    Returns:
        int64[n].
    """
    counts = (len(encoding) for encoding in encode(texts, load_tokenizer(file)))
    return np.fromiter(counts, np.int64, len(texts))


def encode(texts: pa.Array | pa.ChunkedArray, tokenizer: FastTokenizer) -> Iterator[Encoding]:
    """Yield the tokens of each text, without special tokens.

    Args:
        texts: n texts, Arrow string or large_string, none of them null.
        tokenizer: the tokenizer.
    """
    # The fast way leaves out where tokens lie in the text; older releases don't have it.
    encode_batch = getattr(tokenizer, "encode_batch_fast", tokenizer.encode_batch)
    batch: list[str] = []
    size = 0
    for value in texts:
        batch.append(value.as_py())
        size += len(batch[-1])
        if size >= BATCH_BYTES:
            yield from encode_batch(batch, add_special_tokens=False)
            batch, size = [], 0
    yield from encode_batch(batch, add_special_tokens=False)

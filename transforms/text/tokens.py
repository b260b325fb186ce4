"""Tokens of texts, as a fast tokenizer of Hugging Face makes them, without special tokens.

A tokenizer is read once a process, and its threads stay off: a run has a worker for each core, and
workers that fork would wait for threads that no longer exist.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Encoding
from tokenizers import Tokenizer as FastTokenizer

from outcross.schemas.tokens import TokenizerFile
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.visible import visible_name

BATCH_BYTES = 1 << 18
"""Bytes of texts that are tokenized together, about: tokens take 100 times their bytes."""

TRIAL_TEXTS = (
    *("the cat sat on 2 mats", 'It\'s "A-1" (no?), #5: a_b/c\\d = 100%!', " \n\t\r\u00a0\u2028"),
    *("Äpfel ﬁ ǆ ß İ", "Ωμέγα мир שלום سلام", "你好 こんにちは 한국어", "हिन्दी ภาษาไทย"),
    *(
        "e\u0301\u0308\u200d\ufe0f",
        "👩‍🚀 🇫🇷 𝔘𝔫𝔦 𐍈",
        "\x00\x01\x1b\x7f\x85",
        "\ufffd\ufffe\ue000\ufeff\U0010ffff",
    ),
)
"""Texts with strange characters, which a tokenizer is tried with when it is loaded."""

REMEDY = (
    "choose one with a token for unknown characters, such as [UNK], or with tokens for all bytes"
)
"""What to do where a tokenizer fails on a text."""

_QUOTED = 60  # characters of a text in a message
_loading = Lock()


def read_tokenizer(data: bytes, path: str) -> FastTokenizer:
    """Make a tokenizer of the contents of a tokenizer.json, without padding and truncation.

    Args:
        data: contents of the file.
        path: where they are from, for the message.

    Raises:
        ConfigError: they are no tokenizer, or one that can't encode texts.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        with raising_panics():
            tokenizer = FastTokenizer.from_str(data.decode())
    except Exception as error:  # the library raises bare exceptions
        raise ConfigError(
            f"tokenizer: {path} is no tokenizer.json ({error}); give the file that "
            "`save_pretrained` of a fast tokenizer has written, or its directory"
        ) from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    fault = find_fault(tokenizer)
    if fault is not None:
        raise ConfigError(f"tokenizer: {path} {fault}; {REMEDY}")
    return tokenizer


def find_fault(tokenizer: FastTokenizer) -> str | None:
    """Try a tokenizer with strange texts.

    Args:
        tokenizer: the tokenizer.

    Returns:
        Why it can't be used, as its predicate; None if it can.
    """
    if not tokenizer.get_vocab():
        return "has an empty vocabulary"
    try:
        with raising_panics():
            lengths = [len(tokenizer.encode(t, add_special_tokens=False)) for t in TRIAL_TEXTS]
    except Exception as error:  # the library raises bare exceptions
        return f"can't encode a text ({_reason(error)})"
    return None if any(lengths) else "gives no token for any text"


@contextmanager
def raising_panics() -> Iterator[None]:
    """Turn a panic of the library, which derives from BaseException, into an Exception.

    Raises:
        RuntimeError: the library has panicked.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # its module can't be imported
            raise
        raise RuntimeError(str(error)) from None


def encode_batch(
    texts: list[str], encoder: Callable[[list[str]], list[Encoding]], key: str, place: str
) -> list[Encoding]:
    """Encode texts, and name tokenizer and text if that fails.

    Args:
        texts: the texts.
        encoder: function of a tokenizer that encodes them.
        key: key of the configuration that names the tokenizer.
        place: its place.

    Raises:
        ConfigError: the tokenizer can't encode one of the texts.
    """
    try:
        with raising_panics():
            return encoder(texts)
    except Exception as error:  # the library raises bare exceptions
        if len(texts) > 1:
            return [encode_batch([text], encoder, key, place)[0] for text in texts]
        (text,) = texts
        raise ConfigError(
            f"{key}: {place} can't encode a text of {len(text):,} characters, which begins "
            f'"{visible_name(text[:_QUOTED])}" ({_reason(error)}); {REMEDY}, or leave that text '
            "out"
        ) from None


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


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
    counts = (len(encoding) for encoding in encode(texts, load_tokenizer(file), file.place))
    return np.fromiter(counts, np.int64, len(texts))


def encode(
    texts: pa.Array | pa.ChunkedArray, tokenizer: FastTokenizer, place: str
) -> Iterator[Encoding]:
    """Yield the tokens of each text, without special tokens.

    Args:
        texts: n texts, Arrow string or large_string, none of them null.
        tokenizer: the tokenizer.
        place: its place, for the message.

    Raises:
        ConfigError: it can't encode a text.
    """
    # The fast way leaves out where tokens lie in the text; older releases don't have it.
    fast = getattr(tokenizer, "encode_batch_fast", tokenizer.encode_batch)
    encoder = functools.partial(fast, add_special_tokens=False)

    def encoded(batch: list[str]) -> list[Encoding]:
        return encode_batch(batch, encoder, "tokenizer", place)

    batch: list[str] = []
    size = 0
    for value in texts:
        batch.append(value.as_py())
        size += len(batch[-1])
        if size >= BATCH_BYTES:
            yield from encoded(batch)
            batch, size = [], 0
    yield from encoded(batch)

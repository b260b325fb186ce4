"""The kernel's WordPiece against the `tokenizers` package, word by word."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE

from outcross.transforms.text.wordpiece import WordPiece

TOKENIZER = Tokenizer.from_file(
    str(Path(__file__).parents[3] / "transforms" / "data" / "tokenizer.json")
)
WORDPIECE = WordPiece(TOKENIZER)  # as shipped: with padding and truncation set
TOKENIZER.no_padding()
TOKENIZER.no_truncation()

words = st.one_of(
    st.sampled_from(sorted(t.removeprefix("##") for t in TOKENIZER.get_vocab() if t.isalnum())),
    st.text("abcdefghijklmnopqrstuvwxyzABC0123456789_", min_size=1, max_size=30),
    st.text("eélñ日本кот_a", min_size=1, max_size=12),
)


def split(values: list[str]) -> list[list[int]]:
    encoded = [v.encode() for v in values]
    ends = np.cumsum([0, *map(len, encoded)])
    data = np.frombuffer(b"".join(encoded), np.uint8)
    offsets, ids = WORDPIECE.split(data, np.stack([ends[:-1], ends[1:]], axis=1))
    return [ids[a:b].tolist() for a, b in itertools.pairwise(offsets)]


@settings(deadline=None, max_examples=400)
@given(st.lists(words, max_size=20))
@example(["x" * 100, "x" * 101, "x" * 101 + "_under", "_", "__init__", "a" * 500])
@example(["unaffable", "UNAFFABLE", "dont_stop_9", "7", "日本語", "naïve", "日本語" * 100])
def test_equal_to_the_package(values: list[str]) -> None:
    want = [e.ids for e in TOKENIZER.encode_batch(values, add_special_tokens=False)]
    assert split(values) == want


def test_every_token_of_the_vocabulary() -> None:
    tokens = sorted(
        t for t in TOKENIZER.get_vocab() if t.isascii() and t.replace("_", "").isalnum()
    )
    assert len(tokens) > 20_000
    assert split(tokens) == [
        e.ids for e in TOKENIZER.encode_batch(tokens, add_special_tokens=False)
    ]


def test_other_tokenizers_are_refused() -> None:
    with pytest.raises(ValueError, match="BPE"):
        WordPiece(Tokenizer(BPE()))

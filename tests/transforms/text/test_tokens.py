from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import normalizers

from outcross.schemas.tokens import Tokenizer, TokenizerFile
from outcross.schemas.user_input import ConfigError
from outcross.transforms.text import tokens
from outcross.transforms.text.tokens import count_tokens, load_tokenizer, read_tokenizer
from tests.support.tokenizers import (
    END,
    PANIC,
    bytes_tokenizer,
    panicking_tokenizer,
    write_tokenizer,
)


def file_of(folder: Path) -> TokenizerFile:
    path = write_tokenizer(folder) / "tokenizer.json"
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return TokenizerFile(Tokenizer(name="bytes", sha256=sha256), str(path))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> TokenizerFile:
    return file_of(tmp_path_factory.mktemp("bytes"))


@given(st.lists(st.text(max_size=40), max_size=12))
def test_texts_have_the_tokens_that_they_have_alone(file, texts) -> None:
    plain = bytes_tokenizer()
    expected = [len(plain.encode(text).ids) for text in texts]
    assert count_tokens(pa.array(texts, pa.string()), file).tolist() == expected


def test_neither_padding_nor_an_end_of_text_is_counted(file: TokenizerFile) -> None:
    texts = pa.chunked_array([["in", ""], [END, "Äpfel, then the other"]], pa.large_string())
    assert count_tokens(texts, file).tolist() == [1, 0, 1, 16]


def test_batches_change_nothing(file: TokenizerFile, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pa.array(["the end " * n for n in range(50)])
    whole = count_tokens(texts, file)
    monkeypatch.setattr(tokens, "BATCH_BYTES", 64)
    assert (count_tokens(texts, file) == whole).all()


def test_threads_share_one_tokenizer_that_starts_no_threads(file: TokenizerFile) -> None:
    texts = pa.array(["then in the inner"] * 100)
    with ThreadPoolExecutor(4) as pool:
        loaded = set(pool.map(lambda _: id(load_tokenizer(file)), range(8)))
        counts = list(pool.map(lambda _: count_tokens(texts, file), range(8)))
    assert len(loaded) == 1
    assert len(np.unique(counts)) == 1
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"


def test_a_forked_process_counts_too(file: TokenizerFile) -> None:
    texts = pa.array(["then in the inner"] * 1000)
    expected = int(count_tokens(texts, file).sum())
    child = os.fork()
    if child == 0:  # a pool of threads would not have come along
        os._exit(0 if int(count_tokens(texts, file).sum()) == expected else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    file = file_of(tmp_path)
    Path(file.path).write_text("{}")
    with pytest.raises(ConfigError, match=r"tokenizer: .* has changed since the command began"):
        load_tokenizer(file)


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ({"type": "BPE", "vocab": {}, "merges": []}, "has an empty vocabulary"),
        ({"type": "WordLevel", "vocab": {"the": 0}, "unk_token": "[UNK]"}, "can't encode a text"),
        ({"type": "WordPiece", "vocab": {"the": 0}, "unk_token": "[UNK]"}, "can't encode a text"),
        ({"type": "Unigram", "vocab": [["the", -1.0]]}, "can't encode a text"),
        ({"type": "BPE", "vocab": {"qqqq": 0}, "merges": []}, "gives no token for any text"),
    ],
)
def test_a_tokenizer_that_fails_on_texts_is_refused_when_it_is_read(model, fault) -> None:
    rules = {"WordPiece": {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}}
    described = {"model": model | rules.get(model["type"], {})}
    with pytest.raises(ConfigError, match=rf"^tokenizer: some/place {fault}.*; choose one with"):
        read_tokenizer(json.dumps(described).encode(), "some/place")


def test_a_text_that_a_tokenizer_fails_on_names_key_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = {"type": "WordLevel", "vocab": {"the": 0}, "unk_token": "[UNK]"}
    data = json.dumps({"pre_tokenizer": {"type": "Whitespace"}, "model": model}).encode()
    path = tmp_path / "tokenizer.json"
    path.write_bytes(data)
    monkeypatch.setattr(tokens, "TRIAL_TEXTS", ("the",))
    file = TokenizerFile(Tokenizer(name="w", sha256=hashlib.sha256(data).hexdigest()), str(path))
    with pytest.raises(
        ConfigError, match=r"^tokenizer: w \(.*tokenizer\.json\) can't encode a text"
    ):
        count_tokens(pa.array(["the", "cat"]), file)


def test_a_panic_of_the_library_names_tokenizer_and_text(tmp_path: Path) -> None:
    data = panicking_tokenizer().to_str().encode()
    path = tmp_path / "tokenizer.json"
    path.write_bytes(data)
    file = TokenizerFile(Tokenizer(name="w", sha256=hashlib.sha256(data).hexdigest()), str(path))
    texts = pa.array(["a cat", PANIC, "aaa"])
    with pytest.raises(
        ConfigError,
        match=r"^tokenizer: w \(.*\) can't encode a text of 47 characters, which begins "
        r'"in\\nit aaa.*retry-limit',
    ):
        count_tokens(texts, file)
    assert count_tokens(texts.take([0, 2]), file).tolist() == [2, 1]


def test_a_tokenizer_that_panics_on_all_texts_is_refused_when_it_is_read() -> None:
    tokenizer = panicking_tokenizer()
    tokenizer.normalizer = normalizers.Precompiled(b"\x04\0\0\0\xff\xff\xff\xff")
    with pytest.raises(ConfigError, match=r"^tokenizer: some/place can't encode a text \(index"):
        read_tokenizer(tokenizer.to_str().encode(), "some/place")


def test_what_is_no_tokenizer_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"tokenizer: some/place is no tokenizer\.json"):
        read_tokenizer(b'{"model": 3}', "some/place")
    with pytest.raises(ConfigError, match=r"is no tokenizer\.json"):
        read_tokenizer(b"\xff", "some/place")

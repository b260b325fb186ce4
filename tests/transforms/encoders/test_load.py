from __future__ import annotations

import json
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from outcross.schemas.user_input import ConfigError
from outcross.transforms.encoders import hub
from outcross.transforms.encoders.load import load_embedder, load_model
from outcross.transforms.text import tokens
from outcross.transforms.text.embed import SCALE, default_fingerprint
from outcross.transforms.text.words import split_words
from tests.support.onnx_bert import VOCABULARY, tokenizer, write_bert, write_static
from tests.support.tokenizers import PANIC, panicking_tokenizer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TEXTS = ["the cat sat", "two red ships", "", "sun and sea", "an old house in the new garden"]


def embedded(key: str | None, texts: list[str]) -> NDArray[np.int8]:
    array = pa.array(texts, pa.string())
    return load_embedder(key).embed(split_words(array), array).vectors


def test_without_a_key_the_packaged_table_is_used() -> None:
    model = load_model(None)
    assert (model.fingerprint, model.work_key) == (default_fingerprint(), default_fingerprint())
    assert model.dims == embedded(None, ["a text"]).shape[1] == 256


def test_one_copy_of_a_model_serves_all_threads(tmp_path: Path) -> None:
    key = f"transformers:{write_bert(tmp_path / 'model')}"
    models: list[Any] = []
    threads = [
        threading.Thread(target=lambda: models.append((load_model(key), embedded(key, TEXTS))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(model) for model, _ in models}) == 1
    assert len({vectors.tobytes() for _, vectors in models}) == 1


def test_a_fingerprint_is_of_the_files_and_not_of_their_place(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "one")
    shutil.copytree(folder, tmp_path / "two")
    other = write_bert(tmp_path / "three", seed=1)
    cls = write_bert(tmp_path / "four", pooling="cls")
    models = [load_model(f"transformers:{path}") for path in (folder, tmp_path / "two", other, cls)]
    assert models[0].fingerprint == models[1].fingerprint
    assert len({model.fingerprint for model in models}) == 3
    assert models[0].sha256["model.onnx"] != models[2].sha256["model.onnx"]
    assert "onnxruntime" in models[0].work_key
    assert "CPUExecutionProvider" in models[0].work_key


def test_a_directory_that_changes_is_loaded_again(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    key = f"static:{write_static(folder)}"
    before = load_model(key)
    assert load_model(key) is before
    shutil.rmtree(folder)
    write_static(folder, seed=1)
    assert load_model(key).fingerprint != before.fingerprint


@pytest.mark.parametrize("mapped", [False, True])
def test_a_static_model_sums_the_rows_of_its_tokens(tmp_path: Path, mapped: bool) -> None:
    weights = np.linspace(0.5, 2, len(VOCABULARY)).astype(np.float32)
    mapping = np.arange(len(VOCABULARY))[::-1].astype(np.int32)
    tensors = {"weights": weights, "mapping": mapping} if mapped else {}
    folder = write_static(tmp_path / "model", dims=128, **tensors)
    rows = load_file(folder / "model.safetensors")["embeddings"].astype(float)
    if mapped:
        rows = rows[mapping] * weights[:, None]
    out = embedded(f"static:{folder}", ["the cat sat", "xyzzy the ships", ""])
    ids = [tokenizer().encode(text, add_special_tokens=False).ids for text in TEXTS[:1]]
    expected = rows[ids[0]].sum(0)
    cosine = out[0].astype(float) @ expected / np.linalg.norm(out[0]) / np.linalg.norm(expected)
    assert cosine > 0.999
    assert not out[2].any()


def test_another_tokenizer_reads_whole_texts(tmp_path: Path) -> None:
    folder = write_static(tmp_path / "model")
    words = embedded(f"static:{folder}", TEXTS)
    described = json.loads((folder / "tokenizer.json").read_text())
    described["normalizer"] = {"type": "Lowercase"}
    (folder / "tokenizer.json").write_text(json.dumps(described))
    array = pa.array([*TEXTS, "the cat " * 20_000])
    result = load_embedder(f"static:{folder}").embed(split_words(array), array)
    assert (result.vectors[:5] == words).all()
    assert result.reading is not None
    assert (result.reading.texts, result.reading.cut) == (6, 1)


def refusal(key: str) -> str:
    with pytest.raises(ConfigError) as error:
        load_model(key)
    message = str(error.value)
    assert message.startswith("embedder: ")
    assert "; " in message
    return message


def test_a_model_that_cannot_be_used_is_refused_with_what_to_do(tmp_path: Path) -> None:
    def broken(name: str, kind: str = "transformers", **files: Any) -> str:
        folder = tmp_path / name
        (write_bert if kind == "transformers" else write_static)(folder)
        for path, content in files.items():
            target = folder / path.replace("__", "/").replace("_json", ".json")
            target.unlink(missing_ok=True)
            if content is not None:
                text = content if isinstance(content, str) else json.dumps(content)
                target.write_text(text)
        return f"{kind}:{folder}"

    key = broken("no_onnx")
    (tmp_path / "no_onnx" / "model.onnx").unlink()
    assert "optimum-cli export onnx --task feature-extraction" in refusal(key)
    key = broken("two")
    shutil.move(tmp_path / "two" / "model.onnx", tmp_path / "two" / "a.onnx")
    shutil.copy(tmp_path / "two" / "a.onnx", tmp_path / "two" / "b.onnx")
    assert f"name one of them: {key}#a.onnx" in refusal(key)
    assert load_model(f"{key}#b.onnx").dims == 64
    key = broken("junk")
    (tmp_path / "junk" / "model.onnx").write_bytes(b"no model")
    assert "can't load" in refusal(key)
    assert "has no tokenizer.json" in refusal(broken("slow", tokenizer_json=None))
    assert "tokenizer.json that can't be read" in refusal(broken("t", tokenizer_json="{}"))
    assert "has no config.json" in refusal(broken("bare", config_json=None))
    assert "damaged modules.json" in refusal(broken("damaged", modules_json="{"))
    dense = [{"type": f"x.{name}", "path": ""} for name in ("Transformer", "Dense")]
    assert "Dense can't be run" in refusal(broken("dense", modules_json=dense))
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True}
    target = {"1_Pooling__config_json": pooling}
    assert "pools by cls_token, max_tokens" in refusal(broken("pools", **target))
    assert "has no table `embeddings`" in refusal(_static(tmp_path / "table", "rows"))
    assert "has 32 dimensions" in refusal(f"static:{write_static(tmp_path / 'few', dims=32)}")
    assert "has 1,025 dimensions" in refusal(f"static:{write_static(tmp_path / 'm', dims=1025)}")
    assert "has no model.safetensors" in refusal(f"static:{write_bert(tmp_path / 'bert')}")


def _static(folder: Path, name: str) -> str:
    from safetensors.numpy import save_file

    write_static(folder)
    save_file({name: np.ones((90, 64), np.float32)}, folder / "model.safetensors")
    return f"static:{folder}"


N = len(VOCABULARY)


@pytest.mark.parametrize(
    ("tensors", "fault"),
    [
        (
            {"mapping": np.full(N, 10**6, np.int32)},
            "`mapping` to row 1000000 of a table of 77 rows",
        ),
        ({"mapping": np.full(N, -1, np.int32)}, "`mapping` to row -1"),
        ({"mapping": np.zeros(N, np.float32)}, "`mapping` of float32"),
        ({"mapping": np.zeros((N, 1), np.int32)}, "`mapping` of int32 with the shape [77, 1]"),
        ({"mapping": np.zeros(3, np.int32)}, "3 `mapping` for a vocabulary of 77 tokens"),
        ({"weights": np.ones(3, np.float32)}, "3 `weights` for a vocabulary of 77 tokens"),
        ({"weights": np.ones((N, 1), np.float32)}, "`weights` of float32 with the shape [77, 1]"),
        ({"weights": np.ones((), np.float32)}, "`weights` of float32 with the shape []"),
        ({"weights": np.ones(N, bool)}, "`weights` of bool"),
        ({"weights": np.full(N, np.nan, np.float32)}, "numbers that aren't finite"),
        ({"embeddings": np.ones((N, 64), bool)}, "`embeddings` of bool"),
        ({"embeddings": np.full((N, 64), 5e-324)}, "numbers that aren't finite"),
        ({"embeddings": np.ones((0, 64), np.float32)}, "0 rows for 77 tokens"),
    ],
)
def test_malformed_tensors_are_refused(
    tmp_path: Path, tensors: dict[str, NDArray[Any]], fault: str
) -> None:
    message = refusal(f"static:{write_static(tmp_path / 'model', **tensors)}")
    assert fault in message
    assert "get the model again" in message


@pytest.mark.parametrize("kind", ["static", "transformers"])
@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ({"type": "BPE", "vocab": {}, "merges": []}, "has an empty vocabulary"),
        ({"type": "WordLevel", "vocab": {}, "unk_token": "[UNK]"}, "has an empty vocabulary"),
        ({"type": "WordLevel", "vocab": {"the": 0}, "unk_token": "[UNK]"}, "can't encode a text"),
        ({"type": "BPE", "vocab": {"qqqq": 0}, "merges": []}, "gives no token for any text"),
    ],
)
def test_a_tokenizer_without_tokens_for_texts_is_refused(
    tmp_path: Path, kind: str, model: dict[str, Any], fault: str
) -> None:
    folder = (write_static if kind == "static" else write_bert)(tmp_path / "model")
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}))
    assert f"has a tokenizer.json that {fault}" in refusal(f"{kind}:{folder}")


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("static", "has 77 rows for 4,000,000,001 tokens"),
        ("transformers", "has a token with the id 4000000000, which its model.onnx can't read"),
    ],
)
def test_a_token_beyond_the_table_is_refused_at_once(tmp_path: Path, kind: str, fault: str) -> None:
    folder = (write_static if kind == "static" else write_bert)(tmp_path / "model")
    vocabulary = {"[UNK]": 0, "the": 4_000_000_000}
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}))
    assert fault in refusal(f"{kind}:{folder}")


NO_OBJECTS = [[], 3, "x", [3], [{"type": 3}]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("config.json", content) for content in NO_OBJECTS),
        *(("1_Pooling/config.json", content) for content in NO_OBJECTS),
        *(("sentence_bert_config.json", content) for content in NO_OBJECTS),
        *(("tokenizer_config.json", content) for content in NO_OBJECTS),
        *(("config_sentence_transformers.json", content) for content in NO_OBJECTS),
        *(("modules.json", content) for content in ({}, 3, "x", [3], [{"type": 3}], [{}])),
        ("modules.json", [{"type": "x.Transformer", "path": 3}]),
        ("config.json", {"pad_token_id": "x"}),
        ("config.json", {"pad_token_id": [0]}),
        ("config.json", {"max_position_embeddings": "y"}),
        ("config.json", {"model_type": 3}),
        ("config.json", {"matryoshka_dimensions": "q"}),
        ("config.json", {"matryoshka_dimensions": [64, None]}),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": 1}),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": True, "include_prompt": "no"}),
        ("1_Pooling/config.json", {"pooling_mode": ["mean"]}),
        ("sentence_bert_config.json", {"max_seq_length": "z"}),
        ("sentence_bert_config.json", {"max_seq_length": -5}),
        ("sentence_bert_config.json", {"do_lower_case": "no"}),
        ("tokenizer_config.json", {"model_max_length": "z"}),
        ("tokenizer_config.json", {"model_max_length": float("-inf")}),
        ("config_sentence_transformers.json", {"prompts": 3}),
        ("config_sentence_transformers.json", {"prompts": {"q": 3}, "default_prompt_name": "q"}),
        ("config_sentence_transformers.json", {"default_prompt_name": ["q"]}),
        ("config_sentence_transformers.json", {"matryoshka_dimensions": [0]}),
    ],
)
def test_json_values_of_other_types_are_refused(tmp_path: Path, name: str, content: Any) -> None:
    folder = write_bert(tmp_path / "model")
    (folder / name).write_text(json.dumps(content))
    assert f"has a {name} of another form: " in refusal(f"transformers:{folder}")


def test_json_as_deep_as_a_well_is_damaged(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "model")
    (folder / "config.json").write_text("[" * 200_000)
    assert "has a damaged config.json" in refusal(f"transformers:{folder}")


def test_usual_values_that_say_nothing_are_read(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "model")
    plain = embedded(f"transformers:{folder}", TEXTS)
    nothing = {"pad_token_id": -1, "matryoshka_dimensions": None, "max_position_embeddings": 64}
    (folder / "config.json").write_text(json.dumps(nothing))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 10**30}))
    prompts = {"prompts": {"query": ""}, "default_prompt_name": None}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    assert (embedded(f"transformers:{folder}", TEXTS) == plain).all()


@pytest.mark.parametrize("kind", ["static", "transformers"])
def test_a_text_that_a_tokenizer_fails_on_is_refused_by_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    folder = (write_static if kind == "static" else write_bert)(tmp_path / "model")
    model = {"type": "WordLevel", "vocab": {"the": 0}, "unk_token": "[UNK]"}
    described = {"pre_tokenizer": {"type": "Whitespace"}, "model": model}
    (folder / "tokenizer.json").write_text(json.dumps(described))
    monkeypatch.setattr(tokens, "TRIAL_TEXTS", ("the",))
    with pytest.raises(ConfigError, match=rf"^embedder: {kind}:model can't encode a text .*UNK"):
        embedded(f"{kind}:{folder}", ["the cat"])


@pytest.mark.parametrize("kind", ["static", "transformers"])
def test_a_panic_of_the_tokenizer_names_model_and_text(tmp_path: Path, kind: str) -> None:
    folder = (write_static if kind == "static" else write_bert)(tmp_path / "model")
    panicking_tokenizer().save(str(folder / "tokenizer.json"))
    with pytest.raises(
        ConfigError,
        match=rf"^embedder: {kind}:model can't encode a text of 47 characters, which begins .in",
    ):
        embedded(f"{kind}:{folder}", ["the cat", PANIC])


@pytest.mark.parametrize(
    ("package", "kind"), [("onnxruntime", "transformers"), ("safetensors.numpy", "static")]
)
def test_a_missing_package_is_named_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, kind: str
) -> None:
    write = write_bert if kind == "transformers" else write_static
    key = f"{kind}:{write(tmp_path / package)}"
    monkeypatch.setitem(sys.modules, package, None)
    assert "pip install '.[transformers]'" in refusal(key)


def test_a_model_of_the_hub_is_downloaded_at_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    folder, asked = write_bert(tmp_path / "snapshot"), []

    def snapshot_download(repository: str, **options: Any) -> str:
        asked.append((repository, options))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    model = load_model(f"transformers:owner/model@{COMMIT}")
    assert (model.name, model.revision) == (f"transformers:owner/model@{COMMIT}", COMMIT)
    ((repository, options),) = asked
    assert (repository, options["revision"]) == ("owner/model", COMMIT)
    endings = (".json", ".onnx", ".onnx_data", ".onnx.data")
    assert all(pattern.endswith(endings) for pattern in options["allow_patterns"])

    def offline(*_: Any, **__: Any) -> str:
        raise OSError("no route to the hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    message = refusal(f"static:owner/other@{COMMIT}")
    assert "can't be downloaded (OSError: no route to the hub)" in message
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", offline)
    assert hub.current_revision("owner/model") is None


def test_products_of_the_longest_embeddings_are_exact_in_float32() -> None:
    """127 * 127 * 1,024 < 2**24: float32 holds every partial sum, in any order of summation."""
    extreme = np.full((1, 1024), 127, np.float32)
    assert 127 * 127 * 1024 < 2**24
    assert int((extreme @ extreme.T)[0, 0]) == 127 * 127 * 1024
    rng = np.random.default_rng(0)
    x = rng.integers(-127, 128, (50, 1024))
    product = x.astype(np.float32) @ x.astype(np.float32).T
    assert (product.astype(np.int64) == x @ x.T).all()


@pytest.mark.parametrize(("dims", "least"), [(64, 0.9999), (384, 0.9996), (1024, 0.9990)])
def test_int8_keeps_the_direction_at_every_length(dims: int, least: float) -> None:
    rng = np.random.default_rng(dims)
    x = rng.normal(size=(1000, dims))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    small = np.clip(np.rint(x * SCALE), -127, 127)
    cosine = (x * small).sum(1) / np.linalg.norm(small, axis=1)
    assert cosine.min() > least

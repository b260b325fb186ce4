"""Texts per second of MiniLM in fp16 on a GPU, and of its matrix products alone.

    python -m benchmarks.embedders.gpu FOLDER --texts TEXTS.jsonl.gz

The bound is a graph of the encoder's six matrix products a layer and nothing else, with the shapes
and the number of runs that the texts take.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.embedders.models import write_models
from benchmarks.embedders.speed import texts_of
from outcross.transforms.encoders.load import load_model
from outcross.transforms.text.words import split_words

HIDDEN, WIDE, LAYERS = 384, 1536, 6
COUNT = 50_000


def half(folder: Path, target: Path) -> Path:
    """Write a model's fp16 copy, with int64 inputs and fp32 outputs."""
    import shutil

    import onnx
    from onnxconverter_common import float16

    shutil.copytree(folder, target, dirs_exist_ok=True)
    model = float16.convert_float_to_float16(
        onnx.load(str(folder / "model.onnx")), keep_io_types=True
    )
    onnx.save(model, str(target / "model.onnx"))
    return target


def matrices(rows: int) -> Any:
    """Return a session of the matrix products of all layers, for float16[rows, HIDDEN]."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    nodes, weights, last = [], [], "x"
    shapes = [*[(HIDDEN, HIDDEN)] * 4, (HIDDEN, WIDE), (WIDE, HIDDEN)] * LAYERS
    for number, shape in enumerate(shapes):
        weight = (rng.normal(size=shape) * 0.05).astype(np.float16)
        weights.append(numpy_helper.from_array(weight, f"w{number}"))
        nodes.append(helper.make_node("MatMul", [last, f"w{number}"], [f"y{number}"]))
        last = f"y{number}"
    half_ = TensorProto.FLOAT16
    graph = helper.make_graph(
        nodes,
        "matrices",
        [helper.make_tensor_value_info("x", half_, [rows, HIDDEN])],
        [helper.make_tensor_value_info(last, half_, [rows, HIDDEN])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CUDAExecutionProvider"]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    arguments = parser.parse_args()
    folder = half(write_models(arguments.folder)["fp32"], arguments.folder / "fp16")
    texts = texts_of(arguments.texts, COUNT)
    array = pa.array(texts)
    words = split_words(array)
    embedder: Any = load_model(f"transformers:{folder}").embedder()
    session = embedder.session
    print(f"build: {session.build}")
    if session.provider != "CUDAExecutionProvider":
        raise SystemExit("ONNX Runtime found no GPU")
    embedder.embed(words, array)
    start = time.perf_counter()
    embedder.embed(words, array)
    seconds = time.perf_counter() - start
    print(f"embedder: {COUNT / seconds:,.0f} texts/s")
    tokens = np.array([len(e.ids) for e in embedder.tokenizer.encode_batch(texts)], np.int64)
    lengths = session.padded(tokens, embedder.settings.longest)
    runs = Counter[int]()
    for length, number in Counter(lengths.tolist()).items():
        rows = session.rows(length)
        runs[rows * length] += -(-number // rows)
    bound = 0.0
    for rows, number in runs.items():
        runtime = matrices(rows)
        binding = runtime.io_binding()
        binding.bind_cpu_input("x", np.zeros((rows, HIDDEN), np.float16))
        binding.bind_output(runtime.get_outputs()[0].name, "cuda")
        runtime.run_with_iobinding(binding)
        begin = time.perf_counter()
        for _ in range(min(number, 20)):
            runtime.run_with_iobinding(binding)
        bound += (time.perf_counter() - begin) / min(number, 20) * number
    print(f"its matrices alone: {COUNT / bound:,.0f} texts/s; share {bound / seconds:.0%}")


if __name__ == "__main__":
    main()

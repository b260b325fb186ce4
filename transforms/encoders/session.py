"""An encoder in ONNX Runtime, run so that no text depends on the others of its batch.

Three things could make a text depend on its neighbours, and none of them is left to chance:

- Padding. A text is padded to a length that depends on its own number of tokens alone.
- The number of rows, by which matrix kernels choose their order of summation. Batches of one
  length always have the same number of rows; missing ones are filled up.
- Scales of a whole batch, which dynamic int8 computes. Such a model gets one text at a time,
  without padding.

So a matrix product always has the same shape for a text, and only the text's row in it varies. When
a model is loaded, the same texts are run in other rows beside other texts. If a byte differs, the
model gets one text at a time as well.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.encoders.hub import EXTRA
from outcross.transforms.encoders.model_files import ADVICE, ModelFiles

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
"""Inputs that an encoder may have, each int64[texts, tokens]."""

_GPU, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_TOKENS_A_RUN = {_CPU: 512, _GPU: 1 << 14}  # below, matrices are too small to be quick
_DYNAMIC = (b"DynamicQuantize", b"MatMulInteger", b"ConvInteger", b"QAttention")
_FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16", "asimddp")
_STATES = ("last_hidden_state", "token_embeddings")
_VECTORS = ("sentence_embedding", "sentence_embeddings")


@dataclass(frozen=True)
class Session:
    """A loaded encoder, which threads may run at once.

    Attributes:
        runtime: the `InferenceSession`, of one thread for each call.
        inputs: names of its inputs.
        output: name of the output that is read.
        dims: its last dimension.
        pooled: True if the output has one vector for each text.
        batched: True if texts of one length are run together.
        pad: id of the token that fills up a text.
        provider: name of ONNX Runtime's execution provider.
    """

    runtime: Any
    inputs: tuple[str, ...]
    output: str
    dims: int
    pooled: bool
    batched: bool
    pad: int
    provider: str

    @property
    def build(self) -> str:
        """What decides the last bits of an embedding: versions, provider, kind of CPU, batching."""
        import onnxruntime

        compiled = hashlib.sha256(str(onnxruntime.get_build_info()).encode()).hexdigest()[:8]
        rows = "batches" if self.batched else "single texts"
        return (
            f"onnxruntime {onnxruntime.__version__} ({compiled}), {self.provider}, {cpu_kind()}, "
            f"{rows}"
        )

    def padded(self, tokens: NDArray[np.int64], longest: int) -> NDArray[np.int64]:
        """Return the length that each text is padded to: int64[n].

        Args:
            tokens: int64[n], tokens of each text.
            longest: most tokens of a text.
        """
        if not self.batched:
            return tokens
        exponent = np.ceil(np.log2(np.maximum(tokens, 8))).astype(np.int64)
        step = np.maximum(8, (1 << exponent) // 8)  # at most a quarter is padding
        return np.minimum(-(-tokens // step) * step, np.maximum(longest, tokens))

    def rows(self, length: int) -> int:
        """Return how many texts of a padded length are run together.

        Args:
            length: padded length in tokens.
        """
        return max(1, _TOKENS_A_RUN[self.provider] // length) if self.batched else 1

    def run(self, texts: list[list[int]], length: int) -> NDArray[np.float32]:
        """Run texts of one padded length.

        Args:
            texts: ids of the tokens of at least one text, and of at most `rows(length)`.
            length: padded length in tokens.

        Returns:
            float32[n, length, dims], or float32[n, 1, dims] of an encoder that pools.
        """
        rows = self.rows(length)
        ids = np.full((rows, length), self.pad, np.int64)
        mask = np.zeros((rows, length), np.int64)
        for row in range(rows):
            text = texts[min(row, len(texts) - 1)]  # rows of padding alone would hold no numbers
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        values = {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(ids),
            "position_ids": np.broadcast_to(np.arange(length), ids.shape).copy(),
        }
        fed = {name: values[name] for name in self.inputs}
        (out,) = self.runtime.run([self.output], fed)
        states = np.asarray(out, np.float32)[: len(texts)]
        return states[:, None] if self.pooled else states


def cpu_kind() -> str:
    """Return the machine's architecture, with the instructions that choose a matrix kernel."""
    flags: set[str] = set()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                flags = set(line.partition(":")[2].split())
                break
    except OSError:  # not Linux
        pass
    return " ".join([platform.machine(), *(flag for flag in _FLAGS if flag in flags)])


def open_session(files: ModelFiles, name: str, vocabulary: int, pad: int, largest: int) -> Session:
    """Load an encoder, and find out if its texts can be run together.

    Args:
        files: the model's files.
        name: name of its ONNX file.
        vocabulary: number of tokens.
        pad: id of the token that fills up a text.
        largest: largest id of a token.

    Raises:
        ConfigError: ONNX Runtime is missing, or the model can't be loaded or run.
    """
    try:
        import onnxruntime
    except ImportError:
        raise files.refused("needs ONNX Runtime, which is not installed", EXTRA) from None
    path = files.path(name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; a warning is no word for the user of a corpus
    provider = _GPU if _GPU in onnxruntime.get_available_providers() else _CPU
    providers = [(_GPU, {"use_tf32": "0"}), _CPU] if provider == _GPU else [_CPU]
    try:
        runtime = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's errors share no public base
        raise files.refused(
            f"has a {name} that ONNX Runtime {onnxruntime.__version__} can't load "
            f"({_first_line(error)})",
            "get the model again, export it again, or install a newer onnxruntime",
        ) from None
    inputs = tuple(value.name for value in runtime.get_inputs())
    unsupported = sorted(set(inputs) - set(INPUTS))
    if unsupported or "input_ids" not in inputs:
        raise files.refused(
            f"has a {name} with the inputs {', '.join(inputs)}",
            f"an encoder of text has some of {', '.join(INPUTS)}; export it for the task "
            "feature-extraction",
        )
    outputs = {value.name: value.shape for value in runtime.get_outputs()}
    output = next((n for n in (*_STATES, *_VECTORS) if n in outputs), next(iter(outputs)))
    shape = outputs[output]
    if len(shape) not in (2, 3):
        raise files.refused(
            f"has a {name} whose output {output} has the shape {shape}",
            "states of tokens or vectors of texts are needed; export it for the task "
            "feature-extraction",
        )
    content = path.read_bytes()
    session = Session(
        runtime=runtime,
        inputs=inputs,
        output=output,
        dims=0,
        pooled=len(shape) == 2,
        batched=not any(mark in content for mark in _DYNAMIC),
        pad=pad,
        provider=runtime.get_providers()[0],
    )
    try:
        tried = _tried(session, vocabulary)
    except Exception as error:
        raise files.refused(
            f"has a {name} that can't be run ({_first_line(error)})",
            "export it again for the task feature-extraction",
        ) from None
    try:
        tried.run([[largest]], 8 if tried.batched else 1)
    except Exception as error:
        raise files.refused(
            f"has a token with the id {largest}, which its {name} can't read "
            f"({_first_line(error)})",
            ADVICE,
        ) from None
    return tried


def _tried(session: Session, vocabulary: int) -> Session:
    """Run made-up texts in two orders, and give up batches if a text's states differ in a byte."""
    length = 16
    rng = np.random.default_rng(0)
    texts = [
        rng.integers(0, vocabulary, length - number % 8).tolist()
        for number in range(session.rows(length))
    ]
    dims = session.run(texts[:1], len(texts[0])).shape[2]
    if session.batched:
        rotated = [*texts[7:], *texts[:7]]
        first, second = session.run(texts, length), session.run(rotated, length)
        agrees = first.tobytes() == np.roll(second, 7, axis=0).tobytes()
        single = session.run(texts[3:4], length)
        agrees = agrees and single[0].tobytes() == first[3].tobytes()
        session = replace(session, batched=agrees)
    return replace(session, dims=dims)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]

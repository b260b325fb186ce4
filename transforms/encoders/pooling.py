"""States of a text's tokens to one int8 vector, by operations in a fixed order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.kernels import kernel
from outcross.transforms.encoders.sentence_config import Pooling
from outcross.transforms.text.embed import SCALE

_MEAN, _CLS, _MAX, _LAST = range(4)
_NUMBERS = {"mean": _MEAN, "cls": _CLS, "max": _MAX, "lasttoken": _LAST}


@kernel()
def _pool(states, lengths, mode, out):  # type: ignore[no-untyped-def]
    dims = out.shape[1]
    total = np.empty(dims, np.float64)
    for i in range(len(lengths)):
        n = lengths[i]
        first = n - 1 if mode == _LAST else 0
        for q in range(dims):
            total[q] = np.float64(states[i, first, q])
        if mode in (_MEAN, _MAX):
            for k in range(1, n):
                for q in range(dims):
                    value = np.float64(states[i, k, q])
                    total[q] = total[q] + value if mode == _MEAN else max(total[q], value)
        squares = 0.0
        for q in range(dims):
            squares += total[q] * total[q]
        out[i] = 0
        if squares > 0 and squares < np.inf:  # neither zeros nor what is no number
            norm = np.sqrt(squares)
            for q in range(dims):
                value = np.rint(total[q] * SCALE / norm)
                out[i, q] = np.int8(min(max(value, -127.0), 127.0))


def pool(
    states: NDArray[np.float32], lengths: NDArray[np.int64], pooling: Pooling, dims: int
) -> NDArray[np.int8]:
    """Pool the states of texts and scale them to length `SCALE`.

    The sum of a text is taken in float64, token by token, so it depends on the text's states alone.

    Args:
        states: float32[n, length, at least dims], states of the tokens.
        lengths: int64[n], tokens of each text, at least 1; what follows is padding.
        pooling: how to pool.
        dims: dimensions to keep.

    Returns:
        int8[n, dims]; a row of zeros where the states are zeros or not numbers.
    """
    out = np.empty((len(lengths), dims), np.int8)
    _pool(states, lengths, _NUMBERS[pooling], out)
    return out

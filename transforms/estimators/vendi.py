"""The Vendi score with the cosine kernel, from sums that merge exactly.

The score is exp(entropy) of the eigenvalues of K / n, K the n x n matrix of cosines (Friedman &
Dieng 2023). With unit vectors in the rows of X, K = X Xᵀ has the same eigenvalues as XᵀX but for
zeros. XᵀX is a sum over rows, here of 64 x 64 integers, so the sums of two sets add up to that of
their union.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numba import types
from numpy.typing import NDArray

from outcross.transforms.base.kernels import late_kernel
from outcross.transforms.estimators.entropy import entropy, exp

DIMS = 64
"""Number of an embedding's first dimensions that are used."""

UNIT = 1023
"""The fixed-point length of a unit vector."""

# An entry of a row is at most UNIT, so a sum of n products of two is at most n UNIT² < n 2**20.
# Up to 2**33 rows, every partial sum in whatever order is an integer below 2**53, which float64
# holds exactly, with or without fused multiply-add. The batch only bounds memory (4 MiB).
_BATCH = 1 << 13


@late_kernel(types.void(types.Array(types.int8, 2, "A", readonly=True), types.int16[:, ::1]))
def _unit_rows(embeddings, out):  # type: ignore[no-untyped-def]
    dims = min(embeddings.shape[1], DIMS)
    for row in range(len(out)):
        squares = np.int64(0)
        for q in range(dims):
            squares += np.int64(embeddings[row, q]) * np.int64(embeddings[row, q])
        out[row] = 0
        if squares == 0:
            continue
        norm = np.sqrt(np.float64(squares))  # as the division, correctly rounded everywhere
        for q in range(dims):
            out[row, q] = np.int16(np.rint(np.float64(np.int64(embeddings[row, q]) * UNIT) / norm))


def unit_rows(embeddings: NDArray[np.int8]) -> NDArray[np.int16]:
    """Convert the first 64 dimensions of embeddings to unit vectors in fixed point.

    Args:
        embeddings: int8[n, D], vectors of any length; missing dimensions are 0.

    Returns:
        int16[n, 64], unit vectors times 1,023, rounded; rows of zeros stay 0. The same bits on
        every machine.

    Raises:
        ValueError: embeddings are not int8[n, D].
    """
    if embeddings.dtype != np.int8 or embeddings.ndim != 2:
        raise ValueError(
            f"embeddings are {embeddings.dtype}{list(embeddings.shape)}; needed: int8[n, D]"
        )
    out = np.empty((len(embeddings), DIMS), np.int16)
    _unit_rows(embeddings, out)
    return out


def moments(embeddings: NDArray[np.int8]) -> NDArray[np.int64]:
    """Sum x xᵀ over the rows of `unit_rows`, exactly, so that sums merge by addition in any order.

    Args:
        embeddings: int8[n, D], vectors of any length.

    Returns:
        int64[64, 64], symmetric; exact for up to 2**43 rows.

    Raises:
        ValueError: embeddings are not int8[n, D].
    """
    total = np.zeros((DIMS, DIMS), np.int64)
    for start in range(0, max(len(embeddings), 1), _BATCH):
        rows = unit_rows(embeddings[start : start + _BATCH]).astype(np.float64)
        total += (rows.T @ rows).astype(np.int64)
    return total


def vendi(moments: NDArray[np.int64], order: Literal[1, 2]) -> float:
    """Compute how many wholly different documents a set is worth, by the cosine of embeddings.

    Order 1 is rounded to 12 digits, as the last digits of LAPACK's eigenvalues depend on the
    machine and its number of threads.

    Args:
        moments: int64[D, D], from `moments`, or a sum of such results.
        order: 1 for exp(-Σ λ ln λ), 2 for 1 / Σ λ², which gives common documents more weight
            (Pasarkar & Dieng 2024). λ are the eigenvalues of moments / trace.

    Returns:
        1 to D; 0 where no document has an embedding.

    Raises:
        ValueError: moments are not square, or the order is neither 1 nor 2.
    """
    if moments.ndim != 2 or moments.shape[0] != moments.shape[1]:
        raise ValueError(f"moments are {list(moments.shape)}; needed: a square matrix")
    if order not in (1, 2):
        raise ValueError(f"order is {order}; needed: 1 or 2")
    trace = int(np.trace(moments))
    if trace == 0:
        return 0.0
    share = moments / trace
    if order == 2:
        return 1 / math.fsum((share * share).ravel())  # Σ λ² is the sum of squares of the entries
    # Rounding makes eigenvalues that are 0 a little less.
    eigenvalues = np.maximum(np.linalg.eigvalsh(share), 0)
    return float(f"{exp(entropy(eigenvalues)):.12g}")

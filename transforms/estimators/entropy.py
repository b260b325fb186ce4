"""Entropy and divergence with the same bits on every machine."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ROUNDING = 1e-12  # relative error that a sum of 100,000 floats may have

_LN2_HIGH = 6.93147180369123816490e-01  # its low 33 bits are zero, so that e · _LN2_HIGH is exact
_LN2_LOW = 1.90821492927058770002e-10
_LOG_TERMS = [2.0 / (2 * k + 1) for k in range(12)]
_EXP_TERMS = [1.0 / math.factorial(k) for k in range(15)]


def entropy(tokens: ArrayLike) -> float:
    """Compute the Shannon entropy, in nats, of amounts scaled to sum to 1.

    Args:
        tokens: float64[C], amounts of 0 or more.

    Raises:
        ValueError: all are 0.
    """
    p = normalised(tokens, "tokens")
    p = p[p > 0]
    return max(-float((p * log(p)).sum()), 0.0) + 0.0  # -0.0 + 0.0 is 0.0


def kl(tokens: ArrayLike, reference: ArrayLike) -> float:
    """Compute KL(tokens ‖ reference) in nats, both scaled to sum to 1.

    Args:
        tokens: float64[C], amounts of 0 or more.
        reference: float64[C], amounts of 0 or more.

    Returns:
        Infinity where a cluster has tokens and no reference.

    Raises:
        ValueError: either is all 0.
    """
    tokens, reference = as_columns(tokens=tokens, reference=reference)
    return kl_each([(_scaled(tokens, "tokens"), _scaled(reference, "reference"))])[0]


def kl_each(pairs: Sequence[tuple[Floats, Floats]]) -> list[float]:
    """Compute KL(p ‖ r) in nats of many pairs, as one by one, but with one pass of logarithms.

    Args:
        pairs: shares p and r of each pair, float64[C] each, that sum to 1.

    Returns:
        Infinity where p has a cluster that r hasn't.
    """
    filled = [p > 0 for p, _ in pairs]
    parts = [(p[rows], r[rows]) for (p, r), rows in zip(pairs, filled, strict=True)]
    within = [bool((r > 0).all()) for _, r in parts]
    arrays = [array for pair, inside in zip(parts, within, strict=True) if inside for array in pair]
    ends = np.cumsum([len(array) for array in arrays])
    logs = iter(np.split(log(np.concatenate([np.zeros(0), *arrays])), ends[:-1]))
    return [
        max(float((p * (next(logs) - next(logs))).sum()), 0.0) if inside else math.inf
        for (p, _), inside in zip(parts, within, strict=True)
    ]


def as_columns(**columns: ArrayLike) -> list[Floats]:
    """Convert the arguments to float64[C], in their order.

    Raises:
        ValueError: naming the argument that is no column of finite numbers of 0 or more, or that
            has another length.
    """
    arrays = {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}
    length = next(iter(arrays.values())).shape
    for name, array in arrays.items():
        if array.ndim != 1 or array.shape != length or not array.size:
            raise ValueError(
                f"{name} has shape {array.shape}; all columns must be one number per cluster: "
                + ", ".join(f"{other} {column.shape}" for other, column in arrays.items())
            )
        if not (array.min() >= 0 and array.max() < math.inf):  # also where a number is NaN
            wrong = np.flatnonzero(~((array >= 0) & np.isfinite(array)))
            raise ValueError(f"{name}[{wrong[0]}] is {array[wrong[0]]}; it must be 0 or more")
    return list(arrays.values())


def normalised(column: ArrayLike, name: str) -> Floats:
    """Scale a column to sum to 1.

    Args:
        column: float64[C], numbers of 0 or more.
        name: name for the error message.

    Raises:
        ValueError: it is all 0.
    """
    (array,) = as_columns(**{name: column})
    return _scaled(array, name)


def _scaled(array: Floats, name: str) -> Floats:
    total = float(array.sum())
    if total <= 0:
        raise ValueError(f"{name} sum to 0; there is no distribution to speak of")
    return array / total


def exp(x: Floats | float) -> Floats:
    """Compute e^x to a relative 1e-15, with the same bits on every machine (see `log`)."""
    powers = np.rint(x / (_LN2_HIGH + _LN2_LOW))
    rest = (x - powers * _LN2_HIGH) - powers * _LN2_LOW
    return np.ldexp(_polynomial(_EXP_TERMS, rest), powers.astype(np.int32))


def log(x: Floats | float) -> Floats:
    """Compute the natural logarithm of x > 0 to within 1e-15, from sums, products and quotients.

    NumPy's log differs in the last bit between machines (SIMD), and a plan must not.
    """
    mantissa, exponent = np.frexp(x)
    small = mantissa < math.sqrt(0.5)
    mantissa = np.where(small, 2.0 * mantissa, mantissa)
    exponent = exponent - small
    s = (mantissa - 1.0) / (mantissa + 1.0)
    series = _polynomial(_LOG_TERMS, s * s)
    return np.asarray(exponent * _LN2_HIGH + (exponent * _LN2_LOW + s * series), dtype=np.float64)


def _polynomial(terms: Sequence[float], x: Floats) -> Floats:
    """Compute Σ terms_k·x^k by Horner's rule."""
    value = np.full_like(x, terms[-1])
    for term in reversed(terms[:-1]):
        value = value * x + term
    return value

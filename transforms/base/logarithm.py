"""Natural logarithm in fixed point for compiled loops, with equal bits on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.kernels import kernel

LOG_BITS = 40  # the unit of `log` is 2**-LOG_BITS nats

_NODES = 1 << 12  # linear between nodes is within (1 / _NODES)**2 / 8 = 2**-27


def _log_table() -> NDArray[np.int64]:
    """Compute ln(1 + i / 4096) for i = 0..4096 in 2**-LOG_BITS, with integers only.

    The steps are ln((j + 1) / j) = 2 atanh(1 / (2j + 1)). Since j >= 4096, two terms of the
    series are enough: their error is below 2**-54 in all.
    """
    unit = 1 << 100
    total, out = 0, [0]
    for j in range(_NODES, 2 * _NODES):
        t = 2 * j + 1
        total += 2 * sum(unit // (k * t**k) for k in (1, 3))
        out.append((total + (1 << (99 - LOG_BITS))) >> (100 - LOG_BITS))
    return np.array(out, np.int64)


_TABLE = _log_table()
LN2 = int(_TABLE[-1])  # in 2**-LOG_BITS


@kernel("int64(float64)")
def log(x):  # type: ignore[no-untyped-def]
    """Return ln(x) in 2**-40 nats for positive normal x; the error is below 2**-27."""
    bits = np.float64(x).view(np.int64)
    mantissa = bits & np.int64((1 << 52) - 1)
    node = mantissa >> np.int64(40)
    low = _TABLE[node]
    between = (mantissa >> np.int64(8)) & np.int64(0xFFFFFFFF)
    step = ((_TABLE[node + 1] - low) * between) >> np.int64(32)
    return ((bits >> np.int64(52)) - np.int64(1023)) * np.int64(LN2) + low + step

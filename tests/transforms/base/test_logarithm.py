"""Logarithms in fixed point."""

from decimal import Decimal, localcontext

import numpy as np

from outcross.transforms.base.logarithm import log


def test_logarithms_are_those_of_arithmetic():
    with localcontext() as context:
        context.prec = 40
        for i in [0, 1, 2, 1000, 2047, 4095, 4096]:  # nodes of the table
            exact = (1 + Decimal(i) / 4096).ln() * 2**40
            assert abs(Decimal(int(log(1 + i / 4096))) - exact) <= Decimal("0.5000001")
        rng = np.random.default_rng(0)
        values = [*np.exp(rng.uniform(-35, 45, 300)), 1.0, 2.0, 0.5, 1e-9, 1 - 2**-53, 1 + 2**-52]
        for x in values:
            exact = Decimal(float(x)).ln() * 2**40
            assert abs(Decimal(int(log(x))) - exact) < 2**13 + 3
    assert log(1.0) == 0
    ordered = [log(x) for x in np.sort(rng.uniform(0.4, 2.5, 5000))]
    assert (np.diff(ordered) >= 0).all()

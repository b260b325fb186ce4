"""Thresholds: the limits of the document classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.estimators.richness import HEAD, OFF_SUPPORT, TAIL
from outcross.transforms.text.surface import Bands

TAIL_QUANTILE = 0.20
SUPPORT_QUANTILE = 0.01


@dataclass(frozen=True)
class Thresholds:
    """Limits of the document classes: tail is rare, off-support is unlike all human text.

    Attributes:
        density: limit of tail: a document with a lower density is rare. It is the 20 % quantile of
            the quarter `THRESHOLDS`.
        dot: limit of off-support: a document with a lower dot product with its centroid is unlike
            human text. It is the 1 % quantile of the same quarter.
        bands: limits of the surface measures; a document outside of one is off-support too.
    """

    density: int
    dot: int
    bands: Bands = field(default_factory=Bands)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Thresholds:
        """Read thresholds from JSON of their `asdict`."""
        bands = Bands(**{name: tuple(ends) for name, ends in value["bands"].items()})
        return cls(value["density"], value["dot"], bands)

    def classify(
        self, dot: NDArray[np.int32], density: NDArray[np.int64], surface: NDArray[np.uint32]
    ) -> NDArray[np.int8]:
        """Classify each document as HEAD, TAIL or OFF_SUPPORT.

        Args:
            dot: int32[n], dot product with the nearest centroid.
            density: int64[n], density of each document.
            surface: uint32[n, 4], surface measures of each text.

        Returns:
            int8[n], document classes.
        """
        by_density = np.where(density < self.density, TAIL, HEAD)
        off_support = (dot < self.dot) | self.bands.outside(surface).any(axis=1)
        return np.where(off_support, OFF_SUPPORT, by_density).astype(np.int8)


def set_thresholds(dot: NDArray[np.int32], density: NDArray[np.int64], bands: Bands) -> Thresholds:
    """Set the thresholds from the quarter of human text that is reserved for them.

    Each threshold is one of the given values, so it is exact.

    Args:
        dot: int32[n], dot product of each document with its nearest centroid.
        density: int64[n], density of each document.
        bands: bands of all human text; no part is reserved, as surface measures aren't fitted.
    """
    if len(dot) == 0:
        return Thresholds(density=0, dot=-(1 << 30), bands=bands)
    return Thresholds(
        density=int(np.sort(density)[int(TAIL_QUANTILE * len(density))]),
        dot=int(np.sort(dot)[int(SUPPORT_QUANTILE * len(dot))]),
        bands=bands,
    )

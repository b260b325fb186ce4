"""Share of words that an embedder knows; clusters say little about texts of other words.

Measured by `benchmarks/languages/coverage.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

LEAST_KNOWN = 0.6
"""Share of the words below which figures by clusters are not judged."""
LEAST_WORDS = 500
"""Words of which a share says something: its standard error is at most .022."""


class Known(NamedTuple):
    """Number of words in some texts, and how many of them an embedder knows.

    Attributes:
        words: words counted; numbers and single ASCII characters are not, as every language has
            them.
        known: words counted that are whole words of the embedder's vocabulary.
    """

    words: int
    known: int

    @property
    def share(self) -> float | None:
        """Share of the words that are known; None where they are too few."""
        return self.known / self.words if self.words >= LEAST_WORDS else None

    @property
    def enough(self) -> bool:
        """Return whether the share is high enough for figures by clusters, or unknown."""
        return self.share is None or self.share >= LEAST_KNOWN

    @classmethod
    def total(cls, parts: Iterable[Known]) -> Known:
        """Return the sum of parts."""
        words = known = 0
        for part in parts:
            words, known = words + part.words, known + part.known
        return cls(words, known)


def warning(source: str, known: Known) -> str:
    """Return the warning about a source whose words the embedder doesn't know.

    Args:
        source: name of the source.
        known: words of its texts, with a share below LEAST_KNOWN.
    """
    return (
        f"source {source!r}: the embedder knows {known.share:.0%} of its words, and below "
        f"{LEAST_KNOWN:.0%} clusters say little: judge it by its words and near duplicates, and "
        "plan it with alpha = 1, which lifts no cluster"
    )

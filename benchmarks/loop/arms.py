"""The arms of the experiment, which decide what the next generator is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Arm:
    """How a generation's training text is made.

    `human` arms use human text alone, `plain` arms mix at random, `dedup` arms do so after
    `outcross dedup`, and `product` arms use `outcross run`.
    """

    name: str
    curator: Literal["human", "plain", "dedup", "product"]
    human: float | None = None
    """Human share of the training text, out of all that was ever bought; if absent, what is bought
    for the generation. Of human text alone: its size, as a share of the others' training text."""
    recursive: bool = True
    """Trained anew each generation; else one model, set beside the last generation."""
    archive: float = 0.0
    """Candidates of all generations, for the product so many times the training words and the
    nearest first, for `plain` ones all alike; 0: the last generation's."""
    select: Literal["residual", "random"] = "residual"
    rounds: int = 8
    recent: int = 1
    """Last generations whose samples are candidates, without an archive."""
    owns_first: bool = False
    """The first generator's corpus stands in the ledger: its owner has it."""
    steered: float = 0.0
    """Share of the next candidates whose topics are asked for, by `outcross requests`."""
    pieces: Literal["sentence", "paragraph"] | None = None
    """Parts of samples that the product chooses one by one; else samples are chosen whole."""
    joined: bool = False
    """The next generator learns the chosen pieces of a sample as one document; else each is one."""


_STANDARD = (
    Arm("ceiling", "human", 1.0),
    Arm("human.1", "human", 0.1, recursive=False),
    Arm("human.2", "human", 0.2, recursive=False),
    Arm("human.4", "human", 0.4, recursive=False),
    Arm("human.7", "human", 0.7, recursive=False),
    Arm("human1", "human", 1.0, recursive=False),
    Arm("replace", "plain", 0.0),
    Arm("naive", "plain"),
    Arm("naive+ledger.4", "plain", 0.4),
    Arm("naive+ledger.7", "plain", 0.7),
    Arm("naive+archive", "plain", archive=3.5),
    Arm("naive+archive+ledger.4", "plain", 0.4, archive=3.5),
    Arm("naive+archive+ledger.7", "plain", 0.7, archive=3.5),
    Arm("dedup", "dedup"),
    Arm("dedup+ledger.4", "dedup", 0.4),
    Arm("dedup+ledger.7", "dedup", 0.7),
    Arm("quotas", "product", select="random"),
    Arm("quotas+ledger.4", "product", 0.4, select="random"),
    Arm("quotas+ledger.7", "product", 0.7, select="random"),
    Arm("quotas+archive", "product", archive=3.5, select="random"),
    Arm("quotas+archive+ledger.4", "product", 0.4, archive=3.5, select="random"),
    Arm("quotas+archive+ledger.7", "product", 0.7, archive=3.5, select="random"),
    Arm("residual", "product"),
    Arm("residual+ledger.4", "product", 0.4),
    Arm("residual+ledger.7", "product", 0.7),
    Arm("residual+archive", "product", archive=3.5),
    Arm("residual+archive+ledger.4", "product", 0.4, archive=3.5),
    Arm("residual+archive+ledger.7", "product", 0.7, archive=3.5),
)

_OWNED = (
    Arm("naive+first+ledger.4", "plain", 0.4, owns_first=True),
    Arm("residual+first+ledger.4", "product", 0.4, owns_first=True),
    Arm("residual+first+archive+ledger.4", "product", 0.4, archive=3.5, owns_first=True),
)
"""What it is worth to put the first corpus into the ledger: not among the arms of the table."""

_SETTINGS = (
    Arm("residual+ledger.1", "product", 0.1),
    Arm("residual+ledger.4+rounds4", "product", 0.4, rounds=4),
    Arm("residual+ledger.4+rounds16", "product", 0.4, rounds=16),
    Arm("residual+ledger.4+recent2", "product", 0.4, recent=2),
    Arm("residual+archive+ledger.1", "product", 0.1, archive=3.5),
    Arm("residual+archive+ledger.4+rounds4", "product", 0.4, archive=3.5, rounds=4),
    Arm("residual+archive+ledger.4+rounds16", "product", 0.4, archive=3.5, rounds=16),
    Arm("residual+archive+ledger.4+recent2", "product", 0.4, archive=3.5, recent=2),
)
"""Arms for settings of the selection: not among the arms of the table either."""


_STEERED = (
    Arm("residual+steered", "product", steered=0.5),
    Arm("residual+ledger.4+steered", "product", 0.4, steered=0.5),
)
"""Arms whose generator is asked for topics: not among the arms of the table."""

_IN_PIECES = (
    Arm("residual+ledger.4+sentences", "product", 0.4, pieces="sentence"),
    Arm("residual+ledger.4+sentences.joined", "product", 0.4, pieces="sentence", joined=True),
)
"""Samples that are chosen sentence by sentence: not among the arms of the table."""

ARMS = {arm.name: arm for arm in (*_STANDARD, *_OWNED, *_SETTINGS, *_STEERED, *_IN_PIECES)}
STANDARD = tuple(arm.name for arm in _STANDARD)

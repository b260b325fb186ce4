"""Measures of the answers to one prompt: distinct and effective answers, saturation, collapse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.kernels import kernel
from outcross.transforms.estimators.entropy import entropy
from outcross.transforms.measuring.answer_classes import (
    BY_TABLE,
    MOST_ANSWERS,
    SameRule,
    classify_answers,
)

DRAWS = 10
"""Most answers among which distinct ones are counted, as in NoveltyBench."""

CURVE = 32
"""Last answer whose gain the saturation curve shows."""

SATURATED = 1 / 20
"""Share of the first answer's gain below which further sampling does not pay."""

COLLAPSED = 0.5
"""Chance that two answers are the same from which a prompt has collapsed.

Such a prompt's answers are worth at most two equally likely ones (1 / chance, Hill's number of
order 2).
"""

COLLAPSED_ANSWERS = 4
"""Least answers that show a collapse: with two or three, the chance depends on one pair."""


@kernel()
def _gains(counts, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the chance that the k-th draw is of a class that no earlier draw was of."""
    n = counts.sum()
    missed = np.ones(len(counts), np.float64)
    for k in range(len(out)):
        out[k] = 0.0
        for c in range(len(counts)):  # positive factors and terms, so nothing cancels
            out[k] += missed[c] * counts[c]
            missed[c] *= max(0, n - counts[c] - k) / (n - k)
        out[k] /= n - k


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers to one prompt, as integers from which all figures follow.

    Attributes:
        counts: int64[distinct], answers of each class, none of them 0.
    """

    counts: NDArray[np.int64]

    @property
    def answers(self) -> int:
        """Count the answers."""
        return int(self.counts.sum())

    @property
    def distinct(self) -> int:
        """Count the classes."""
        return len(self.counts)

    def distinct_rarefied(self, k: int) -> float:
        """Compute the expected distinct answers among k, drawn without replacement.

        Hurlbert (1971): the sum over the classes of 1 - C(n - c, k) / C(n, k), here as the sum of
        the gains of the k draws.

        Raises:
            ValueError: k is not within 1 and the number of answers.
        """
        if not 1 <= k <= self.answers:
            raise ValueError(f"k is {k}; of {self.answers} answers 1 to {self.answers} are drawn")
        return math.fsum(self.gains(k))

    def gains(self, most: int) -> NDArray[np.float64]:
        """Compute the expected distinct answers that each answer adds.

        Returns:
            float64[min(most, answers)].
        """
        out = np.empty(min(most, self.answers))
        _gains(self.counts, out)
        return out

    @property
    def effective(self) -> float:
        """Compute how many equally likely answers these are worth: exp(entropy).

        Unseen answers are not estimated, so the number is at most `answers`. Compare it only
        between prompts, or generations, with the same number of answers.
        """
        return math.exp(entropy(self.counts))

    @property
    def same_chance(self) -> float | None:
        """Compute the chance that two answers, drawn without replacement, are the same.

        Simpson (1949). Unbiased for any number of answers; None for fewer than two.
        """
        n = self.answers
        if n < 2:
            return None
        return int((self.counts * (self.counts - 1)).sum()) / (n * (n - 1))


def saturation(classes: Sequence[NDArray[np.int64]], most: int = CURVE) -> list[float]:
    """Average, over prompts, the new answers that the k-th answer adds, by rarefaction.

    Each k averages over the prompts with at least k answers. So the beginning of the curve has all
    prompts, and later points may have fewer (`Prompts.reached`).

    Args:
        classes: for each prompt int64[distinct], answers of each class.
        most: the last k.

    Returns:
        Mean gains from k = 1 on; the first is 1. The list ends where no prompt has k answers.
    """
    gains = [Answers(counts).gains(most) for counts in classes]
    longest = max(map(len, gains), default=0)
    columns = [[gain[k] for gain in gains if len(gain) > k] for k in range(longest)]
    return [math.fsum(column) / len(column) for column in columns]


def saturates_at(curve: Sequence[float]) -> int | None:
    """Find the first k whose gain is below `SATURATED` times the first gain; None without one."""
    return next((k for k, gain in enumerate(curve, 1) if gain < SATURATED * curve[0]), None)


@dataclass(frozen=True)
class Collapsed:
    """A prompt that gets the same answer again and again.

    Attributes:
        prompt: hash of the prompt.
        answers: number of judged answers.
        distinct: number of different answers among them.
        same_chance: chance that two of them are the same.
        row: document that leads the commonest class; all answers in it are the same as this one.
        times: number of answers in the commonest class.
    """

    prompt: int
    answers: int
    distinct: int
    same_chance: float
    row: int
    times: int


@dataclass(frozen=True)
class Prompts:
    """The answers of one source, over all its prompts.

    Means are over prompts with equal weights, and None without a prompt to average.

    Attributes:
        prompts: number of prompts with answers.
        several: number of prompts with two answers or more; only these enter the means.
        thinned: number of prompts with more than `MOST_ANSWERS`, which are judged by a sample.
        answers: documents with a prompt, judged or not.
        k: number of answers among which distinct ones are counted. It is the lower median of the
            answers of prompts with several, so that at least half of these enter; at most `DRAWS`.
        distinct: mean of the distinct answers expected among k, over prompts that have k.
        effective: mean of the effective answers.
        same_chance: mean chance that two answers are the same.
        gains: mean gain of the k-th answer, for k up to `CURVE`; see `saturation`.
        reached: number of prompts that each gain averages over.
        saturates_at: k from which on further sampling does not pay; see `saturates_at`.
        collapsed: prompts with `COLLAPSED_ANSWERS` or more, two of which are the same with a chance
            of `COLLAPSED` or more; by falling chance, then falling answers, then hash.
    """

    prompts: int
    several: int
    thinned: int
    answers: int
    k: int | None
    distinct: float | None
    effective: float | None
    same_chance: float | None
    gains: tuple[float, ...]
    reached: tuple[int, ...]
    saturates_at: int | None
    collapsed: tuple[Collapsed, ...]


def summarise(
    prompt: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    words: NDArray[np.uint32],
    hi: NDArray[np.uint64],
    lo: NDArray[np.uint64],
    embeddings: NDArray[np.int8],
    rule: SameRule = BY_TABLE,
    seed: int = 0,
    most: int = MOST_ANSWERS,
) -> Prompts:
    """Group documents by prompt and measure the answers to each.

    Except for the row numbers, the result does not depend on the order of the documents. Arguments
    and errors are those of `classify_answers`.
    """
    classes = classify_answers(
        prompt, offsets, words, hi, lo, embeddings, rule=rule, seed=seed, most=most
    )
    sizes, rows = classes.sizes, classes.rows
    leads, counts = np.unique(classes.leader, return_counts=True)
    ends = np.searchsorted(leads, classes.starts)
    answers = [Answers(counts[ends[p] : ends[p + 1]]) for p in range(len(sizes))]
    collapsed = []
    for p, of_prompt in enumerate(answers):
        chance = of_prompt.same_chance
        if chance is None or chance < COLLAPSED or of_prompt.answers < COLLAPSED_ANSWERS:
            continue
        commonest = int(np.argmax(of_prompt.counts))
        row = int(rows[leads[ends[p] + commonest]])
        collapsed.append(
            Collapsed(
                prompt=int(prompt[row]),
                answers=of_prompt.answers,
                distinct=of_prompt.distinct,
                same_chance=chance,
                row=row,
                times=int(of_prompt.counts[commonest]),
            )
        )
    collapsed.sort(key=lambda prompt: (-prompt.same_chance, -prompt.answers, prompt.prompt))
    several = [of_prompt for of_prompt in answers if of_prompt.answers > 1]
    k = None
    if several:
        median = sorted(of_prompt.answers for of_prompt in several)[(len(several) - 1) // 2]
        k = min(DRAWS, median)
    gains = saturation([of_prompt.counts for of_prompt in answers])
    return Prompts(
        prompts=len(sizes),
        several=len(several),
        thinned=int((sizes > most).sum()),
        answers=int(sizes.sum()),
        k=k,
        distinct=_mean([a.distinct_rarefied(k) for a in several if k and a.answers >= k]),
        effective=_mean([a.effective for a in several]),
        same_chance=_mean([chance for a in several if (chance := a.same_chance) is not None]),
        gains=tuple(gains),
        reached=tuple(int((sizes > j).sum()) for j in range(len(gains))),
        saturates_at=saturates_at(gains),
        collapsed=tuple(collapsed),
    )


def _mean(values: list[float]) -> float | None:
    # An exactly rounded sum doesn't depend on the order.
    return math.fsum(values) / len(values) if values else None

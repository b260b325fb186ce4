"""Synthetic text that clusters lack, and candidates to ask a generator for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.budget.waterfill import temper, waterfill
from outcross.transforms.estimators.entropy import ROUNDING, Floats


@dataclass(frozen=True, eq=False)
class Cells:
    """Planned tokens of one domain, by cluster, without off-support text.

    Attributes:
        reference: float64[C], shares of the reference within the domain, of any scale.
        alpha: tempering of the domain's target.
        synthetic: float64[C], planned synthetic tokens, copies included.
        human: float64[C], planned human tokens, copies included.
        available: float64[C], synthetic tokens that there are, each document once.
        drawn: True if the human part is drawn evenly, False if it is a choice.
    """

    reference: Floats
    alpha: float
    synthetic: Floats
    human: Floats
    available: Floats
    drawn: bool

    @cached_property
    def target(self) -> Floats:
        """Array float64[C]: shares π of the tempered reference."""
        return temper(self.reference, self.alpha)

    @cached_property
    def wanted(self) -> Floats:
        """Array float64[C]: synthetic tokens that the target wants beside the human ones.

        They are max(π_c T − h_c, 0), where T are the planned tokens and h the human ones.
        """
        tokens = float((self.synthetic + self.human).sum())
        return np.maximum(self.target * tokens - self.human, 0.0)

    @property
    def complement(self) -> Floats:
        """Array float64[C]: synthetic tokens that the target wants of a better generator.

        A drawn human part stays as it is. A chosen one fills what synthetic text lacks, and would
        move elsewhere. So nothing is subtracted for it.
        """
        return self.wanted if self.drawn else self.target * float(self.synthetic.sum())

    @property
    def lacking(self) -> Floats:
        """Array float64[C]: wanted tokens beyond the different texts that there are.

        A cluster with unused text lacks nothing. Copies fill a quota, but they are no further text.
        """
        used_up = self.synthetic >= self.available * (1 - ROUNDING)
        return np.where(used_up, np.maximum(self.wanted - self.available, 0.0), 0.0)


def tokens_to_ask(wanted: Floats, available: Floats, tokens: float, unasked: float) -> Floats:
    """Spread candidates so that all candidates together come nearest to what is wanted.

    Unasked candidates are expected to be spread as the available ones are, u_c = unasked · a_c/Σa.
    The asked ones are n_c − u_c, where n minimises KL(n ‖ wanted) with n ≥ u and Σn = tokens +
    unasked. So n_c = max(θ · wanted_c, u_c). Without unasked ones they are proportional to what is
    wanted.

    Args:
        wanted: float64[C], synthetic tokens that the target wants.
        available: float64[C], synthetic tokens that there are, each document once.
        tokens: candidates to ask for.
        unasked: candidates that the generator makes besides, without being asked.

    Returns:
        float64[C], which sum to `tokens`; nothing where nothing is wanted.
    """
    if not wanted.any():
        return np.zeros_like(wanted)
    expected = unasked * available / max(float(available.sum()), 1.0)
    total = tokens + float(expected.sum())
    filled, _ = waterfill(wanted, expected, np.full_like(expected, total), total)
    return np.asarray(np.maximum(filled - expected, 0.0), np.float64)


def in_whole_tokens(tokens: Floats) -> NDArray[np.int64]:
    """Round amounts so that they keep their sum: the largest remainders are rounded up.

    Args:
        tokens: float64[C], 0 or more.

    Returns:
        int64[C], which sum to the rounded sum of `tokens`. Of equal remainders the first ones win.
    """
    whole = np.floor(tokens).astype(np.int64)
    missing = round(float(tokens.sum())) - int(whole.sum())
    whole[np.argsort(whole - tokens, kind="stable")[:missing]] += 1
    return whole

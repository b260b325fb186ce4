"""Error that a loop of many generations keeps, by its human share.

Each generation learns the distribution p of human tokens from n tokens: a share α of fresh human
text, and else text of the generation before. A generator that copies its training text without bias
then stays at an expected squared distance R from p, where

    R_{t+1} = (n0 / n) R_0 + (1 − 1 / n) (1 − α)² R_t.

R_0 is the sampling error of n0 tokens of human text. Source: arXiv:2602.10531, "From Collapse to
Improvement: Statistical Perspectives on the Evolutionary Dynamics of Iterative Training on
Contaminated Sources" (2026). For a multinomial sample R_0 = (1 − Σ p²) / n0.
"""

from __future__ import annotations


def lasting_error(human_share: float, tokens: float, first_tokens: float | None = None) -> float:
    """Compute the sampling error after many generations, times that of human text alone.

    It is the fixed point of the recursion, R* / R_0 = (n0 / n) / (1 − (1 − 1 / n) (1 − α)²).

    Args:
        human_share: α, 0 to 1: share of each generation's tokens that are fresh human text.
        tokens: n, tokens of each generation, 1 or more.
        first_tokens: n0, tokens of the human text alone; None for as many as `tokens`.

    Returns:
        With as many tokens, 1 for human text alone. Without human text it is `first_tokens`, as all
        but one outcome is lost.

    Raises:
        ValueError: an argument is out of range.
    """
    first = tokens if first_tokens is None else first_tokens
    if not 0 <= human_share <= 1 or not tokens >= 1 or not first >= 1:
        raise ValueError(
            f"human_share {human_share} must be 0 to 1, tokens {tokens} and first_tokens {first} "
            "1 or more"
        )
    # 1 − (1 − 1 / n) (1 − α)², in a form that is exact for small α.
    gain = human_share * (2 - human_share) + (1 - human_share) ** 2 / tokens
    return first / tokens / gain

"""Refusals of totals, in keys of the configuration, with values that are accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from outcross.pipeline.stages.planning.parts import Part
from outcross.pipeline.stages.planning.supply import Supply
from outcross.pipeline.stages.planning.totals import totals_asked
from outcross.schemas.config import Config, repeat_caps
from outcross.schemas.sources import WRITABLE
from outcross.schemas.user_input import ConfigError
from outcross.transforms.estimators.entropy import ROUNDING

_STEPS = 10_000  # a human share is offered in steps of 1 / _STEPS
_MOST_COPIES = 100  # highest cap that a configuration can have

Accepts = Callable[[Config], bool]
"""Returns whether a plan can be made for a configuration."""


class _Offer(NamedTuple):
    """Options that would do.

    Attributes:
        options: options with their values.
        changes: keys and values; for a range, those of both ends.
    """

    options: str
    changes: Sequence[dict[str, Any]]


def totals_message(config: Config, supply: Supply, accepts: Accepts) -> str:
    """Say which totals the caps on copies allow, and which other values would do.

    Args:
        config: configuration whose totals the caps don't hold.
        supply: documents that may be written.
        accepts: whatever it refuses is not offered.
    """
    key = "human_tokens" if config.tokens is None else "tokens"
    found, caps = getattr(config, key) or 0, repeat_caps(config)
    scarce = [role for role in WRITABLE if not _held(config, supply, role)]
    given = [f"max_copies.{role} {getattr(caps, role)}" for role in scarce]
    if key == "tokens":
        synthetic, human_tokens, _, _ = totals_asked(config, supply)
        human = (
            f"human_share {human_tokens / (synthetic + human_tokens):g}"
            if config.human_tokens is None
            else f"human_tokens {config.human_tokens:,}"
        )
        given.insert(0, human)
    largest = _edge(
        0, found, lambda n: _all_held(config.model_copy(update={key: n}), supply, scarce)
    )
    offers = [_Offer(f"{_option(key)} {largest}", [{key: largest}])] if largest else []
    offers += [*_human_parts(config, supply), *_more_copies(config, supply, scarce)]
    accepted = [
        offer.options
        for offer in offers
        if all(accepts(config.model_copy(update=change)) for change in offer.changes)
    ]
    return (
        f"{key}: found {found:,}; the documents hold at most {largest:,} with "
        f"{' and '.join(given)}; "
        + "".join(f"set {options}, or " for options in accepted)
        + f"add {' and '.join(scarce)} text"
    )


def _human_parts(config: Config, supply: Supply) -> Iterator[_Offer]:
    """Offer the human parts with which the caps hold the same total."""
    if config.tokens is None or config.effective_ratio is not None or config.lineage is not None:
        return
    by_share = config.human_tokens is None
    key, steps = ("human_share", _STEPS) if by_share else ("human_tokens", config.tokens)

    def change(step: int) -> dict[str, Any]:
        return {key: step / _STEPS if by_share else step}

    def held(step: int, role: str) -> bool:
        return _held(config.model_copy(update=change(step)), supply, role)

    # More human text leaves less synthetic text to write.
    least = steps - _edge(0, steps, lambda n: held(steps - n, "synthetic"))
    most = _edge(0, steps, lambda n: held(n, "human"))
    if least > most:
        return
    low, high = (change(step) for step in (least, most))
    values = f"{low[key]:g}" if by_share else f"{low[key]}"
    if least < most:
        values = f"between {values} and " + (f"{high[key]:g}" if by_share else f"{high[key]}")
    yield _Offer(f"{_option(key)} {values}", [low, high])


def _more_copies(config: Config, supply: Supply, scarce: Sequence[str]) -> Iterator[_Offer]:
    """Offer the lowest caps that hold the totals."""
    if config.lineage is not None and "human" in scarce:
        return
    caps: dict[str, int] = {}
    for role in scarce:
        now = getattr(config.max_copies, role)
        higher = (
            cap
            for cap in range(now + 1, _MOST_COPIES + 1)
            if _held(_with_caps(config, {role: cap}), supply, role)
        )
        if (cap := next(higher, None)) is None:
            return
        caps[role] = cap
    options = " ".join(f"{_option('max_copies')}-{role} {cap}" for role, cap in caps.items())
    yield _Offer(options, [{"max_copies": _with_caps(config, caps).max_copies}])


def _with_caps(config: Config, caps: dict[str, int]) -> Config:
    return config.model_copy(update={"max_copies": config.max_copies.model_copy(update=caps)})


def _all_held(config: Config, supply: Supply, roles: Sequence[str]) -> bool:
    return all(_held(config, supply, role) for role in roles)


def _held(config: Config, supply: Supply, role: str) -> bool:
    """Return whether the caps hold a role's tokens of a request."""
    try:
        synthetic, human, _, _ = totals_asked(config, supply)
    except ConfigError:
        return False
    parts = [Part.of(config, domain) for domain in supply.domains if domain.reference_share > 0]
    if role == "human":
        return human <= sum(float(part.human_cap.sum()) for part in parts) * (1 + ROUNDING)
    room = sum(float(part.synthetic_cap(synthetic).sum()) for part in parts)
    return synthetic <= room * (1 + ROUNDING)


def _edge(holding: int, failing: int, holds: Callable[[int], bool]) -> int:
    """Return the number nearest to `failing` that holds; `holding` if none is known to."""
    if holds(failing):
        return failing
    while failing - holding > 1:
        middle = (holding + failing) // 2
        if holds(middle):
            holding = middle
        else:
            failing = middle
    return holding


def _option(key: str) -> str:
    return f"--{key.replace('_', '-')}"

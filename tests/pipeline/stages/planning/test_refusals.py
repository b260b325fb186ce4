"""Refusals name keys, and every value that they offer is accepted."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.pipeline.stages.planning.solve import make_plan
from outcross.pipeline.stages.planning.supply import DomainSupply, Supply
from outcross.schemas.config import parse
from outcross.schemas.user_input import ConfigError

SOURCES = [
    {"name": "gpt", "role": "synthetic", "files": ["a"]},
    {"name": "people", "role": "human", "files": ["b"]},
]


def supply(seed: int, clusters: int, off_support_share: float = 0.01) -> Supply:
    rng = np.random.default_rng(seed)
    columns = [rng.integers(0, 3000, clusters).astype(float) for _ in range(3)]
    columns[2] *= rng.integers(0, 2)
    shares = rng.dirichlet(np.ones(clusters)) * 0.9 + 0.1 / clusters
    domain = DomainSupply(
        "*", columns[0], columns[2], columns[1] + 1, shares, 1.0, off_support_share
    )
    return Supply([domain], (5.0, 6.0), True, {}, "")


def refusal(stock: Supply, asked: dict[str, Any]) -> str | None:
    try:
        make_plan(parse({"out": "out", "sources": SOURCES} | asked), stock)
    except ConfigError as error:
        return str(error)
    return None


def offers(message: str) -> list[dict[str, Any]]:
    """Read the values that a refusal offers; a range gives both ends."""
    found: list[dict[str, Any]] = []
    for options in re.findall(r"(?:set |: )((?:--[a-z-]+ (?:between )?[^,;]+)+)", message):
        ends: list[dict[str, Any]] = [{}, {}]
        for name, low, high in re.findall(
            r"--([a-z-]+) (?:between )?([\d.e-]+\d|\d)(?: and ([\d.e-]+\d|\d))?", options
        ):
            key = name.replace("-", "_")
            for end, value in zip(ends, (low, high or low), strict=True):
                number = float(value) if key == "human_share" else int(value)
                if key.startswith("max_copies_"):
                    end.setdefault("max_copies", {})[key.removeprefix("max_copies_")] = number
                else:
                    end[key] = number
        found += ends
    for key, value in re.findall(
        r"(entropy_floor|max_kl):? [^;]*(?:at most|less than) (\S+)", message
    ):
        found.append({key: float(value)})
    return found


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.sampled_from(["keep", "cap", "drop"]),
    st.integers(1, 60_000),
    st.one_of(
        st.fixed_dictionaries({"human_share": st.floats(0, 1).map(lambda x: round(x, 3))}),
        st.fixed_dictionaries({"human_tokens": st.integers(0, 1)}),
        st.just({}),
    ),
)
def test_every_value_that_a_refusal_of_totals_offers_is_accepted(
    seed: int, clusters: int, mode: str, tokens: int, human: dict[str, Any]
) -> None:
    stock = supply(seed, clusters)
    if "human_tokens" in human:
        human = {"human_tokens": human["human_tokens"] * tokens // 2}
    asked = {"tokens": tokens, "off_support": mode} | human
    message = refusal(stock, asked)
    if message is None or "documents hold at most" not in message:
        return
    for offer in offers(message):
        assert refusal(stock, asked | offer) is None, (message, offer)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 12),
    st.sampled_from(["entropy_floor", "max_kl"]),
    st.floats(0, 3),
)
def test_every_value_that_a_refusal_of_a_limit_offers_is_accepted(
    seed: int, clusters: int, limit: str, value: float
) -> None:
    stock = supply(seed, clusters)
    asked: dict[str, Any] = {limit: value / 10 if limit == "max_kl" else value, "human_share": 0.1}
    message = refusal(stock, asked)
    if message is None or not message.startswith(limit):
        return
    (reachable,) = re.findall(r"nats; (?:at most|no less than) (\S+) can be met", message)
    assert refusal(stock, asked | {limit: float(reachable)}) is None, message
    for tokens, people in re.findall(r"--tokens (\d+) --human-tokens (\d+)", message):
        totals = {"tokens": int(tokens), "human_tokens": int(people)}
        assert refusal(stock, {limit: asked[limit]} | totals) is None, message


def test_a_refusal_names_the_keys_and_what_was_found() -> None:
    columns = np.array([118_282.0]), np.array([0.0]), np.array([129_022.0])
    domain = DomainSupply("*", *columns, np.array([1.0]), 1.0, 0.01)
    stock = Supply([domain], (5.0, 6.0), True, {}, "")
    message = refusal(stock, {"tokens": 300_000})
    assert message is not None
    assert message.startswith(
        "tokens: found 300,000; the documents hold at most 147,852 with human_share 0.2 and "
        "max_copies.synthetic 1; set --tokens 147852, or set --max-copies-synthetic 3, or add "
        "synthetic text"
    )
    message = refusal(stock, {"tokens": 200_000, "human_share": 0.9})
    assert message is not None
    assert "--human-share between 0.4086 and 0.6451" in message
    assert "--max-copies-human 2" in message
    with pytest.raises(ConfigError, match=r"max_kl: found 0\.1 nats, and entropy_floor|entropy_fl"):
        make_plan(parse({"out": "o", "sources": SOURCES, "entropy_floor": 3, "max_kl": 0.1}), stock)


def test_best_effort_says_what_it_makes_of_the_request() -> None:
    columns = np.array([118_282.0]), np.array([0.0]), np.array([129_022.0])
    domain = DomainSupply("*", *columns, np.array([1.0]), 1.0, 0.01)
    stock = Supply([domain], (5.0, 6.0), True, {}, "")
    asked = {"out": "out", "sources": SOURCES, "tokens": 300_000, "best_effort": True}
    (warning,) = make_plan(parse(asked), stock).warnings
    assert warning.startswith("tokens: found 300,000; the documents hold at most 147,852 with")
    assert warning.endswith(
        "best_effort plans 178,282 tokens, 60,000 of them human (33.7%, not 20.0%)"
    )

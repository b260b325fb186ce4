"""Limits on lengths, from the number of documents of each length."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.schemas.config import Config, parse
from outcross.schemas.plan import LengthLimits
from outcross.schemas.sources import Role
from outcross.transforms.selection.length_limits import (
    MEDIANS,
    Lengths,
    length_limits,
    tokens_wanted,
)

Int64s = NDArray[np.int64]
SOURCES = [
    {"name": "gpt", "role": "synthetic", "files": ["a"]},
    {"name": "people", "role": "human", "files": ["b"]},
]


def config(**asked: Any) -> Config:
    return parse({"out": "out", "sources": SOURCES} | asked)


@st.composite
def lengths(draw: st.DrawFn, least: int = 0) -> Int64s:
    """Draw lengths from 0 to a million: alike, of all magnitudes, or with some runaways."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(least, 80))
    tokens = {
        "alike": rng.integers(40, 61, n),
        "spread": 10 ** rng.uniform(0, 6, n),
        "runaways": np.where(rng.random(n) < 0.05, 10 ** rng.uniform(3, 6, n), 50),
        "tiny": rng.integers(least, 4, n),
    }[draw(st.sampled_from(["alike", "spread", "runaways", "tiny"]))]
    return tokens.astype(np.int64)


@st.composite
def requests(draw: st.DrawFn, total: int) -> Config:
    asked: dict[str, Any] = {
        "max_copies": {role: draw(st.integers(1, 3)) for role in ("synthetic", "human")}
    }
    if draw(st.booleans()):
        asked["human_share"] = draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))
    if draw(st.booleans()):
        asked["tokens"] = max(1, int(total * draw(st.sampled_from([0.01, 0.3, 1.0]))))
    return config(**asked)


def plain_median(tokens: Int64s) -> int:
    worded = sorted(tokens[tokens > 0].tolist())
    return worded[len(worded) // 2] if worded else 1


def plain_limits(asked: Config, by_role: dict[Role, Int64s], new: Int64s) -> LengthLimits:
    """Lower both limits until the documents within them ask for the same limits."""
    limits = dict.fromkeys(by_role, 1 << 62)
    while True:
        within = [
            int(part[part <= limits[role]].sum())
            for role, part in (("synthetic", new), ("human", by_role["human"]))
        ]
        wanted = int(tokens_wanted(asked, *within))
        lower = {
            role: min(limits[role], max(wanted // 100, MEDIANS * plain_median(part)))
            for role, part in by_role.items()
        }
        if lower == limits:
            return LengthLimits(**lower)
        limits = lower


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_limits_are_those_of_the_documents_one_by_one(data: st.DataObject) -> None:
    synthetic, human = data.draw(lengths()), data.draw(lengths())
    new = synthetic[: data.draw(st.integers(0, len(synthetic)))]
    asked = data.draw(requests(int(synthetic.sum() + human.sum())))
    by_role: dict[Role, Int64s] = {"synthetic": synthetic, "human": human}
    counted = {role: Lengths.of(part) for role, part in by_role.items()}
    assert length_limits(asked, counted, Lengths.of(new)) == plain_limits(asked, by_role, new)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_limits_are_what_they_say_and_leave_out_less_than_half(data: st.DataObject) -> None:
    by_role: dict[Role, Int64s] = {
        "synthetic": data.draw(lengths(least=3)),
        "human": data.draw(lengths(least=3)),
    }
    by_role = {role: np.maximum(part, 1) for role, part in by_role.items()}
    asked = data.draw(requests(sum(int(part.sum()) for part in by_role.values())))
    counted = {role: Lengths.of(part) for role, part in by_role.items()}
    limits = length_limits(asked, counted, counted["synthetic"])
    within = {role: part[part <= getattr(limits, role)] for role, part in by_role.items()}
    wanted = tokens_wanted(asked, int(within["synthetic"].sum()), int(within["human"].sum()))
    for role, part in by_role.items():
        middle = sorted(part.tolist())[len(part) // 2]
        assert counted[role].median == middle
        assert getattr(limits, role) == max(MEDIANS * middle, int(wanted) // 100)
        assert 2 * len(within[role]) > len(part)


@given(st.lists(lengths(), max_size=5))
def test_counts_of_parts_add_up(parts: list[Int64s]) -> None:
    merged = Lengths.merge(Lengths.of(part) for part in parts)
    every = Lengths.of(np.concatenate([np.zeros(0, np.int64), *parts]))
    assert merged.tokens.tolist() == every.tokens.tolist()
    assert merged.documents.tolist() == every.documents.tolist()


def test_the_limit_follows_the_tokens_to_write() -> None:
    by_role: dict[Role, Lengths] = {
        "synthetic": Lengths.of(np.array([50] * 1000 + [200_000])),
        "human": Lengths.of(np.array([50] * 3000)),
    }
    small = length_limits(config(), by_role, by_role["synthetic"])
    assert small == LengthLimits(synthetic=1000, human=1000)  # 1 % would be 416 tokens
    large = length_limits(config(tokens=10**7), by_role, by_role["synthetic"])
    assert large == LengthLimits(synthetic=100_000, human=100_000)
    keeps = length_limits(config(tokens=3 * 10**7), by_role, by_role["synthetic"])
    assert keeps.synthetic == 300_000  # which leaves out nothing


def test_documents_without_words_have_no_say_in_the_median() -> None:
    assert Lengths.of(np.array([0, 0, 0, 7, 9])).median == 9
    assert Lengths.of(np.zeros(3, np.int64)).median == 1

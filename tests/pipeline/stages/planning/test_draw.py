"""Human part of a generation: its amounts, and a new draw in each generation."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.pipeline.stages.planning.draw import HumanPart, draw_salt
from tests.support.filling import Candidates, fill_by_hash

Floats = NDArray[np.float64]
DRAWS = settings(max_examples=200, deadline=None)


@dataclass(frozen=True)
class PlainText:
    """Human documents in arrays, drawn by definition: domain by domain, by hash.

    Attributes:
        domain: int64[n], their domains.
        cluster: int64[n], their clusters.
        candidates: the documents as candidates of their domains.
        shape: numbers of domains and of clusters.
        seed: seed of the hash that draws.
        salt: salt of the hash that draws.
    """

    domain: NDArray[np.int64]
    cluster: NDArray[np.int64]
    candidates: Candidates
    shape: tuple[int, int]
    seed: int
    salt: str

    @property
    def by_domain(self) -> Floats:
        tokens = np.bincount(self.domain, self.candidates.tokens, self.shape[0])
        return tokens.astype(np.float64)

    @property
    def longest(self) -> int:
        return int(self.candidates.tokens.max(initial=0))

    def fill(self, quota: Floats) -> Floats:
        copies = fill_by_hash(self.candidates, quota, self.seed, self.salt, topped_up=False)
        domains, clusters = self.shape
        cell = self.domain * clusters + self.cluster
        taken = np.bincount(cell, copies * self.candidates.tokens, domains * clusters)
        return taken.astype(np.float64).reshape(self.shape)


def human_text(
    tokens: Any, domain: Any = 0, cluster: Any = 0, shape: tuple[int, int] = (1, 1), **named: Any
) -> PlainText:
    """Return documents of these lengths in domains and clusters, numbered from `first`."""
    length = np.asarray(tokens, np.int64)
    domains = np.broadcast_to(np.asarray(domain, np.int64), length.shape).copy()
    cell = np.broadcast_to(np.asarray(cluster, np.int64), length.shape).copy()
    hi = np.arange(len(length), dtype=np.uint64) + np.uint64(named.get("first", 0))
    candidates = Candidates(domains, length, np.ones_like(length), hi, hi * np.uint64(7919))
    salt = draw_salt(named.get("origin", "fresh"), named.get("generation", 1))
    return PlainText(domains, cell, candidates, shape, named.get("seed", 0), salt)


def taken(text: PlainText, quota: Floats) -> NDArray[np.int64]:
    """Return the documents that fill a quota for each domain."""
    return np.flatnonzero(fill_by_hash(text.candidates, quota, text.seed, text.salt, False))


@st.composite
def parts(draw: st.DrawFn) -> tuple[HumanPart, tuple[PlainText, PlainText], Floats, float]:
    """Draw a human part, tokens for each domain, and the most fresh tokens."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    longest = draw(st.sampled_from([1, 30, 400]))
    texts = []
    for number, origin in enumerate(("fresh", "ledger")):
        n = draw(st.integers(0, 60))
        length = rng.integers(0 if draw(st.booleans()) else longest // 2, longest + 1, n)
        where = rng.integers(0, shape[0], n) * (rng.random(n) < draw(st.sampled_from([0.3, 1.0])))
        texts.append(
            human_text(
                length,
                where.astype(np.int64),
                rng.integers(0, shape[1], n),
                shape,
                first=1000 * number,
                origin=origin,
            )
        )
    part = HumanPart(texts[0], texts[1], 1)
    human = (part.fresh.by_domain + part.ledger.by_domain) * rng.random(shape[0])
    fresh = float(part.fresh.by_domain.sum()) * draw(st.sampled_from([0.0, 0.2, 0.7, 1.0]))
    ledger = float(part.ledger.by_domain.sum())
    if float(human.sum()) > fresh + ledger:  # as totals asks for no more than there is
        human *= (fresh + ledger) / human.sum()
    return part, (texts[0], texts[1]), human, fresh


def longest(part: HumanPart) -> int:
    return max(part.fresh.longest, part.ledger.longest)


@DRAWS
@given(parts())
def test_what_is_asked_is_drawn_to_within_half_of_the_longest_document(
    asked: tuple[HumanPart, tuple[PlainText, PlainText], Floats, float],
) -> None:
    part, _, human, fresh = asked
    bought, again = part.draw(human, fresh)
    half = longest(part) / 2 + 1e-6
    wanted = human > 0
    most = min(fresh, float(np.minimum(human, part.fresh.by_domain).sum()))
    assert abs(bought.sum() - most) <= half
    # Where the domains with human text hold no more than what was bought and their ledger, it is
    # all of that.
    supply = float(bought.sum()) + float(part.ledger.by_domain[wanted].sum())
    assert abs(bought.sum() + again.sum() - min(float(human.sum()), supply)) <= half


@DRAWS
@given(parts())
def test_nothing_is_drawn_twice_nor_where_there_is_nothing(
    asked: tuple[HumanPart, tuple[PlainText, PlainText], Floats, float],
) -> None:
    part, texts, human, fresh = asked
    for text, drawn in zip(texts, part.draw(human, fresh), strict=True):
        supply = np.zeros(text.shape)
        np.add.at(supply, (text.domain, text.cluster), text.candidates.tokens)
        assert (drawn >= 0).all()
        assert (drawn <= supply).all()
        assert (drawn == drawn.round()).all()  # whole documents
        # It is a set of documents, each once: the quotas of their cells draw them again.
        cells = text.domain * text.shape[1] + text.cluster
        candidates = Candidates(
            cells,
            text.candidates.tokens,
            text.candidates.cap,
            text.candidates.hi,
            text.candidates.lo,
        )
        again = fill_by_hash(candidates, drawn.ravel(), text.seed, text.salt)
        assert again.max(initial=0) <= 1
        back = np.zeros(text.shape)
        np.add.at(back, (text.domain, text.cluster), again * text.candidates.tokens)
        np.testing.assert_array_equal(back, drawn)


@DRAWS
@given(parts())
def test_the_quotas_by_cluster_draw_the_very_documents_of_the_domain_again(
    asked: tuple[HumanPart, tuple[PlainText, PlainText], Floats, float],
) -> None:
    """`select` has a quota for each cluster, and the draw only one for each domain."""
    _, (_, text), human, _ = asked
    quota = np.minimum(human, text.by_domain)
    drawn = taken(text, quota)
    cells = text.domain * text.shape[1] + text.cluster
    by_cell = np.bincount(
        cells[drawn], text.candidates.tokens[drawn], text.shape[0] * text.shape[1]
    )
    np.testing.assert_array_equal(text.fill(quota).ravel(), by_cell)
    candidates = Candidates(
        cells, text.candidates.tokens, text.candidates.cap, text.candidates.hi, text.candidates.lo
    )
    again = np.flatnonzero(fill_by_hash(candidates, by_cell.astype(float), text.seed, text.salt))
    worded = text.candidates.tokens > 0  # what has no words counts nowhere
    assert set(again[worded[again]]) == set(drawn[worded[drawn]])


def test_each_generation_draws_other_fresh_text_and_all_about_equally_often() -> None:
    documents, generations = 400, 200
    tokens = np.random.default_rng(0).integers(5, 100, documents)
    often = np.zeros(documents, int)
    sets = []
    for generation in range(1, generations + 1):
        text = human_text(tokens, generation=generation)
        drawn = taken(text, text.by_domain * 0.25)
        often[drawn] += 1
        sets.append(frozenset(drawn.tolist()))
    assert len(set(sets)) == generations
    # As often as a coin says that falls on its head one time in four.
    mean, deviation = generations / 4, (generations * 3 / 16) ** 0.5
    assert often.mean() == pytest.approx(mean, rel=0.03)
    assert often.min() > mean - 5 * deviation
    assert often.max() < mean + 5 * deviation
    assert often.std() == pytest.approx(deviation, rel=0.15)
    # Short and long ones alike.
    assert abs(np.corrcoef(often, tokens)[0, 1]) < 0.15
    # Two generations have in common what chance gives them.
    common = [len(a & b) for a, b in pairwise(sets)]
    assert np.mean(common) == pytest.approx(documents / 16, rel=0.1)


def test_what_is_drawn_hangs_on_seed_origin_and_generation_alone() -> None:
    rng = np.random.default_rng(1)
    tokens = rng.integers(5, 100, 100)
    text = human_text(tokens)
    quota = text.by_domain / 3
    drawn = taken(text, quota)
    turned = rng.permutation(100)
    c = text.candidates.take(turned)
    other = PlainText(text.domain, text.cluster, c, text.shape, text.seed, text.salt)
    assert set(turned[taken(other, quota)]) == set(drawn)
    for change in ({"seed": 1}, {"origin": "ledger"}, {"generation": 2}):
        assert set(taken(human_text(tokens, **change), quota)) != set(drawn)


def test_fresh_text_goes_first_to_where_the_ledger_has_none() -> None:
    shape = (2, 1)
    fresh = human_text([10] * 20, [0, 1] * 10, shape=shape)
    ledger = human_text([10] * 20, 1, shape=shape, first=100, origin="ledger")
    bought, again = HumanPart(fresh, ledger, 2).draw(np.array([80.0, 80.0]), 100.0)
    assert bought.ravel().tolist() == [80, 20]
    assert again.ravel().tolist() == [0, 60]


def test_no_more_is_bought_than_was_asked_where_the_ledger_lacks_a_domain() -> None:
    """Take the rest of the human part from the ledger's other domains."""
    shape = (2, 1)
    fresh = human_text([10] * 20, [0, 1] * 10, shape=shape)
    ledger = human_text([10] * 20, 1, shape=shape, first=100, origin="ledger")
    bought, again = HumanPart(fresh, ledger, 2).draw(np.array([80.0, 80.0]), 30.0)
    assert bought.sum() == 30
    assert bought[0, 0] == 30  # where there is no other
    assert again.ravel().tolist() == [0, 130]


def test_documents_that_do_not_fit_their_domains_don_t_lose_the_budget() -> None:
    """Fill in from the ledger where the only document of a domain is too long."""
    D = 10
    shape = (D, 1)
    odd, even = np.arange(0, D, 2), np.arange(1, D, 2)
    fresh = human_text([100] * len(odd) + [1] * 1000, [*odd, *np.repeat(even, 200)], shape=shape)
    ledger = human_text(
        [1] * 1000, np.repeat(even, 200), shape=shape, first=10_000, origin="ledger"
    )
    human = np.where(np.arange(D) % 2 == 0, 49.0, 98.0)
    bought, again = HumanPart(fresh, ledger, 2).draw(human, 300.0)
    assert abs(bought.sum() - 300) <= 50
    assert abs(bought.sum() + again.sum() - human.sum()) <= 50

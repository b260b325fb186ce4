"""The resolver against brute force, and what it promises whatever the order of its input."""

from collections import defaultdict
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.dedup import resolve as module
from outcross.transforms.dedup.resolve import resolve

THRESHOLD = 0.8


class Pairs:
    """A similarity by table that remembers what it was asked."""

    def __init__(self, table):
        self.table = np.asarray(table, np.float32)
        self.asked = []

    def __call__(self, child, parent):
        assert child.dtype == parent.dtype == np.int64
        assert (parent < child).all()
        self.asked += list(zip(child.tolist(), parent.tolist(), strict=True))
        return self.table[child, parent]


def constant(value):
    return lambda child, parent: np.full(len(child), value, np.float32)


def entries(groups):
    """[(group id, positions), ...] as packed arrays."""
    group = [g for g, positions in groups for _ in positions]
    position = [r for _, positions in groups for r in positions]
    return np.array(group, np.uint64), np.array(position, np.uint32)


def candidates(group, position):
    """Return, for each document, the earlier ones that share a group with it."""
    together = defaultdict(set)
    for g, r in zip(group.tolist(), position.tolist(), strict=True):
        together[g].add(r)
    before = defaultdict(set)
    for members in together.values():
        for child in members:
            before[child] |= {p for p in members if p < child}
    return before


def greedy(group, position, table, threshold=THRESHOLD, fixed=0):
    """Verify every pair of every group, and walk the documents in order: the definition."""
    removed = set()
    for child, parents in sorted(candidates(group, position).items()):
        like = (p for p in parents if table[child, p] >= np.float32(threshold))
        if child >= fixed and any(p not in removed for p in like):
            removed.add(child)
    return removed


def symmetric(n, pairs):
    table = np.zeros((n, n), np.float32)
    for i, j, value in pairs:
        table[i, j] = table[j, i] = value
    return table


@st.composite
def corpora(draw, clustered=False, documents=14):
    """Draw groups of documents and a similarity: any, or 1 inside clusters and 0 outside.

    With 5 clusters 8 stars lose nothing. A similarity of -1 is that of a pair that may not be.
    """
    n = draw(st.integers(2, documents))
    one = st.lists(st.integers(0, n - 1), min_size=1, max_size=n)
    groups = draw(st.lists(one, min_size=1, max_size=6))
    if clustered:
        label = np.array(draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)))
        table = (label[:, None] == label[None, :]).astype(np.float32)
    else:
        level = st.sampled_from([-1.0, 0.0, 0.5, 0.79, 0.8, 0.9, 1.0])
        flat = draw(st.lists(level, min_size=n * n, max_size=n * n))
        upper = np.triu(np.array(flat, np.float32).reshape(n, n), 1)
        table = upper + upper.T
    return *entries(list(enumerate(groups))), table


@given(corpora())
def test_what_is_removed_has_a_kept_partner_before_it(corpus):
    group, position, table = corpus
    asked = Pairs(table)
    r = resolve(group, position, asked, THRESHOLD)
    removed = set(r.removed.tolist())
    before = candidates(group, position)
    assert (np.diff(r.removed) > 0).all()
    for child, partner, value in zip(r.removed, r.partner, r.similarity, strict=True):
        assert partner < child
        assert int(partner) not in removed
        assert int(partner) in before[int(child)]
        assert value == table[child, partner] >= np.float32(THRESHOLD)
        kept = [(table[c, p], -p) for c, p in asked.asked if c == child and p not in removed]
        assert max(kept) == (value, -partner)
    assert len(asked.asked) == len(set(asked.asked)) == r.counts.verified
    assert r.counts.agreed == sum(table[p] >= np.float32(THRESHOLD) for p in asked.asked)
    assert r.counts.proposed >= r.counts.verified


@given(corpora())
def test_every_component_and_every_first_document_stays(corpus):
    group, position, table = corpus
    removed = set(resolve(group, position, Pairs(table), THRESHOLD).removed.tolist())
    before = candidates(group, position)
    root = {}
    for child in sorted(set(position.tolist())):  # union of everything that is similar in a group
        root[child] = child
        for parent in before[child]:
            if table[child, parent] >= np.float32(THRESHOLD):
                old, new = root[parent], root[child]
                root = {k: new if v == old else v for k, v in root.items()}
    for component in set(root.values()):
        assert any(v == component and k not in removed for k, v in root.items())
    assert min(position.tolist()) not in removed
    for document in set(position.tolist()):
        assert before[document] or document not in removed


@given(
    corpora(),
    st.randoms(use_true_random=False),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=6, max_size=6, unique=True),
    st.booleans(),
)
def test_order_and_numbers_of_groups_do_not_matter(corpus, random, names, signed):
    group, position, table = corpus
    order = list(range(len(position)))
    random.shuffle(order)
    renamed = np.array([names[g] for g in group.tolist()], np.int64)
    renamed = renamed if signed else renamed.view(np.uint64)
    one = resolve(group, position, Pairs(table), THRESHOLD)
    two = resolve(renamed[order], position[order], Pairs(table), THRESHOLD)
    for field in ("removed", "partner", "similarity", "open", "left_over"):
        assert (getattr(one, field) == getattr(two, field)).all(), field
    repeated = resolve(np.tile(group, 2), np.tile(position, 2), Pairs(table), THRESHOLD)
    assert (repeated.removed == one.removed).all()
    assert repeated.counts == one.counts == two.counts


@given(corpora(clustered=True))
def test_equals_brute_force_where_stars_suffice(corpus):
    group, position, table = corpus
    r = resolve(group, position, Pairs(table), THRESHOLD, rounds=50)
    assert set(r.removed.tolist()) == greedy(group, position, table)
    assert not len(r.open)
    assert not len(r.left_over)


@settings(max_examples=400)
@given(corpora(documents=9), st.integers(0, 9))
def test_equals_brute_force_where_stars_try_every_pair(corpus, fixed):
    """8 stars search a group of 9 whole, but for pairs of which one had left with a hub.

    Where that hub is removed, they are tried after it.
    """
    group, position, table = corpus
    asked = Pairs(table)
    r = resolve(group, position, asked, THRESHOLD, fixed=fixed, rounds=50)
    assert set(r.removed.tolist()) == greedy(group, position, table, fixed=fixed)
    assert not len(r.open)
    assert not len(r.left_over)


@given(corpora(), st.integers(0, 14), st.integers(1, 8), st.integers(0, 3))
def test_what_is_fixed_is_never_removed(corpus, fixed, stars, rounds):
    """Nor asked about: it proposes to nobody."""
    group, position, table = corpus
    asked = Pairs(table)
    r = resolve(group, position, asked, THRESHOLD, fixed=fixed, stars=stars, rounds=rounds)
    for positions in (r.removed, r.open, r.left_over):
        assert (positions >= fixed).all()
    assert all(child >= fixed for child, _ in asked.asked)
    assert set(r.removed.tolist()) <= {c for c, p in asked.asked if table[c, p] >= THRESHOLD - 1e-6}
    if fixed == 0:
        free = resolve(group, position, Pairs(table), THRESHOLD, stars=stars, rounds=rounds)
        assert (free.removed == r.removed).all()


def test_what_is_fixed_stands_for_others_though_it_repeats_itself():
    table = np.ones((5, 5), np.float32)
    table[0, 3] = table[3, 0] = 0
    r = resolve(*entries([(0, range(5))]), Pairs(table), THRESHOLD, fixed=3)
    assert (r.removed.tolist(), r.partner.tolist()) == ([3, 4], [1, 0])
    alone = resolve(*entries([(0, range(5))]), Pairs(table), THRESHOLD, fixed=5)
    assert (len(alone.removed), alone.counts.verified, len(alone.left_over)) == (0, 0, 0)


@given(corpora(), st.integers(0, 4), st.integers(1, 3), st.integers(0, 3))
def test_pairs_are_what_was_asked(corpus, fixed, stars, rounds):
    group, position, table = corpus
    asked = Pairs(table)
    r = resolve(group, position, asked, THRESHOLD, fixed=fixed, stars=stars, rounds=rounds)
    keys, similarity = r.pairs
    assert keys.tolist() == sorted(child << 32 | parent for child, parent in asked.asked)
    assert similarity.dtype == np.float32
    assert similarity.tolist() == [table[key >> 32, key & 0xFFFFFFFF] for key in keys.tolist()]


def points(seed, n=150, cells=4):
    """Documents are points, bands are shifted grids: what LSH on real text looks like."""
    rng = np.random.default_rng(seed)
    x = rng.random((n, 2))
    table = (1 - np.abs(x[:, None] - x[None]).max(2)).astype(np.float32)
    groups = [
        np.floor((x + rng.random(2)) * cells).astype(int) @ [1, 100] + 1000 * b for b in range(4)
    ]
    return (
        np.concatenate(groups).astype(np.uint64),
        np.tile(np.arange(n, dtype=np.uint32), 4),
        table,
    )


def test_equals_brute_force_where_similarity_is_a_distance():
    total = 0
    for seed in range(20):
        group, position, table = points(seed)
        r = resolve(group, position, Pairs(table), 0.9)
        expected = greedy(group, position, table, 0.9)
        assert set(r.removed.tolist()) == expected
        total += len(expected)
        assert not len(r.open)
    assert total > 2000


def test_a_chain_keeps_both_ends():
    table = symmetric(3, [(0, 1, 0.9), (1, 2, 0.95)])
    r = resolve(*entries([(0, [0, 1]), (1, [1, 2])]), Pairs(table), THRESHOLD)
    assert (r.removed.tolist(), r.partner.tolist()) == ([1], [0])
    assert r.similarity.tolist() == [np.float32(0.9)]
    assert (r.counts.orphans, r.counts.rounds, r.open.tolist()) == (1, 0, [])


def test_a_chain_in_one_group_is_not_passed_on():
    """A hub takes B, B is what C repeats: C tries A, fails, and stays."""
    table = symmetric(4, [(0, 1, 0.9), (1, 2, 0.9), (2, 3, 0.9)])
    r = resolve(*entries([(7, [0, 1, 2, 3]), (8, [1, 2])]), Pairs(table), THRESHOLD)
    assert r.removed.tolist() == [1, 3]
    assert r.partner.tolist() == [0, 2]


def test_who_stays_after_all_is_tried_by_those_that_came_later():
    """2 leaves the group with the hub 1, which 0 removes; only 3 knew nothing of 2."""
    table = symmetric(4, [(0, 1, 0.9), (1, 2, 0.9), (2, 3, 0.9)])
    band = entries([(0, [0, 1]), (1, [1, 2, 3])])
    r = resolve(*band, Pairs(table), THRESHOLD)
    assert (r.removed.tolist(), r.partner.tolist()) == ([1, 3], [0, 2])
    without = resolve(*band, Pairs(table), THRESHOLD, rounds=0)
    assert (without.removed.tolist(), without.open.tolist()) == ([1], [3])


def test_a_lost_partner_is_replaced_by_a_kept_one():
    # 3 hangs on 1, which 0 takes; 2 is like 3, is kept, and stood behind 1 in their band.
    table = symmetric(4, [(0, 1, 1.0), (1, 3, 0.9), (2, 3, 0.85)])
    band = entries([(0, [0, 1]), (1, [1, 2, 3])])
    r = resolve(*band, Pairs(table), THRESHOLD)
    assert (r.removed.tolist(), r.partner.tolist()) == ([1, 3], [0, 2])
    assert r.counts.rounds == 1
    without = resolve(*band, Pairs(table), THRESHOLD, rounds=0)
    assert (without.removed.tolist(), without.open.tolist()) == ([1], [3])


def test_a_round_starts_afresh_over_all_edges():
    """Decide again the documents whose kept partner a round removes."""
    # 3 loses 1 to 0 and finds 2; 4 had been removed for 3 and is like 2 as well.
    table = symmetric(5, [(0, 1, 1), (1, 3, 0.9), (2, 3, 0.9), (3, 4, 0.9), (2, 4, 0.8)])
    bands = [(0, [0, 1]), (1, [1, 2, 3]), (2, [3, 4]), (3, [2, 4])]
    r = resolve(*entries(bands), Pairs(table), THRESHOLD)
    assert (r.removed.tolist(), r.partner.tolist()) == ([1, 3, 4], [0, 2, 2])
    without = resolve(*entries(bands[:3]), Pairs(table), THRESHOLD)
    assert without.removed.tolist() == [1, 3]  # 4 is kept again, for nothing kept is like it


def test_ties_go_to_the_lowest_rank_and_else_to_the_most_similar():
    bands = entries([(0, [0, 3]), (1, [1, 3]), (2, [2, 3])])
    equal = symmetric(4, [(0, 3, 0.9), (1, 3, 0.95), (2, 3, 0.95)])
    r = resolve(*bands, Pairs(equal), THRESHOLD)
    assert (r.removed.tolist(), r.partner.tolist()) == ([3], [1])


@pytest.mark.parametrize("share", [0.7, 0.8, 0.9])
def test_a_similarity_of_exactly_the_threshold_counts(share):
    assert len(resolve(*entries([(0, [0, 1])]), constant(share), share).removed) == 1
    below = np.nextafter(np.float32(share), np.float32(0))
    assert not len(resolve(*entries([(0, [0, 1])]), constant(below), share).removed)


def test_a_similarity_that_is_no_number_removes_nothing():
    assert not len(resolve(*entries([(0, [0, 1, 2])]), constant(np.nan), 0.0).removed)


def test_stars_run_out_and_say_so():
    r = resolve(*entries([(0, range(12))]), constant(0), THRESHOLD)
    assert r.counts.stars == 8
    assert r.left_over.tolist() == [9, 10, 11]  # 8 was tried with all before it
    assert not len(resolve(*entries([(0, range(9))]), constant(0), THRESHOLD).left_over)
    two = resolve(*entries([(0, range(12))]), constant(0), THRESHOLD, stars=2)
    assert two.left_over.tolist() == list(range(3, 12))
    # What another band removes is not left over.
    table = symmetric(12, [(0, 11, 1)])
    group, position = entries([(0, range(1, 12)), (1, [0, 11])])
    assert resolve(group, position, Pairs(table), THRESHOLD).left_over.tolist() == [10]


def test_a_large_group_is_searched_a_few_at_a_time(monkeypatch):
    """One orphan among many kept documents: it finds its like in the round that reaches it."""
    monkeypatch.setattr(module, "CANDIDATES_A_ROUND", 4)
    n = 40
    table = symmetric(n, [(0, 1, 1), (1, n - 1, 0.9), (30, n - 1, 0.9)])
    bands = entries([(0, [0, 1]), (1, [1, n - 1]), (2, range(2, n))])
    r = resolve(*bands, Pairs(table), THRESHOLD)
    assert (r.removed.tolist(), r.partner.tolist()) == ([1, n - 1], [0, 30])
    assert r.counts.rounds == 6  # 8 tried as hubs, then 10..13, ..., 30..33
    early = resolve(*bands, Pairs(table), THRESHOLD, rounds=5)
    assert (early.removed.tolist(), early.open.tolist()) == ([1], [n - 1])


def test_what_was_removed_takes_no_candidate_s_place(monkeypatch):
    monkeypatch.setattr(module, "CANDIDATES_A_ROUND", 1)
    # Behind the hub 2 of the last group stand 3..9, which 2 removes; the orphan needs 10.
    copies = [(2, i, 1) for i in range(3, 10)]
    table = symmetric(12, [(0, 1, 1), (1, 11, 0.9), (10, 11, 0.9), *copies])
    bands = entries([(0, [0, 1]), (1, [1, 11]), (2, range(2, 12))])
    r = resolve(*bands, Pairs(table), THRESHOLD, stars=1)
    assert r.removed.tolist() == [1, *range(3, 10), 11]
    assert r.counts.rounds == 1


@given(corpora(), st.integers(1, 5), st.integers(2, 4))
def test_threads_and_batches_do_not_change_the_answer(corpus, pairs_a_call, threads):
    group, position, table = corpus
    whole = resolve(group, position, Pairs(table), THRESHOLD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAIRS_A_CALL", pairs_a_call)
        patch.setattr(module, "_THREADS", threads)
        cut = resolve(group, position, Pairs(table), THRESHOLD)
    for name in ("removed", "partner", "similarity", "open", "left_over", "agreed"):
        assert (getattr(cut, name) == getattr(whole, name)).all()
    assert (cut.pairs[0] == whole.pairs[0]).all()
    assert (cut.pairs[1] == whole.pairs[1]).all()
    assert cut.counts == whole.counts


def test_batches_are_verified_at_the_same_time(monkeypatch):
    monkeypatch.setattr(module, "PAIRS_A_CALL", 13)
    monkeypatch.setattr(module, "_THREADS", 2)
    both = Barrier(2, timeout=30)

    def similarity(child, parent):
        both.wait()
        return np.ones(len(child), np.float32)

    assert resolve(*entries([(0, range(27))]), similarity, THRESHOLD).counts.verified == 26


def test_an_error_in_a_batch_is_raised(monkeypatch):
    monkeypatch.setattr(module, "PAIRS_A_CALL", 13)
    with pytest.raises(ValueError, match="similarity of 13 pairs returned shape"):
        resolve(*entries([(0, range(27))]), lambda child, parent: np.ones(1), THRESHOLD)


def test_slices_of_work_do_not_change_the_answer(monkeypatch):
    group, position, table = points(1)
    whole = resolve(group, position, Pairs(table), 0.9)
    assert whole.counts.rounds >= 1
    monkeypatch.setattr(module, "_ENTRIES_A_SLICE", 7)
    monkeypatch.setattr(module, "PAIRS_A_CALL", 13)
    cut = resolve(group, position, Pairs(table), 0.9)
    assert cut.counts == whole.counts
    assert (cut.removed == whole.removed).all()
    assert (cut.partner == whole.partner).all()


def test_a_hot_bucket_costs_its_size():
    n, bands = 20_000, 14
    group = np.repeat(np.arange(bands, dtype=np.uint64), n)
    position = np.tile(np.arange(n, dtype=np.uint32)[::-1], bands)
    r = resolve(group, position, constant(1), THRESHOLD)
    assert (r.removed == np.arange(1, n)).all()
    assert (r.partner == 0).all()
    assert (r.counts.proposed, r.counts.verified) == (bands * (n - 1), n - 1)
    different = resolve(group, position, constant(0), THRESHOLD)
    assert different.counts.proposed <= 8 * bands * n
    assert not len(different.removed)


def given_pairs(pairs):
    """Return pairs (child, parent, similarity) as `resolve` takes them."""
    pairs = sorted(pairs)
    keys = np.array([child << 32 | parent for child, parent, _ in pairs], np.uint64)
    return keys, np.array([similarity for _, _, similarity in pairs], np.float32)


@settings(max_examples=200, deadline=None)
@given(corpora(clustered=True), st.data())
def test_given_pairs_decide_in_the_same_order(corpus, data):
    group, position, table = corpus
    n = len(table)
    pair = st.tuples(st.integers(1, n - 1), st.integers(0, n - 2)).filter(lambda p: p[1] < p[0])
    also = data.draw(st.dictionaries(pair, st.sampled_from([0.1, 0.5, 0.9]), max_size=2 * n))
    pairs = given_pairs([(*places, value) for places, value in also.items()])
    r = resolve(group, position, Pairs(table), THRESHOLD, given=pairs, rounds=50)
    near = candidates(group, position)
    removed, expected = set(), {}
    for child in range(n):
        like = {p: table[child, p] for p in near[child] if table[child, p] >= np.float32(0.8)}
        other = {p: np.float32(s) for (c, p), s in also.items() if c == child}
        kept = [{p: s for p, s in pairs.items() if p not in removed} for pairs in (like, other)]
        if kept[0] or kept[1]:
            removed.add(child)
            expected[child] = kept
    assert r.removed.tolist() == sorted(removed)
    for child, partner, similarity, is_given in zip(
        r.removed.tolist(), r.partner.tolist(), r.similarity, r.given.tolist(), strict=True
    ):
        rule = expected[child][is_given]
        assert similarity == rule[partner]
        if is_given:  # all of them are known, and those of groups only as far as they were tried
            assert similarity == max(rule.values())
            assert partner == min(p for p, value in rule.items() if value == similarity)
    agreed = set(zip((r.agreed >> np.uint64(32)).tolist(), r.agreed.astype(np.uint32), strict=True))
    assert set(also) <= agreed


def test_given_pairs_need_no_group():
    nothing = np.zeros(0, np.uint64), np.zeros(0, np.uint32)
    r = resolve(*nothing, constant(0), THRESHOLD, given=given_pairs([(5, 2, 0.9), (7, 5, 0.9)]))
    assert (r.removed.tolist(), r.partner.tolist(), r.given.tolist()) == ([5], [2], [True])


def test_nothing_to_decide():
    for group, position in (entries([]), entries([(0, [5])]), entries([(0, [5, 5]), (1, [6])])):
        r = resolve(group, position, constant(1), THRESHOLD)
        assert [len(a) for a in (r.removed, r.partner, r.similarity, r.open)] == [0, 0, 0, 0]
        assert (r.counts.proposed, r.counts.stars) == (0, 0)


def test_positions_near_the_limit():
    top = 2**22
    r = resolve(*entries([(0, [top, top - 1])]), constant(1), THRESHOLD)
    assert (r.removed.tolist(), r.partner.tolist()) == ([top], [top - 1])


@settings(max_examples=20)
@given(corpora(), st.integers(1, 3), st.integers(0, 2))
def test_few_stars_and_rounds_are_as_sound(corpus, stars, rounds):
    group, position, table = corpus
    r = resolve(group, position, Pairs(table), THRESHOLD, stars=stars, rounds=rounds)
    assert not set(r.partner.tolist()) & set(r.removed.tolist())
    assert not set(r.open.tolist()) & set(r.removed.tolist())
    assert r.counts.stars <= stars
    assert r.counts.rounds <= rounds


def test_wrong_input_is_named():
    group, position = entries([(0, [0, 1])])
    with pytest.raises(ValueError, match=r"\(2,\) and position \(1,\)"):
        resolve(group, position[:1], constant(1), THRESHOLD)
    with pytest.raises(ValueError, match="position is int64"):
        resolve(group, position.astype(np.int64), constant(1), THRESHOLD)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="stars=0"):
        resolve(group, position, constant(1), THRESHOLD, stars=0)
    with pytest.raises(ValueError, match=r"1 pairs returned shape \(1, 1\)"):
        resolve(group, position, lambda c, p: np.ones((1, 1), np.float32), THRESHOLD)

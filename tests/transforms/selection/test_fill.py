from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.selection.fill import fill, top_up

Columns = dict[str, NDArray[Any]]
COLUMNS = ("cell", "key", "tie", "tokens", "cap")


@st.composite
def corpora(draw: st.DrawFn, keys: tuple[str, ...] = ("float", "hash", "ties")) -> Columns:
    """Draw documents and quotas, from far below to far above the supply."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, C = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    longest = draw(st.sampled_from([1, 5, 100, 10_000]))
    documents: Columns = {
        "cell": rng.integers(0, C, n).astype(np.int32),
        "key": {
            "float": rng.normal(size=n),
            "hash": rng.integers(2**63, 2**64, n, dtype=np.uint64),
            "ties": rng.integers(0, 3, n).astype(np.float64),
        }[draw(st.sampled_from(keys))],
        "tie": rng.permutation(n).astype(np.uint64),
        "tokens": rng.integers(draw(st.integers(0, 1)), longest + 1, n),
        "cap": rng.integers(0, draw(st.sampled_from([1, 2, 5, 1000])) + 1, n).astype(np.int32),
    }
    room = np.bincount(documents["cell"], documents["cap"] * documents["tokens"], C)
    spread = draw(st.sampled_from(["within", "any", "whole", "one"]))
    documents["quota"] = {
        "within": room * rng.uniform(0, 1, C),
        "any": room.sum() * rng.dirichlet(np.full(C, 0.5)) * rng.uniform(0, 1.3),
        "whole": room,
        "one": np.eye(C)[rng.integers(C)] * room.sum() * rng.uniform(0, 1),
    }[spread].astype(np.float64)
    return documents


def by_hand(documents: Columns) -> NDArray[np.int32]:
    """Fill by the same rule, with the line written out document by document, copy by copy."""
    cell, key, tie, tokens, cap = (documents[name].tolist() for name in COLUMNS)
    copies = np.zeros(len(cell), dtype=np.int32)

    def take(rows: list[int], missing: float) -> float:
        line = sorted((copy, key[i], tie[i], i) for i in rows for copy in range(copies[i], cap[i]))
        for _, _, _, i in line:
            if missing <= 0 or 2 * missing < tokens[i]:
                break
            copies[i] += 1
            missing -= tokens[i]
        return missing

    carried = 0.0
    for c, quota in enumerate(documents["quota"].tolist()):
        carried = take([i for i, at in enumerate(cell) if at == c], quota + carried)
    if 2 * carried > max(tokens):
        take(list(range(len(cell))), carried)
    return copies


@settings(max_examples=300, deadline=None)
@given(corpora())
def test_takes_what_the_rule_takes_written_out(documents: Columns) -> None:
    assert (fill(**documents) == by_hand(documents)).all()


@settings(max_examples=500, deadline=None)
@given(corpora())
def test_caps_hold_and_the_total_is_within_half_of_the_longest_document(documents: Columns) -> None:
    copies, tokens, cap = fill(**documents), documents["tokens"], documents["cap"]
    assert copies.dtype == np.int32
    assert (copies >= 0).all()
    assert (copies <= cap).all()
    room, wanted, taken = (tokens * cap).sum(), documents["quota"].sum(), (tokens * copies).sum()
    half = tokens.max() / 2
    if room >= wanted:
        assert abs(taken - wanted) <= half + 1e-6
    else:
        assert room - taken <= max(half - (wanted - room), 0) + 1e-6
        if wanted - room > half:
            assert (copies == cap).all()


@settings(max_examples=300, deadline=None)
@given(corpora())
def test_cells_are_within_half_a_document_of_their_quota_and_what_was_carried(
    documents: Columns,
) -> None:
    copies, C = fill(**documents), len(documents["quota"])
    got = np.bincount(documents["cell"], documents["tokens"] * copies, C)
    room = np.bincount(documents["cell"], documents["tokens"] * documents["cap"], C)
    half = documents["tokens"].max() / 2
    carried = 0.0
    in_cells = []
    for c, quota in enumerate(documents["quota"]):
        wanted = quota + carried
        # What the last residue added, wherever there was room, is not carried.
        in_cells.append(wanted - got[c] <= half + 1e-6 or got[c] == room[c])
        carried = max(wanted - got[c], -half)
    assert all(in_cells)
    if (documents["quota"] <= room).all():
        assert (np.abs(got - documents["quota"]) <= 2 * half + 1e-6).all()


@settings(max_examples=200, deadline=None)
@given(corpora(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_has_no_influence(documents: Columns, random: Any) -> None:
    order = np.array(random.sample(range(len(documents["cell"])), len(documents["cell"])))
    shuffled = {name: documents[name][order] for name in COLUMNS}
    assert (fill(**shuffled, quota=documents["quota"]) == fill(**documents)[order]).all()


@settings(max_examples=100, deadline=None)
@given(corpora())
def test_documents_that_agree_in_key_and_tie_are_told_apart_by_what_they_are(
    documents: Columns,
) -> None:
    documents |= {"key": documents["key"] * 0, "tie": documents["tie"] * 0}
    taken = sorted(zip(*(documents[n] for n in COLUMNS), fill(**documents), strict=True))
    backwards = {name: documents[name][::-1] for name in COLUMNS}
    copies = fill(**backwards, quota=documents["quota"])
    assert taken == sorted(zip(*(backwards[n] for n in COLUMNS), copies, strict=True))


def one_cell(tokens: list[int], cap: list[int], quota: float) -> list[int]:
    n = np.arange(len(tokens))
    return fill(n * 0, n * 0.5, n, tokens, [quota], cap).tolist()


def test_rounds_then_the_smallest_keys() -> None:
    assert one_cell([10, 10, 10], [9, 9, 9], 0) == [0, 0, 0]
    assert one_cell([10, 10, 10], [9, 9, 9], 20) == [1, 1, 0]
    assert one_cell([10, 10, 10], [9, 9, 9], 70) == [3, 2, 2]
    assert one_cell([10, 10, 10], [1, 9, 9], 70) == [1, 3, 3]
    assert one_cell([10, 10, 10], [1, 0, 2], 70) == [1, 0, 2]


def test_the_document_at_the_cut_is_taken_if_half_of_it_is_wanted() -> None:
    assert one_cell([10, 10], [1, 1], 14.9) == [1, 0]
    assert one_cell([10, 10], [1, 1], 15) == [1, 1]


def test_the_residue_is_carried_on_signed() -> None:
    # 6 of 10 are wanted in each cell: too much in the first, then too little, and so on.
    copies = fill([0, 1, 2, 3, 4], [0.0] * 5, range(5), [10] * 5, [6.0] * 5, [1] * 5)
    assert copies.tolist() == [1, 0, 1, 0, 1]


def test_what_no_later_cell_can_take_goes_to_the_smallest_keys_anywhere() -> None:
    cell, key = [0, 0, 0, 1], [3.0, 1.0, 2.0, 0.0]
    assert fill(cell, key, range(4), [10] * 4, [10, 30], [2] * 4).tolist() == [0, 1, 1, 2]
    # Documents that are not in yet go before copies of those that are.
    assert fill(cell, key, range(4), [10] * 4, [10, 60], [2] * 4).tolist() == [1, 2, 2, 2]
    assert fill(cell, key, range(4), [10] * 4, [10, 900], [2] * 4).tolist() == [2, 2, 2, 2]


def test_a_cap_in_the_billions_takes_no_longer_than_a_small_one() -> None:
    cap = 2**31 - 1
    assert one_cell([1, 3], [cap, cap], 4.0 * 10**9 + 1) == [10**9 + 1, 10**9]
    assert one_cell([1, 3], [cap, 5], 10**9) == [10**9 - 15, 5]


def test_many_documents_meet_a_trillion_tokens() -> None:
    rng = np.random.default_rng(0)
    n, C = 300_000, 4096
    cell, tokens = rng.integers(0, C, n), rng.integers(1, 7_000_000, n)
    cap, key = rng.integers(1, 3, n), rng.integers(0, 2**64, n, dtype=np.uint64)
    quota = np.bincount(cell, tokens * cap, C) * rng.uniform(0, 1, C)
    copies = fill(cell, key, key, tokens, quota, cap)
    assert abs((copies * tokens).sum() - quota.sum()) <= tokens.max() / 2
    assert np.abs(np.bincount(cell, tokens * copies, C) - quota).max() <= tokens.max()


def test_no_documents() -> None:
    assert fill([], [], [], [], [5.0], []).tolist() == []


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("cell", [0, 2], r"cell\[1\] is 2; it must be 0 to 1"),
        ("cell", [-1, 0], r"cell\[0\] is -1"),
        ("cell", [0.5, 1.0], "cell has type float64; it must be a column of integers"),
        ("tokens", [3, -3], r"tokens\[1\] is -3; it must be 0 or more"),
        ("cap", [2**31, 1], r"cap\[0\] is 2147483648"),
        ("key", [0.0, np.nan], r"key\[1\] is nan"),
        ("quota", [1.0, np.inf], r"quota\[1\] is inf"),
        ("tie", [1], r"tie \(1,\)"),
    ],
)
def test_values_out_of_range_are_refused(column: str, values: list[Any], message: str) -> None:
    good: dict[str, Any] = {
        "cell": [0, 1],
        "key": [0.0, 1.0],
        "tie": [0, 1],
        "tokens": [5, 6],
        "quota": [1.0, 2.0],
        "cap": [1, 1],
    }
    with pytest.raises(ValueError, match=message):
        fill(**good | {column: values})


@settings(max_examples=300, deadline=None)
@given(corpora(), st.floats(0, 1.2))
def test_topping_up_ends_within_half_of_the_longest_taken_or_where_nothing_fits(
    documents: Columns, part: float
) -> None:
    tokens, cap = documents["tokens"], documents["cap"]
    before = fill(**documents).astype(np.int64)
    wanted = float(((cap - before) * tokens).sum()) * part
    copies, order = before.copy(), np.argsort(documents["tie"])
    top_up(order, tokens, cap, wanted, copies)
    assert (before <= copies).all()
    assert (copies <= cap).all()
    missing = wanted - float(((copies - before) * tokens).sum())
    longest = tokens[copies > 0].max(initial=0)
    assert 2 * missing >= -longest
    available = (copies < cap) & (tokens > 0)
    assert 2 * missing <= longest or not (tokens[available] <= 2 * missing).any()


def test_topping_up_takes_the_shorter_documents_that_fit() -> None:
    copies = np.array([0, 0, 0, 0])
    top_up(np.arange(4), [1000, 30, 50, 40], [1, 1, 1, 1], 90.0, copies)
    assert copies.tolist() == [0, 1, 1, 0]  # 10 are missing, less than half of 50

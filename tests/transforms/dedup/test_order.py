"""The total order and exact repeats, against plain Python."""

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.dedup.order import Order, exact_repeats, total_order
from outcross.transforms.dedup.rules import Party, Rules
from tests.support.corpora import source

ROLES = ("exclude", "reference", "human", "synthetic")


class Columns:
    """The numbers that sketches have."""

    def __init__(self, **columns):
        self.columns = columns

    def numbers(self, name):
        return self.columns[name]

    def __len__(self):
        return len(self.columns["length"])


def parties(kinds):
    """Make parties from (role, earlier run or None, priority, removed_by)."""
    return [
        Party(source(f"s{i}", role, "x", priority=priority, removed_by=names), run)
        for i, (role, run, priority, names) in enumerate(kinds)
    ]


KINDS = st.lists(
    st.tuples(
        st.sampled_from(ROLES),
        st.sampled_from([None, None, "old"]),
        st.integers(-1, 1),
        st.sampled_from([None, None, []]),
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def documents(draw):
    made = parties(draw(KINDS))
    n = draw(st.integers(0, 14))

    def column(values, kind):
        return np.array(draw(st.lists(values, min_size=n, max_size=n)), kind)

    party = column(st.integers(0, len(made) - 1), np.int16)
    size = len(made)
    flags = draw(st.lists(st.booleans(), min_size=size**2, max_size=size**2))
    prompt = column(st.integers(0, 1), np.uint64)
    rules = Rules(made, party, np.array(flags, bool).reshape(size, size), prompt)
    word, half = st.sampled_from([0, 1, 2**63, 2**64 - 1]), st.sampled_from([0, 2**64 - 1])
    columns = Columns(
        priority=column(st.sampled_from([-1.5, 0, 2]), np.float64),
        length=column(st.integers(1, 2), np.int64),
        fingerprint_hi=column(half, np.uint64),
        fingerprint_lo=column(half, np.uint64),
        row_hash=column(word, np.uint64),
    )
    return columns, rules, column(st.booleans(), bool)


@settings(max_examples=150)
@given(documents())
def test_the_total_order_is_what_python_sorts(drawn):
    columns, rules, _ = drawn
    names = ("priority", "length", "fingerprint_hi", "fingerprint_lo", "row_hash")
    values = {name: columns.numbers(name).tolist() for name in names}

    def fixed(document):
        party = rules.parties[rules.party[document]]
        return party.run is not None or party.source.role == "exclude"

    def key(document):
        own = rules.parties[rules.party[document]].source
        role = 0 if fixed(document) else ROLES.index(own.role)
        priority, length, *rest = (values[name][document] for name in names)
        return (role, -own.priority, -priority, -length, *rest, document)

    order = total_order({name: columns.numbers(name) for name in names}, rules)
    expected = sorted(range(len(columns)), key=key)
    assert order.document.tolist() == expected
    assert order.position[order.document].tolist() == list(range(len(columns)))
    assert order.fixed == sum(fixed(document) for document in expected)
    assert all(fixed(document) for document in expected[: order.fixed])
    assert order.position.dtype == order.document.dtype == np.int64


@settings(max_examples=200)
@given(documents(), st.randoms(use_true_random=False))
def test_exact_repeats_go_to_the_lowest_kept_that_may_stand_for_them(drawn, random):
    columns, rules, part = drawn
    document = list(range(len(columns)))
    random.shuffle(document)
    rank = np.argsort(np.array(document, np.int64)).astype(np.int64)
    hi, lo = columns.numbers("fingerprint_hi"), columns.numbers("fingerprint_lo")

    groups = defaultdict(list)
    for d in document:  # in the order of ranks
        own = rules.parties[rules.party[d]]
        # Sources that name who may remove them are compared by signatures.
        chosen = None if own.source.removed_by is None else int(rules.party[d])
        yard = own.source.role == "reference"
        if part[d]:
            groups[int(hi[d]), int(lo[d]), int(rules.prompt[d]), yard, chosen].append(d)
    expected = rank.tolist()
    for members in groups.values():
        kept = []
        for d in members:
            own = int(rules.party[d])
            stand = [
                int(rank[k])
                for k in kept
                if rules.allowed[rules.party[k], own]
                or (rules.party[k] == own and rules.parties[own].fixed)
            ]
            if stand:
                expected[d] = min(stand)
            else:
                kept.append(d)
    order = Order(rank, np.array(document, np.int64), 0)
    assert exact_repeats(order, (hi, lo), rules, part).tolist() == expected


def test_many_repeats_of_one_text_in_two_parties():
    """The lowest rank of each party that is kept, however many there are."""
    n = 10_001
    made = parties([("human", None, 0, None), ("synthetic", None, 0, None)])
    party = np.array([1] * 5 + [0] * 3 + [1] * (n - 8), np.int16)
    allowed = np.array([[True, True], [False, True]])
    rules = Rules(made, party, allowed, np.zeros(n, np.uint64))
    order = Order(np.arange(n), np.arange(n), 0)
    same = np.full(n, 7, np.uint64)
    first = exact_repeats(order, (same, same), rules, np.ones(n, bool))
    assert first.tolist() == [0] * 5 + [5] * 3 + [0] * (n - 8)

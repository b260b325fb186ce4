"""Who repeats whom: held against plain Python, and the same whatever the units and the waves."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.corpora import (
    NUM_PERM,
    deduplicated,
    paragraphs,
    sketched,
    source,
    strings,
    write_jsonl,
)
from transforms.deduplicate import EXACT, NEAR, Order, exact_repeats, part_waves
from transforms.minhash import band_values, lsh_parameters

THRESHOLD = 0.8
ROLES = {"reference": 0, "exclude": 0, "human": 1, "synthetic": 2}


def edited(text, edits, rng):
    """The text with some of its words replaced."""
    words = text.split()
    for at in rng.choice(len(words), edits, replace=False):
        words[at] = f"x{rng.integers(1 << 30)}"
    return " ".join(words)


def graded(seed, texts=40, most=7):
    """Real paragraphs with variants of them, a few words changed, and exact repeats."""
    rng = np.random.default_rng(seed)
    found = paragraphs()
    rows = []
    for number in rng.choice(len(found), texts, replace=False):
        base = found[number]
        chain = base
        for variant in range(int(rng.integers(1, most))):
            kind = rng.integers(4)
            if kind == 0:
                text = base
            elif kind == 1:
                text = base.upper() + "!!"
            elif kind == 2:
                text = edited(base, int(rng.integers(1, 4)), rng)
            else:
                text = chain = edited(chain, 1, rng)
            rows.append({"id": f"{number}-{variant}", "text": text, "score": int(rng.integers(2))})
    return [rows[i] for i in rng.permutation(len(rows))]


def corpus(folder, rows, files=1):
    """Rows dealt to sources by their ids, so that the files' order is all that `files` changes."""
    made = []
    for number, (name, role, priority) in enumerate(
        [
            ("gpt", "synthetic", 0),
            ("people", "human", 0),
            ("other", "synthetic", 1),
            ("tests", "exclude", 0),
            ("yard", "reference", 0),
        ]
    ):
        own = [row for row in rows if hash_of(row) % 5 == number]
        parts = [own[i::files] for i in range(files)]
        paths = [
            write_jsonl(folder / name / f"{i}.jsonl", part) for i, part in enumerate(parts) if part
        ]
        options = {"id_field": "id", "priority": priority, "priority_field": "score"}
        if paths:
            made.append(source(name, role, *paths, **options))
    return made


def hash_of(row):
    return sum(ord(c) * 31**i for i, c in enumerate(row["id"]))


def whose(sketches, sources):
    """The source of each document."""
    rows = np.diff(sketches.offsets)
    return [
        sources[unit.source] for unit, n in zip(sketches.units, rows, strict=True) for _ in range(n)
    ]


def expected_order(sketches, sources):
    """The definition of the total order, as Python sorts."""
    of = whose(sketches, sources)
    names = ["priority", "length", "fingerprint_hi", "fingerprint_lo", "row_hash"]
    columns = [sketches.numbers(name).tolist() for name in names]

    def key(document):
        priority, length, hi, lo, row = (column[document] for column in columns)
        if of[document].role == "reference":
            hi ^= 0x9E3779B97F4A7C15
        place = (ROLES[of[document].role], -of[document].priority, -priority, -length)
        return (*place, hi, lo, row, document)

    return sorted(range(len(sketches)), key=key)


def check(sketches, sources, order, verdicts, threshold=THRESHOLD):
    """What must hold of all verdicts, against every pair that shares a band."""
    of = whose(sketches, sources)
    rank = order.rank
    everything = np.arange(len(sketches))
    signatures = sketches.matrix("signature", everything, np.uint32)
    fingerprint = list(
        zip(
            *(sketches.numbers(f"fingerprint_{half}").tolist() for half in ("hi", "lo")),
            [source.role == "reference" for source in of],
            strict=True,
        )
    )
    kept = verdicts.kept
    limit = np.float32(threshold)

    def agree(a, b):
        return np.float32((signatures[a] == signatures[b]).mean())

    for document in np.flatnonzero(~kept):
        partner = verdicts.partner[document]
        assert kept[partner]
        assert rank[partner] < rank[document]
        assert (of[partner].role == "reference") == (of[document].role == "reference")
        assert not (of[document].role == "human" and of[partner].role == "synthetic")
        assert of[document].role != "exclude" or of[partner].role == "exclude"
        assert verdicts.similarity[document] == agree(document, partner) >= limit
        if verdicts.stage[document] == EXACT:
            assert fingerprint[partner] == fingerprint[document]
        else:
            assert verdicts.stage[document] == NEAR
            assert fingerprint[partner] != fingerprint[document]
    assert (verdicts.stage[kept] == 0).all()
    assert (verdicts.similarity[kept] == 0).all()

    # Greedy over every pair that shares a band: the definition of who is removed.
    first = {}
    for document in order.document.tolist():
        first.setdefault(fingerprint[document], document)
    distinct = sorted(first.values(), key=lambda document: rank[document])
    together = defaultdict(list)
    values = band_values(signatures, *lsh_parameters(threshold, NUM_PERM))
    for document in distinct:
        for value in values[document].tolist():
            together[value, of[document].role == "reference"].append(document)
    before = defaultdict(set)
    for members in together.values():
        for place, document in enumerate(members):
            before[document] |= set(members[:place])
    removed = set()
    for document in distinct:
        if any(p not in removed and agree(document, p) >= limit for p in before[document]):
            removed.add(document)
    if verdicts.counts["orphans"] == 0:
        assert {document for document in distinct if not kept[document]} == removed
    # What is kept beside a kept document like it: only where that one lost all that it repeats.
    for document in distinct:
        for parent in before[document]:
            if kept[document] and kept[parent] and agree(document, parent) >= limit:
                assert any(not kept[p] and agree(parent, p) >= limit for p in before[parent])
    for document in range(len(sketches)):
        if first[fingerprint[document]] != document:
            assert not kept[document]
    return removed


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_verdicts_are_those_of_the_definition(tmp_path, seed):
    sources = corpus(tmp_path, graded(seed))
    sketches = sketched(tmp_path / "s", sources, unit_bytes=5000)
    order, verdicts = deduplicated(tmp_path / "d", sketches, sources)
    assert order.document.tolist() == expected_order(sketches, sources)
    assert order.document[order.rank].tolist() == list(range(len(sketches)))
    removed = check(sketches, sources, order, verdicts)
    assert len(removed) > 10
    assert (verdicts.stage == EXACT).sum() > 5
    assert not verdicts.open.any()
    original = verdicts.partner[verdicts.stage == NEAR]
    assert len(set(original.tolist())) > 5


@pytest.mark.parametrize("threshold", [0.5, 0.95])
def test_other_thresholds(tmp_path, threshold):
    sources = corpus(tmp_path, graded(4))
    sketches = sketched(tmp_path / "s", sources)
    order, verdicts = deduplicated(tmp_path / "d", sketches, sources, threshold)
    check(sketches, sources, order, verdicts, threshold)


def by_id(sketches, sources, order, verdicts):
    """All that is decided, without any place in it."""
    of = [made.name for made in whose(sketches, sources)]
    names = list(zip(of, strings(sketches, "id").to_pylist(), strict=True))
    told = {}
    for document, name in enumerate(names):
        partner = int(verdicts.partner[document])
        told[name] = (
            int(order.rank[document]),
            names[partner] if partner >= 0 else None,
            int(verdicts.stage[document]),
            float(verdicts.similarity[document]),
            bool(verdicts.open[document]),
        )
    return told


def test_verdicts_depend_on_content_alone(tmp_path):
    rows = graded(5)
    told = []
    rng = np.random.default_rng(0)
    for turn, (files, unit_bytes, waves, lanes) in enumerate(
        [(1, 1 << 20, 1, 1), (1, 900, 1, 5), (4, 3000, 3, 2), (9, 1 << 20, 2, 3)]
    ):
        folder = tmp_path / str(turn)
        shuffled = rows if turn == 0 else [rows[i] for i in rng.permutation(len(rows))]
        sources = corpus(folder, shuffled, files)
        sketches = sketched(folder / "s", sources, unit_bytes, lanes)
        found = deduplicated(folder / "d", sketches, sources, THRESHOLD, waves, lanes)
        told.append(by_id(sketches, sources, *found))
    assert len(told[0]) == len(rows)
    assert told[1] == told[0]
    assert told[2] == told[0]
    assert told[3] == told[0]


def test_of_equal_texts_the_rest_of_the_row_decides_not_its_place(tmp_path):
    rows = [row(f"d{i}", score=3) for i in range(9)]
    told = []
    for turn in range(3):
        some = [rows[i] for i in np.random.default_rng(turn).permutation(len(rows))]
        folder = tmp_path / str(turn)
        told.append(case(folder, ("s", "human", 0, some)))
    assert told[1] == told[0]
    assert told[2] == told[0]


def test_rows_that_only_their_place_tells_apart_are_decided_alike(tmp_path):
    rows = [{"text": "the same row"}] * 5 + [{"text": "another row"}] * 3
    for number, parts in enumerate([[rows], [rows[:2], rows[2:]]]):
        paths = [
            write_jsonl(tmp_path / f"{number}-{i}.jsonl", part) for i, part in enumerate(parts)
        ]
        sources = [source("s", "synthetic", *paths)]
        sketches = sketched(tmp_path / f"s{number}", sources, unit_bytes=30)
        _, verdicts = deduplicated(tmp_path / f"d{number}", sketches, sources)
        assert np.flatnonzero(verdicts.kept).tolist() == [0, 5]
        assert verdicts.partner[[1, 4, 7]].tolist() == [0, 0, 5]


TEXT = (
    "When a text is long enough that one word more or less leaves nearly all of its shingles " * 3
)


def case(folder, *sources_rows, **options):
    """Documents given as (name, role, priority, rows), and who repeats whom by their ids."""
    sources = [
        source(
            name,
            role,
            write_jsonl(folder / f"{name}.jsonl", rows),
            id_field="id",
            priority=priority,
            priority_field="score",
        )
        for name, role, priority, rows in sources_rows
    ]
    sketches = sketched(folder / "s", sources)
    order, verdicts = deduplicated(folder / "d", sketches, sources, **options)
    check(sketches, sources, order, verdicts)
    ids = strings(sketches, "id").to_pylist()
    repeats = {
        ids[i]: (ids[verdicts.partner[i]], int(verdicts.stage[i]))
        for i in np.flatnonzero(~verdicts.kept)
    }
    return [ids[i] for i in order.document], repeats


def row(name, text=TEXT, **columns):
    return {"id": name, "text": text, **columns}


def test_the_order_follows_each_criterion_in_turn(tmp_path):
    ordered, repeats = case(
        tmp_path,
        ("low", "synthetic", 0, [row("g", score=9), row("h", TEXT + ".", score=1), row("i")]),
        ("high", "synthetic", 5, [row("e", score=-1), row("f", score=-2)]),
        ("people", "human", -9, [row("d", score=-9)]),
        ("more", "human", 3, [row("b", score=2.5), row("c", TEXT + "!", score=2)]),
        ("tests", "exclude", -99, [row("a", "?" + TEXT + "?", score=-99)]),
    )
    assert ordered == list("abcdefghi")
    assert repeats == dict.fromkeys("bcdefghi", ("a", EXACT))


def test_of_equal_rank_the_longer_is_kept(tmp_path):
    short, long = TEXT, TEXT + "..."
    ordered, repeats = case(tmp_path, ("s", "human", 0, [row("x", short), row("y", long)]))
    assert ordered == ["y", "x"]
    assert repeats == {"x": ("y", EXACT)}


def test_near_repeats_of_every_role(tmp_path):
    near = [TEXT + f"and then word{i}" for i in range(4)]
    _, repeats = case(
        tmp_path,
        ("g", "synthetic", 9, [row("synthetic", near[0])]),
        ("h", "human", 0, [row("human", near[1])]),
        ("t", "exclude", 0, [row("test", near[2] + " " * 9)]),
        ("y", "reference", 0, [row("yard", near[3])]),
    )
    assert repeats == {"synthetic": ("test", NEAR), "human": ("test", NEAR)}


@pytest.mark.parametrize("extra", ["", " and one word more"])
def test_the_yardstick_is_compared_with_itself_only(tmp_path, extra):
    _, repeats = case(
        tmp_path,
        ("y", "reference", 0, [row("r1"), row("r2", TEXT + extra + "!!")]),
        ("g", "synthetic", 9, [row("s1", TEXT + extra)]),
        ("h", "human", 0, [row("h1", TEXT + " ")]),
        ("t", "exclude", 0, [row("z", "nothing like it " * 9)]),
    )
    stage = NEAR if extra else EXACT
    assert repeats == {"r1": ("r2", stage), "s1": ("h1", stage)}


def test_repeats_of_a_removed_document_go_to_its_partner(tmp_path):
    near = TEXT + "and that is all"
    ordered, repeats = case(
        tmp_path,
        ("g", "synthetic", 0, [row("a", near), row("b", near + "!"), row("c", near.upper())]),
        ("h", "human", 0, [row("h", TEXT)]),
    )
    assert ordered[0] == "h"
    assert repeats == dict.fromkeys("abc", ("h", NEAR))


def test_similarity_is_not_passed_on(tmp_path):
    """A chain: each is near the next, the ends are not near each other."""
    words = [f"w{i}" for i in range(200)]
    chain = [" ".join(words[: 200 - 14 * i] + [f"v{k}" for k in range(14 * i)]) for i in range(4)]
    rows = [row(str(i), text, score=-i) for i, text in enumerate(chain)]
    ordered, repeats = case(tmp_path, ("s", "synthetic", 0, rows))
    assert ordered == ["0", "1", "2", "3"]
    assert repeats["1"] == ("0", NEAR)
    assert repeats.keys() <= {"1", "3"}


def test_one_group_of_hundreds(tmp_path):
    rng = np.random.default_rng(0)
    base = paragraphs(150)[0]
    rows = [row(f"d{i}", edited(base, 1, rng)) for i in range(300)]
    sources = [source("s", "synthetic", write_jsonl(tmp_path / "x.jsonl", rows), id_field="id")]
    sketches = sketched(tmp_path / "s", sources)
    order, verdicts = deduplicated(tmp_path / "d", sketches, sources)
    check(sketches, sources, order, verdicts)
    assert verdicts.kept.sum() < 20
    assert verdicts.counts["verified"] < 15 * 300


def test_texts_without_words_and_short_texts(tmp_path):
    texts = ["?!", "?!", "?!?", "one", "One.", "one two", "…", "ﬁ", "fi"]
    rows = [row(str(i), text) for i, text in enumerate(texts)]
    _, repeats = case(tmp_path, ("s", "synthetic", 0, rows))
    kept_of = {name: kept for name, (kept, _) in repeats.items()}
    assert kept_of == {"0": "1"} or kept_of.keys() >= {"3"}
    assert {"2", "5", "6"}.isdisjoint(repeats)
    assert len({"0", "1"} & repeats.keys()) == 1
    assert kept_of["3"] == "4"
    assert kept_of["8"] == "7"


HALVES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=12)


@given(HALVES, st.randoms())
def test_exact_repeats_point_to_the_first(halves, random):
    n = len(halves)
    document = list(range(n))
    random.shuffle(document)
    rank = np.argsort(np.array(document, np.int64)).astype(np.int64)
    hi, lo = (np.array([half[i] for half in halves], np.uint64) for i in (0, 1))
    order = Order(rank, np.array(document, np.int64), (hi, lo), np.zeros(n, bool))
    first = {}
    for d in document:
        first.setdefault(halves[d], int(rank[d]))
    assert exact_repeats(order).tolist() == [first[half] for half in halves]


@settings(max_examples=200)
@given(st.integers(0, 10**9), st.integers(1, 64), st.integers(1, 1 << 34))
def test_waves_cover_all_prefixes_within_the_memory(documents, bands, memory):
    waves = part_waves(documents, bands, memory)
    assert [part for wave in waves for part in wave] == list(range(256))
    shuffled = documents * bands * 12 * 4
    assert len(waves) == 256 or shuffled / len(waves) <= memory
    assert len(waves) == 1 or shuffled / (len(waves) - 1) > memory
    assert max(map(len, waves)) - min(map(len, waves)) <= 1

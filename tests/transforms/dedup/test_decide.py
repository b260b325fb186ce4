"""Who repeats whom: held against plain Python, and the same whatever the units and the shuffle."""

import tempfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.dedup import decide as module
from outcross.transforms.dedup.decide import (
    CONTAINED,
    EXACT,
    NEAR,
    Comparison,
    Settings,
    Verdicts,
)
from outcross.transforms.dedup.resolve import resolve
from outcross.transforms.dedup.rules import Party
from tests.support.corpora import (
    NUM_PERM,
    HeldSketches,
    deduplicated,
    in_one_bin,
    order_columns,
    paragraphs,
    rules_of,
    sketched,
    source,
    strings,
    write_jsonl,
)
from tests.support.dedup_definition import Definition

THRESHOLD = 0.8
BOTH = pytest.mark.parametrize("exact", [False, True])


def by(threshold=THRESHOLD, exact=False, **options):
    return Settings(threshold, exact, 5, NUM_PERM, **options)


def named(number):
    """Return a word of letters alone, as one with digits is an item."""
    return "x" + "".join("bcdfghjklm"[int(digit)] for digit in str(number))


def edited(text, edits, rng):
    """Replace some plain words of a text."""
    words = text.split()
    plain = [at for at, word in enumerate(words) if word.isalpha() and word.islower()]
    for at in rng.choice(plain, min(edits, len(plain)), replace=False):
        words[at] = named(rng.integers(1 << 30))
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
                text = base + "\n" * int(rng.integers(2))
            elif kind == 1:
                text = base.replace(" ", "  ")
            elif kind == 2:
                text = edited(base, int(rng.integers(1, 4)), rng)
            else:
                text = chain = edited(chain, 1, rng)
            rows.append({"id": f"{number}-{variant}", "text": text, "score": int(rng.integers(2))})
    return [rows[i] for i in rng.permutation(len(rows))]


def corpus(folder, rows, files=1):
    """Deal rows to sources by their ids, so that `files` changes only the files' order."""
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


def run(folder, sources, rows, decided, **options):
    """Return sketches, comparison and checked verdicts of a corpus on disk."""
    sketches = sketched(folder / "s", sources, options.pop("unit_bytes", 64 << 20))
    comparison, verdicts = deduplicated(folder / "d", sketches, sources, decided, **options)
    text = {row["id"]: row["text"] for row in rows}
    texts = [text[name] for name in strings(sketches, "id").to_pylist()]
    together, pairs = in_one_bin(sketches, np.arange(len(sketches)), comparison, decided)
    assert same(together, verdicts)
    settled = Definition(sketches, comparison, decided, texts).check(verdicts, pairs)
    return sketches, comparison, verdicts, settled


def same(verdicts, others):
    """Return whether two verdicts are equal."""
    names = ("partner", "stage", "similarity", "open")
    columns = [[getattr(each, name).tolist() for name in names] for each in (verdicts, others)]
    return columns[0] == columns[1] and verdicts.counts == others.counts


def held(folder, parties, units, decided, written=None, holds=None, **options):
    """Deduplicate in memory; `units` are those of `HeldSketches`.

    Args:
        written: bool[n], which documents participate.
        holds: documents and the evaluation texts that they hold.
        options: of `in_one_bin`.
    """
    sketches, holds = HeldSketches(units), holds or {}
    part = np.ones(len(sketches), bool) if written is None else np.array(written, bool)
    columns = order_columns(sketches)
    rules = rules_of(sketches, parties, decided.same_answers is not None)
    comparison = Comparison.of(columns, rules, part)
    documents = np.setdiff1d(np.arange(len(sketches)), [*holds])
    binned = Comparison.of(
        {name: column[documents] for name, column in columns.items()},
        replace(rules, party=rules.party[documents], prompt=rules.prompt[documents]),
        part[documents],
    )
    in_bin, pairs = in_one_bin(sketches, documents, binned, decided, **options)
    verdicts = of_all(comparison, in_bin, documents, holds)
    texts = [row["text"] for _, rows in units for row in rows]
    threshold = options.get("threshold")
    definition = Definition(sketches, comparison, decided, texts, threshold, holds)
    definition.check(verdicts, pairs)
    return sketches, comparison, verdicts


def of_all(comparison, in_bin, documents, holds):
    """Return the verdicts on all documents, from those of a bin and the texts that others hold."""
    n = len(comparison.participates)
    verdicts = Verdicts(
        np.full(n, -1),
        np.zeros(n, np.int8),
        np.zeros(n, np.float32),
        np.zeros(n, bool),
        in_bin.counts,
    )
    verdicts.partner[documents] = np.where(in_bin.kept, -1, documents[in_bin.partner])
    for name in ("stage", "similarity", "open"):
        getattr(verdicts, name)[documents] = getattr(in_bin, name)
    for document, item in holds.items():
        equal = comparison.are_exact(np.array([document]), np.array([item]))[0]
        verdicts.partner[document] = item
        verdicts.stage[document] = EXACT if equal else CONTAINED
        verdicts.similarity[document] = 1 if equal else 0.75
    return verdicts


@BOTH
@pytest.mark.parametrize("seed", [1, 2])
def test_verdicts_are_those_of_the_definition(tmp_path, seed, exact):
    rows = graded(seed)
    sources = corpus(tmp_path, rows)
    decided = by(exact=exact)
    sketches, _, verdicts, settled = run(tmp_path, sources, rows, decided, unit_bytes=5000)
    assert settled
    assert len(sketches.units) > 5
    assert (verdicts.stage == NEAR).sum() > 10
    assert (verdicts.stage == EXACT).sum() > 5
    assert not verdicts.open.any()
    original = verdicts.partner[verdicts.stage == NEAR]
    assert len(set(original.tolist())) > 5


@BOTH
@pytest.mark.parametrize("threshold", [0.5, 0.95])
def test_other_thresholds(tmp_path, threshold, exact):
    rows = graded(4)
    run(tmp_path, corpus(tmp_path, rows), rows, by(threshold, exact))


def by_id(sketches, comparison, verdicts):
    """Return all decisions, without places of documents."""
    rules, order = comparison.rules, comparison.order
    of = [rules.parties[number].name for number in rules.party]
    names = list(zip(of, strings(sketches, "id").to_pylist(), strict=True))
    told = {}
    for document, name in enumerate(names):
        partner = int(verdicts.partner[document])
        told[name] = (
            int(order.position[document]),
            names[partner] if partner >= 0 else None,
            int(verdicts.stage[document]),
            float(verdicts.similarity[document]),
            bool(verdicts.open[document]),
        )
    return told


def test_verdicts_depend_on_content_alone(tmp_path):
    rows = graded(5, texts=20)
    told = []
    rng = np.random.default_rng(0)
    for turn, (files_, unit_bytes, bits, lanes) in enumerate(
        [(1, 1 << 20, 1, 1), (1, 900, 5, 5), (4, 3000, 3, 2)]
    ):
        folder = tmp_path / str(turn)
        shuffled = rows if turn == 0 else [rows[i] for i in rng.permutation(len(rows))]
        sources = corpus(folder, shuffled, files_)
        sketches = sketched(folder / "s", sources, unit_bytes, lanes)
        found = deduplicated(folder / "d", sketches, sources, by(exact=True), bits, lanes)
        told.append(by_id(sketches, *found))
    assert len(told[0]) == len(rows)
    assert told[1] == told[0]
    assert told[2] == told[0]


def test_of_equal_texts_the_rest_of_the_row_decides_not_its_place(tmp_path):
    rows = [row(f"d{i}", score=3) for i in range(9)]
    told = []
    for turn in range(3):
        some = [rows[i] for i in np.random.default_rng(turn).permutation(len(rows))]
        folder = tmp_path / str(turn)
        folder.mkdir()
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


def case(folder, *sources_rows, decided=None, names=None, runs=None):
    """Return who repeats whom, by ids, for documents given as (name, role, priority, rows).

    `names` are the `removed_by` of some sources, `runs` the earlier runs of some.
    """
    parties = [
        Party(
            source(name, role, "x", priority=priority, removed_by=(names or {}).get(name)),
            (runs or {}).get(name),
        )
        for name, role, priority, _ in sources_rows
    ]
    units = [(number, rows) for number, (*_, rows) in enumerate(sources_rows)]
    sketches, comparison, verdicts = held(folder, parties, units, decided or by())
    ids = strings(sketches, "id").to_pylist()
    repeats = {
        ids[i]: (ids[verdicts.partner[i]], int(verdicts.stage[i]))
        for i in np.flatnonzero(~verdicts.kept)
    }
    return [ids[i] for i in comparison.order.document], repeats


def row(name, text=TEXT, **columns):
    return {"id": name, "text": text, **columns}


def test_the_order_follows_each_criterion_in_turn(tmp_path):
    ordered, repeats = case(
        tmp_path,
        ("low", "synthetic", 0, [row("g", score=9), row("h", TEXT + "\n", score=1), row("i")]),
        ("high", "synthetic", 5, [row("e", score=-1), row("f", score=-2)]),
        ("people", "human", -9, [row("d", score=-9)]),
        ("more", "human", 3, [row("b", score=2.5), row("c", TEXT + "\r\n", score=2)]),
        ("tests", "exclude", -99, [row("a", TEXT.strip(), score=-99)]),
    )
    assert ordered == list("abcdefghi")
    assert repeats == dict.fromkeys("bcdefghi", ("a", EXACT))


def test_of_equal_rank_the_longer_is_kept(tmp_path):
    short, long = TEXT, TEXT + "\n\n"
    ordered, repeats = case(tmp_path, ("s", "human", 0, [row("x", short), row("y", long)]))
    assert ordered == ["y", "x"]
    assert repeats == {"x": ("y", EXACT)}


def test_evaluation_texts_are_never_removed(tmp_path):
    """Keep them even where they repeat each other, word for word or nearly."""
    near = TEXT + "and that is all"
    _, repeats = case(
        tmp_path,
        ("one", "exclude", 1, [row("a"), row("b", TEXT.upper()), row("c", near)]),
        ("two", "exclude", 0, [row("d"), row("e", near + "!")]),
        ("people", "human", 9, [row("h"), row("i", near + " \n")]),
    )
    assert repeats.keys() == {"h", "i"}
    assert {kept for kept, _ in repeats.values()} <= set("abc")
    assert {stage for _, stage in repeats.values()} == {EXACT}


def test_near_repeats_of_every_role(tmp_path):
    near = [TEXT + f"and then {named(i)}" for i in range(4)]
    _, repeats = case(
        tmp_path,
        ("g", "synthetic", 9, [row("synthetic", near[0])]),
        ("h", "human", 0, [row("human", near[1])]),
        ("t", "exclude", 0, [row("test", near[2] + " " * 9)]),
        ("y", "reference", 0, [row("yard", near[3])]),
    )
    assert repeats == {"synthetic": ("test", NEAR), "human": ("test", NEAR)}


@pytest.mark.parametrize("extra", ["", " and one word more"])
def test_the_reference_is_compared_with_itself_only(tmp_path, extra):
    _, repeats = case(
        tmp_path,
        ("y", "reference", 0, [row("r1"), row("r2", TEXT + extra + "\n\n")]),
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
    words = [named(i) for i in range(200)]
    other = [named(1000 + i) for i in range(42)]
    chain = [" ".join(words[: 200 - 14 * i] + other[: 14 * i]) for i in range(4)]
    rows = [row(str(i), text, score=-i) for i, text in enumerate(chain)]
    ordered, repeats = case(tmp_path, ("s", "synthetic", 0, rows), decided=by(exact=True))
    assert ordered == ["0", "1", "2", "3"]
    assert repeats["1"] == ("0", NEAR)
    assert repeats.keys() <= {"1", "3"}


@BOTH
def test_one_group_of_hundreds(tmp_path, exact):
    rng = np.random.default_rng(0)
    base = " ".join(word for word in paragraphs(150)[0].split() if word.isalpha())
    rows = [row(f"d{i}", edited(base, 1, rng)) for i in range(150)]
    sources = [source("s", "synthetic", write_jsonl(tmp_path / "x.jsonl", rows), id_field="id")]
    _, _, verdicts, _ = run(tmp_path, sources, rows, by(exact=exact))
    assert verdicts.kept.sum() < 20
    assert verdicts.counts["verified"] < 15 * 150


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


@BOTH
def test_what_means_something_else_stays(tmp_path, exact):
    """However alike the words are; a removed text goes for the one that means the same."""
    ends = ["5", "-5", "six", "it is not", "C", "C++", "🙂", "🙃", "$9", "€9", "5 ", "**5**"]
    rows = [row(str(i), TEXT + end, score=-i) for i, end in enumerate(ends)]
    parties = [Party(source("s", "synthetic", "x"))]
    _, _, verdicts = held(tmp_path, parties, [(0, rows)], by(exact=exact))
    assert np.flatnonzero(~verdicts.kept).tolist() == [10, 11]
    assert verdicts.partner[10:].tolist() == [0, 0]
    assert verdicts.stage[10:].tolist() == [EXACT, NEAR]
    assert verdicts.similarity[10:].tolist() == [1, 1]
    assert verdicts.counts["different_meaning"] > 5


def test_long_texts_may_differ_in_a_few_meanings(tmp_path):
    """Above 200 words, by so much as the threshold lets them."""
    words = [named(i) for i in range(180)] + [str(i) for i in range(100, 150)]
    other = [*words[:-3], "1", "2", "3"]
    distant = [*words[:-20], *(str(i) for i in range(20))]
    for texts, kept in (([words, other], 1), ([words, distant], 2), ([words[40:], other[40:]], 2)):
        folder = tmp_path / f"{len(texts[0])}-{kept}"
        folder.mkdir()
        rows = [row(str(i), " ".join(text)) for i, text in enumerate(texts)]
        *_, verdicts = held(folder, [Party(source("s", "human", "x"))], [(0, rows)], by(exact=True))
        assert verdicts.kept.sum() == kept


def test_what_holds_an_evaluation_text_goes_for_it(tmp_path):
    """Check that it stands for nobody: 3 is like 2 alone, and 4 has other words."""
    near = TEXT + "and that is all"
    items = ["another item", "the item"]
    texts = [TEXT + " and the item", near, "the item\n", "the item"]
    parties = [Party(source("t", "exclude", "x")), Party(source("g", "synthetic", "x"))]
    units = [(0, [row(text, text) for text in items]), (1, [row(text, text) for text in texts])]
    _, _, verdicts = held(tmp_path, parties, units, by(), holds=dict.fromkeys([2, 4, 5], 1))
    assert verdicts.partner.tolist() == [-1, -1, 1, -1, 1, 1]
    assert verdicts.stage.tolist() == [0, 0, CONTAINED, 0, EXACT, EXACT]
    assert verdicts.similarity.tolist() == [0, 0, 0.75, 0, 1, 1]


def test_what_was_not_looked_at_is_said(tmp_path, monkeypatch):
    """Use one star and no second choices, so that both kinds appear."""
    found = []

    def hurried(*given_, **options):
        found.append(resolve(*given_, **options, stars=1, rounds=0))
        return found[0]

    monkeypatch.setattr(module, "resolve", hurried)
    kinds = [("h", "human", None), ("g", "synthetic", None), ("alone", "synthetic", [])]
    parties = [Party(source(name, role, "x", removed_by=names)) for name, role, names in kinds]
    units = [*graded_units(18), (2, [row(str(i)) for i in range(4)])]
    _, comparison, verdicts = held(tmp_path, parties, units, by(0.6, True), threshold=0.4)
    both = set(found[0].open.tolist()), set(found[0].left_over.tolist())
    assert both[0] - both[1]
    assert both[1] - both[0]
    assert set(comparison.order.position[verdicts.open].tolist()) == both[0] | both[1]


# Restricted sources.


LIKE = [TEXT + f"and {named(i)}" for i in range(4)]


@BOTH
def test_a_source_whose_own_repeats_stay(tmp_path, exact):
    own = [row("a"), row("b"), row("c", TEXT + "!"), row("d", LIKE[1])]
    alone = [row("e", "something that is said twice"), row("f", "Something that is said twice!")]
    _, repeats = case(
        tmp_path,
        ("gpt", "synthetic", 0, [*own, *alone]),
        decided=by(exact=exact),
        names={"gpt": ["people"]},
    )
    assert repeats == {}


@BOTH
@pytest.mark.parametrize("text", [TEXT, LIKE[0]])
def test_people_remove_what_may_not_remove_itself(tmp_path, text, exact):
    """Word for word and nearly; what is left of the source stays as often as it is there."""
    own = [row("a"), row("b"), row("c", TEXT + "!"), row("d", LIKE[1])]
    alone = [row("e", "something that is said twice"), row("f", "Something that is said twice!")]
    _, repeats = case(
        tmp_path,
        ("gpt", "synthetic", 0, [*own, *alone]),
        ("people", "human", 0, [row("h", text)]),
        ("other", "synthetic", 9, [row("o", LIKE[2]), row("p", "something that is said twice")]),
        decided=by(exact=exact),
        names={"gpt": ["people"]},
    )
    assert repeats.keys() == {"a", "b", "c", "d", "o"}
    for name in "ab":
        assert repeats[name] == ("h", EXACT if text == TEXT else NEAR)
    assert repeats["c"] == repeats["d"] == repeats["o"] == ("h", NEAR)


@BOTH
def test_a_source_that_nobody_but_evaluation_sets_removes(tmp_path, exact):
    _, repeats = case(
        tmp_path,
        ("gpt", "synthetic", 0, [row("a"), row("b"), row("c", LIKE[0]), row("x", "an item of it")]),
        ("people", "human", 0, [row("h"), row("i", LIKE[2])]),
        ("tests", "exclude", 0, [row("t", "An item, of it.")]),
        decided=by(exact=exact),
        names={"gpt": []},
    )
    assert repeats.keys() == {"i" if repeats.get("i") else "h", "x"}
    assert repeats["x"] == ("t", NEAR)
    assert {kept for kept, _ in repeats.values()} <= {"h", "i", "t"}


def test_equal_texts_of_restricted_sources_find_the_one_that_may_stand_for_them(tmp_path):
    """Remove each for another source only, and at most one of each pair."""
    _, repeats = case(
        tmp_path,
        ("one", "synthetic", 3, [row("a"), row("b")]),
        ("two", "synthetic", 2, [row("c"), row("d")]),
        ("three", "synthetic", 1, [row("e"), row("f")]),
        ("four", "synthetic", 0, [row("g"), row("h")]),
        names={"one": ["two"], "two": ["three"], "three": ["two"], "four": ["four"]},
    )
    kept = {kept for kept, _ in repeats.values()}
    assert repeats.keys() == {"e", "f", "h" if "g" in kept else "g"}
    assert {repeats[name][0] for name in "ef"} <= {"c", "d"}
    assert {stage for _, stage in repeats.values()} == {EXACT}


def test_a_partner_is_inherited_only_by_those_that_it_may_stand_for(tmp_path):
    """Keep `own`: what it repeats was removed for people, who may not stand for it."""
    _, repeats = case(
        tmp_path,
        ("people", "human", 0, [row("h", LIKE[0])]),
        ("gpt", "synthetic", 1, [row("a"), row("b")]),
        ("own", "synthetic", 0, [row("c"), row("d")]),
        names={"own": ["gpt"]},
    )
    assert repeats == dict.fromkeys("ab", ("h", NEAR))


def test_the_reference_can_be_left_as_it_is(tmp_path):
    rows = [row("r"), row("s"), row("u", LIKE[0])]
    _, repeats = case(tmp_path, ("y", "reference", 0, rows), names={"y": []})
    assert repeats == {}


def test_earlier_runs_stand_for_what_repeats_them(tmp_path):
    """Keep them, keep people in favour of synthetic text, and follow `removed_by` by name."""
    _, repeats = case(
        tmp_path,
        ("old-gpt", "synthetic", -9, [row("a"), row("b"), row("c", LIKE[0])]),
        ("old-people", "human", -9, [row("d", "what people said before this run was made")]),
        ("people", "human", 9, [row("h"), row("i", "What people said before this run was made.")]),
        ("gpt", "synthetic", 9, [row("x", LIKE[1]), row("y", TEXT)]),
        ("free", "synthetic", 9, [row("z")]),
        names={"free": ["old-people"]},
        runs={"old-gpt": "r1", "old-people": "r1"},
    )
    assert repeats.keys() == {"i", "x", "y"}
    assert repeats["i"] == ("d", NEAR)
    assert {repeats[name][0] for name in "xy"} <= {"a", "b", "c"}


# Answers to prompts.


def answer(name, prompt, text=TEXT, **columns):
    return row(name, text, prompt=prompt, **columns)


@BOTH
@pytest.mark.parametrize("n", [1, 2, 3, 9])
def test_so_many_answers_to_one_prompt_stay(tmp_path, n, exact):
    rows = [
        answer(f"{prompt}{i}", prompt, TEXT if i < 2 else LIKE[i - 2], score=9 - i)
        for prompt in ("p", "q")
        for i in range(5)
    ]
    decided = by(exact=exact, same_answers=n)
    _, repeats = case(tmp_path, ("g", "synthetic", 0, rows), decided=decided)
    assert repeats.keys() == {f"{prompt}{i}" for prompt in "pq" for i in range(n, 5)}
    assert all(kept[0] == name[0] for name, (kept, _) in repeats.items())
    different = [answer(str(i), str(i)) for i in range(20)]
    (tmp_path / "x").mkdir()
    _, repeats = case(tmp_path / "x", ("g", "synthetic", 0, different), decided=decided)
    assert repeats == {}


@BOTH
@pytest.mark.parametrize("text", [TEXT, LIKE[3]])
@pytest.mark.parametrize(("role", "prompt"), [("exclude", None), ("exclude", "z"), ("human", None)])
def test_what_has_no_prompt_removes_answers_to_any(tmp_path, role, prompt, text, exact):
    rows = [answer(f"{prompt}{i}", prompt, LIKE[i]) for prompt in ("p", "q") for i in range(2)]
    _, repeats = case(
        tmp_path,
        ("g", "synthetic", 0, rows),
        ("t", role, 0, [answer("t", prompt, text)]),
        ("u", "synthetic", 0, [row("u")]),
        decided=by(exact=exact, same_answers=5),
    )
    assert {name: kept for name, (kept, _) in repeats.items()} == dict.fromkeys(
        ["p0", "p1", "q0", "q1", "u"], "t"
    )


@pytest.mark.parametrize("text", [TEXT, LIKE[3]])
def test_what_earlier_runs_have_answered_is_not_answered_again(tmp_path, text):
    """Count the answers that an earlier run wrote; other prompts are not compared."""
    old = [answer("a", "p", text), answer("b", "p", text)]
    rows = [answer("c", "p"), answer("d", "p", TEXT + "!"), answer("e", "p", LIKE[1])]
    rows += [answer("f", "q"), answer("g", "q", LIKE[2])]
    _, repeats = case(
        tmp_path,
        ("old", "synthetic", 0, old),
        ("g", "synthetic", 0, rows),
        decided=by(same_answers=2),
        runs={"old": "r1"},
    )
    assert repeats.keys() == {"c", "d", "e"}


def test_without_the_limit_prompts_do_not_matter(tmp_path):
    rows = [answer(str(i), str(i)) for i in range(4)]
    _, repeats = case(tmp_path, ("g", "synthetic", 0, rows))
    assert len(repeats) == 3


def test_the_reference_without_prompts_meets_that_with_some(tmp_path):
    """Give them their own bands: they are none of the run's documents."""
    _, repeats = case(
        tmp_path,
        ("y", "reference", 0, [row("r", score=1), answer("s", "p"), answer("u", "q", LIKE[0])]),
        ("h", "human", 0, [answer("h", "p", LIKE[1])]),
        decided=by(same_answers=1),
    )
    assert repeats == {"s": ("r", EXACT), "u": ("r", NEAR)}


@BOTH
@pytest.mark.parametrize("run_", [None, "r1"])
def test_an_answer_that_repeats_what_is_fixed_goes_though_another_is_more_like_it(
    tmp_path, exact, run_
):
    """Compare it with the answer before it, which is kept and is the most similar."""
    words, other = [named(i) for i in range(120)], [named(1000 + i) for i in range(28)]
    item = " ".join(words)
    first = " ".join([*words[28:], *other])
    second = " ".join([*words[16:], *other[:16]])
    rows = [answer("a", "p", first, score=1), answer("b", "p", second)]
    rows += [answer("c", "p", second + "!")]
    _, repeats = case(
        tmp_path,
        ("t", "synthetic" if run_ else "exclude", 0, [answer("t", "p", item)]),
        ("g", "synthetic", 0, rows),
        decided=by(0.68, exact=exact, same_answers=5),
        runs={"t": run_},
    )
    assert repeats.keys() == {"b", "c"}


# The whole, on small corpora of any kind.


POOL = [
    ("tests", "exclude", None, None),
    ("people", "human", None, None),
    ("gpt", "synthetic", None, None),
    ("other", "synthetic", None, None),
    ("own", "synthetic", None, ("people", "tests")),
    ("self", "synthetic", None, ("self", "gpt")),
    ("none", "human", None, ()),
    ("yard", "reference", None, None),
    ("gpt", "synthetic", "old", None),
    ("people", "human", "old", ("gpt",)),
]


@st.composite
def small_corpora(draw):
    """Draw parties, and documents as (party, row, participates).

    Texts are windows of a few sentences, so there are chains, and all similarities.
    """
    kinds = draw(st.lists(st.sampled_from(POOL), min_size=1, max_size=5, unique=True))
    parties = [
        Party(source(name, role, "x", removed_by=names and list(names)), run)
        for name, role, run, names in kinds
    ]
    documents = []
    for number in range(draw(st.integers(1, 16))):
        base = draw(st.integers(0, 1))
        left, right = draw(st.integers(0, 5)), draw(st.integers(0, 3))
        words = [named(100 * base + i) for i in range(30)][left : 30 - 2 * right]
        text = " ".join(words) + draw(st.sampled_from(["", "", "\n", "!", " -5", " 5", " end"]))
        party = draw(st.integers(0, len(parties) - 1))
        made = {
            "id": str(number),
            "text": text,
            "score": draw(st.integers(0, 1)),
            "prompt": draw(st.sampled_from([None, "p", "q"])),
        }
        documents.append((party, made, parties[party].run is None or draw(st.booleans())))
    return parties, documents


def in_units(documents, size):
    """Make units of one source, and the mask of documents that participate."""
    units, part = [], []
    for number in range(max(party for party, *_ in documents) + 1):
        own = [(made, flag) for party, made, flag in documents if party == number]
        for at in range(0, len(own), size):
            units.append((number, [made for made, _ in own[at : at + size]]))
            part += [flag for _, flag in own[at : at + size]]
    return units, part


DECIDED = st.builds(
    by,
    st.sampled_from([0.5, 0.7, 0.8]),
    st.booleans(),
    same_answers=st.sampled_from([None, None, 1, 2, 3]),
)


def evaluation_texts_held(parties, units):
    """Make documents that say `end` hold the first evaluation text, if there is one."""
    documents = [(number, made["text"]) for number, rows in units for made in rows]
    roles = [parties[number].source.role for number, _ in documents]
    if "exclude" not in roles:
        return {}
    return {
        document: roles.index("exclude")
        for document, (number, text) in enumerate(documents)
        if text.endswith("end")
        and parties[number].run is None
        and roles[document] in ("human", "synthetic")
    }


@settings(max_examples=120)
@given(small_corpora(), DECIDED, st.booleans())
def test_any_small_corpus_is_decided_as_defined(drawn, decided, contained):
    parties, documents = drawn
    units, part = in_units(documents, 99)
    holds = evaluation_texts_held(parties, units) if contained else {}
    with tempfile.TemporaryDirectory() as folder:
        held(folder, parties, units, decided, part, holds)


@settings(max_examples=60)
@given(
    small_corpora(),
    DECIDED,
    st.randoms(use_true_random=False),
    st.integers(1, 4),
)
def test_neither_order_nor_units_matter(drawn, decided, random, size):
    parties, documents = drawn
    told = []
    for turn in range(2):
        units, part = in_units(documents, size if turn else 99)
        with tempfile.TemporaryDirectory() as folder:
            told.append(by_id(*held(folder, parties, units, decided, part, seed=turn)))
        random.shuffle(documents)
    assert told[0] == told[1]


def graded_units(seed=7, sources=2):
    rows = graded(seed, texts=30)
    return [(number, rows[number::sources]) for number in range(sources)]


def test_texts_of_one_template_are_compared_by_what_differs(tmp_path):
    """Leave the frame out by the boilerplate limit; repeats within it are removed."""
    frame = " ".join(named(i) for i in range(90))
    texts = [f"{frame} " + " ".join(named(1000 + 6 * i + k) for k in range(6)) for i in range(20)]
    rows = [row(str(i), text) for i, text in enumerate(texts)]
    rows += [row(f"{i}+", texts[i] + " too") for i in range(3)]
    for limit, kept in ((None, 1), (10, 20)):
        folder = tmp_path / str(limit)
        folder.mkdir()
        decided = by(0.8, exact=True, boilerplate=limit)
        sketches = HeldSketches([(0, rows)])
        rules = rules_of(sketches, [Party(source("g", "synthetic", "x"))], False)
        comparison = Comparison.of(order_columns(sketches), rules)
        verdicts, _ = in_one_bin(sketches, np.arange(len(rows)), comparison, decided)
        assert verdicts.kept.sum() == kept

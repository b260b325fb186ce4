"""Paraphrases: verdicts are those of the definition, for any units, partitions and bins."""

from dataclasses import replace

import numpy as np
import pytest

from outcross.transforms.dedup.agreement import STRICT_TOKENS
from outcross.transforms.dedup.decide import NEAR, SEMANTIC, Comparison, Paraphrases, Settings
from outcross.transforms.dedup.rules import Party
from outcross.transforms.sketches.store import fixed_matrix
from tests.support.columns import numbers
from tests.support.corpora import (
    NUM_PERM,
    HeldSketches,
    WholeReader,
    corpus_of,
    deduplicate,
    in_one_bin,
    order_columns,
    paragraphs,
    rules_of,
    source,
    verdicts_in,
)
from tests.support.dedup_definition import Definition

PARTIES = [
    Party(source("tests", "exclude", "x")),
    Party(source("people", "human", "x", priority=1)),
    Party(source("gpt", "synthetic", "x")),
    Party(source("own", "synthetic", "x", removed_by=["people"])),
    Party(source("yard", "reference", "x")),
    Party(source("gpt", "synthetic", "x"), "old"),
]
OTHER_WORDS = {"the": "this", "is": "was", "a": "one", "of": "for", "value": "values"}


def settings(cosine=0.95, **options):
    return Settings(0.8, True, 5, NUM_PERM, cosine=cosine, **options)


def documents(seed, texts=24, copies=8):
    """Draw documents as (party, row): sentences in other words and orders, for all parties."""
    rng = np.random.default_rng(seed)
    bases = [text.split()[:24] for text in paragraphs()]
    drawn = []
    for number in rng.choice(len(bases), texts, replace=False):
        for _ in range(int(rng.integers(1, copies))):
            words = list(bases[number])
            how = rng.integers(8)
            if how in (1, 6, 7):
                words[-1] = ["apple", "pear", "plum"][rng.integers(3)]
            if 1 < how < 6:
                words = [words[at] for at in rng.permutation(len(words))]
            if how == 3:
                words = [OTHER_WORDS.get(word, word) for word in words]
            if how == 4:
                words[0] = ["not", "-5", "5", "never"][rng.integers(4)]
            if how == 5:
                words = words * int(rng.integers(1, 12))
            row = {
                "id": f"d{len(drawn)}",
                "text": " ".join(words) + "\n" * int(rng.integers(2)),
                "score": int(rng.integers(2)),
                "prompt": [None, "p", "q"][rng.integers(3)],
            }
            drawn.append((int(rng.integers(len(PARTIES))), row))
    return [drawn[at] for at in rng.permutation(len(drawn))]


def saved(folder, drawn, size):
    """Write units of so many documents."""
    units = []
    for party in range(len(PARTIES)):
        rows = [row for number, row in drawn if number == party]
        units += [(party, rows[at : at + size]) for at in range(0, len(rows), size)]
    sketches = HeldSketches(units, WholeReader())
    folder.mkdir()
    sketches.save(folder)
    texts = [row["text"] for _, rows in units for row in rows]
    return sketches, texts


def judged(folder, drawn, decided, size=1000, **options):
    """Deduplicate; return the verdicts by id, the sketches, and the texts by number."""
    sketches, texts = saved(folder, drawn, size)
    corpus = corpus_of(sketches, PARTIES, decided.same_answers is not None)
    out = folder / "out"
    deduplicate(out, sketches, corpus, decided, **options)
    verdicts = verdicts_in(out, sketches, corpus.current)
    ids = [row for table in sketches.tables for row in table["id"].to_pylist()]
    answers = {
        ids[document]: (
            ids[partner] if partner >= 0 else None,
            int(verdicts.stage[document]),
            float(verdicts.similarity[document]),
            bool(verdicts.open[document]),
        )
        for document, partner in enumerate(verdicts.partner.tolist())
    }
    return answers, verdicts, sketches, texts


def defined(sketches, texts, decided):
    """Return the definition, all pairs by embeddings, and the comparison of all documents."""
    by_prompt = decided.same_answers is not None
    comparison = Comparison.of(order_columns(sketches), rules_of(sketches, PARTIES, by_prompt))
    definition = Definition(sketches, comparison, decided, texts)
    position, tokens = comparison.order.position, numbers(sketches, "tokens")
    parts = [fixed_matrix(table["embedding"], np.int8) for table in sketches.tables]
    vectors = np.concatenate(parts).astype(np.int64)
    compared = comparison.is_first & (tokens <= STRICT_TOKENS) & vectors.any(axis=1)
    pairs = []
    for child in np.flatnonzero(compared).tolist():
        for parent in np.flatnonzero(compared & (position < position[child])).tolist():
            squares = (vectors[[child, parent]] ** 2).sum(axis=1)
            cosine = np.float32(vectors[child] @ vectors[parent] / np.sqrt(squares.prod()))
            agree = definition.meanings.agreement(np.array([child]), np.array([parent]))[0] == 1
            if definition.may(parent, child) and agree and cosine >= np.float32(decided.cosine):
                pairs.append((child, parent, cosine))
                definition.before[child].add(parent)
    child, parent, cosine = (np.array(column) for column in zip(*pairs, strict=True))
    paraphrases = Paraphrases(child, parent, cosine.astype(np.float32))
    return definition, paraphrases, comparison


CONFIGURATIONS = [settings(), settings(0.8), settings(0.9, same_answers=2), settings(boilerplate=4)]


@pytest.mark.parametrize("number", range(len(CONFIGURATIONS)))
def test_neither_units_nor_partitions_nor_bins_matter(tmp_path, number):
    decided, drawn = CONFIGURATIONS[number], documents(number)
    answers, verdicts, sketches, texts = judged(
        tmp_path / "one", drawn, decided, bits=1, limit=1 << 40, lanes=1
    )
    assert {NEAR, SEMANTIC} <= {stage for _, stage, _, _ in answers.values()}
    for turn, (size, bits, limit) in enumerate([(7, 3, 1), (1000, 6, 400)]):
        folder = tmp_path / str(turn)
        again, counted, _, _ = judged(folder, drawn, decided, size, bits=bits, limit=limit)
        assert again == answers
        assert counted.counts == verdicts.counts
        drawn = drawn[::-1] if turn == 0 else drawn
    # All documents in one bin, with all pairs that there are, decide the same.
    definition, paraphrases, comparison = defined(sketches, texts, decided)
    everything = np.arange(len(texts))
    whole, _ = in_one_bin(sketches, everything, comparison, decided, paraphrases=paraphrases)
    for name in ("partner", "stage", "similarity"):
        count = len(verdicts.partner)
        assert getattr(whole, name)[:count].tolist() == getattr(verdicts, name).tolist()
    pairs = zip(paraphrases.child.tolist(), paraphrases.parent.tolist(), strict=True)
    by_pair = dict(zip(pairs, paraphrases.cosine, strict=True))
    for child in np.flatnonzero(whole.stage == SEMANTIC).tolist():
        first = int(comparison.order.document[comparison.first[child]])
        partner = int(whole.partner[child])
        assert whole.kept[partner]
        assert whole.similarity[child] == by_pair[first, partner]
    if number < 2 and not whole.open.any():  # the definition knows neither other setting
        removed = set(np.flatnonzero(~whole.kept).tolist())
        firsts = comparison.order.document[comparison.first]
        movable = comparison.order.position >= comparison.order.fixed
        expected = definition.removed() | set(np.flatnonzero((firsts != everything) & movable))
        assert removed == expected


def test_without_a_threshold_embeddings_decide_nothing(tmp_path):
    drawn = documents(1)
    without = replace(settings(), cosine=None)
    answers, verdicts, *_ = judged(tmp_path / "a", drawn, without)
    assert SEMANTIC not in {stage for _, stage, _, _ in answers.values()}
    assert "paraphrases" not in verdicts.counts


def test_cells_miss_few_pairs(tmp_path):
    """With a pivot for each two documents, cells are as small as they can be."""
    drawn = documents(5, texts=40)
    everything, *_ = judged(tmp_path / "one", drawn, settings())
    cells, *_ = judged(tmp_path / "many", drawn, settings(), size=9, pivots=2)
    again, *_ = judged(tmp_path / "again", drawn, settings(), size=30, bits=5, pivots=2)
    assert cells == again
    removed = [{name for name, (kept, *_) in run.items() if kept} for run in (everything, cells)]
    assert len(removed[0] - removed[1]) <= 0.1 * len(removed[0])
    assert SEMANTIC in {stage for _, stage, _, _ in cells.values()}


SENTENCES = [
    ("the pump in the cellar is broken", "in the cellar the pump is broken", True),
    ("the pump in the cellar is broken", "in the cellar the pump is not broken", False),
    ("it was -5 degrees in the cellar", "in the cellar it was 5 degrees", False),
    ("it was 5 degrees in the cellar", "in the cellar it was 5 degrees", True),
    ("it weighs 5 kg in the cellar", "in the cellar it weighs 5 g", False),
]


@pytest.mark.parametrize(("one", "other", "removed"), SENTENCES)
def test_numbers_signs_units_and_negations_must_agree(tmp_path, one, other, removed):
    drawn = [(2, {"id": name, "text": text}) for name, text in (("a", one), ("b", other))]
    answers, *_ = judged(tmp_path / "a", drawn, settings(0.8))
    assert (SEMANTIC in {stage for _, stage, _, _ in answers.values()}) == removed


def test_human_text_stays_and_evaluation_texts_remove(tmp_path):
    text, other = "the pump in the cellar is broken", "in the cellar the pump is broken"
    drawn = [(1, {"id": "human", "text": other}), (2, {"id": "synthetic", "text": text})]
    answers, *_ = judged(tmp_path / "a", drawn, settings())
    assert answers["human"][:2] == (None, 0)
    assert answers["synthetic"][:2] == ("human", SEMANTIC)
    drawn = [(0, {"id": "test", "text": text}), (1, {"id": "human", "text": other})]
    answers, *_ = judged(tmp_path / "b", drawn, settings())
    assert answers["human"][:2] == ("test", SEMANTIC)


def test_a_text_above_the_limit_of_words_takes_no_part(tmp_path):
    words = ["the", "pump", "in", "the", "cellar", "is", "broken", "again"]
    for repeated, removed in ((25, True), (26, False)):
        one, other = " ".join(words * repeated), " ".join(words[::-1] * repeated)
        drawn = [(2, {"id": name, "text": text}) for name, text in (("a", one), ("b", other))]
        answers, *_ = judged(tmp_path / str(repeated), drawn, settings())
        assert (SEMANTIC in {stage for _, stage, _, _ in answers.values()}) == removed


def test_a_text_that_was_not_read_to_the_end_takes_no_part(tmp_path):
    text, other = "cut the pump in the cellar is broken", "in the cellar the pump is broken cut"
    drawn = [(2, {"id": name, "text": words}) for name, words in (("a", text), ("b", other))]
    answers, *_ = judged(tmp_path / "a", drawn, settings())
    assert {stage for _, stage, _, _ in answers.values()} == {0}


def test_equal_texts_inherit_what_the_first_repeats(tmp_path):
    text, other = "the pump in the cellar is broken", "in the cellar the pump is broken"
    drawn = [
        (1, {"id": "human", "text": text}),
        (2, {"id": "a", "text": other}),
        (2, {"id": "b", "text": other}),
    ]
    answers, *_ = judged(tmp_path / "a", drawn, settings())
    assert answers["a"][:2] == answers["b"][:2] == ("human", SEMANTIC)
    assert answers["a"][2] == answers["b"][2]

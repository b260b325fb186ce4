import json
import subprocess
import sys
from collections import Counter, defaultdict
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from pathlib import Path
from pydoc_data.topics import topics as pages
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from outcross.transforms.text.words import split_words
from tests.support.commands import call_program

LOOP = Path(__file__).parents[2] / "benchmarks" / "loop"
sys.path.insert(0, str(LOOP))

import run as program  # noqa: E402
from arms import ARMS  # noqa: E402
from corpus import corpus, cut, labelled_sources  # noqa: E402
from curator import Curator, read  # noqa: E402
from documents import END, Documents, borders, joined, up_to  # noqa: E402
from evaluate import HeldOut, variety  # noqa: E402
from generator import KneserNey, train  # noqa: E402
from table import PAIRS, Experiment, Interval, differences, experiments, table  # noqa: E402
from world import Sizes, world  # noqa: E402

SIZES = Sizes(words=8000, test=12_000, reference=8000, topics=6, dimensions=12, clusters=10)


def documents(rows, topics=None):
    lengths = np.array([len(row) for row in rows], np.int64)
    tok = np.array([word for row in rows for word in row], np.int32)
    topic = np.zeros(len(rows)) if topics is None else np.array(topics)
    return Documents(tok, borders(lengths), topic.astype(np.int32))


@pytest.fixture(scope="module")
def reference_pages():
    return corpus(labelled_sources((text, name) for name, text in sorted(pages.items())), {})


@pytest.fixture(scope="module")
def small(reference_pages):
    return world(reference_pages, SIZES, 0, [800.0, 800.0], 8000.0)


@pytest.fixture(scope="module")
def first_model(small):
    return train(small.first, small.vocabulary, SIZES.topics, 0, "sharp")


# Kneser–Ney

VOCABULARY = 6
TOPICS = 2
WORDS = st.sampled_from([0, 2, 3, 4, 5])
TEXTS = st.lists(st.lists(WORDS, max_size=8).map(lambda row: [*row, END]), min_size=1, max_size=12)


def plain_probability(texts, topics, z, u, v, w):
    """Return the probability by its definition, counted with dictionaries."""
    trigrams = Counter()
    for text, topic in zip(texts, topics, strict=True):
        before = [END, END, *text]
        trigrams.update((topic, *before[i : i + 3]) for i in range(len(text)))
    topical = Counter((topic, right, word) for topic, _, right, word in trigrams)
    pairs = Counter((right, word) for _, right, word in topical)
    words = Counter(word for _, word in pairs)
    p = 1 / VOCABULARY
    orders = [(words, ()), (pairs, (v,)), (topical, (z, v)), (trigrams, (z, u, v))]
    for (counts, context), discount in zip(orders, (0.7, 0.8, 0.85, 0.85), strict=True):
        after = {key: count for key, count in counts.items() if seen_in(key, context)}
        if after:
            count = counts[(*context, w)] if context else counts[w]
            total = sum(after.values())
            p = (max(count - discount, 0) + discount * len(after) * p) / total
    return p


def seen_in(key, context):
    return not context or key[:-1] == context


@given(texts=TEXTS, data=st.data())
def test_probabilities_are_those_of_the_definition_and_sum_to_one(texts, data):
    topics = data.draw(st.lists(st.integers(0, 1), min_size=len(texts), max_size=len(texts)))
    model = train(documents(texts, topics), VOCABULARY, TOPICS, 0, "faithful")
    prefix = data.draw(st.lists(WORDS, min_size=1, max_size=4))
    z = data.draw(st.integers(0, 1))
    known = model.nll(documents([prefix], [z]))[0]
    longer = documents([[*prefix, w] for w in range(VOCABULARY)], [z] * VOCABULARY)
    probabilities = np.exp(known - model.nll(longer))
    assert probabilities.sum() == pytest.approx(1)
    u, v = [END, END, *prefix][-2:]
    expected = [plain_probability(texts, topics, z, u, v, w) for w in range(VOCABULARY)]
    assert probabilities == pytest.approx(expected)


def test_first_words_and_topics_have_probabilities_that_sum_to_one():
    model = train(documents([[2, 3, END], [4, END], [2, END]], [0, 1, 1]), 6, 2, 0, "faithful")
    words = documents([[w] for w in range(6)] * 2, [0] * 6 + [1] * 6)
    assert np.exp(-model.nll(words)).sum() == pytest.approx(1)
    shares = np.exp(-model.nll(words)).reshape(2, 6).sum(axis=1)
    assert shares == pytest.approx([1.1 / 3.2, 2.1 / 3.2])


def chain(n, seed):
    """Long documents of a Markov chain with rare ends."""
    rng = np.random.default_rng(seed)
    step = rng.dirichlet(np.full(6, 0.6), size=8)
    rows = []
    for _ in range(n):
        row = [2]
        while len(row) < 120 and rng.random() > 0.02:
            row.append(2 + int(rng.choice(6, p=step[row[-1]])))
        rows.append([*row, END])
    return documents(rows)


def test_samples_of_the_faithful_regime_follow_the_models_probabilities():
    model = train(chain(80, 1), 8, 1, 0, "faithful")
    sample = model.sample(250_000, 5)
    after = defaultdict(Counter)
    # Short documents are left out, so that only what comes later is as the model has it.
    for start, end in zip(sample.off[:-1], sample.off[1:], strict=True):
        row = sample.tok[start : min(end, start + 129)]
        for i in range(12, len(row)):
            after[int(row[i - 2]), int(row[i - 1])][int(row[i])] += 1
    frequent = [(context, counts) for context, counts in after.items() if counts.total() > 5000]
    assert len(frequent) > 5
    for (u, v), counts in frequent:
        known = model.nll(documents([[2, 3, u, v]]))[0]
        p = np.exp(known - model.nll(documents([[2, 3, u, v, w] for w in range(8)])))
        seen = np.array([counts[w] for w in range(8)]) / counts.total()
        assert np.abs(seen - p).sum() / 2 < 0.03


def test_samples_are_whole_documents_and_the_same_for_a_seed(first_model, small):
    sample = first_model.sample(20_000, 3)
    assert 20_000 <= len(sample.tok) < 20_130
    assert sample.lengths.min() >= 12
    assert sample.lengths.max() <= 130
    assert (sample.tok[sample.off[1:] - 1] == END).all()
    assert (sample.tok == END).sum() == sample.n
    again, other = first_model.sample(20_000, 3), first_model.sample(20_000, 4)
    assert (again.tok == sample.tok).all()
    assert (again.topic == sample.topic).all()
    assert other.n != sample.n or (other.topic != sample.topic).any()


def test_a_model_that_is_asked_samples_topics_as_asked(first_model):
    asked = np.zeros(SIZES.topics)
    asked[[1, 4]] = 3.0, 1.0
    sample = first_model.sample(20_000, 3, asked)
    share = np.bincount(sample.topic, minlength=SIZES.topics) / sample.n
    assert share == pytest.approx(asked / 4, abs=0.06)


def test_a_sharp_regime_is_narrower_than_a_faithful_one(small, first_model):
    faithful = train(small.first, small.vocabulary, SIZES.topics, 0, "faithful")
    narrow, wide = (m.sample(20_000, 1) for m in (first_model, faithful))
    lost, kept = (variety(sample, small.vocabulary).distinct_3 for sample in (narrow, wide))
    assert lost < 0.8 * kept
    lost, kept = (faithful.nll(sample).sum() / len(sample.tok) for sample in (narrow, wide))
    assert lost < 0.7 * kept


# The corpus and its parts


@given(st.lists(st.text(alphabet="ab .!?\n1{", max_size=400), max_size=8))
def test_cutting_keeps_all_words_in_their_order(paragraphs):
    documents_cut = list(cut(paragraphs))
    words = " ".join(" ".join(document) for document in documents_cut).split()
    expected = [c for part in paragraphs for c in part.replace("{", " ")]
    kept = "".join(words).replace("<num>", "1")
    assert kept.count("!") == expected.count("!")
    assert kept.count("a") == expected.count("a")
    assert all(len(document) <= 130 for document in documents_cut)


def test_a_corpus_has_no_text_twice_and_keeps_to_its_caps():
    text = "\n\n".join(f"{'xyz'[i % 3] * (i % 20 + 1)} {'word ' * 45}" for i in range(90))
    capped = corpus(labelled_sources([(text, "one"), (text, "two")]), {"one": 0.3})
    assert capped.domains == ("one",)  # the other one has nothing of its own
    assert 300 <= len(capped.tok) < 300 + 131
    uncapped = corpus(labelled_sources([(text, "one")]), {})
    assert len(uncapped.off) - 1 == 60


def rows_of(part):
    ends = zip(part.off[:-1], part.off[1:], strict=True)
    return Counter(tuple(part.tok[start:end].tolist()) for start, end in ends)


def test_parts_of_a_world_are_disjoint_and_as_large_as_asked(small, reference_pages):
    parts = [small.test, small.first, small.reference, small.extra, *small.fresh, small.rest]
    pages_together = Documents(reference_pages.tok, reference_pages.off, reference_pages.domain)
    assert sum(map(rows_of, parts), Counter()) == rows_of(pages_together)
    assert len(small.test.tok) == pytest.approx(SIZES.test, abs=131)
    assert small.counted(small.first).sum() == pytest.approx(SIZES.words, abs=131)
    assert small.counted(small.fresh[1]).sum() == pytest.approx(800, abs=131)
    assert len(small.test_domain) == small.test.n


def test_a_world_is_the_same_for_a_seed_whatever_is_bought(small, reference_pages):
    again = world(reference_pages, SIZES, 0, [400.0], 1000.0)
    for part in ("test", "first", "reference", "extra"):
        assert (getattr(again, part).tok == getattr(small, part).tok).all()
        assert (getattr(again, part).topic == getattr(small, part).topic).all()
    other = world(reference_pages, SIZES, 1, [400.0], 1000.0)
    assert other.test.n != small.test.n or (other.test.tok[:99] != small.test.tok[:99]).any()


def test_a_corpus_that_is_too_small_is_refused(reference_pages):
    with pytest.raises(ValueError, match="words of human text alone are needed"):
        world(reference_pages, SIZES, 0, [800.0], 1e6)
    with pytest.raises(ValueError, match="but the documents have"):
        world(reference_pages, SIZES, 0, [1e6], 800.0)


def test_text_becomes_the_same_tokens_again_and_words_are_counted_as_the_product_does(small):
    texts = small.texts(small.test)
    again = small.parse(texts, small.test.topic)
    assert (again.tok == small.test.tok).all()
    assert (again.off == small.test.off).all()
    counted = small.counted(small.test)
    assert (counted == np.diff(split_words(pa.array(texts)).offsets)).all()


def test_human_text_alone_begins_anew_where_it_ends(small):
    parts = [small.ceiling(generation, 5000) for generation in range(1, 9)]
    for part in parts:
        assert small.counted(part).sum() == pytest.approx(5000, abs=131)
        assert max(rows_of(part).values()) == 1
    assert (rows_of(parts[0]) & rows_of(parts[1])).total() <= 1  # on the border


@given(arrays(np.int64, st.integers(1, 20), elements=st.integers(1, 50)), st.floats(0, 500))
def test_as_many_documents_are_taken_as_come_nearest(sizes, total):
    if total > sizes.sum() + sizes.max():
        with pytest.raises(ValueError, match="are needed"):
            up_to(sizes, total)
        return
    ends = [sizes[:n].sum() for n in range(len(sizes) + 1)]
    assert abs(ends[up_to(sizes, total)] - total) == min(abs(end - total) for end in ends)


# Figures


def test_human_text_measures_as_human_text(small, first_model):
    held_out = HeldOut.fit(small, first_model, 0)
    width = held_out.width(small.extra)
    assert width["distinct_3"] == width["vocabulary"] == 1
    assert width["coverage"] == pytest.approx(1, abs=0.1)
    assert width["effective_clusters"] == pytest.approx(1, abs=0.15)
    assert 0 <= width["js"] < 0.05
    itself = held_out.width(joined([small.test, small.extra]))
    assert itself["coverage"] == 1
    assert itself["js"] < width["js"]


def test_a_single_topic_measures_as_narrow_and_predicts_the_others_badly(small, first_model):
    held_out = HeldOut.fit(small, first_model, 0)
    topic = np.bincount(small.first.topic).argmax()
    rows = np.flatnonzero(small.first.topic == topic)
    narrow = small.first.take(np.resize(rows, small.first.n))
    width, human = held_out.width(narrow), held_out.width(small.extra)
    for name in ("effective_clusters", "distinct_3", "vocabulary"):
        assert width[name] < 0.8 * human[name]
    assert width["coverage"] < human["coverage"]
    assert width["js"] > human["js"] + 0.1
    model = train(narrow, small.vocabulary, SIZES.topics, 0, "sharp")
    ours, first = held_out.loss(model), held_out.loss(first_model)
    assert all(ours[name] > 1.2 * first[name] for name in first)
    assert first["hardest"] > 1.5 * first["perplexity"]


# Controls


def test_a_plain_ledger_draws_evenly_on_what_was_bought_up_to_the_share(small, tmp_path):
    curator = Curator(ARMS["naive+ledger.4"], small, 0, tmp_path / "own", tmp_path)
    seen = small.extra.take([])
    candidates = small.first
    for generation, (fresh, share) in enumerate(zip(small.fresh, (0.4, 0.4), strict=True), 1):
        mix = curator.mix(generation, candidates, fresh, 2000.0)
        assert small.counted(mix.documents).sum() == pytest.approx(2000, abs=131)
        bought = rows_of(fresh) + rows_of(seen)
        human = rows_of(mix.documents) & bought
        assert rows_of(fresh) <= human
        assert (
            human.total()
            == mix.documents.n - (rows_of(mix.documents) & rows_of(candidates)).total()
        )
        assert mix.human_share == pytest.approx(share, abs=0.05)
        seen = joined([seen, fresh])
    assert rows_of(mix.documents).most_common(1)[0][1] == 1


def test_pieces_of_a_sample_are_a_document_each_or_one_again(small, tmp_path):
    texts = small.texts(small.first.take([0, 1, 2, 3]))
    cuts = [("a", 1, texts[0]), ("a", 2, texts[1]), ("b", 1, texts[2]), (None, 1, texts[3])]
    rows = [
        {
            "text": text,
            "topic": topic,
            "outcross": {
                "id": name or "h",
                "source": "synthetic" if name else "human",
                "role": "synthetic" if name else "human",
                "copy": 1,
                "piece": number,
            },
        }
        for topic, (name, number, text) in enumerate(cuts)
    ]
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data" / "x.parquet")
    pieces, human = read(tmp_path, small)
    assert (small.texts(pieces), pieces.topic.tolist()) == (texts[:3], [0, 1, 2])
    whole, again = read(tmp_path, small, join=True)
    assert small.texts(whole) == [f"{texts[0]} {texts[1]}", texts[2]]
    assert whole.topic.tolist() == [0, 2]
    assert small.texts(again) == small.texts(human) == texts[3:]


def test_to_replace_is_to_take_nothing_human(small, tmp_path):
    curator = Curator(ARMS["replace"], small, 0, tmp_path / "own", tmp_path)
    mix = curator.mix(1, small.first, small.fresh[0], 2000.0)
    assert mix.human_share == 0
    assert rows_of(mix.documents) <= rows_of(small.first)


# Tables

FIGURES = ("median", "rare_domains", "hardest", "coverage", "effective_clusters")


def result(arm, seed, perplexity, generation=2, **settings):
    fixed = {"world": "w", "generator": "kn", "regime": "sharp", "fresh": 0.1, "generations": 2}
    fixed |= {"growth": 1.0, "candidates": 4.5, "human_share": 0.25}
    figures = dict.fromkeys((*FIGURES, "rare_words", "distinct_3"), 0.5)
    line = {"arm": arm, "seed": seed, "generation": generation, "perplexity": perplexity}
    return {**fixed, **figures, **line, **settings}


def test_intervals_are_those_of_student():
    results = Interval.of([0.1, 0.2, 0.3])
    assert results.mean == pytest.approx(0.2)
    assert results.half == pytest.approx(4.30265 * 0.1 / 3**0.5, rel=1e-5)
    assert results.percent() == "+20.0 ± 24.8 %"
    assert Interval.of([0.5]).percent() == "+50.0 %"


def test_a_table_pairs_seeds_and_the_last_of_equal_lines_holds():
    lines = [result("ceiling", seed, 100 * (seed + 1)) for seed in range(3)]
    lines += [result("naive", 0, 999), result("residual", 0, 105)]
    lines += [result("naive", seed, 100 * (seed + 1) * (1.1 + seed / 10)) for seed in range(3)]
    lines += [result("naive", 0, 777, generation=1), result("naive", 0, 555, regime="mid")]
    results = experiments(lines)
    assert len(results) == 2
    rows = list(table(next(iter(results.values())), 2))
    cells = {row.split(" | ")[0].strip("| "): row.strip("| ").split(" | ") for row in rows}
    assert cells["naive"][1:5] == ["3", "0.25", "247", "+20.0 ± 24.8 %"]
    assert cells["residual"][1:5] == ["1", "0.25", "105", "+5.0 %"]
    pairs = list(differences(next(iter(results.values())), 2, PAIRS))
    assert [row.split(" | ")[:3] for row in pairs[2:]] == [["| residual", "naive", "-4.5 %"]]


def test_pairs_and_tables_speak_of_arms_that_there_are():
    assert {arm for pair in PAIRS for arm in pair} <= set(ARMS)
    assert Experiment([]).arms == []


# The loop itself, small: Python's own documentation, and the command

RECURSIVE = ("ceiling", "replace", "naive", "residual", "residual+ledger.4")
STEERED = "residual+ledger.4+steered"
GENERATIONS = 2


class SameProcess(Executor):
    """Executor that calls a function where it is submitted."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def asked(folder, *options):
    """Return the benchmark's arguments."""
    given = ["--world", "python", "--seeds", 0, *options]
    given += ["--work", folder / "work", "--out", folder / "results.jsonl"]
    return [*map(str, given)]


def run(folder, *options):
    """Call the benchmark and its commands in this process."""
    with patch.object(program, "ProcessPoolExecutor", lambda jobs, mp_context: SameProcess()):
        done = call_program(program.main, "run.py", *asked(folder, *options))
    assert done.returncode == 0, done.stderr
    return done.stdout


def start(folder, *options):
    """Start the benchmark with a process for each core, as users do."""
    line = [sys.executable, str(LOOP / "run.py"), *asked(folder, *options)]
    done = subprocess.run(line, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Looped:
    """Results of the loop, and the topic shares that generators were asked for."""

    folder: Path
    asked: list[np.ndarray]


@pytest.fixture(scope="module")
def looped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loop")
    shares, sample = [], KneserNey.sample

    def noted(model, tokens, seed, topics=None):
        if topics is not None:
            shares.append(topics)
        return sample(model, tokens, seed, topics)

    # Half of the rounds of selection tell as much here.
    few = {name: replace(ARMS[name], rounds=4) for name in (*RECURSIVE, STEERED)}
    with patch.object(KneserNey, "sample", noted), patch.dict(ARMS, few):
        run(folder, "--generations", GENERATIONS, "--arms", *RECURSIVE, STEERED, "human.1")
    return Looped(folder, shares)


def results_of(folder):
    lines = (folder / "results.jsonl").read_text().splitlines()
    return {(row["arm"], row["generation"]): row for row in map(json.loads, lines)}


def test_every_arm_has_a_line_for_every_generation(looped):
    results = results_of(looped.folder)
    arms = (*RECURSIVE, STEERED)
    expected = {(arm, generation) for arm in arms for generation in range(GENERATIONS + 1)}
    assert results.keys() == expected | {("human.1", GENERATIONS)}
    for (arm, generation), row in results.items():
        size = 800 if arm == "human.1" else 8000
        assert row["words"] == pytest.approx(size, abs=150)
        mixed = {"replace": 0, "naive": 0.1, "residual": 0.1}
        mixed |= dict.fromkeys(("residual+ledger.4", STEERED), 0.1 * generation)
        share = mixed.get(arm, 1) if generation else 1
        assert row["human_share"] == pytest.approx(share, abs=0.02)


def test_a_generator_that_learns_from_itself_alone_narrows(tmp_path):
    start(tmp_path, "--generations", 10, "--fresh", 0.01, "--arms", "replace", "ceiling")
    results = results_of(tmp_path)
    losses = [results["replace", generation]["perplexity"] for generation in range(11)]
    assert losses == sorted(losses)
    assert losses[10] > 2 * results["ceiling", 10]["perplexity"]
    for name in ("coverage", "effective_clusters", "distinct_3", "rare_words", "vocabulary"):
        assert results["replace", 10][name] < results["replace", 0][name]


def test_mixing_and_curating_each_narrow_less(looped):
    results = results_of(looped.folder)
    losses = {
        arm: sum(results[arm, generation]["perplexity"] for generation in (1, 2)) / 2
        for arm in RECURSIVE
    }
    # So small a loop can't tell a ledger's gain from chance in two generations.
    remembering, curating = losses["residual+ledger.4"], losses["residual"]
    assert losses["ceiling"] < min(remembering, curating)
    assert max(remembering, curating) < 0.98 * losses["naive"]
    assert losses["naive"] < 0.95 * losses["replace"]
    replaced, alone = (results[arm, GENERATIONS] for arm in ("replace", "human.1"))
    assert replaced["perplexity"] < alone["perplexity"]


def test_a_steered_generator_writes_what_the_command_asks_for(looped):
    assert len(looped.asked) == GENERATIONS
    for shares in looped.asked:
        assert shares.shape == (8,)
        assert (shares > 0).sum() > 4


def test_what_is_finished_is_not_done_again_and_nothing_is_left_behind(looped):
    before = (looped.folder / "results.jsonl").read_text()
    assert run(looped.folder, "--generations", GENERATIONS, "--arms", *RECURSIVE) == ""
    assert (looped.folder / "results.jsonl").read_text() == before
    (folder,) = (looped.folder / "work").glob("python-0-*")
    remaining = {path.name for path in folder.iterdir()}
    assert remaining == {"reference", "reference.jsonl", "lock"}

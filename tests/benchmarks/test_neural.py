import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "loop"))

import neural
from documents import END, LONGEST, SHORTEST, Documents, borders, joined
from neural import REGIMES, TRIES, Draw, Recipe, Regime, Symbols, nucleus_draws, train
from recurrent import Batch, Network

WORDS, TOPICS = 900, 2
KNOWN = 400  # words that the language has; the vocabulary has more


def documents_of(*texts: list[int], topics: list[int] | None = None) -> Documents:
    return Documents(
        np.concatenate([np.array(text, np.int32) for text in texts]),
        borders(np.array([len(text) for text in texts])),
        np.array(topics or [0] * len(texts), np.int32),
    )


def language(count: int, seed: int) -> Documents:
    """Zipf's words, the second half of a pair set by the first; a topic has words of its own."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, KNOWN // 2)
    texts, topics = [], []
    for _ in range(count):
        topic = int(rng.random() < 0.25)
        pairs = int(rng.integers(8, 16))
        a = rng.choice(len(share), pairs, p=share / share.sum())
        first = 2 + 2 * ((a + 60 * topic) % len(share))
        texts.append([*np.stack([first, first + 1], 1).ravel().tolist(), END])
        topics.append(topic)
    return documents_of(*texts, topics=topics)


LEARNED = language(500, 0)
FRESH = language(300, 1)


@pytest.fixture(scope="module")
def models():
    """Train once: a regime decides how a model is sampled, not what it learns."""
    sharp = train(LEARNED, WORDS, TOPICS, 0, "sharp")
    return {"sharp": sharp, "faithful": replace(sharp, regime=REGIMES["faithful"])}


def every_word_after(prefix: list[int], topic: int, words: int) -> Documents:
    return documents_of(*[[*prefix, w] for w in range(words)], topics=[topic] * words)


@pytest.mark.parametrize("prefix", [[], [2], [5, 4, 899], [2, 3, 4, 5, 300]])
def test_probabilities_of_all_words_sum_to_one(models, prefix):
    model = models["faithful"]
    before = model.surprisal(documents_of(prefix, topics=[1]))[0] if prefix else 0.0
    nats = model.surprisal(every_word_after(prefix, 1, WORDS)) - before
    assert np.exp(-nats).sum() == pytest.approx(1, abs=2e-5)
    assert (np.exp(-nats) > 0).all()


def test_they_do_where_training_saw_every_word():
    texts = [[2, 3, 4, 5, 2, 3, END], [4, 5, 2, 3, END], [2, 5, 5, END], [6, 0, 7, 6, 2, END]]
    texts += [[*text[:-1], 0, 6, 7, END] for text in texts]
    model = train(documents_of(*texts), 8, 1, 0, "faithful")
    nats = model.surprisal(every_word_after([], 0, 8))
    assert np.exp(-nats).sum() == pytest.approx(1, abs=2e-5)


def test_it_learns_words_pairs_and_topics(models):
    model = models["faithful"]
    per_token = model.surprisal(FRESH).sum() / len(FRESH.tok)
    counts = np.bincount(LEARNED.tok, minlength=WORDS) + 0.1
    unigram = -np.log(counts / counts.sum())[FRESH.tok].mean()
    assert per_token < 0.65 * unigram
    other = Documents(FRESH.tok, FRESH.off, 1 - FRESH.topic)
    assert model.surprisal(other).sum() > 1.05 * model.surprisal(FRESH).sum()
    share = np.bincount(LEARNED.topic) / LEARNED.n
    topical = model.nll(FRESH) - model.surprisal(FRESH)
    assert topical == pytest.approx(-np.log(share[FRESH.topic]), abs=1e-3)


def test_what_is_unseen_gets_the_mass_that_it_has_elsewhere():
    rng = np.random.default_rng(5)
    share = 1 / np.arange(1, 2001) ** 0.9
    words = rng.choice(2000, (400, 24), p=share / share.sum()) + 2
    all_texts = documents_of(*[[*row, END] for row in words.tolist()])
    model = train(all_texts.take(np.arange(200)), 2002, 1, 0, "faithful")
    seen = np.unique(all_texts.take(np.arange(200)).tok)
    fresh = all_texts.take(np.arange(200, 400))
    met = (~np.isin(fresh.tok, seen)).sum() / len(fresh.tok)
    # what it expects, on the average place of fresh text
    batch = Batch.of(fresh, np.arange(fresh.n))
    symbols, network = model.symbols, model.network
    out = network.scores(network.outputs(batch, symbols.of[batch.read], fresh.topic[batch.row]))
    expected = np.exp(out[:, -1]).mean()
    assert met > 0.05
    assert expected == pytest.approx(met, rel=0.3)


def test_likelihood_is_the_documents_own(models):
    model = models["sharp"]
    all_texts = model.nll(FRESH)
    order = np.random.default_rng(2).permutation(FRESH.n)[:37]
    assert model.nll(FRESH.take(order)) == pytest.approx(all_texts[order], rel=1e-5)


def test_a_seed_decides_everything(monkeypatch):
    monkeypatch.setattr(neural, "RECIPE", Recipe(updates=40, warm=10))
    some = LEARNED.take(np.arange(160))
    sharp, again, faithful, other = (
        train(some, WORDS, TOPICS, seed, regime)
        for seed, regime in ((0, "sharp"), (0, "sharp"), (0, "faithful"), (1, "sharp"))
    )
    assert again.nll(FRESH).tobytes() == sharp.nll(FRESH).tobytes()
    assert (again.nll(FRESH) == faithful.nll(FRESH)).all()
    assert (faithful.regime, sharp.regime) == (REGIMES["faithful"], REGIMES["sharp"])
    assert (other.nll(FRESH) != again.nll(FRESH)).any()
    samples = [m.sample(5000, s) for m, s in ((again, 3), (sharp, 3), (again, 4))]
    one, same, unlike = (sample.tok.tobytes() for sample in samples)
    assert one == same
    assert one != unlike


@pytest.mark.parametrize("regime", ["sharp", "faithful"])
def test_samples_are_documents(models, regime):
    some = models[regime].sample(20_000, 1)
    assert (some.tok.dtype, some.off.dtype, some.topic.dtype) == (np.int32, np.int64, np.int32)
    assert some.off[-2] < 20_000 <= some.off[-1] == len(some.tok)
    assert some.lengths.min() >= SHORTEST
    assert some.lengths.max() <= LONGEST
    assert (some.tok[some.off[1:] - 1] == END).all()
    assert (some.tok == END).sum() == some.n
    assert np.isin(some.tok, LEARNED.tok).all()


def test_a_faithful_sample_is_like_what_was_learned_and_a_sharp_one_narrower(models):
    human, faithful, sharp = (
        LEARNED,
        models["faithful"].sample(20_000, 1),
        replace(models["faithful"], regime=Regime(0.8, 0.95, 1.25)).sample(20_000, 1),
    )
    shares = [np.bincount(d.tok, minlength=WORDS) / len(d.tok) for d in (human, faithful, sharp)]
    assert np.abs(shares[0] - shares[1]).sum() / 2 < 0.15
    entropy = [-(s[s > 0] * np.log(s[s > 0])).sum() for s in shares]
    assert entropy[1] == pytest.approx(entropy[0], rel=0.05)
    assert entropy[2] < entropy[1] - 0.2
    assert faithful.lengths.mean() == pytest.approx(human.lengths.mean(), rel=0.2)
    topical = [d.topic.mean() for d in (human, faithful, sharp)]
    assert topical[1] == pytest.approx(topical[0], abs=0.06)
    assert topical[2] < topical[1]


weights = st.lists(st.integers(1, 60), min_size=1, max_size=12)


@given(weights, st.sampled_from([0.5, 0.9, 0.95, 1.0]))
def test_draws_are_those_of_the_nucleus(mass, nucleus):
    p = np.array(mass, np.float64) / sum(mass)
    likelier = np.array([p[p > q].sum() for q in p])
    inside = np.flatnonzero(likelier < nucleus - 1e-6)
    border = np.flatnonzero(np.abs(likelier - nucleus) <= 1e-6)  # either way is right
    uniform = np.random.default_rng(0).random((400, TRIES + 1))
    rows = np.repeat(p[None].astype(np.float32), 400, axis=0)
    drawn = nucleus_draws(rows, np.ones(len(p), np.float32), uniform, nucleus)
    assert np.isin(drawn, [*inside, *border]).all()
    if not len(border):
        share = np.bincount(drawn, minlength=len(p)) / 400
        expected = np.where(likelier < nucleus, p, 0) / p[inside].sum()
        assert np.abs(share - expected).max() < 0.12


def test_temperature_is_that_of_words_not_of_symbols():
    """Two words of one symbol are as likely as if they had symbols of their own."""
    texts = [[2, 2, 2, 2, 3, END], [2, 2, 2, 4, 4, END], [2, 2, 2, 5, 5, 5, END]]
    symbols = Symbols.fit(documents_of(*texts), 7, 800)
    draw = Draw.of(symbols, Regime(0.8, 0.95, 1.0))
    unigram = np.log(symbols.frequency).astype(np.float32)
    words = draw.words(np.repeat(unigram[None], 60_000, axis=0), np.random.default_rng(0))
    # words 3, 4, 5 stand 1, 2, 3 times in one document each; word 6 is unseen
    one = np.exp(np.log(symbols.frequency)[symbols.trained]) * symbols.written
    expected = one ** (1 / 0.8)
    expected /= expected.sum()
    rarest = one == one[one > 0].min()
    assert rarest[3]
    assert np.bincount(words, minlength=7) / 60_000 == pytest.approx(expected, abs=0.01)


def test_a_class_is_in_the_nucleus_as_its_words_are():
    mass, best = [0.3, 0.2, 0.5], [1, 1, 0.001]  # the last is of a thousand words
    rows = np.repeat(np.array([mass], np.float32), 400, axis=0)
    uniform = np.random.default_rng(0).random((400, TRIES + 1))
    for nucleus, inside in ((0.25, {0}), (0.45, {0, 1}), (0.55, {0, 1, 2})):
        assert {*nucleus_draws(rows, np.array(best, np.float32), uniform, nucleus)} == inside


def test_copies_of_a_document_are_held_out_together(monkeypatch):
    sides = []
    monkeypatch.setattr(neural, "learn", lambda _model, *parts: sides.append(parts[:2]))
    one, two = (
        train(d, WORDS, TOPICS, 0, "faithful").symbols for d in (LEARNED, joined([LEARNED] * 2))
    )
    assert (one.of == two.of).all()
    assert (one.written == two.written).all()
    learned, held_out = (
        {side.take([row]).tok.tobytes() for row in range(side.n)} for side in sides[1]
    )
    assert held_out
    assert not learned & held_out
    assert sides[1][0].n == 2 * sides[0][0].n


def test_the_gradient_is_the_slope():
    rng = np.random.default_rng(1)
    texts = [rng.integers(0, 9, n).tolist() for n in (5, 3, 7, 3)]
    documents = documents_of(*texts, topics=[0, 1, 1, 0])
    network = Network(9, 4, 2, 3, 5)
    network.flat = rng.normal(0, 0.5, len(network.flat))  # float64: slopes by differences
    network.weights = network.views(network.flat)
    batch = Batch.of(documents, np.arange(4))
    keep = [rng.integers(0, 2, (4, 3)) * 2.0 for _ in range(2)]
    given_ = batch, batch.read, batch.due, documents.topic[batch.row], *keep
    nats, gradient = network.loss(*given_)
    slope = np.empty_like(gradient)
    for i in range(len(slope)):
        before = network.flat[i]
        ends = []
        for d in (1e-5, -1e-5):
            network.flat[i] = before + d
            ends.append(network.loss(*given_)[0])
        network.flat[i] = before
        slope[i] = (ends[0] - ends[1]) / 2e-5
    assert gradient == pytest.approx(slope, abs=1e-6)
    all_texts = np.ones((4, 3))
    nats = network.loss(*given_[:4], all_texts, all_texts)[0]
    out = network.outputs(*given_[:2], given_[3])
    assert network.nats(out, batch.due).sum() == pytest.approx(nats)
    at = np.arange(len(out)), batch.due
    assert -network.scores(out)[at].sum() == pytest.approx(nats)


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match="word 899 at place 2 is not below 899"):
        train(documents_of([2, 3, 899, END]), 899, 1, 0, "sharp")
    with pytest.raises(ValueError, match="topic 2 at place 1 is not below 2"):
        train(documents_of([2, END], [3, END], topics=[0, 2]), 9, 2, 0, "sharp")
    with pytest.raises(ValueError, match="1 distinct documents"):
        train(documents_of(*[[2, 3, END]] * 5), 9, 1, 0, "sharp")
    short = documents_of(*[[2 + i % 3, END] for i in range(40)], topics=[i % 2 for i in range(40)])
    with pytest.raises(RuntimeError, match=f"has {SHORTEST} tokens"):
        train(short, 9, 2, 0, "sharp").sample(100, 0)

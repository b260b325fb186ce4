from collections import Counter
from hashlib import blake2b
from itertools import pairwise, product
from pydoc_data.topics import topics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kneser_ney import Document, KneserNey, join, tokenize
from numpy.typing import NDArray
from pydoc_corpus import cut_into_paragraphs

WORDS = st.sampled_from(["a", "b", "c", "d", "."])
DOCUMENTS = st.lists(
    st.builds(
        Document, st.lists(WORDS, min_size=1, max_size=8).map(" ".join), st.sampled_from("xyz")
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def pages() -> list[Document]:
    return [
        Document(text, name)
        for name in sorted(topics)
        for _, text in cut_into_paragraphs(name, topics[name])
    ]


def variety(documents: list[Document]) -> NDArray[np.int64]:
    """Count distinct words, bigrams and topics in 30,000 tokens, sampled by hash."""
    shuffled = sorted(documents, key=lambda document: blake2b(document.text.encode()).digest())
    tokens = [token for text, _ in shuffled for token in [*tokenize(text), ""]][:30_000]
    assert len(tokens) == 30_000
    kinds = set(tokens), set(pairwise(tokens)), {topic for _, topic in documents}
    return np.array([len(kind) for kind in kinds])


def test_tokens_keep_case_signs_and_spaces():
    text = 'Use "a.b(*args)", then café—or  «None».'
    assert join(tokenize(text)) == " ".join(text.split())
    assert tokenize("It's f(x)") == ["It", "'", "s", " f", "(", "x", ")"]
    assert join([" time", "out", " of", ".", "x"]) == "time out of.x"


@settings(deadline=None)
@given(DOCUMENTS, st.floats(0, 1))
def test_probabilities_sum_to_one_after_every_history(documents: list[Document], sharpness: float):
    model = KneserNey.fit(documents)
    for u, v, topic in product(model.words, model.words, model.topics):
        p = model.probabilities(u, v, topic, sharpness)
        assert p.min() >= 0
        assert p.sum() == pytest.approx(1)


def direct(documents: list[Document], topic: str, u: str, v: str, w: str) -> float:
    """Return the probability by the textbook's recursion over sets and counters, D = .8."""
    grams: Counter[tuple[str, ...]] = Counter()
    for text, z in documents:
        tokens = ["", "", *tokenize(text), ""]
        grams.update((z, *gram) for gram in zip(tokens, tokens[1:], tokens[2:], strict=False))
    topical: Counter[tuple[str, ...]] = Counter()
    for (z, a, b, c), count in grams.items():
        topical[z, b, c] += count if a == b == "" else 1
    pairs = Counter((b, c) for _, b, c in topical)
    single = Counter(c for _, c in pairs)
    p = single[w] / sum(single.values())
    orders = [(topical, (topic, v)), (grams, (topic, u, v))]
    if len({z for _, z in documents}) > 1:
        orders.insert(0, (pairs, (v,)))
    for counts, context in orders:
        seen = {gram[-1]: n for gram, n in counts.items() if gram[:-1] == context}
        if total := sum(seen.values()):
            p = (max(seen.get(w, 0) - 0.8, 0) + 0.8 * len(seen) * p) / total
    return p


@settings(deadline=None, max_examples=30)
@given(DOCUMENTS)
def test_probabilities_are_the_textbooks(documents: list[Document]):
    model = KneserNey.fit(documents)
    for u, v, topic in product(model.words[:3], model.words[:3], model.topics):
        p = model.probabilities(u, v, topic)
        expected = [direct(documents, topic, u, v, w) for w in model.words]
        np.testing.assert_allclose(p, expected, rtol=1e-12)


def test_lower_orders_count_contexts_not_occurrences():
    """Francisco is as frequent as glasses, but stands after San alone."""
    before = ["red", "old", "new", "big", "thin", "gold", "dark", "my"]
    documents = [Document("in San Francisco") for _ in before]
    documents += [Document(f"in {word} glasses") for word in before]
    model = KneserNey.fit(documents)
    below = model.probabilities(" glasses", " glasses")  # never seen: what is left are unigrams
    francisco, glasses = (below[model.words.index(word)] for word in (" Francisco", " glasses"))
    assert glasses == pytest.approx(len(before) * francisco)
    after_san = model.probabilities("in", " San")
    assert after_san[model.words.index(" Francisco")] > 0.9


@pytest.mark.parametrize("sharpness", [0.0, 0.7])
def test_samples_come_with_the_models_probabilities(sharpness: float):
    documents = [Document("+-*+"), Document("-+"), Document("**-+-"), Document("++*")]
    model = KneserNey.fit([*documents, Document("--*", "other")])
    sampled = model.sample(200_000, 3, sharpness)
    after: Counter[str] = Counter()
    opening: Counter[str] = Counter()
    for text, topic in sampled:
        if topic == "":
            tokens = ["", "", *tokenize(text), ""]
            opening[tokens[2]] += 1
            after.update(
                w
                for u, v, w in zip(tokens[1:], tokens[2:], tokens[3:], strict=False)
                if (u, v) == ("", "+")
            )
    for counts, history in ((opening, ("", "")), (after, ("", "+"))):
        n = sum(counts.values())
        p = model.probabilities(*history, sharpness=sharpness)
        assert n > 5_000
        for word, expected in zip(model.words, p, strict=True):
            error = np.sqrt(expected * (1 - expected) / n)
            assert abs(counts[word] / n - expected) <= 5 * error + 1e-12


def test_full_sharpness_says_nothing_but_what_was_seen(pages: list[Document]):
    seen = set()
    for text, _ in pages:
        tokens = ["", "", *tokenize(text), ""]
        seen.update(zip(tokens, tokens[1:], tokens[2:], strict=False))
    for text, _ in KneserNey.fit(pages).sample(5_000, 0, 1.0):
        tokens = ["", "", *tokenize(text)]
        assert seen.issuperset(zip(tokens, tokens[1:], tokens[2:], strict=False))


def test_samples_are_settled_by_the_seed(pages: list[Document]):
    model = KneserNey.fit(pages)
    first = model.sample(5_000, 11, 0.7)
    assert KneserNey.fit(pages).sample(5_000, 11, 0.7) == first
    assert model.sample(5_000, 12, 0.7) != first
    assert sum(len(tokenize(text)) for text, _ in first) == pytest.approx(5_000, rel=0.3)


def test_sharp_retraining_narrows_and_faithful_retraining_far_less(pages: list[Document]):
    human = variety(pages)
    n_tokens = sum(len(tokenize(text)) for text, _ in pages)
    kept = {}
    for sharpness in (0.0, 0.7):
        samples = pages
        for generation in range(5):
            samples = KneserNey.fit(samples).sample(n_tokens, 20 + generation, sharpness)
        kept[sharpness] = variety(samples) / human
    faithful, sharp = kept[0.0], kept[0.7]
    assert np.all(sharp < 0.8)
    assert np.all(1 - faithful < 0.6 * (1 - sharp))
    assert faithful[1] > 0.95


def test_errors_say_what_is_wrong(pages: list[Document]):
    with pytest.raises(ValueError, match="hold no words"):
        KneserNey.fit([Document(" ")])
    with pytest.raises(ValueError, match=r"sharpness is 1\.5"):
        KneserNey.fit(pages[:3]).sample(100, 0, 1.5)

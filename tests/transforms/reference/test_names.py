"""What a cluster is about: its own words, whatever the order of its texts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.reference.names import WORDS, distinctive_words, words_of

COMMON = "the answer says that this is about"
TEXTS = {
    0: [f"{COMMON} copper and solder in wires", f"{COMMON} solder on copper", f"{COMMON} copper"],
    1: [f"{COMMON} violin strings", f"{COMMON} a Violin, tuned", f"{COMMON} strings of a VIOLIN"],
    7: [f"{COMMON} yeast", f"{COMMON} dough with yeast", f"{COMMON} bread dough"],
}


def names_of(texts: dict[int, list[str]], most: int = WORDS) -> dict[int, list[str]]:
    words = {cluster: list(map(words_of, members)) for cluster, members in texts.items()}
    return distinctive_words(words, most)


def test_a_cluster_is_told_by_what_the_others_do_not_say() -> None:
    names = names_of(TEXTS, 2)
    assert names == {0: ["copper", "solder"], 1: ["violin", "strings"], 7: ["dough", "yeast"]}
    assert all(len(words) == WORDS for words in names_of(TEXTS).values())
    assert not set(names_of(TEXTS)[1]) & {"copper", "yeast"}


def test_the_common_words_come_after_all_that_two_texts_share() -> None:
    for words in names_of(TEXTS, 3).values():
        assert not {"the", "that", "says"} & set(words[:2])


def test_words_of_one_text_alone_come_last() -> None:
    """Rank words of a single text last, as they may be names of people."""
    texts = {
        0: ["Maria Muster writes of copper", "copper again", "and solder", "solder too"],
        1: ["violin", "strings", "solder", "else"],
    }
    ranked = names_of(texts, 50)[0]
    assert ranked[:2] == ["copper", "solder"]
    assert {"maria", "muster"} <= set(ranked[2:])


def test_a_word_counts_once_a_text() -> None:
    texts = {0: ["spam " * 50 + "eggs", "eggs and ham", "spam"], 1: ["eggs", "tea"]}
    assert names_of(texts, 1)[0] == ["spam"]
    texts = {0: ["eggs " * 9 + "spam", "spam", "ham spam"], 1: ["tea", "eggs"]}
    assert names_of(texts, 1)[0] == ["spam"]


def test_words_are_of_letters_alone_and_whole() -> None:
    text = "x86 été größer ab id_number 12345 " + "z" * 24 + " " + "q" * 25
    names = set(names_of({0: [text, text]}, 50)[0])
    assert {"été", "größer", "number", "z" * 24} <= names
    assert not {"ab", "x86", "12345"} & names
    assert not any(word[0] == "q" for word in names)  # part of a word says nothing


def test_clusters_without_texts_or_words_have_no_names() -> None:
    assert names_of({}) == {}
    assert names_of({3: [], 4: ["?!", "1 2 3"], 5: ["word"]}) == {
        3: [],
        4: [],
        5: ["word"],
    }


@given(
    st.dictionaries(
        st.integers(0, 5), st.lists(st.text("abcd é", max_size=30), max_size=6), max_size=4
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_texts_does_not_matter(texts: dict[int, list[str]], random: Any) -> None:
    names = names_of(texts)
    clusters = random.sample(sorted(texts), len(texts))
    turned = {cluster: random.sample(texts[cluster], len(texts[cluster])) for cluster in clusters}
    assert names_of(turned) == names
    for cluster, words in names.items():
        assert len(words) == len(set(words)) <= WORDS
        assert all(any(word in text.lower() for text in texts[cluster]) for word in words)

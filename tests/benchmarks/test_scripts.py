"""Passages and versions of texts in scripts without spaces."""

import numpy as np
import pytest
from passages import ENGLISH, LANGUAGES, LEAST, of_lengths, passages, spans, tokens, unlike
from scripts import Editor, versions

THAI = LANGUAGES[2]
WORDS = "แม่น้ำ ภูเขา ตลาด หมู่บ้าน โรงเรียน ดอกไม้ สะพาน ทะเล เรือ นก ปลา ต้นไม้ ฝน ถนน"


def thai(seed: int) -> str:
    rng = np.random.default_rng(seed)
    return "".join(rng.choice(WORDS.split(), 60)) + " ไม่ไป 25 กม."


def test_a_token_is_a_word_or_a_character_with_its_marks():
    assert tokens("Don’t STOP, naïve_x 3 क्या है") == ["don’t", "stop", "naïve_x", "3", "क्या", "है"]
    assert " ".join(tokens("ที่นี่ 漢字かな カタカナ")) == "ที่ นี่ 漢 字 か な カタカナ"


def test_passages_are_whole_paragraphs_and_never_too_short():
    document = [f"paragraph {number} " + "of many words " * 10 for number in range(40)]
    cut = passages([document, ["too short"]], np.random.default_rng(1))
    assert all(len(spans(text)) >= LEAST for text in cut)
    assert set("\n".join(cut).split("\n")) <= set(document)
    assert [len(spans(text)) for text in of_lengths(cut, [70, 61])] == [70, 61]
    assert unlike([*cut, *cut]) == cut


@pytest.mark.parametrize(("language", "kept"), [(THAI, ["ไม่", "25"]), (ENGLISH, ["not", "25"])])
def test_versions_touch_no_number_and_no_negation(language, kept):
    texts = [f"{thai(seed)} is not so" for seed in range(9)]
    pairs = versions(language, texts, np.random.default_rng(2))
    assert len(pairs) == 9
    assert {pair.kind for pair in pairs} == {"drop", "replace", "swap"}
    for pair in pairs:
        assert pair.text != pair.edited
        assert 0.6 < pair.jaccard < 1
        assert all(pair.edited.count(word) == pair.text.count(word) for word in kept)


def test_numbers_and_what_stands_beside_them_is_not_free():
    editor = Editor(ENGLISH, ["a word"], np.random.default_rng(0))
    text = "the big house cost 5 euros and getName is not x + y here"
    free = dict(zip(text.replace("+ ", "").split(), editor.free(text), strict=True))
    assert [word for word, can in free.items() if can] == [
        "the",
        "big",
        "house",
        "and",
        "is",
        "here",
    ]

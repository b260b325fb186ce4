"""Signs between words: which count, and which are form."""

from __future__ import annotations

import pytest

from tests.support.items import hashes, spelled

FORM = [
    # Punctuation between words, and quotes and dashes of any kind.
    *("word, word", "word; word.", "word? word!", "word... word", "word: word", "word - word"),
    *(
        "word -- word.",
        "-- word",
        "word—word",
        "word – word",
        "word-word",
        "(word) word",
        '"word" word',
    ),
    *("‘word’ word", "«word» word", "word’s word", "„word“ word", "¿word? ¡word!", "word?! word!!"),
    *(
        "word、word。word",
        "word।",
        "كلمة، كلمة؟",
        "「言葉」と『本』",
        "word…",
        "word‥",
        "word,word",
    ),
    # Markdown at the start of a line.
    *("# word", "###### word", "> word", "> > word", "- word\n- word", "* word", "+ word"),
    *("word\n---\nword", "***", "word\n===\nword", "___\nword", "```\n\n```", "~~~"),
    # Pairs of Markdown around words.
    *("*word*", "**word**", "***word***", "_word_", "__more words__", "`word`"),
    *("``word``", "word **word, word** word.", "**word** *word*", "(**word**)", '"*word*"'),
    *("*more words*", "**word**:", "> **word**", "- **word**: *word*"),
]

COUNTS = {
    # What a stranger's trial had lost.
    "- 5": ["-", "5"],
    "B- word": ["B", "-"],
    "Cl- word": ["Cl", "-"],
    "~~word~~": ["~~", "word", "~~"],
    "count(*) and sum(*)": ["count", "(", "*", "sum", "(", "*"],
    "src/* dst/*": ["src", "/", "*", "dst", "/", "*"],
    "self._tmp_": ["self", ".", "_", "tmp", "_"],
    "1..5": ["1", "..", "5"],
    "main..dev": ["main", "..", "dev"],
    "5' tall": ["5", "'"],
    "x' = y": ["x", "'", "=", "y"],
    "约.5克": ["约", ".", "5", "克"],
    "⌈x⌉": ["⌈", "x", "⌉"],
    "5·6": ["5", "·", "6"],
    "String[] names": ["String", "[", "]"],
    "word === word": ["word", "===", "word"],
    "2, ..., 9": ["2", "...", "9"],
    "ann;quay": ["ann", ";", "quay"],
    # Signs of mathematics and code.
    # Signs of mathematics, and beside numbers and single letters.
    "-5": ["-", "5"],
    "−5": ["-", "5"],
    "+5": ["+", "5"],
    "5 - 6": ["5", "-", "6"],
    "5-6": ["5", "-", "6"],
    "a - b": ["a", "-", "b"],
    "a * b": ["a", "*", "b"],
    "a*b": ["a", "*", "b"],
    "a != b": ["a", "!", "=", "b"],
    "a <= b": ["a", "<", "=", "b"],
    "a ≤ b": ["a", "≤", "b"],
    "a ∧ b": ["a", "∧", "b"],
    "word = word": ["word", "=", "word"],
    "word / word": ["word", "/", "word"],
    "5!": ["5", "!"],
    "x! = y": ["x", "!", "=", "y"],
    "f(x)": ["f", "(", "x", ")"],
    "(x) word": ["(", "x", ")"],
    "[x) word": ["[", "x", ")"],
    "1,000": ["1", ",", "000"],
    "1.5": ["1", ".", "5"],
    "3:2": ["3", ":", "2"],
    "3 : 2": ["3", ":", "2"],
    "50%": ["50", "%"],
    "~5": ["~", "5"],
    "±5": ["±", "5"],
    "5°": ["5", "°"],
    # Currency, names, and what is written in code and addresses.
    "$5": ["$", "5"],
    "€ 5": ["€", "5"],
    "C++ word": ["C", "++"],
    "C# word": ["C", "#"],
    "A+ word": ["A", "+"],
    "#tag": ["#", "tag"],
    "@user": ["@", "user"],
    "word & word": ["word", "&", "word"],
    "word/word": ["word", "/", "word"],
    "word.word": ["word", ".", "word"],
    ".word": [".", "word"],
    "word::word": ["word", "::", "word"],
    "--word": ["--", "word"],
    "-word": ["-", "word"],
    "word() word": ["word", "("],
    "<word>": ["<", "word", ">"],
    "word->word": ["word", "-", ">", "word"],
    "*word word": ["*", "word"],
    "word* word": ["word", "*"],
    "**word": ["**", "word"],
    "word_": ["word", "_"],
    "__init__": ["__", "init", "__"],
    "§ word": ["§"],
    # Emoji and faces.
    "word 🙂": ["🙂"],
    "🙂🙂🙂 word": ["🙂🙂🙂"],
    "🇩🇪": ["🇩", "🇪"],
    "👍🏽": ["👍", "🏽"],
    "word :)": [":", ")"],
    "word :-( word": ["word", ":", "-", "(", "word"],
    "word ;)": [";", ")"],
    "word =|": ["word", "=", "|"],
    "word ♯": ["word", "♯"],
    "word ♫": ["♫"],
    # Lines that only look like Markdown.
    "#word": ["#", "word"],
    "####### word": ["#######", "word"],
    "word # word": ["word", "#", "word"],
    "word > word": ["word", ">", "word"],
}


@pytest.mark.parametrize("text", FORM)
def test_signs_that_are_form(text: str) -> None:
    assert spelled(text) == []


@pytest.mark.parametrize("text", COUNTS)
def test_signs_that_count(text: str) -> None:
    assert spelled(text) == COUNTS[text]


@pytest.mark.parametrize("mark", ["*", "**", "_", "`", "``"])
def test_pairs_close_within_their_line_and_reach(mark: str) -> None:
    inside = "word " * 99 + "word"  # 499 bytes
    assert hashes(f"so {mark}{inside}{mark} on") == []
    assert hashes(f"so {mark}word\nword{mark} on") != []
    assert hashes(f"so {mark}{inside} word word word{mark} on") != []
    assert hashes(f"so {mark}word on") != []
    assert hashes(f"so {mark} word {mark} on") != []


def test_pairs_within_pairs() -> None:
    assert spelled("**some *word* more** and _some **word** more_") == []
    assert spelled("`some **word** more`") == ["**", "word", "**"]  # between ticks signs count
    # Marks that close at different places are not read as pairs.
    assert spelled("***word** word*") == ["***", "word", "**", "word", "*"]


def test_runs_of_signs_are_told_apart_by_their_number() -> None:
    texts = ["x" + "+" * n for n in range(1, 40)]
    assert len({tuple(hashes(text)) for text in texts}) == len(texts)


def test_names_in_code_keep_their_case() -> None:
    assert spelled("call `Word` here") == ["Word"]
    assert spelled("call `word` here") == []
    assert spelled("call Word here") == []
    assert spelled("call camelCase, CONST_A and aB") == ["camelCase", "CONST_A", "aB"]

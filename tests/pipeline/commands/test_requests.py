"""Prompts for a generator, and texts of a corpus in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.pipeline.commands.requests import prompt, write_requests
from outcross.pipeline.commands.seeds import shown
from outcross.schemas.requests import ClusterRequest
from outcross.schemas.user_input import ConfigError

ENDS = "\n\r\v\f\x1c\x85\u2028\u2029"
TEXTS = st.text(alphabet=st.one_of(st.characters(), st.sampled_from(f"{ENDS}\u202e> ")))


@given(TEXTS, st.integers(20, 60))
def test_a_shown_text_is_short_and_has_no_control_characters(text: str, characters: int) -> None:
    result = shown(text, characters)
    assert len(result) <= characters
    assert all(c.isprintable() or c in "\n\u200c\u200d" for c in result)


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_every_line_of_a_text_is_quoted(texts: list[str]) -> None:
    seeds = [shown(text, 100) for text in texts]
    result = prompt(["frame", "stack"], seeds)
    assert result is not None
    unquoted = [line for line in result.splitlines() if line and not line.startswith(">")]
    assert unquoted == [
        *(prompt(["frame", "stack"], [""]) or "").splitlines()[:5:2],
        *(f"Example {number}:" for number in range(1, len(seeds) + 1)),
    ]


def test_lines_and_joiners_stay_and_what_is_cut_ends_in_an_ellipsis() -> None:
    text = "  می\u200cخواهم\n\tindented\n\n" + "word " * 400
    result = shown(text, 60)
    assert result.startswith("می\u200cخواهم\n    indented\n\nword word")
    assert result.endswith(" w…")
    assert len(result) <= 60
    assert shown("as it is", 60) == "as it is"


def test_a_prompt_has_the_words_and_the_texts_there_are() -> None:
    assert prompt([], []) is None
    words = prompt(["frame"], [])
    assert words is not None
    assert words.endswith("Words that set texts on this subject apart: frame.")
    texts = prompt([], ["One.\nTwo."])
    assert texts is not None
    assert texts.endswith("Example 1:\n> One.\n> Two.")


def test_only_requests_are_replaced(tmp_path: Path) -> None:
    line = ClusterRequest(
        domain="*", cluster=3, tokens=9, target=0.1, wanted=9.0, available=0.0,
        words=[], seeds=[], prompt=None,
    ).model_dump_json()  # fmt: skip
    path = tmp_path / "requests.jsonl"
    for lines in ([line, line], [], [line]):
        write_requests(lines, str(path))
        assert path.read_text().splitlines() == lines
    path.write_text('{"format": 2}')
    with pytest.raises(ConfigError, match="exists and holds no requests; choose another file"):
        write_requests([line], str(path))
    assert path.read_text() == '{"format": 2}'

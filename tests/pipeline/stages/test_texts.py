"""Texts of the corpus as they are shown: it is untrusted, and long."""

from hypothesis import given
from hypothesis import strategies as st

from outcross.pipeline.stages.texts import SHOWN, beginning, printable


@given(st.text(max_size=2000))
def test_what_is_shown_is_one_printable_line_that_begins_the_text(text: str) -> None:
    shown = beginning(text)
    assert len(shown) <= SHOWN
    assert shown.isprintable()
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)
    line = " ".join(printable(text).split())
    assert line.startswith(shown.removesuffix("…"))
    if len(line) <= SHOWN and len(text) <= 4 * SHOWN:
        assert shown == line


def test_nothing_steers_a_terminal() -> None:
    steering = "\x1b[31mred\x1b]0;title\x07 \x9b2Jgone \u202eturned\u2066 \r\n\ttab\x00"
    assert beginning(steering) == "[31mred ]0;title 2Jgone turned tab"


def test_long_texts_are_cut() -> None:
    assert beginning("word " * 300) == ("word " * 300)[: SHOWN - 1] + "…"
    assert len(beginning("x" * 10_000_000)) == SHOWN

"""Nothing that steers a terminal is left in what is printed, and nothing else is changed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.base.visible import visible, visible_name

DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
ANY = st.text(st.characters() | st.sampled_from("\x1b\x9b\n\t\r\x00\x7f\u2028\u202e\u200d\ud83d"))


def steers(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind in ("Cc", "Cs", "Zl", "Zp") or character in DIRECTIONS


@given(ANY)
def test_what_steers_is_escaped_and_all_else_stays(text: str) -> None:
    shown = visible(text)
    assert not any(steers(c) for c in shown if c not in "\n\t")
    assert shown.count("\n") == text.count("\n")
    if not any(steers(c) for c in text if c not in "\n\t"):
        assert shown == text
    name = visible_name(text)
    assert not any(map(steers, name))
    assert name == visible(text).replace("\n", r"\n").replace("\t", r"\t")


def test_every_control_character_is_shown_by_its_number() -> None:
    for number in [*range(0x20), *range(0x7F, 0xA0)]:
        shown = visible_name(f"a{chr(number)}b")
        assert shown.encode().decode("unicode_escape") == f"a{chr(number)}b"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("two\nlines", r"two\nlines"),
        ("caf\udce9", r"caf\xe9"),
        ("half \ud83d", r"half \ud83d"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("می‌خواهم 👩‍👩‍👧", "می‌خواهم 👩‍👩‍👧"),
    ],
)
def test_names_are_one_line_and_joined_letters_stay_joined(name: str, shown: str) -> None:
    assert visible_name(name) == shown

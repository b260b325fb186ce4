"""Both forms of a text against Python's Unicode, and the frozen tables against it."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outcross.transforms.text.characters import (
    DRESSED,
    LINKED,
    MARK,
    NUMERIC,
    OPERATOR,
    PROSE,
    REPLACED,
    SECOND,
    SILENT,
    SOLO,
    UNSTABLE,
    WORD,
    character_classes,
    normalise,
    skeletons,
    unicode_version,
)
from tests.support.text_definition import (
    folded,
    folded_character,
    is_mark,
    is_numeric,
    is_solo,
    is_word,
)
from tests.support.texts import SENTENCES, texts


@cache
def known() -> list[str]:
    """Return the characters that this interpreter's Unicode has, with which one can compare."""
    every = map(chr, range(sys.maxunicode + 1))
    return [c for c in every if unicodedata.category(c) not in ("Cs", "Cn")]


def forms(*values: str) -> tuple[list[str], list[str]]:
    """Return the composed and the folded forms of some texts."""
    read = normalise(pa.array(values, pa.string()))
    data = read.data.tobytes()
    every = ((read.composed_starts, read.composed_stops), (read.starts, read.stops))
    composed, folded_ = (
        [data[a:b].decode() for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]
        for starts, stops in every
    )
    return composed, folded_


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@given(st.lists(texts, max_size=5))
@example(list(SENTENCES.values()))
@example(["e\u0301", "q\u0307\u0323", "\u1112\u1161\u11ab", "\ufdfa", "\uff2a\u030c", "I\u0307"])
def test_forms_are_those_of_the_definition(values: list[str]) -> None:
    assert forms(*values) == ([nfc(v) for v in values], [folded(v) for v in values])


def test_every_character_alone_and_before_a_mark() -> None:
    # Characters of private use have no properties: few of them stand before marks for all.
    private = [c for c in known() if unicodedata.category(c) == "Co"]
    some = sorted({*known()}.difference(private).union(private[::500]))
    for mark in ("", "\u0301", "\u0327", "\u3099", "\u1161"):
        values = [c + mark for c in (some if mark else known())]
        composed, folded_ = forms(*values)
        assert composed == [nfc(v) for v in values]
        assert folded_ == [folded(v) for v in values]


def test_every_mark_behind_every_composed_letter() -> None:
    """A mark may move before that of the letter: é and a cedilla are ȩ and an accent."""
    letters = [c for c in known() if unicodedata.decomposition(c)[:1] not in ("", "<")]
    marks = [c for c in known() if character_classes()[ord(c)] & SECOND]
    values = [letter + mark for letter in [*letters, *"aJ<か"] for mark in marks]
    assert len(values) > 200_000
    assert forms(*values) == ([nfc(v) for v in values], [folded(v) for v in values])


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Ｆｕｌｌ　Ｗｉｄｔｈ", "full width"),
        ("ﬁne ﬀ ĳ", "fine ff ij"),
        ("‘it’s’ ‐‑‒–−", "'it's' -----"),
        ("co\u00adop\u200b\ufeff\u2060 ☺\ufe0f كـتاب", "coop ☺ كتاب"),
        ("ÉÇ ΣΑΣ ας İ", "éç σασ ασ i\u0307"),
        ("ﾃｷｽﾄ ｶﾞﾊﾟ", "テキスト ガパ"),
        ("e\u00ad\u0301 Ϊ\u0301 Ａ\u030a \uffa1\uffc2", "é ΐ å 가"),
        # What means something stays: 10² is not 102.
        ("10² x₂ ½ ⓐ 𝐱 ㎏ Ⅻ ™ ㊙", "10² x₂ ½ ⓐ 𝐱 ㎏ ⅻ ™ ㊙"),
        ("“quoted” — … · •", "“quoted” — ... · •"),
        ("ASCII Stays", "ASCII Stays"),
    ],
)
def test_named_forms(text: str, form: str) -> None:
    assert forms("plain", text, "Σ plain")[1] == ["plain", form, "σ plain"]


def test_what_half_width_voice_marks_make_depends_on_no_other_text() -> None:
    values = ["ｶﾞ", "plain", "É", "Ａ ｶﾞ e\u0301", "e\u0301 É", "", "ﾊﾟ"]
    together = list(zip(*forms(*values), strict=True))
    assert together == [(*forms(v)[0], *forms(v)[1]) for v in values]


def category(*names: str) -> Callable[[str], bool]:
    return lambda c: unicodedata.category(c).startswith(names)


def is_exact(c: str) -> bool:
    tag = unicodedata.decomposition(c).partition(" ")[0]
    return is_numeric(c) or tag in ("<super>", "<sub>", "<font>", "<circle>", "<square>")


NOT_PROSE = "#%&*/@\\{}[]_§¶†‡‰‱′″‴‵‶‷⁎⁑⁓⁗٪؉؊٭⌈⌉⌊⌋〈〉⟦⟧⟨⟩⟪⟫⁽⁾₍₎‼"


@pytest.mark.parametrize(
    ("bit", "test"),
    [
        (WORD, is_word),
        (WORD, lambda c: re.match(r"\w", c) is not None),
        (SOLO, is_solo),
        (MARK, is_mark),
        (NUMERIC, is_exact),
        (SILENT, lambda c: category("M")(c) or c.isspace()),
        (PROSE, lambda c: category("P")(c) and c not in NOT_PROSE),
        (OPERATOR, lambda c: category("Sm")(c) or c in "%&*/@\\^#"),
        (UNSTABLE, lambda c: nfc(c) != c),
        (REPLACED, lambda c: not c.isascii() and folded_character(c) != c),
    ],
)
def test_classes_are_those_of_unicode(bit: int, test: Callable[[str], bool]) -> None:
    classes = character_classes()
    same = unicodedata.unidata_version == unicode_version()
    differ = {c for c in known() if bool(classes[ord(c)] & bit) != test(c)}
    if bit == NUMERIC and not same:
        # Versions have given a few signs other numbers: 两 is two since Unicode 15.1.
        assert len(differ) < 50
        renumbered = ("CJK UNIFIED", "CUNEIFORM")
        differ = {c for c in differ if not unicodedata.name(c).startswith(renumbered)}
    assert not differ
    if same:
        unknown = set(range(sys.maxunicode + 1)) - {ord(c) for c in known()}
        assert not classes[sorted(unknown)].any()


def test_classes_that_exclude_each_other() -> None:
    classes = character_classes()
    for bit, others in (
        (WORD, MARK | SILENT | OPERATOR),
        (SOLO, MARK | SILENT | PROSE),
        (PROSE, MARK | SOLO | SILENT),
    ):
        # The underscore alone is a letter and punctuation.
        assert not np.any(classes[classes & bit > 0] & others)
    assert np.all(classes[classes & SOLO > 0] & WORD)
    assert np.all(classes[classes & LINKED > 0] & REPLACED)
    named = {c: classes[ord(c)] for c in "中ひทກកကཀカ한é½²_'\u0301\u0e34\u200d。«±"}
    assert [c for c, bits in named.items() if bits & SOLO] == list("中ひทກកကཀ")
    assert [c for c, bits in named.items() if bits & WORD] == list("中ひทກកကཀカ한é½²_")
    assert [c for c, bits in named.items() if bits & MARK] == list("\u0301\u0e34\u200d")


def test_skeletons_are_letters_without_marks() -> None:
    bare = skeletons()
    pairs = zip(bare.code_points, bare.offsets[:-1], bare.offsets[1:], strict=True)
    skeleton = {chr(c): bare.data[a:b].tobytes().decode() for c, a, b in pairs}
    assert np.all(np.diff(bare.code_points.astype(np.int64)) > 0)
    assert np.all(character_classes()[bare.code_points] & DRESSED)
    assert np.count_nonzero(character_classes() & DRESSED) == len(skeleton)
    assert {skeleton[c] for c in "éèẽḛÉ"} == {"e", "E"}
    assert {skeleton[c] for c in "\u0301\u093f\u0e34\u05b0\u064e"} == {""}
    # One vowel letter of Thai or Lao stands for all of them.
    assert {skeleton.get(c, c) for c in "ะาเแโใไ"} == {"ะ"}
    assert {skeleton.get(c, c) for c in "ະາເແໂໃໄຽ"} == {"ະ"}
    assert skeleton["ቢ"] == skeleton["ባ"] == "በ"
    assert not skeleton.keys() & set("aZ中ひ가क부ø")
    marks = {c for c in known() if is_mark(c)}
    assert all(skeleton[c] == "" for c in marks)
    letters = [c for c in known() if c in skeleton and c not in marks and skeleton[c]]
    ethiopic = {c for c in letters if unicodedata.name(c).startswith("ETHIOPIC")}
    vowels = {c for c in letters if skeleton[c] in ("ะ", "ະ")}
    for letter in set(letters) - ethiopic - vowels:
        parts = unicodedata.normalize("NFD", letter)
        assert skeleton[letter] == "".join(c for c in parts if c not in marks)


def test_texts_that_need_no_change_are_not_copied() -> None:
    array = pa.array(["Plain ASCII", "“quoted” — naïve 日本 कि"], pa.large_string())
    address = array.buffers()[2].address
    assert normalise(array).data.ctypes.data == address


def test_slices_chunks_and_types() -> None:
    values = ["Äpfel", "", "plain", "ne\u0301"]
    array = pa.array(values, pa.string())
    for form in (
        array,
        array.cast(pa.large_string()),
        pa.chunked_array([array[:1], array[1:]]),
        pa.array(["x", *values, "y"]).slice(1, 4),
    ):
        read = normalise(form)
        slices = zip(read.starts, read.stops, strict=True)
        assert [read.data[a:b].tobytes().decode() for a, b in slices] == [folded(v) for v in values]
        slices = zip(read.composed_starts, read.composed_stops, strict=True)
        assert [read.data[a:b].tobytes().decode() for a, b in slices] == [nfc(v) for v in values]
    for empty in (pa.array([], pa.string()), pa.chunked_array([], pa.string()), array[:0]):
        assert len(normalise(empty).starts) == 0


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff",
        b"\xc0\xaf",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"a\xc3",
        b"\x80",
    ],
)
def test_malformed_utf8_names_its_row(bad: bytes) -> None:
    array = pa.array([b"good", "gü".encode(), bad], pa.binary()).view(pa.string())
    with pytest.raises(ValueError, match="text 2 is not valid UTF-8"):
        normalise(array)


def test_nulls_and_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="text 1 is null"):
        normalise(pa.array(["a", None]))
    with pytest.raises(TypeError, match="int64"):
        normalise(pa.array([1]))

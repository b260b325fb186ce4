"""Signs between words: decide which are only form, and which carry meaning.

Three kinds of signs are only form: prose punctuation between words, Markdown in balanced pairs
around words, and Markdown before a space at the start of a line. All other signs count: -5, C++,
a != b, :).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.eight_bytes import trailing_zeros
from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import borrowing
from outcross.transforms.base.sixty_four_bytes import mark_bytes
from outcross.transforms.text.characters import (
    OPERATOR,
    PROSE,
    character_classes,
    code_point,
    encoded_width,
)
from outcross.transforms.text.word_hashes import NUMBER, SINGLE, SPACELESS

NONE = -1
"""Kind of a missing word, before the first and after the last word."""

_EXACT = NUMBER | SINGLE  # kinds of words beside which punctuation may be mathematics
_CLOSERS, OPEN_PAIRS, TICKED = 8, 8, 9
"""Open pairs of Markdown that are remembered; where their number stands behind their places, and
where the last pair of back ticks closes."""

PAIRS = 10
"""Room for all of these."""

_FAR = 512  # bytes within which a pair must close, and a line begin

_WHITE, _ENDS, _QUOTES, _OPENS, _CLOSES, _PAIRED, _LEADING = 1, 2, 4, 8, 16, 32, 64
_PLAIN, _EYES = 128, 1 << 13
"""Bits of an ASCII byte: white space; punctuation that ends a phrase; a quotation mark; opening and
closing parenthesis; a mark of Markdown that comes in pairs, or that begins a line; punctuation that
may stand together between spaces; eyes of a face. `PROSE` and `OPERATOR` as in `characters`."""

_SPACE, _TABULATOR, _LINE, _RETURN = 32, 9, 10, 13
_HYPHEN, _DOT, _COMMA, _COLON, _SEMICOLON = (ord(c) for c in "-.,:;")
_BANG, _QUOTE, _APOSTROPHE, _HASH, _GREATER, _PLUS, _EQUALS, _BAR = (ord(c) for c in "!\"'#>+=|")
_OPEN, _CLOSE, _BRACKET, _CLOSING_BRACKET, _STAR, _TICK, _TILDE, _SCORE = (
    ord(c) for c in "()[]*`~_"
)


def _ascii_bits() -> NDArray[np.uint16]:
    bits = character_classes()[:128] & np.uint16(PROSE | OPERATOR)
    groups = {_WHITE: " \t\n\v\f\r\x1c\x1d\x1e\x1f", _ENDS: ".,;:?", _QUOTES: "\"'"}
    groups |= {_OPENS: "(", _CLOSES: ")", _PAIRED: "*`_", _LEADING: "#>-*+_=`~"}
    for bit, group in (groups | {_PLAIN: ".,!?)\"'", _EYES: ":;="}).items():
        for character in group:
            bits[ord(character)] |= bit
    return bits


_ASCII = _ascii_bits()


@borrowing(inline="always")
def _is_white(c):  # type: ignore[no-untyped-def]
    return (
        (c == 32) | ((c >= 9) & (c <= 13)) | ((c >= 28) & (c <= 31)) | (c == 0x85) | (c == 0x2028)
    )


@borrowing(forceinline=True)
def _decoded(text, i):  # type: ignore[no-untyped-def]
    """Return the code point at `i` and how many bytes it takes."""
    lead = text[i]
    if lead < 128:
        return np.uint32(lead), 1
    width = encoded_width(lead)
    return code_point(text, i, width), np.int64(width)


@borrowing()
def _run(text, i, stop):  # type: ignore[no-untyped-def]
    """Return a character, how often it stands there in a row, and where that ends."""
    c, width = _decoded(text, i)
    count = 1
    i += width
    while i < stop:
        other, width = _decoded(text, i)
        if other != c:
            break
        count += 1
        i += width
    return c, count, i


@borrowing(inline="always")
def is_prose(text, i, stop, left, right):  # type: ignore[no-untyped-def]
    """Tell whether a short gap is, at a glance, white space and prose punctuation alone."""
    state = 0
    before = np.uint8(0)
    while i < stop:
        byte = text[i]
        if byte >= 128:
            return False
        bits = _ASCII[byte]
        if bits & _WHITE:
            state = 1
            if byte == _TABULATOR or (byte == _LINE and text[i + 1] == _SPACE):
                return False
        elif state == 0:
            if not bits & (_ENDS | _QUOTES | _CLOSES) and (byte != _BANG or left & _EXACT):
                return False
            if bits & _QUOTES and left & _EXACT:
                return False
            if bits & _CLOSES and (left & _EXACT or before in (_COLON, _SEMICOLON)):
                return False
            if left == NONE:
                return False
        elif not bits & (_QUOTES | _OPENS) or right == NONE or (bits & _OPENS and right & _EXACT):
            return False
        before = byte
        i += 1
    return state == 1


@borrowing()
def _closer(text, i, stop, mark, count):  # type: ignore[no-untyped-def]
    """Return where the pair closes that was opened by `count` marks before `i`; -1 for nowhere."""
    begin = i
    stop = min(stop, i + _FAR)
    while i < stop:
        at = np.uint64(i)
        marks = mark_bytes(text, at, _STAR, _STAR) | mark_bytes(text, at, _SCORE, _TICK)
        marks |= mark_bytes(text, at, _LINE, _LINE)
        if not marks:
            i += 64
            continue
        i += np.int64(trailing_zeros(marks))
        if i >= stop or text[i] == _LINE:
            return -1
        if text[i] != mark:
            i += 1
            continue
        first = i
        while i < stop and text[i] == mark:
            i += 1
        after = text[i] if i < stop else np.uint8(_SPACE)
        inside = 48 <= after <= 57 or 97 <= (after | 32) <= 122 or (after >= 128 and mark != _STAR)
        if i - first == count and first > begin and text[first - 1] != _SPACE and not inside:
            # Two underscores around a single word are a name of Python's.
            if mark != _SCORE or count == 1 or _SPACE in text[begin:first]:
                return first
            return -1
    return -1


@borrowing()
def _line_start(text, i):  # type: ignore[no-untyped-def]
    """Tell whether only blanks and quotation marks of Markdown stand before `i` in its line."""
    least = max(0, i - _FAR)
    while i > least and text[i - 1] in (_SPACE, _TABULATOR, _GREATER):
        i -= 1
    return i == 0 or text[i - 1] == _LINE


@borrowing(inline="always")
def _is_rule(c, count):  # type: ignore[no-untyped-def]
    """Tell whether a run is Markdown wherever it stands alone, as where lines were joined."""
    rule = c in (_HYPHEN, _SCORE) and count >= 3
    return rule or (c == _HASH and 2 <= count <= 6)


@borrowing()
def _leads(text, i, end, stop, c, count):  # type: ignore[no-untyped-def]
    """Tell whether a run of signs begins a line of Markdown."""
    if not _line_start(text, i):
        return False
    if count >= 3 and c in (_TICK, _TILDE):  # a fence
        return True
    blank = end == stop or text[end] == _SPACE or text[end] == _LINE or text[end] == _RETURN
    if not blank:
        return False
    if (c == _HASH and count <= 6) or (count >= 3 and c in (_HYPHEN, _STAR, _SCORE, _EQUALS)):
        return True
    # Before a number it is a sign.
    while end < stop and text[end] == _SPACE:
        end += 1
    number = end < stop and 48 <= text[end] <= 57
    return c == _GREATER or (c in (_HYPHEN, _STAR, _PLUS) and count == 1 and not number)


@borrowing()
def _is_face(text, i, stop):  # type: ignore[no-untyped-def]
    """Tell whether a piece without white space is, or ends in, a face made of signs."""
    for k in range(i, stop - 1):
        if text[k] == _COLON or text[k] == _SEMICOLON or text[k] == _EQUALS:
            mouth = text[k + 1]
            if mouth == _HYPHEN and k + 2 < stop:
                mouth = text[k + 2]
            if mouth in (_OPEN, _CLOSE, _BRACKET, _CLOSING_BRACKET, _BAR):
                return True
    return False


@borrowing()
def _is_form(c, count, alone, left, right, foreign):  # type: ignore[no-untyped-def]
    """Tell whether a run of prose punctuation is form alone.

    Args:
        c, count: the character, and how often it stands there.
        alone: whether it is all there is between its words or white space.
        left, right: kinds of the words that touch it or its neighbours, `NONE` for none.
        foreign: whether it stands beside a character that isn't ASCII.
    """
    strict = (left != NONE and left & _EXACT != 0) or (right != NONE and right & _EXACT != 0)
    if c >= 128:
        between = NONE not in (left, right) and left & _EXACT != 0 and right & _EXACT != 0
        return not between
    if NONE not in (left, right):
        spaceless = left & SPACELESS != 0 or right & SPACELESS != 0
        if strict and (not spaceless or c in (_HYPHEN, _DOT, _OPEN, _CLOSE, _BANG)):
            return False
        if spaceless or foreign or (c == _DOT and count > 2):
            return True
        return alone and (c == _HYPHEN or (count == 1 and c == _COMMA))
    if left != NONE:
        if c in (_OPEN, _HYPHEN):
            return False
        return not (strict and c in (_CLOSE, _BANG, _QUOTE, _APOSTROPHE) and count == 1)
    if right != NONE:
        if c == _OPEN:
            return not strict
        quote = c in (_QUOTE, _APOSTROPHE)
        return quote or (c == _DOT and count > 2) or (not strict and (c in (_COMMA, _CLOSE)))
    return True


@borrowing(inline="always")
def _speaks(byte):  # type: ignore[no-untyped-def]
    """Tell whether a byte belongs to a word, a quotation or another mark of Markdown."""
    word = byte >= 128 or 48 <= byte <= 57 or 97 <= (byte | 32) <= 122
    return word or _ASCII[byte] & (_QUOTES | _OPENS | _PAIRED) != 0


@borrowing()
def _pairs_up(text, k, end, stop, c, count, pairs):  # type: ignore[no-untyped-def]
    """Tell whether a run of marks opens or closes a pair of Markdown; remember what it opens."""
    if pairs[OPEN_PAIRS]:
        for slot in range(_CLOSERS):
            if pairs[slot] == k:
                pairs[slot] = -1
                pairs[OPEN_PAIRS] -= 1
                return True
    before = text[k - 1] if k else np.uint8(_SPACE)
    # A mark opens behind white space, quotes, brackets or another mark, and before a word. Bold
    # also stands within the words of other scripts.
    if before >= 128:
        opens = c == _STAR and count == 2
    else:
        opens = _ASCII[before] & (_WHITE | _QUOTES | _OPENS | _PAIRED) != 0 or before == _GREATER
    if not opens or count > (3 if c == _STAR else 2) or end == stop or not _speaks(text[end]):
        return False
    place = _closer(text, end, stop, c, count)
    if place < 0:
        return False
    for slot in range(_CLOSERS):
        if pairs[slot] < 0:
            pairs[slot] = place
            pairs[OPEN_PAIRS] += 1
            if c == _TICK:
                pairs[TICKED] = place
            return True
    return False


@borrowing()
def signs_between(text, i, gap_stop, stop, left, right, code, pairs, classes, out, filled):  # type: ignore[no-untyped-def]
    """Find the signs between two words that count.

    Args:
        text: the folded text.
        i, gap_stop: where the gap begins and ends.
        stop: where the text ends.
        left, right: kinds of the words on either side, `NONE` at the ends of the text.
        code: whether the line is code, or the place is between back ticks.
        pairs: int64[PAIRS], where open pairs of Markdown close, -1 for none; how many are open;
            where the last pair of back ticks closes.
        classes: of all characters.
        out: gets the signs' hashes, from `filled` on.
        filled: number of hashes in `out` before the call.

    Returns:
        Number of hashes in `out` after the call; whether signs that count touch the word on the
        left; the same for the right.
    """
    touches_left = touches_right = False
    numbers = (left != NONE and left & _EXACT != 0) or (right != NONE and right & _EXACT != 0)
    begin = i
    while i < gap_stop:
        if text[i] < 128:
            if _ASCII[text[i]] & _WHITE:
                i += 1
                continue
        else:
            c, width = _decoded(text, i)
            if _is_white(c):
                i += width
                continue
        piece = i
        plain = True
        eyes = False
        while i < gap_stop:
            if text[i] < 128:
                bits = np.int64(_ASCII[text[i]])
                if bits & _WHITE:
                    break
                plain &= bits & _PLAIN != 0
                eyes |= bits & _EYES != 0
                i += 1
            else:
                c, width = _decoded(text, i)
                if _is_white(c):
                    break
                plain &= classes[c] & PROSE != 0
                i += width
        at_left, at_right = piece == begin and left != NONE, i == gap_stop and right != NONE
        isolated = not at_left and not at_right
        face = eyes and i - piece > 1 and _is_face(text, piece, i)
        k = piece
        while k < i:
            c, end, count = np.uint32(text[k]), k + 1, 1
            if c < 128:
                while end < i and text[end] == c:
                    end += 1
                count = end - k
                bits = np.int64(_ASCII[c])
            else:
                c, count, end = _run(text, k, i)
                bits = np.int64(classes[c]) & (PROSE | OPERATOR)
            form = False
            if (
                bits & _PAIRED
                and (not code or c == _TICK)
                and _pairs_up(text, k, end, stop, c, count, pairs)
            ):
                form = True
            elif code and c != _TICK:
                form = False
            elif bits & _LEADING and (
                (isolated and _is_rule(c, count)) or _leads(text, k, end, stop, c, count)
            ):
                form = True
            elif bits & PROSE and not face:
                alone = k == piece and end == i
                foreign = (at_left and text[piece - 1] >= 128) or (at_right and text[i] >= 128)
                ours = left if at_left else NONE
                theirs = right if at_right else NONE
                form = _is_form(c, count, alone, ours, theirs, foreign)
                if isolated:
                    form = form and (alone or plain)
                    exact = c in (_HYPHEN, _COLON, _OPEN, _CLOSE, _DOT) and (
                        count == 1 or c == _DOT
                    )
                    if (alone or c == _DOT) and exact and numbers:
                        form = False
            if not form:
                out[filled] = mix64(np.uint64(c) << np.uint64(20) | np.uint64(min(count, 1 << 19)))
                filled += 1
                touches = c < 128 or bits & (OPERATOR | PROSE) != 0 or (at_left and at_right)
                spread = isolated and (bits & OPERATOR != 0 or c == _HYPHEN)
                touches_left |= (touches and at_left) or spread
                touches_right |= (touches and at_right) or spread
            k = end
    return filled, touches_left, touches_right

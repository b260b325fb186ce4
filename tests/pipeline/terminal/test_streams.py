"""Anything can be printed on a console of any encoding."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.pipeline.terminal.streams import plain_streams, print_json

ENCODINGS = ["ascii", "latin-1", "cp437", "utf-8"]


class Console(io.TextIOWrapper):
    """A stream of some encoding that remembers what it was sent."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n")

    def shown(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=st.text(st.characters(), max_size=60))
def test_any_text_is_printed(encoding: str, text: str) -> None:
    stdout, stderr = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Console(encoding), Console(encoding)
    try:
        plain_streams()
        print(text, end="")
        print(text, end="", file=sys.stderr)
        shown = [stream.shown() for stream in (sys.stdout, sys.stderr)]
    finally:
        sys.stdout, sys.stderr = stdout, stderr
    assert shown[0] == shown[1]
    if text.isascii():
        assert shown[0] == text


@given(value=st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_json_stays_the_same_json(value: object) -> None:
    for encoding in ENCODINGS:
        stdout, sys.stdout = sys.stdout, Console(encoding)
        try:
            print_json(json.dumps(value, ensure_ascii=False))
            shown = sys.stdout.shown()
        finally:
            sys.stdout = stdout
        assert json.loads(shown) == value, encoding


def test_signs_of_tables_have_likenesses(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console("ascii")
    monkeypatch.setattr(sys, "stdout", console)
    plain_streams()
    print("α ± 95% – 2×… ██▌ é")
    assert console.shown() == "alpha +- 95% - 2x... ## \\u00e9\n"


def test_closed_streams_take_any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    plain_streams()
    with sys.stdout, sys.stderr:
        print_json('{"é": "α"}')
        print("α", file=sys.stderr)
        sys.stdout.flush()

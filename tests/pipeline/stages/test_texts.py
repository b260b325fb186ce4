"""Texts of the corpus as they are shown: it is untrusted, and long."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.measure import Measured
from outcross.pipeline.stages.selected import Selected
from outcross.pipeline.stages.texts import SHOWN, TextList, TextLookup, beginning, printable
from outcross.pipeline.stages.write import Written


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


def test_all_lists_of_texts_are_looked_up_in_one_pipeline(
    measured: Measured[Written[Selected]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sketched, over_units, pipelines = measured.sketched, Context.over_units, [0]

    def counted(*arguments: Any, **options: Any) -> dict[str, int]:
        pipelines[0] += 1
        return over_units(*arguments, **options)

    monkeypatch.setattr(Context, "over_units", counted)
    texts: list[str] = []
    for unit in sketched.sketches.units:
        rows = sketched.sketches.table(unit.index, ["row"])["row"].to_pylist()
        lines = Path(unit.pieces[0].file).read_text().splitlines()
        texts += [json.loads(lines[row])["text"] for row in rows]
    documents = np.random.default_rng(0).permutation(len(texts))
    lists = {
        "few": TextList(documents[:3]),
        "cut": TextList(documents[1:300], 7),
        "none": TextList(documents[:0]),
        "prompts": TextList(documents[2:5], kind="prompt"),
    }
    found = TextLookup(sketched, lists).texts()
    assert pipelines == [1]
    assert found["few"] == {int(number): texts[number] for number in documents[:3]}
    assert found["cut"] == {int(number): texts[number][:7] for number in documents[1:300]}
    assert found["none"] == {}
    assert found["prompts"] == {int(number): "" for number in documents[2:5]}
    assert TextLookup(sketched, lists).texts() == found
    assert pipelines == [1]

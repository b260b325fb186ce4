"""No model that is written shows a word of the corpus once its quotes are taken out."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel

from outcross.schemas.plan import Plan
from outcross.schemas.quotes import QuotedText, QuotedWords, without_quotes
from outcross.schemas.report import Report

IN_OUR_WORDS = {"text_field", "text_version"}


class Line(BaseModel):
    """As a report has them."""

    id: str
    text: QuotedText
    words: QuotedWords


class Lines(BaseModel):
    """Lines in every kind of container."""

    title: str
    listed: list[Line]
    named: dict[str, Line | None]
    alone: Line


def test_quotes_go_and_the_rest_stays() -> None:
    line = Line(id="a", text="zqfirst", words=["zqsecond"])
    lines = Lines(title="t", listed=[line, line], named={"b": line, "c": None}, alone=line)
    bare = {"id": "a", "text": None, "words": []}
    assert without_quotes(lines).model_dump() == {
        "title": "t",
        "listed": [bare, bare],
        "named": {"b": bare, "c": None},
        "alone": bare,
    }
    assert lines.alone.text == "zqfirst"


def models(kind: Any) -> set[type[BaseModel]]:
    """Return the models within an annotation and its fields."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        inner = (models(field.annotation) for field in kind.model_fields.values())
        return {kind}.union(*inner)
    return set().union(*map(models, get_args(kind)))


@pytest.mark.parametrize("model", [Report, Plan])
def test_every_field_that_is_called_like_a_quote_is_one(model: type[BaseModel]) -> None:
    quotes = 0
    for inner in models(model):
        for name, field in inner.model_fields.items():
            kind = field.annotation
            if kind not in (str | None, list[str]) or name in IN_OUR_WORDS:
                continue
            marked = bool(field.metadata)
            quotes += marked
            like = name.endswith("text") or name in ("words", "prompt")
            assert marked == like, (inner.__name__, name)
    assert quotes >= 2

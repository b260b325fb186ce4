"""Removed documents: what they repeat, and what their removal costs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from outcross.schemas.base import Strict
from outcross.schemas.quotes import QuotedText


class FoundIn(Strict):
    """Documents of one source that repeat an evaluation set or an earlier run."""

    source: str = Field(description="name of the source that they were removed from")
    exact: int = Field(ge=0, description="with the same text")
    near: int = Field(ge=0, description="with a verified similarity")
    contained: int = Field(ge=0, description="that hold a text of the evaluation set")


class Found(Strict):
    """What repeats an evaluation set, or what a source of an earlier run has written."""

    name: str = Field(description="the source; of an earlier run with its folder before it")
    kind: Literal["exclude", "earlier run", "reference"] = Field(description="what it is")
    documents: int = Field(ge=0, description="its documents")
    found: int = Field(ge=0, description="those of them in favour of which something was removed")
    whole_only: int = Field(
        ge=0,
        description="texts that are not looked for inside of longer ones: they are shorter than an "
        "n-gram, or nearly all of what they say is a phrase of many of the set",
    )
    removed: list[FoundIn] = Field(description="what was removed, by its source")


class Loss(Strict):
    """What deduplication took from documents that are common, rare or strange among human ones."""

    role: str = Field(description="role of the documents, or `all`")
    kind: Literal["head", "tail", "off-support"] = Field(description="class by density")
    documents: int = Field(ge=0, description="before deduplication")
    exact: int = Field(ge=0, description="removed with the same text as a kept one")
    near: int = Field(ge=0, description="removed with a verified similarity to a kept one")
    contained: int = Field(ge=0, description="removed as holding an evaluation text")
    near_share: float | None = Field(description="near / (documents - exact - contained)")


class Removal(Strict):
    """One removed document, and the kept one that it repeats."""

    id: str = Field(description="of the removed document")
    source: str = Field(description="its source")
    kept_id: str = Field(description="of the kept document")
    kept_source: str = Field(description="its source; of an earlier run with its folder before it")
    stage: str = Field(description="exact, near or contained")
    rule: str = Field(description="why it was removed")
    similarity: float = Field(description="between the two")
    text: QuotedText = Field(description="beginning of the removed text")
    kept_text: QuotedText = Field(description="beginning of the kept text; null if it is gone")


class Repeated(Strict):
    """A text that came again and again."""

    id: str = Field(description="of the document that was kept")
    source: str = Field(description="its source")
    times: int = Field(ge=2, description="how many documents are it, word for word or nearly")
    exact: int = Field(ge=1, description="how many of them are it word for word")
    text: QuotedText = Field(description="beginning of its text")


class Deduplication(Strict):
    """What deduplication did."""

    exact: int = Field(
        ge=0,
        description="removed with the same text as the kept one, but for line ends and trailing "
        "white space",
    )
    near: int = Field(
        ge=0,
        description="removed with a verified similarity; copies of a text that went so are among "
        "them",
    )
    contained: int = Field(ge=0, description="removed as holding an evaluation text")
    open: int = Field(
        ge=0, description="kept although not everything that they might repeat was looked at"
    )
    bands: int = Field(ge=1, description="bands of the LSH")
    rows: int = Field(ge=1, description="rows of a band")
    counts: dict[str, int] = Field(
        description="what the resolver did; `different_meaning`: pairs with as many word sequences "
        "in common as repeats, which differ in numbers, signs, negations or vowel signs: both stay"
    )
    found: list[Found] = Field(description="what repeats evaluation sets and earlier runs")
    losses: list[Loss] = Field(
        description="what it took from head, tail and off-support; empty after `dedup`, which "
        "clusters nothing"
    )
    most_repeated: list[Repeated] = Field(
        description="the texts of this corpus that came most often, the commonest first"
    )
    least_similar: list[Removal] = Field(
        description="the near removals with the least similarity, for judging the threshold"
    )

"""Contents of compare.json: generations side by side."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from outcross.schemas.base import Strict
from outcross.schemas.figures import Measure
from outcross.schemas.report import Verdict


class Generation(Strict):
    """One report among those that are compared."""

    name: str = Field(description="of its folder")
    report: str = Field(description="path of its report.json as it was given")
    outcome: str = Field(description="its own verdict")
    measures: list[Measure] = Field(description="its judged measures")


class Alarm(Strict):
    """A fall between two generations, or a rise of near duplicates."""

    measure: str = Field(description="key of the measure")
    before: str = Field(description="name of the earlier generation")
    after: str = Field(description="name of the later one")
    fall: float = Field(
        description="share of the earlier figure against human text that is gone; of near "
        "duplicates, by what share of the documents they have risen"
    )
    error: float = Field(description="its standard error")
    limit: float = Field(description="the largest fall that passes")


class Trend(Strict):
    """How a measure moves from generation to generation."""

    measure: str = Field(description="key of the measure")
    slope: float = Field(description="change of the figure against human text a generation")
    error: float = Field(description="its standard error")


class Comparison(Strict):
    """The contents of compare.json: generations side by side."""

    format_version: Literal[1] = Field(default=1, description="version of this file's format")
    verdict: Verdict = Field(description="the result in a sentence, and why")
    reference: str = Field(description="fingerprint of the yardstick that all were measured on")
    generations: list[Generation] = Field(description="in the order in which they were given")
    trends: list[Trend] = Field(
        description="of the measures that three generations or more have: a line through their "
        "figures, weighted by their errors"
    )
    alarms: list[Alarm] = Field(description="falls beyond the limits")

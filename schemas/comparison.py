"""Contents of compare.json: generations side by side."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from outcross.schemas.base import Strict
from outcross.schemas.figures import Measure
from outcross.schemas.report import Verdict


class Generation(Strict):
    """One of the compared reports."""

    name: str = Field(description="name of the report's folder")
    report: str = Field(description="path of report.json, as it was given")
    outcome: str = Field(description="outcome of its own verdict")
    measures: list[Measure] = Field(description="measures that were judged")


class Alarm(Strict):
    """A measure that fell between two generations, or near duplicates that rose."""

    measure: str = Field(description="key of the measure")
    before: str = Field(description="name of the earlier generation")
    after: str = Field(description="name of the later generation")
    fall: float = Field(
        description="share of the earlier figure against human text that is lost; for near "
        "duplicates, the rise of their share of the documents"
    )
    error: float = Field(description="standard error of the fall")
    limit: float = Field(description="largest fall that passes")


class Trend(Strict):
    """Change of a measure from generation to generation."""

    measure: str = Field(description="key of the measure")
    slope: float = Field(description="change per generation of the figure against human text")
    error: float = Field(description="standard error of the slope")


class Comparison(Strict):
    """Contents of compare.json: generations side by side."""

    format_version: Literal[1] = Field(default=1, description="version of this file's format")
    verdict: Verdict = Field(description="result in one sentence, with its reasons")
    reference: str = Field(
        description="fingerprint of the reference that all generations were measured on"
    )
    generations: list[Generation] = Field(
        description="generations in the order in which they were given"
    )
    trends: list[Trend] = Field(
        description="trend of each measure that at least three generations have: a line through "
        "its figures, weighted by their errors"
    )
    alarms: list[Alarm] = Field(description="falls beyond the limits")

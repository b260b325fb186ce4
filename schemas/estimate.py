"""Time, disk and memory of a run, estimated before it starts."""

from __future__ import annotations

from pydantic import Field

from outcross.schemas.base import Strict


class Range(Strict):
    """A lower and an upper estimate."""

    low: float = Field(
        ge=0, description="value for long documents, or documents that compress badly"
    )
    high: float = Field(
        ge=0, description="value for short documents, or documents that compress well"
    )


class Estimate(Strict):
    """Time, disk and memory of a run, estimated from the size of its input."""

    input_bytes: int = Field(ge=0, description="size of the input's files in bytes")
    seconds: Range = Field(description="wall time in seconds with the workers of the run")
    disk_bytes: Range = Field(
        description="work files and results in the output directory, in bytes"
    )
    memory_bytes: Range = Field(description="largest memory of the process, in bytes")
    free_bytes: int | None = Field(
        description="free disk space in bytes where the output goes; null for an object store"
    )

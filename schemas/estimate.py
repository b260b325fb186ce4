"""What a run will take, before it starts."""

from __future__ import annotations

from pydantic import Field

from outcross.schemas.base import Strict


class Range(Strict):
    """An estimate: what long documents take, and what short ones do."""

    low: float = Field(ge=0, description="where documents are long, or compress little")
    high: float = Field(ge=0, description="where documents are short, or compress well")


class Estimate(Strict):
    """Time, disk and memory of a run, from the bytes of its input."""

    input_bytes: int = Field(ge=0, description="bytes of the input's files")
    seconds: Range = Field(description="wall time with the workers of the run")
    disk_bytes: Range = Field(description="work files and results in the output directory")
    memory_bytes: Range = Field(description="largest memory of the process")
    free_bytes: int | None = Field(
        description="free space where the output goes; null for an object store"
    )

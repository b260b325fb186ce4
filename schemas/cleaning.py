"""Result of `outcross clean`."""

from __future__ import annotations

from pydantic import Field

from outcross.schemas.base import Strict


class Piece(Strict):
    """A folder or file of work files."""

    path: str = Field(description="path below the output directory")
    bytes: int = Field(ge=0, description="size of its files in bytes; targets of links don't count")


class Cleaning(Strict):
    """Work files that no result needs."""

    out: str = Field(description="output directory")
    dry_run: bool = Field(description="true if nothing was removed, only listed")
    removed: list[Piece] = Field(description="work files that no result needs")
    removed_bytes: int = Field(ge=0, description="their size in bytes")
    kept_bytes: int = Field(ge=0, description="size in bytes of the work files that stay")
    unfinished: list[Piece] = Field(
        description="work files of a run or a plan without a result, kept unless --all is given"
    )

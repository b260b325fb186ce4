"""What `outcross clean` did, or would do."""

from __future__ import annotations

from pydantic import Field

from outcross.schemas.base import Strict


class Piece(Strict):
    """A folder or file of the work."""

    path: str = Field(description="below the output directory")
    bytes: int = Field(ge=0, description="of its files; what a link leads to doesn't count")


class Cleaning(Strict):
    """Work that no result needs."""

    out: str = Field(description="the output directory")
    dry_run: bool = Field(description="whether nothing was removed, only listed")
    removed: list[Piece] = Field(description="what no result needs")
    removed_bytes: int = Field(ge=0, description="of all of it")
    kept_bytes: int = Field(ge=0, description="of the work that stays")
    unfinished: list[Piece] = Field(
        description="work of a run or a plan that has no result yet, kept unless --all is given"
    )

"""Preview of a source, as a dry run prints it."""

from __future__ import annotations

from pydantic import Field

from outcross.schemas.plan import SourceTexts
from outcross.schemas.sources import Role


class SourcePreview(SourceTexts):
    """Files of a source, and the contents of its first rows."""

    role: Role = Field(description="role of the source")
    files: int = Field(ge=0, description="number of files")
    bytes: int = Field(ge=0, description="their size in bytes")
    rows: int = Field(ge=0, description="first rows that were read")
    passed: int = Field(ge=0, description="rows among them that the filter keeps")
    valid: int = Field(ge=0, description="rows among the passed ones that have a text")
    reason: str | None = Field(
        description="commonest reason why a row has no text; null if all have one"
    )
    warnings: list[str] = Field(
        description="files that are left out, and a source without a valid first row"
    )
    text: str | None = Field(
        description="beginning of the first text, as it is judged; null if texts is false"
    )

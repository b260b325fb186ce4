"""Sources: named sets of files with one role, and the fields of their rows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from outcross.schemas.text_field import Roles, TextField
from outcross.schemas.user_input import Model
from outcross.schemas.where import Where

Role = Literal["synthetic", "human", "reference", "exclude"]


WRITABLE: tuple[Role, ...] = ("synthetic", "human")


Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "arrow", "text-lines", "text-file"]
"""How a file's bytes become rows."""


class Fields(Model):
    """Where a document's parts stand in its row: a name, or a path such as messages.1.content."""

    text_field: TextField = Field(
        "text",
        description="the text that is judged: a column or a dotted path into it, a list of them "
        "that are joined by a blank line, or a template such as '{instruction} {output}'",
    )
    roles: Roles | None = Field(
        None,
        description="roles of the turns of a conversation that are judged, such as assistant; all "
        "if absent",
    )
    id_field: str | None = Field(None, description="column of the document's id")
    prompt_field: str | None = Field(None, description="column of the prompt that was answered")
    domain_field: str | None = Field(None, description="column of the domain")
    generation_field: str | None = Field(
        None, description="column that says which turn of the training loop wrote the document"
    )
    format: Format | None = Field(
        None,
        description="how files are read: jsonl, json (lines, a list, or an object with lists of "
        "rows), csv, tsv, parquet, arrow, text-lines (a document a line) or text-file (a document "
        "a file); if absent, by their names: .txt and .md are text-file",
    )


class Source(Fields):
    """A named set of files with one role."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="name of the source")
    role: Role = Field(
        description="synthetic; human (may be written, and is the reference unless there is "
        "another); reference (human text for the yardstick only); exclude (never written; what "
        "repeats it is removed)"
    )
    files: Annotated[list[str], Field(min_length=1)] = Field(
        description="files, globs and folders on any Beam filesystem, in any of the formats of "
        "docs/files-and-formats.md; - is standard input"
    )
    priority: int = Field(0, description="of two documents that repeat, the higher one is kept")
    priority_field: str | None = Field(
        None, description="column with a document's own priority, after the source's"
    )
    where: Where = Field(
        default_factory=dict,
        description="keep only rows whose column equals the value, is in the list (null is for "
        "missing), or meets a mapping of >, >=, <, <= and not",
    )
    removed_by: list[str] | None = Field(
        None,
        description="names of the sources whose documents may stand for this one's; all if "
        "absent. What repeats a source of role exclude is removed in any case",
    )

"""Sources: named sets of files with one role, and the fields of their rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, model_validator

from outcross.schemas.text_field import Roles, TextField
from outcross.schemas.tokens import TokenizerFile
from outcross.schemas.user_input import Model
from outcross.schemas.where import Where

Role = Literal["synthetic", "human", "reference", "exclude"]


WRITABLE: tuple[Role, ...] = ("synthetic", "human")


PieceKind = Literal["sentence", "paragraph"]
"""Smallest part of a text that a piece of it is made of."""

PIECE_TOKENS = 64
"""Most tokens of a piece if `piece_tokens` is absent."""

Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "arrow", "text-lines", "text-file"]
"""Format of a file, which tells how its bytes become rows."""

Provenance = Literal["generated", "rephrased", "edited"]
"""Way in which the texts of a synthetic source were made."""


class Fields(Model):
    """Format of a source's files, and the columns that hold the parts of a document.

    A column is a name, or a dotted path such as messages.1.content.
    """

    text_field: TextField = Field(
        default="text",
        description="the text that is judged: a column or a dotted path into it, a list of "
        "columns that are joined by a blank line, or a template such as '{instruction} {output}'",
    )
    roles: Roles | None = Field(
        default=None,
        description="for conversations, the roles whose turns are judged, such as assistant; all "
        "roles if absent",
    )
    id_field: str | None = Field(
        default=None,
        description="column of the document's id; if absent, a document is named by its file and "
        "row",
    )
    prompt_field: str | None = Field(
        default=None, description="column of the prompt that the document answers"
    )
    domain_field: str | None = Field(default=None, description="column of the document's domain")
    generation_field: str | None = Field(
        default=None, description="column of the turn of the training loop that wrote the document"
    )
    format: Format | None = Field(
        default=None,
        description="format of the files: jsonl, json (lines, a list, or an object with lists of "
        "rows), csv, tsv, parquet, arrow, text-lines (one document per line) or text-file (one "
        "document per file); if absent, the file's name decides, and .txt and .md are text-file",
    )


class Source(Fields):
    """A named set of files with one role."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="name of the source: letters, digits, dots, dashes and underscores",
    )
    role: Role = Field(
        description="synthetic: may be written; human: may be written, and is the reference "
        "unless there is another; reference: human text for the reference only; exclude: never "
        "written, and documents that repeat it are removed"
    )
    files: Annotated[list[str], Field(min_length=1)] = Field(
        description="files, globs and folders on any Beam filesystem, in any of the formats of "
        "docs/files-and-formats.md; - is standard input"
    )
    priority: int = Field(
        default=0,
        description="of two documents that repeat each other, the one with the higher priority is "
        "kept",
    )
    priority_field: str | None = Field(
        default=None,
        description="column of a document's own priority, which decides between documents of "
        "equal source priority",
    )
    where: Where = Field(
        default_factory=dict,
        description="filter of rows by column: a row is kept if the column equals the value, is "
        "in the list (null matches missing values), or meets a mapping of >, >=, <, <= and not",
    )
    pieces: PieceKind | None = Field(
        default=None,
        description="for a synthetic source: sentence or paragraph offers documents longer than "
        "piece_tokens in pieces of consecutive sentences or paragraphs, of which a run chooses "
        "each by itself; if absent, documents are chosen whole",
    )
    piece_tokens: int | None = Field(
        default=None,
        ge=1,
        description="with pieces: most tokens of a piece, 64 if absent; a sentence or paragraph of "
        "more tokens is one piece",
    )
    removed_by: list[str] | None = Field(
        default=None,
        description="names of the sources whose documents may replace a document of this one; all "
        "if absent. A document that repeats a source of role exclude is removed in any case",
    )
    provenance: Provenance | None = Field(
        default=None,
        description="how the texts of a synthetic source were made: generated from prompts, "
        "rephrased from other texts, or edited: other texts with changes; not said if absent",
    )

    _tokenizer: TokenizerFile | None = PrivateAttr(default=None)

    @property
    def tokenizer(self) -> TokenizerFile | None:
        """Tokenizer that counts the tokens of the source's texts; None where tokens are words."""
        return self._tokenizer

    def with_tokenizer(self, tokenizer: TokenizerFile | None) -> Source:
        """Return the source with another tokenizer."""
        source = self.model_copy()
        source._tokenizer = tokenizer
        return source

    @model_validator(mode="after")
    def _only_synthetic_text_is_made(self) -> Source:
        if self.provenance is not None and self.role != "synthetic":
            raise ValueError(
                f"provenance: is {self.provenance}, but source {self.name!r} has the role "
                f"{self.role}; leave it out, or set the role to synthetic"
            )
        return self


def agreed_provenance(sources: Iterable[Source]) -> Provenance | None:
    """Return how all synthetic text was made; None if sources differ, or one doesn't say."""
    stated = {source.provenance for source in sources if source.role == "synthetic"}
    return stated.pop() if len(stated) == 1 else None

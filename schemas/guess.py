"""Result of `outcross init`: guessed formats and columns of files."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from outcross.schemas.sources import Format, Role


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldGuess(_Model):
    """A guessed key of a source."""

    value: str | list[str] = Field(description="guessed value of the key")
    reason: str = Field(description="why it was guessed")
    alternatives: list[str] = Field(
        description="columns that it might be as well, the likeliest first"
    )


class FieldGuesses(_Model):
    """Guessed columns of a file's rows; null where no column fits."""

    text_field: FieldGuess | None = Field(description="the text that is judged")
    roles: FieldGuess | None = Field(description="roles of the turns of a conversation")
    id_field: FieldGuess | None = Field(description="column of the document's id")
    prompt_field: FieldGuess | None = Field(description="column of the prompt that was answered")
    domain_field: FieldGuess | None = Field(description="column of the domain")


class SourceGuess(_Model):
    """A source, as its first rows show it."""

    name: str = Field(description="name of the source")
    role: Role = Field(description="role of the source")
    files: list[str] = Field(description="files, globs and folders, as they were given")
    format: Format = Field(description="how its first file is read")
    format_reason: str = Field(description="why that format was guessed")
    format_needed: bool = Field(description="whether the names of the files don't tell the format")
    rows: int = Field(ge=0, description="first rows that were looked at")
    columns: list[str] = Field(description="columns of these rows")
    fields: FieldGuesses = Field(description="columns by their use")


class InitResult(_Model):
    """A configuration that was written for some files."""

    file: str = Field(description="path of the configuration")
    out: str = Field(description="output directory that it names")
    sources: list[SourceGuess] = Field(description="the sources, in the order of the options")

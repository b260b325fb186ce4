"""Requests of `outcross audit` and `outcross reference build`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from outcross.schemas.config import Config, OnBroken
from outcross.schemas.sources import Fields, Provenance, Source
from outcross.schemas.text_field import TextField


class _Reading(Fields):
    """Keys of both requests that tell how a corpus is read."""

    seed: int = Field(
        default=0, ge=0, lt=2**63, description=Config.model_fields["seed"].description
    )
    workers: int | None = Field(
        default=None, ge=1, description=Config.model_fields["workers"].description
    )
    max_reject_share: float = Field(
        default=0.01, ge=0, le=1, description=Config.model_fields["max_reject_share"].description
    )
    embedder: str | None = Field(
        default=None, description=Config.model_fields["embedder"].description
    )
    texts: bool = Field(default=True, description=Config.model_fields["texts"].description)
    tokenizer: str | None = Field(
        default=None, description=Config.model_fields["tokenizer"].description
    )
    on_broken_file: OnBroken = Field(
        default="stop", description=Config.model_fields["on_broken_file"].description
    )


class ReferenceRequest(_Reading):
    """Request to make a reference from human text."""

    human: Annotated[list[str], Field(min_length=1)] = Field(
        description="files, globs and folders of human text"
    )
    out: str = Field(description="directory of the reference")

    def config(self) -> Config:
        """Return the configuration that the stages work with."""
        source = Source(
            name="human",
            role="human",
            files=self.human,
            **self.model_dump(include=set(Fields.model_fields)),
        )
        return Config(
            out=self.out,
            text_out=None,
            sources=[source],
            seed=self.seed,
            workers=self.workers,
            max_reject_share=self.max_reject_share,
            texts=self.texts,
            embedder=self.embedder,
            tokenizer=self.tokenizer,
            on_broken_file=self.on_broken_file,
        )


class AuditRequest(_Reading):
    """Request to measure a corpus against a reference."""

    paths: Annotated[list[str], Field(min_length=1)] = Field(
        description="corpus to audit: files, globs, folders, or the output directory of a run"
    )
    human: list[str] = Field(
        default_factory=list,
        description="files, globs and folders of human text, from which a reference is made",
    )
    human_text_field: TextField | None = Field(
        default=None, description="text field of human; if absent, text_field"
    )
    reference: str | None = Field(
        default=None,
        description="folder of a reference that `outcross reference build` or an earlier run has "
        "made",
    )
    provenance: Provenance | None = Field(
        default=None, description=Source.model_fields["provenance"].description
    )
    gates: str | None = Field(default=None, description=Config.model_fields["gates"].description)
    out: str = Field(default="audit", description="directory of the report")

    @model_validator(mode="after")
    def _one_reference(self) -> AuditRequest:
        if self.human and self.reference is not None:
            raise ValueError("human: set human or reference, not both, as each gives the reference")
        if self.human_text_field is not None and not self.human:
            raise ValueError("human_text_field: only works with human text; set human too")
        return self

    def reference_request(self, out: str) -> ReferenceRequest:
        """Return the request for the reference of `human`.

        Args:
            out: directory of the reference.
        """
        return ReferenceRequest(
            human=self.human,
            out=out,
            text_field=self.human_text_field or self.text_field,
            roles=self.roles,
            **self.model_dump(include=set(_Reading.model_fields) - set(Fields.model_fields)),
        )

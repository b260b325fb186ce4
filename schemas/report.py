"""report.json: what became of every row, what was asked and achieved, and how diverse it is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.plan import Asked


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Conservation(_Model):
    """Where the rows of one source went."""

    source: str = Field(description="name of the source")
    role: str = Field(description="role of the source")
    filtered: int = Field(ge=0, description="rows that the `where` filter left out, before read")
    read: int = Field(ge=0, description="rows read: kept + removed + rejected")
    rejected: int = Field(ge=0, description="rows that could not be used; they stand in rejects/")
    removed: int = Field(ge=0, description="rows that repeat a kept one; they stand in removed/")
    distinct: int = Field(ge=0, description="different texts among the rows that could be read")
    kept: int = Field(ge=0, description="rows that survived: written + not_selected")
    written: int = Field(ge=0, description="kept rows that stand in data/ at least once")
    not_selected: dict[str, int] = Field(description="kept rows that are not written, by reason")
    copies: int = Field(ge=0, description="further appearances in data/, beyond the first")

    def holds(self) -> bool:
        """Whether no row was lost."""
        return (
            self.read == self.kept + self.removed + self.rejected
            and self.kept == self.written + sum(self.not_selected.values())
        )


class Figures(_Model):
    """A set of documents on the yardstick. What can't be said is null, not a number."""

    documents: int = Field(ge=0, description="documents, each appearance counted")
    tokens: int = Field(ge=0, description="tokens")
    copies: int = Field(ge=0, description="appearances beyond a document's first")
    near_duplicates: int = Field(
        ge=0,
        description="documents that repeat another one of the set: before deduplication those "
        "that it removes, in what is written further copies. Pairs that deduplication did not "
        "find are not in it",
    )
    near_duplicate_rate: float | None = Field(
        default=None, description="near_duplicates / documents"
    )
    effective_clusters: float | None = Field(
        default=None,
        description="exp(entropy) of the documents over clusters: how many equally likely ones",
    )
    audit_effective_clusters: float | None = Field(
        default=None, description="the same on a second codebook that no decision looks at"
    )
    sample_coverage: float | None = Field(
        default=None, description="estimated share of the distribution that the documents cover"
    )
    token_entropy: float | None = Field(
        default=None, description="entropy of the tokens over clusters, nats"
    )
    kl_to_reference: float | None = Field(
        default=None, description="KL divergence of the tokens from the human reference, nats"
    )
    tail_mass: float | None = Field(
        default=None, description="share of documents that are human-like but rare"
    )
    off_support: float | None = Field(
        default=None, description="share of documents that are unlike anything human"
    )


class Stage(_Model):
    """The documents after one stage, by role and in all."""

    name: Literal["read", "deduplicate", "write"] = Field(description="name of the stage")
    roles: dict[str, Figures] = Field(description="figures by role, and of `all`")


class Shard(_Model):
    """One shard."""

    file: str = Field(description="name of the file in data/")
    rows: int = Field(ge=0, description="rows in it")
    bytes: int = Field(ge=0, description="its size")
    human_share: float | None = Field(description="human share of its tokens; null without tokens")
    figures: Figures = Field(description="its documents on the yardstick")


class Achieved(_Model):
    """What was written, against the plan."""

    tokens: int = Field(ge=0, description="tokens written")
    synthetic_tokens: int = Field(ge=0, description="synthetic tokens among them")
    human_tokens: int = Field(ge=0, description="human tokens among them")
    human_share: float | None = Field(description="human_tokens / tokens; null without tokens")
    planned_human_tokens: float | None = Field(description="what the plan asks for")
    longest_document: int = Field(
        ge=0, description="tokens of the longest candidate: half of it is the tolerance"
    )
    entropy: float | None = Field(description="entropy of the tokens over clusters, nats")
    planned_entropy: float | None = Field(description="entropy of the plan, nats")
    kl: float | None = Field(description="KL divergence from the human reference, nats")
    most_copies: int = Field(ge=0, description="appearances of the most repeated document")


class Yardstick(_Model):
    """What the figures are measured on."""

    fingerprint: str = Field(description="names it: runs with the same one can be compared")
    human: bool = Field(description="whether it was made from human text")
    clusters: int = Field(ge=1, description="clusters of its codebook")
    documents: int = Field(ge=0, description="documents that it was made from")
    effective_clusters: float = Field(description="of those documents")
    tail_mass: float | None = Field(description="share of tail among the part that fitted nothing")


class Deduplication(_Model):
    """What deduplication did."""

    exact: int = Field(ge=0, description="removed with the same words")
    near: int = Field(ge=0, description="removed with a verified similarity")
    open: int = Field(
        ge=0, description="kept although what they repeat was removed, after all rounds"
    )
    counts: dict[str, int] = Field(description="what the resolver did")


class Prompts(_Model):
    """What one source answers, where a column of prompts is named."""

    source: str = Field(description="name of the source")
    prompts: int = Field(ge=0, description="different prompts")
    answers: int = Field(ge=0, description="answers to them that could be read")
    distinct_answers: int = Field(
        ge=0, description="different texts for each prompt, added up over the prompts"
    )
    kept_answers: int = Field(ge=0, description="answers that survive deduplication")


class Verdict(_Model):
    """The run in a sentence."""

    outcome: Literal["done", "done with warnings"] = Field(description="how the run ended")
    reasons: list[str] = Field(description="the warnings")


class Report(_Model):
    """The contents of report.json."""

    format_version: Literal[1] = Field(default=1, description="version of this file's format")
    verdict: Verdict = Field(description="how the run ended, and why")
    conservation: list[Conservation] = Field(description="where every row went, by source")
    asked: Asked | None = Field(description="the request; null after `dedup`")
    achieved: Achieved = Field(description="what was written")
    stages: list[Stage] = Field(description="the documents after each stage, on one codebook")
    shards: list[Shard] = Field(description="the shards, merged they are the stage `write`")
    deduplication: Deduplication = Field(description="what was removed")
    prompts: list[Prompts] = Field(description="answers by prompt, of sources with prompts")
    domains: dict[str, int] = Field(description="rows written by domain; '' for none")
    reference: Yardstick | None = Field(description="the yardstick; null after `dedup`")

    def figures(self, stage: str, role: str = "all") -> Figures:
        """The figures of a role after a stage.

        Raises:
            KeyError: when there are none.
        """
        for found in self.stages:
            if found.name == stage and role in found.roles:
                return found.roles[role]
        raise KeyError(f"the report has no figures of {role!r} after {stage!r}")

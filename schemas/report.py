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


class FoundIn(_Model):
    """Documents of one source that repeat an evaluation set or an earlier run."""

    source: str = Field(description="name of the source that they were removed from")
    exact: int = Field(ge=0, description="with the same words")
    near: int = Field(ge=0, description="with a verified similarity")
    contained: int = Field(ge=0, description="that hold a text of the evaluation set")


class Found(_Model):
    """What repeats an evaluation set, or what a source of an earlier run has written."""

    name: str = Field(description="the source; of an earlier run with its folder before it")
    kind: Literal["exclude", "earlier run"] = Field(description="what it is")
    documents: int = Field(ge=0, description="its documents")
    found: int = Field(ge=0, description="those of them in favour of which something was removed")
    whole_only: int = Field(
        ge=0,
        description="texts that are not looked for inside of longer ones: they are shorter than an "
        "n-gram, or nearly all of what they say is a phrase of many of the set",
    )
    removed: list[FoundIn] = Field(description="what was removed, by its source")


class Loss(_Model):
    """What deduplication took from documents that are common, rare or strange among human ones."""

    role: str = Field(description="role of the documents, or `all`")
    kind: Literal["head", "tail", "off-support"] = Field(description="class by density")
    documents: int = Field(ge=0, description="before deduplication")
    exact: int = Field(ge=0, description="removed with the same words as a kept one")
    near: int = Field(ge=0, description="removed with a verified similarity to a kept one")
    contained: int = Field(ge=0, description="removed as holding an evaluation text")
    near_share: float | None = Field(description="near / (documents - exact - contained)")


class Removal(_Model):
    """One removed document, and the kept one that it repeats."""

    id: str = Field(description="of the removed document")
    source: str = Field(description="its source")
    kept_id: str = Field(description="of the kept document")
    kept_source: str = Field(description="its source; of an earlier run with its folder before it")
    stage: str = Field(description="exact, near or contained")
    rule: str = Field(description="why it was removed")
    similarity: float = Field(description="between the two")
    text: str | None = Field(description="beginning of the removed text")
    kept_text: str | None = Field(description="beginning of the kept text; null if it is gone")


class Deduplication(_Model):
    """What deduplication did."""

    exact: int = Field(ge=0, description="removed with the same words as the kept one")
    near: int = Field(
        ge=0,
        description="removed with a verified similarity; copies of a text that went so are among "
        "them",
    )
    contained: int = Field(ge=0, description="removed as holding an evaluation text")
    open: int = Field(
        ge=0, description="kept although not everything that they might repeat was looked at"
    )
    bands: int = Field(ge=1, description="bands of the LSH")
    rows: int = Field(ge=1, description="rows of a band")
    counts: dict[str, int] = Field(description="what the resolver did")
    found: list[Found] = Field(description="what repeats evaluation sets and earlier runs")
    losses: list[Loss] = Field(
        description="what it took from head, tail and off-support; empty after `dedup`, which "
        "clusters nothing"
    )
    least_similar: list[Removal] = Field(
        description="the near removals with the least similarity, for judging the threshold"
    )


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
    shards: list[Shard] = Field(
        description="the shards, merged they are the stage `write`; empty after `dedup`"
    )
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

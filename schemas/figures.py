"""Figures of a set of documents, and their measures against human text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from outcross.schemas.base import Strict

OUTCOMES = {"too few": "too little to judge"}
"""How outcomes are shown whose names say it less well."""


class Measure(Strict):
    """A measure of a set beside that of human text, with as many documents or words.

    What can't be said is null, not a number.
    """

    name: str = Field(description="key of the measure")
    value: float | None = Field(description="of the set; null where there is too little of it")
    human: float | None = Field(description="of human text, mean over splits of the reference")
    low: float | None = Field(
        description="lower end of the band of values that holds 95 % of such splits"
    )
    high: float | None = Field(description="its upper end")
    against: float | None = Field(
        description="value / human, or value - human for shares of repetition and for divergences"
    )
    error: float | None = Field(description="standard error of `against`")
    n: int = Field(ge=0, description="documents or words that were compared on each side")
    outcome: Literal["go", "warn", "stop", "noise", "too few", "not judged", "shown"] = Field(
        description="what the gate says; `not judged` where it is by clusters and the embedder "
        "can't read the texts; `shown` where there is none, or where it doesn't apply"
    )
    unjudged: str | None = Field(
        default=None, description="why the gate can't judge; null where it can, or is not there"
    )


class Lexical(Strict):
    """Measures of the words alone, in a fixed number of words that a hash has drawn."""

    tokens: int = Field(ge=0, description="words that were looked at: a power of two")
    vocabulary: int = Field(ge=0, description="different words")
    distinct_1: float = Field(description="different words / words")
    distinct_2: float = Field(description="different word pairs / word pairs")
    distinct_3: float = Field(description="different word triples / word triples")
    entropy_1: float = Field(description="entropy of the words, nats")
    entropy_2: float = Field(description="entropy of the word pairs, nats")
    self_repetition: float = Field(
        description="share of four-word phrases that another document has too"
    )


class Lengths(Strict):
    """How long documents are, in tokens."""

    mean: float = Field(ge=0, description="mean")
    least: int = Field(ge=0, description="5 % are shorter; to within a tenth")
    median: int = Field(ge=0, description="half are shorter; to within a tenth")
    most: int = Field(ge=0, description="5 % are longer; to within a tenth")


class Figures(Strict):
    """A set of documents on the yardstick. What can't be said is null, not a number."""

    documents: int = Field(
        ge=0, description="documents, each appearance counted; with weights, what they weigh"
    )
    tokens: int = Field(ge=0, description="tokens")
    copies: int = Field(ge=0, description="appearances beyond a document's first")
    near_duplicates: int = Field(
        ge=0,
        description="documents that repeat another one of the set: before deduplication those "
        "that it removes, in what is written further copies, in an audited file those that stand "
        "for the same kept document as another of the file. Pairs that deduplication did not "
        "find are not in it",
    )
    near_duplicate_rate: float | None = Field(
        default=None,
        description="near_duplicates / documents; of an audited file near_duplicates / all that "
        "was read from it",
    )
    effective_clusters: float | None = Field(
        default=None,
        description="exp(entropy) of the documents over clusters: how many equally likely ones",
    )
    effective_clusters_error: float | None = Field(default=None, description="its standard error")
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
    vendi: float | None = Field(
        default=None,
        description="Vendi score with the cosine kernel: how many wholly different documents",
    )
    vendi_2: float | None = Field(default=None, description="Vendi score of order 2")
    lengths: Lengths | None = Field(default=None, description="lengths of the documents")
    lexical: Lexical | None = Field(
        default=None, description="measures of the words; null below 4,096 words"
    )
    zstd_ratio: float | None = Field(
        default=None,
        description="bytes of a sample of the texts / bytes after zstd, in blocks of 128 KiB; null "
        "where there is no such block, or nothing was read again",
    )
    measures: list[Measure] = Field(
        default_factory=list, description="against human text; empty without"
    )

    def measure(self, name: str) -> Measure | None:
        """A measure against human text, if there is one."""
        return next((found for found in self.measures if found.name == name), None)


class Stage(Strict):
    """The documents after one stage, by role and in all."""

    name: Literal["read", "deduplicate", "write"] = Field(
        description="name of the stage; of an audit, `read` and `deduplicate`"
    )
    roles: dict[str, Figures] = Field(description="figures by role, and of `all`")


class Shard(Strict):
    """One shard."""

    file: str = Field(description="name of the file in data/")
    read: int | None = Field(
        default=None,
        ge=0,
        description="documents read from an audited file; null for what a run wrote",
    )
    rows: int = Field(
        ge=0, description="rows in it; of an audited file, those that were kept and measured"
    )
    bytes: int = Field(ge=0, description="its size")
    human_share: float | None = Field(description="human share of its tokens; null without tokens")
    figures: Figures = Field(description="its documents on the yardstick")


class Domain(Strict):
    """The documents of one domain that were written or audited."""

    name: str = Field(description="value of the domain column; '' for none")
    kind: Literal["open", "converge"] = Field(
        description="whether diversity is wanted, or answers that agree; the latter never gate"
    )
    figures: Figures = Field(description="its documents on the yardstick")

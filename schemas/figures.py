"""Figures of a set of documents, and their measures against human text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from outcross.schemas.base import Strict

OUTCOMES = {"too few": "too little to judge"}
"""Words for outcomes whose names are unclear."""


class Measure(Strict):
    """A measure of a set, compared with as many documents or words of human text.

    Values that can't be computed are null.
    """

    name: str = Field(description="key of the measure")
    value: float | None = Field(description="value of the set; null if the set is too small")
    human: float | None = Field(
        description="value of human text: mean over splits of the reference"
    )
    low: float | None = Field(
        description="lower end of the interval that holds 95 % of such splits"
    )
    high: float | None = Field(description="upper end of that interval")
    against: float | None = Field(
        description="value / human; for shares of repetition and for divergences, value - human"
    )
    error: float | None = Field(description="standard error of `against`")
    n: int = Field(ge=0, description="documents or words compared on each side")
    outcome: Literal["go", "warn", "stop", "noise", "too few", "not judged", "shown"] = Field(
        description="result of the gate. `not judged`: the measure uses clusters, and the "
        "embedder can't read the texts. `shown`: there is no gate, or it doesn't apply"
    )
    unjudged: str | None = Field(
        default=None, description="why the gate can't judge; null if it can, or if there is no gate"
    )


class Lexical(Strict):
    """Measures of words, over a sample of fixed size that is drawn by hash."""

    tokens: int = Field(ge=0, description="words examined: a power of two")
    vocabulary: int = Field(ge=0, description="different words")
    distinct_1: float = Field(description="different words / words")
    distinct_2: float = Field(description="different word pairs / word pairs")
    distinct_3: float = Field(description="different word triples / word triples")
    entropy_1: float = Field(description="entropy of the words, in nats")
    entropy_2: float = Field(description="entropy of the word pairs, in nats")
    self_repetition: float = Field(
        description="share of four-word phrases that another document has too"
    )


class Lengths(Strict):
    """Lengths of documents, in tokens."""

    mean: float = Field(ge=0, description="mean length in tokens")
    least: int = Field(
        ge=0, description="length in tokens below which 5 % of the documents lie, to within a tenth"
    )
    median: int = Field(
        ge=0,
        description="length in tokens below which half of the documents lie, to within a tenth",
    )
    most: int = Field(
        ge=0, description="length in tokens above which 5 % of the documents lie, to within a tenth"
    )


class Figures(Strict):
    """Figures of a set of documents. Values that can't be computed are null."""

    documents: int = Field(
        ge=0,
        description="documents, counted at each appearance; with weights, the sum of their weights",
    )
    tokens: int = Field(ge=0, description="tokens, counted at each appearance of a document")
    copies: int = Field(ge=0, description="appearances beyond a document's first")
    near_duplicates: int = Field(
        ge=0,
        description="documents that repeat another document of the set. Before deduplication: the "
        "documents that it removes. In the written corpus: further copies. In an audited file: "
        "documents that repeat the same kept document as another document of the file. Pairs that "
        "deduplication did not find don't count",
    )
    near_duplicate_rate: float | None = Field(
        default=None,
        description="near_duplicates / documents; for an audited file, near_duplicates / "
        "documents read from it",
    )
    effective_clusters: float | None = Field(
        default=None,
        description="exp(entropy) of the documents over clusters: the number of equally likely "
        "clusters with the same entropy",
    )
    effective_clusters_error: float | None = Field(
        default=None, description="standard error of effective_clusters"
    )
    audit_effective_clusters: float | None = Field(
        default=None, description="effective clusters on a second codebook that no decision uses"
    )
    sample_coverage: float | None = Field(
        default=None, description="estimated share of the distribution that the documents cover"
    )
    token_entropy: float | None = Field(
        default=None, description="entropy of the tokens over clusters, in nats"
    )
    kl_to_reference: float | None = Field(
        default=None, description="KL divergence of the tokens from the human reference, in nats"
    )
    tail_mass: float | None = Field(
        default=None, description="share of documents that are like human text but rare"
    )
    off_support: float | None = Field(
        default=None, description="share of documents that are unlike any human text"
    )
    vendi: float | None = Field(
        default=None,
        description="Vendi score with the cosine kernel: the effective number of different "
        "documents",
    )
    vendi_2: float | None = Field(default=None, description="Vendi score of order 2")
    lengths: Lengths | None = Field(default=None, description="lengths of the documents")
    lexical: Lexical | None = Field(
        default=None, description="measures of the words; null below 4,096 words"
    )
    zstd_ratio: float | None = Field(
        default=None,
        description="bytes of a sample of the texts / bytes after zstd, in blocks of 128 KiB; "
        "null if there is no full block, or if the texts were not read again",
    )
    measures: list[Measure] = Field(
        default_factory=list, description="measures against human text; empty if there is none"
    )

    def measure(self, name: str) -> Measure | None:
        """Return a measure against human text, or None if the set has none."""
        return next((measure for measure in self.measures if measure.name == name), None)


class Stage(Strict):
    """Figures of the documents after one stage, by role and in total."""

    name: Literal["read", "deduplicate", "write"] = Field(
        description="name of the stage; an audit has `read` and `deduplicate`"
    )
    roles: dict[str, Figures] = Field(description="figures by role, and of `all`")


class Shard(Strict):
    """Figures of one shard, or of one audited file."""

    file: str = Field(description="name of the file in data/")
    read: int | None = Field(
        default=None,
        ge=0,
        description="documents read from an audited file; null for files that a run wrote",
    )
    rows: int = Field(
        ge=0,
        description="rows in the file; for an audited file, documents that were kept and measured",
    )
    bytes: int = Field(ge=0, description="size of the file in bytes")
    human_share: float | None = Field(
        description="human share of its tokens; null if it has no tokens"
    )
    figures: Figures = Field(description="figures of its documents")


class Domain(Strict):
    """Figures of the written or audited documents of one domain."""

    name: str = Field(description="value of the domain column; '' for documents without one")
    kind: Literal["open", "converge"] = Field(
        description="open: diversity is wanted and judged; converge: answers should agree, and "
        "figures are never judged"
    )
    figures: Figures = Field(description="figures of its documents")

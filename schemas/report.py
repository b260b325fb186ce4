"""report.json: what became of every row, what was asked and achieved, and how diverse it is."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from outcross.schemas.base import Strict
from outcross.schemas.config import Kind
from outcross.schemas.deduplication import Deduplication
from outcross.schemas.figures import Domain, Figures, Shard, Stage
from outcross.schemas.lineage import LineageReport
from outcross.schemas.plan import Asked, LengthLimits
from outcross.schemas.prompts import Prompts
from outcross.schemas.quotes import QuotedText, QuotedWords

MEASURED = "measured"
"""Why an audited document is not written: it was only measured."""


class Conservation(Strict):
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
    copies: int = Field(
        ge=0,
        description="further rows of them in data/, beyond the first; none where copies are "
        "weights",
    )

    def holds(self) -> bool:
        """Whether no row was lost."""
        return (
            self.read == self.kept + self.removed + self.rejected
            and self.kept == self.written + sum(self.not_selected.values())
        )


class KnownWords(Strict):
    """How many words of one source the embedder knows: of other texts, clusters say little."""

    source: str = Field(description="name of the source")
    words: int = Field(
        ge=0, description="words looked at: all but numbers and single ASCII characters"
    )
    known: int = Field(
        ge=0, description="of them, those that are whole words of the embedder's vocabulary"
    )
    share: float | None = Field(description="known / words; null where words are too few")
    enough: bool = Field(description="false where the share is too low to judge by clusters")


EXTREMES = 20  # starved clusters, and as many swollen ones, that have a text of the corpus


class Cluster(Strict):
    """A cell of the codebook: what human text holds there, and what the corpus does."""

    cluster: int = Field(ge=0, description="its number")
    x: float = Field(description="place on the map of the clusters")
    y: float = Field(description="place on the map of the clusters")
    human_share: float = Field(ge=0, description="share of the human reference's documents")
    share: float = Field(ge=0, description="share of the corpus's documents")
    words: QuotedWords = Field(description="words that set it apart, the most telling first")
    human_text: QuotedText = Field(description="beginning of a human text of the cluster")
    text: QuotedText = Field(
        description="beginning of a text of the corpus; given for the most starved and swollen"
    )

    @property
    def excess(self) -> float:
        """What it adds to the Jensen-Shannon divergence, in nats; negative where starved.

        By the ratio of the shares alone the smallest clusters would come first, whose ratio is
        chance.
        """
        human, own = self.human_share, self.share
        middle = (human + own) / 2
        added = sum(share * math.log(share / middle) for share in (human, own) if share > 0) / 2
        return -added if own < human else added


class AchievedDomain(Strict):
    """What was written of one domain that the plan has a budget for, against it."""

    name: str = Field(description="value of the domain column; '*' for all that is not named")
    kind: Kind = Field(
        description="open: tempered; converge: the human distribution as it is, each document once"
    )
    tokens: int = Field(ge=0, description="tokens written")
    share: float = Field(description="its tokens / the tokens written")
    human_tokens: int = Field(ge=0, description="human tokens among them")
    planned_tokens: float = Field(description="tokens planned")
    planned_human_tokens: float = Field(description="human tokens planned")
    entropy: float | None = Field(
        description="entropy of its tokens over clusters, nats; null without any"
    )
    planned_entropy: float | None = Field(description="entropy of its plan, nats")


class Achieved(Strict):
    """What was written, against the plan."""

    tokens: int = Field(ge=0, description="tokens written")
    synthetic_tokens: int = Field(ge=0, description="synthetic tokens among them")
    human_tokens: int = Field(ge=0, description="human tokens among them")
    human_share: float | None = Field(description="human_tokens / tokens; null without tokens")
    planned_human_tokens: float | None = Field(description="what the plan asks for")
    planned_tokens: float | None = Field(
        default=None, description="tokens of the plan; null after `dedup`"
    )
    longest_document: int = Field(
        ge=0, description="tokens of the longest document written: half of it is the tolerance"
    )
    entropy: float | None = Field(
        description="entropy of the tokens over clusters, nats; where the plan has several "
        "domains, over (domain, cluster): by the chain rule domain_entropy and the entropies "
        "within the domains, weighted by their share, add up to it"
    )
    planned_entropy: float | None = Field(description="entropy of the plan, nats")
    domain_entropy: float | None = Field(
        default=None, description="entropy of the tokens over the plan's domains, nats"
    )
    kl: float | None = Field(
        description="KL divergence from the human reference over the same, nats"
    )
    domains: list[AchievedDomain] = Field(
        default_factory=list, description="the domains that the plan has budgets for"
    )
    most_copies: int = Field(
        ge=0, description="appearances of the most repeated document, or its weight"
    )


class LongDocument(Strict):
    """A document that is too long to be written."""

    id: str = Field(description="of the document")
    source: str = Field(description="its source")
    tokens: int = Field(ge=0, description="its tokens")


class LongDocuments(Strict):
    """Documents that are too long to be written: one of them would decide the totals alone."""

    documents: int = Field(ge=1, description="how many they are")
    tokens: int = Field(ge=0, description="their tokens")
    limits: LengthLimits = Field(description="tokens of the longest document that may be written")
    longest: list[LongDocument] = Field(description="the longest of them, longest first")


class Yardstick(Strict):
    """What the figures are measured on."""

    fingerprint: str = Field(description="names it: runs with the same one can be compared")
    human: bool = Field(description="whether it was made from human text")
    clusters: int = Field(ge=1, description="clusters of its codebook")
    documents: int = Field(ge=0, description="documents that it was made from")
    effective_clusters: float = Field(description="of those documents")
    tail_mass: float | None = Field(description="share of tail among the part that fitted nothing")
    near_duplicate_rate: float | None = Field(
        description="share of near duplicates among the human documents before they were removed"
    )
    zstd_ratio: float | None = Field(
        description="bytes of a sample of its texts / bytes after zstd, in blocks of 128 KiB"
    )


class Verdict(Strict):
    """The result in a sentence."""

    outcome: Literal["done", "go", "warn", "stop"] = Field(
        description="`done` where nothing was judged: there are no gates without human text"
    )
    sentence: str = Field(description="the verdict and why, for people")
    reasons: list[str] = Field(
        description="what gates stop for, then what they warn of, then what they could not judge"
    )
    warnings: list[str] = Field(description="what else was noticed on the way")


class Report(Strict):
    """The contents of report.json."""

    format_version: Literal[3] = Field(default=3, description="version of this file's format")
    kind: Literal["run", "dedup", "audit"] = Field(description="the command that wrote it")
    verdict: Verdict = Field(description="the result in a sentence, and why")
    conservation: list[Conservation] = Field(description="where every row went, by source")
    known_words: list[KnownWords] = Field(
        default_factory=list,
        description="what the embedder knows of each source; empty after `dedup`",
    )
    asked: Asked | None = Field(description="the request; null but after `run`")
    achieved: Achieved | None = Field(description="what was written; null after `audit`")
    too_long: LongDocuments | None = Field(
        default=None, description="documents left out for their length; null where there are none"
    )
    stages: list[Stage] = Field(description="the documents after each stage, on one codebook")
    judged: Figures | None = Field(
        description="what the gates look at: the last stage without `converge` domains; null "
        "without human text"
    )
    shards: list[Shard] = Field(
        description="the shards, merged they are the last stage; empty after `dedup`; of an audit "
        "the audited files"
    )
    deduplication: Deduplication = Field(description="what was removed")
    prompts: list[Prompts] = Field(description="answers by prompt, of sources with prompts")
    domains: list[Domain] = Field(description="by domain, where there are several")
    clusters: list[Cluster] = Field(
        description="the codebook's cells; empty after `dedup` and without human text"
    )
    reference: Yardstick | None = Field(description="the yardstick; null after `dedup`")
    lineage: LineageReport | None = Field(
        default=None, description="the run's place in its lineage; null without one"
    )

    def figures(self, stage: str, role: str = "all") -> Figures:
        """The figures of a role after a stage.

        Raises:
            KeyError: when there are none.
        """
        for found in self.stages:
            if found.name == stage and role in found.roles:
                return found.roles[role]
        raise KeyError(f"the report has no figures of {role!r} after {stage!r}")

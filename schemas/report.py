"""Contents of report.json: the fate of every row, the request and the result, and diversity."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from outcross.schemas.base import Strict
from outcross.schemas.budget import Kind
from outcross.schemas.deduplication import Deduplication
from outcross.schemas.figures import Domain, Figures, Shard, Stage
from outcross.schemas.gap import Gain
from outcross.schemas.lineage import LineageReport
from outcross.schemas.pieces import SourcePieces
from outcross.schemas.plan import Asked, LengthLimits
from outcross.schemas.prompts import Prompts
from outcross.schemas.quotes import QuotedText, QuotedWords
from outcross.schemas.sources import Provenance
from outcross.schemas.tokens import CountsTokens, Tokenizer, tokenizer_field

MEASURED = "measured"
"""Reason why an audited document is not written: it was only measured."""


class Conservation(Strict):
    """Number of rows of one source, by what happened to them."""

    source: str = Field(description="name of the source")
    role: str = Field(description="role of the source")
    provenance: Provenance | None = Field(
        default=None, description="how its texts were made; null if the source doesn't say"
    )
    filtered: int = Field(
        ge=0, description="rows that the `where` filter dropped; they don't count as read"
    )
    read: int = Field(ge=0, description="rows read: kept + removed + rejected")
    rejected: int = Field(ge=0, description="rows that could not be used; rejects/ lists them")
    removed: int = Field(
        ge=0, description="rows removed because they repeat a kept one; removed/ lists them"
    )
    distinct: int = Field(ge=0, description="different texts among the rows that could be read")
    kept: int = Field(ge=0, description="rows that survived deduplication: written + not_selected")
    written: int = Field(ge=0, description="kept rows that appear in data/ at least once")
    not_selected: dict[str, int] = Field(description="kept rows that were not written, by reason")
    copies: int = Field(
        ge=0,
        description="further rows of them in data/, beyond the first, or beyond the first of each "
        "of their pieces; 0 if copies are weights",
    )

    def holds(self) -> bool:
        """Return whether every row is accounted for."""
        return (
            self.read == self.kept + self.removed + self.rejected
            and self.kept == self.written + sum(self.not_selected.values())
        )


class ProvenanceReport(Strict):
    """Provenance that all synthetic text has, and the limits that this sets."""

    provenance: Provenance | None = Field(
        description="how all synthetic text was made; null if sources differ, or one doesn't say"
    )
    limits: list[str] = Field(
        description="gates that are judged by limits for this provenance; empty if the general "
        "limits hold"
    )


class KnownWords(Strict):
    """Share of a source's words that the embedder knows; with few, clusters mean little."""

    source: str = Field(description="name of the source")
    words: int = Field(
        ge=0, description="words examined: all but numbers and single ASCII characters"
    )
    known: int = Field(
        ge=0, description="words among them that the embedder's vocabulary holds whole"
    )
    share: float | None = Field(description="known / words; null if there are too few words")
    enough: bool = Field(
        description="false if the share is too low to judge the source by clusters"
    )


class EmbedderReport(Strict):
    """The model that made the embeddings, and how much of the texts it read."""

    name: str = Field(description="name of the model, with the commit of a model of the hub")
    dims: int = Field(ge=1, description="dimensions of an embedding")
    texts: int | None = Field(
        description="texts embedded; null, as all below, for a model that reads whole texts"
    )
    cut: int | None = Field(description="texts that are longer than the model reads")
    cut_share: float | None = Field(description="cut / texts")
    read_share: float | None = Field(
        description="share of the characters of all texts that the model read"
    )
    tokens: int | None = Field(description="tokens that it read, without special ones")
    texts_per_second: float | None = Field(
        description="texts embedded per second of one thread; it differs from run to run"
    )


EXTREMES = 20  # starved clusters, and as many swollen ones, that have a text of the corpus


class Cluster(Strict):
    """A cluster of the codebook, with its share of human text and of the corpus."""

    cluster: int = Field(ge=0, description="number of the cluster")
    x: float = Field(description="horizontal position on the map of clusters")
    y: float = Field(description="vertical position on the map of clusters")
    human_share: float = Field(
        ge=0, description="share of the human reference's documents that lie in the cluster"
    )
    share: float = Field(
        ge=0, description="share of the corpus's documents that lie in the cluster"
    )
    words: QuotedWords = Field(
        description="words that distinguish the cluster, the most distinctive first"
    )
    human_text: QuotedText = Field(description="beginning of a human text of the cluster")
    text: QuotedText = Field(
        description="beginning of a text of the corpus; only the most starved and the most "
        "swollen clusters have one"
    )

    @property
    def excess(self) -> float:
        """Part of the cluster in the Jensen-Shannon divergence, in nats; negative if it is starved.

        Clusters are ordered by this part and not by the ratio of the shares, which is mostly chance
        in small clusters.
        """
        human, corpus = self.human_share, self.share
        middle = (human + corpus) / 2
        added = sum(share * math.log(share / middle) for share in (human, corpus) if share > 0) / 2
        return -added if corpus < human else added


class AchievedDomain(Strict):
    """The written text of one domain, against the domain's budget."""

    name: str = Field(
        description="value of the domain column; '*' for all domains that are not named"
    )
    kind: Kind = Field(
        description="open: tempered; converge: the human distribution is kept, and each document "
        "is written once"
    )
    tokens: int = Field(ge=0, description="tokens written")
    share: float = Field(description="tokens of the domain / tokens written")
    human_tokens: int = Field(ge=0, description="human tokens among them")
    planned_tokens: float = Field(description="tokens in the plan")
    planned_human_tokens: float = Field(description="human tokens in the plan")
    entropy: float | None = Field(
        description="entropy of the domain's tokens over clusters, in nats; null if it has none"
    )
    planned_entropy: float | None = Field(description="entropy in the plan, in nats")


class Achieved(Strict):
    """The written corpus, against the plan."""

    tokens: int = Field(ge=0, description="tokens written")
    synthetic_tokens: int = Field(ge=0, description="synthetic tokens among them")
    human_tokens: int = Field(ge=0, description="human tokens among them")
    human_share: float | None = Field(
        description="human_tokens / tokens; null if no tokens were written"
    )
    planned_human_tokens: float | None = Field(description="human tokens in the plan")
    planned_tokens: float | None = Field(
        default=None, description="tokens in the plan; null after `dedup`"
    )
    longest_document: int = Field(
        ge=0,
        description="tokens of the longest document written; tokens written may differ from the "
        "plan by half of it",
    )
    entropy: float | None = Field(
        description="entropy of the tokens over clusters, in nats. If the plan has several "
        "domains, it is the entropy over (domain, cluster): domain_entropy plus the entropies "
        "within the domains, weighted by their shares"
    )
    planned_entropy: float | None = Field(description="entropy in the plan, in nats")
    domain_entropy: float | None = Field(
        default=None, description="entropy of the tokens over the plan's domains, in nats"
    )
    kl: float | None = Field(
        description="KL divergence of the tokens from the human reference, over the same cells, "
        "in nats"
    )
    domains: list[AchievedDomain] = Field(
        default_factory=list, description="domains that the plan has budgets for"
    )
    most_copies: int = Field(
        ge=0, description="appearances of the most repeated document, or its weight"
    )
    lasting_error: float | None = Field(
        default=None,
        description="sampling error that remains after many generations with this human share of "
        "fresh text, times that of all human text; null after `dedup`, and with "
        "text of a ledger, which isn't fresh",
    )


class LongDocument(Strict):
    """A document that is too long to be written."""

    id: str = Field(description="id of the document")
    source: str = Field(description="name of its source")
    tokens: int = Field(ge=0, description="its tokens")


class LongDocuments(Strict):
    """Documents that are too long to be written: one of them would decide the totals alone."""

    documents: int = Field(ge=1, description="number of such documents")
    tokens: int = Field(ge=0, description="their tokens")
    limits: LengthLimits = Field(description="tokens of the longest document that may be written")
    longest: list[LongDocument] = Field(description="the longest of them, longest first")


class ReferenceSummary(Strict):
    """The reference that figures are measured on."""

    fingerprint: str = Field(
        description="fingerprint of the reference: reports with the same fingerprint can be "
        "compared"
    )
    human: bool = Field(description="true if the reference was made from human text")
    clusters: int = Field(ge=1, description="clusters of the codebook")
    documents: int = Field(ge=0, description="documents that the reference was made from")
    effective_clusters: float = Field(description="effective clusters of these documents")
    tail_mass: float | None = Field(
        description="share of tail documents among those that were held out"
    )
    near_duplicate_rate: float | None = Field(
        description="share of near duplicates among the human documents, before deduplication"
    )
    zstd_ratio: float | None = Field(
        description="bytes of a sample of the texts / bytes after zstd, in blocks of 128 KiB"
    )


class Verdict(Strict):
    """The result in one sentence, with its reasons."""

    outcome: Literal["done", "go", "warn", "stop"] = Field(
        description="outcome of the gates; `done` if nothing was judged, as gates need human text"
    )
    sentence: str = Field(description="the verdict in one sentence")
    reasons: list[str] = Field(
        description="reasons of the gates: first those that stop, then those that warn, then "
        "those that could not judge"
    )
    warnings: list[str] = Field(description="warnings of the run")


class Report(CountsTokens):
    """Contents of report.json."""

    format_version: Literal[3] = Field(default=3, description="version of this file's format")
    kind: Literal["run", "dedup", "audit"] = Field(description="command that wrote the report")
    verdict: Verdict = Field(description="result in one sentence, with its reasons")
    conservation: list[Conservation] = Field(
        description="number of rows by source and by what happened to them"
    )
    provenance: ProvenanceReport | None = Field(
        default=None, description="how the synthetic text was made; null if no source says"
    )
    known_words: list[KnownWords] = Field(
        default_factory=list,
        description="share of words that the embedder knows, by source; empty after `dedup`",
    )
    embedder: EmbedderReport | None = Field(
        default=None,
        description="model of the key `embedder`; null for the packaged table and after `dedup`",
    )
    asked: Asked | None = Field(description="the request; null unless after `run`")
    achieved: Achieved | None = Field(
        description="the written corpus against the plan; null after `audit`"
    )
    too_long: LongDocuments | None = Field(
        default=None, description="documents left out for their length; null if there are none"
    )
    stages: list[Stage] = Field(
        description="figures of the documents after each stage, on one codebook"
    )
    judged: Figures | None = Field(
        description="figures that the gates judge: the last stage without `converge` domains; "
        "null without human text"
    )
    shards: list[Shard] = Field(
        description="figures by shard; merged they give the last stage. For an audit, figures by "
        "audited file; empty after `dedup`"
    )
    deduplication: Deduplication = Field(description="removed documents")
    prompts: list[Prompts] = Field(
        description="answers by prompt, for sources with a prompt column"
    )
    domains: list[Domain] = Field(description="figures by domain, if there are several")
    clusters: list[Cluster] = Field(
        description="clusters of the codebook; empty after `dedup` and without human text"
    )
    reference: ReferenceSummary | None = Field(
        description="reference that the figures are measured on; null after `dedup`"
    )
    gain: Gain | None = Field(
        default=None,
        description="gap to human text of the written text and of as many tokens drawn blindly; "
        "null unless after `run` with a human reference",
    )
    lineage: LineageReport | None = Field(
        default=None, description="place of the run in its lineage; null without one"
    )
    pieces: list[SourcePieces] = Field(
        default_factory=list,
        description="documents and pieces of each source with the key `pieces`",
    )
    tokenizer: Tokenizer | None = tokenizer_field()

    @property
    def data_rows(self) -> int:
        """Number of documents and pieces in data/: of its rows, if copies are weights."""
        more = sum(line.written_pieces - line.written_documents for line in self.pieces)
        return sum(line.written for line in self.conservation) + more

    def figures(self, stage: str, role: str = "all") -> Figures:
        """Return the figures of a role after a stage.

        Raises:
            KeyError: if the report has no such figures.
        """
        for stage_ in self.stages:
            if stage_.name == stage and role in stage_.roles:
                return stage_.roles[role]
        raise KeyError(f"the report has no figures of {role!r} after {stage!r}")

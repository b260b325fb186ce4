"""lineage.json: the generations of a training loop, what each has bought, used and left behind.

It is the lineage's one source of truth: a file that it does not name is not part of the lineage,
so replacing it is what commits a generation.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from outcross.schemas.base import Strict
from outcross.schemas.documents import TEXT_VERSION
from outcross.schemas.sources import Fields, Source

LEDGER = "ledger"
"""Name of the source that holds the human text of earlier generations."""


class Amount(Strict):
    """Some documents."""

    documents: int = Field(ge=0, description="documents")
    tokens: int = Field(ge=0, description="their tokens")

    def __add__(self, other: Amount) -> Amount:
        return Amount(documents=self.documents + other.documents, tokens=self.tokens + other.tokens)


NOTHING = Amount(documents=0, tokens=0)


class LedgerPart(Strict):
    """Human documents that one generation bought of one source."""

    source: str = Field(description="name of the source")
    file: str = Field(description="Parquet file below the lineage: the source's own columns")
    fields: Fields = Field(description="where a document's parts stand in its row")
    amount: Amount = Field(description="what was bought")


class Ranked(Strict):
    """A synthetic source among a generation's candidates."""

    name: str = Field(description="of the source; of an earlier generation's, after its name")
    distance: float = Field(
        ge=0,
        description="Jensen-Shannon divergence, nats, of its n-grams mixed with the human part's "
        "from the human reference's",
    )
    held: Amount = Field(description="what it held after deduplication")
    candidates: Amount = Field(description="what was taken of it to choose from")


class ArchivedSource(Strict):
    """A generation's own synthetic source: where its candidates lie."""

    source: Source = Field(description="how it is read; its files by their whole paths")
    identities: dict[str, str] = Field(description="size and hash of each file")
    amount: Amount = Field(description="what it held after deduplication")
    ngrams: str = Field(description="file below the lineage: its hashed n-gram counts")


class Generation(Strict):
    """A finished run of the lineage."""

    name: str = Field(description="last part of its output directory")
    out: str = Field(description="its output directory")
    seed: int = Field(description="of the run")
    reference: str = Field(description="fingerprint of the yardstick that it was measured on")
    tokens: int = Field(ge=0, description="tokens it has written")
    fresh: Amount = Field(description="human text that it bought: fresh documents it has written")
    reused: Amount = Field(description="human text of the ledger that it has written")
    bought: list[LedgerPart] = Field(description="what it bought, by source")
    used: str | None = Field(
        description="Parquet file below the lineage: fingerprints of the ledger's documents that "
        "it has written; null for none"
    )
    ngrams: str | None = Field(
        description="file below the lineage: hashed n-gram counts of what it bought; null for none"
    )
    sources: list[ArchivedSource] = Field(description="its own synthetic sources")
    ranking: list[Ranked] = Field(
        description="the synthetic sources that it could choose from, nearest first"
    )


class Lineage(Strict):
    """The contents of lineage.json."""

    format_version: Literal[2] = Field(default=2, description="version of this file's format")
    text_version: int = Field(
        default=TEXT_VERSION,
        description="version of what a text is: its words, fingerprint and tokens",
    )
    generations: list[Generation] = Field(
        default_factory=list, description="in the order in which they were finished"
    )

    @property
    def ledger(self) -> Amount:
        """What all generations have bought."""
        return sum((generation.fresh for generation in self.generations), NOTHING)


class Bought(Strict):
    """What one generation bought, and what has become of it."""

    generation: str = Field(description="name of the generation")
    bought: Amount = Field(description="human text that it bought")
    used: Amount = Field(description="of it, what a later generation has written again")
    left: Amount = Field(description="of it, what none has")
    uses: int = Field(ge=0, description="how often its documents were written again, in all")


class LineageSummary(Strict):
    """What `outcross lineage show --json` prints."""

    folder: str = Field(description="of the lineage")
    generations: list[Generation] = Field(description="as in lineage.json")
    ledger: list[Bought] = Field(description="by generation, what it bought and how it was used")


class LineageReport(Strict):
    """A run's place in its lineage."""

    generation: str = Field(description="name of the run in the lineage")
    number: int = Field(ge=1, description="its place, from 1")
    fresh: Amount = Field(description="human text that it buys: fresh documents it has written")
    reused: Amount = Field(description="human text of the ledger that it has written")
    planned_fresh_tokens: float = Field(description="what the plan asks for of fresh human text")
    planned_reused_tokens: float = Field(description="what the plan asks for of the ledger")
    ledger: Amount = Field(description="what the ledger held before")
    ranking: list[Ranked] = Field(
        description="the synthetic sources that there were to choose from, nearest first"
    )

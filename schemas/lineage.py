"""Contents of lineage.json: what each generation of a training loop bought, used and left.

The file is the lineage's only source of truth: files that it does not name are not part of the
lineage. Replacing it commits a generation.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from outcross.schemas.base import Strict
from outcross.schemas.documents import TEXT_VERSION
from outcross.schemas.sources import Fields, Source
from outcross.schemas.tokens import CountsTokens, Tokenizer, tokenizer_field

LEDGER = "ledger"
"""Name of the source that holds the human text that earlier generations bought."""


class Amount(Strict):
    """A number of documents and of tokens."""

    documents: int = Field(ge=0, description="number of documents")
    tokens: int = Field(ge=0, description="their tokens")

    def __add__(self, other: Amount) -> Amount:
        return Amount(documents=self.documents + other.documents, tokens=self.tokens + other.tokens)


NOTHING = Amount(documents=0, tokens=0)


class LedgerPart(Strict):
    """Human documents that one generation bought from one source."""

    source: str = Field(description="name of the source")
    file: str = Field(
        description="Parquet file below the lineage's folder, with the source's own columns"
    )
    fields: Fields = Field(
        description="columns of the text, the id and the other parts of a document"
    )
    amount: Amount = Field(description="documents and tokens that were bought")


class RankedSource(Strict):
    """A synthetic source among a generation's candidates."""

    name: str = Field(
        description="name of the source; for a source of an earlier generation, after that "
        "generation's name"
    )
    distance: float = Field(
        ge=0,
        description="distance of the source from human text: Jensen-Shannon divergence, in nats, "
        "between the n-grams of the human reference and a mixture of the source's and the human "
        "part's n-grams",
    )
    held: Amount = Field(description="documents and tokens of the source after deduplication")
    candidates: Amount = Field(
        description="documents and tokens of the source that became candidates"
    )


class ArchivedSource(Strict):
    """A synthetic source of a generation, kept as candidates for later ones."""

    source: Source = Field(description="how the source is read; its files have absolute paths")
    identities: dict[str, str] = Field(description="size and hash of each file")
    amount: Amount = Field(description="documents and tokens after deduplication")
    ngrams: str = Field(description="file below the lineage's folder with the hashed n-gram counts")


class Generation(Strict):
    """A finished run of the lineage."""

    name: str = Field(description="last part of the output directory")
    out: str = Field(description="output directory")
    seed: int = Field(description="seed of the run")
    reference: str = Field(description="fingerprint of the reference that the run was measured on")
    tokens: int = Field(ge=0, description="tokens written")
    fresh: Amount = Field(
        description="human text bought: documents of human sources that were written"
    )
    reused: Amount = Field(description="human text of the ledger that was written")
    bought: list[LedgerPart] = Field(description="human text bought, by source")
    used: str | None = Field(
        description="Parquet file below the lineage's folder with the fingerprints of the "
        "ledger's documents that were written; null if there are none"
    )
    ngrams: str | None = Field(
        description="file below the lineage's folder with hashed n-gram counts of the human text "
        "bought; null if none was bought"
    )
    sources: list[ArchivedSource] = Field(description="synthetic sources of the run itself")
    ranking: list[RankedSource] = Field(
        description="synthetic sources that the run could choose from, the nearest to human text "
        "first"
    )


class Lineage(CountsTokens):
    """Contents of lineage.json."""

    format_version: Literal[2] = Field(default=2, description="version of this file's format")
    text_version: int = Field(
        default=TEXT_VERSION,
        description="version of the rules by which texts become words, fingerprints and tokens",
    )
    generations: list[Generation] = Field(
        default_factory=list, description="generations in the order in which they were finished"
    )
    tokenizer: Tokenizer | None = tokenizer_field()

    @property
    def ledger(self) -> Amount:
        """Human text that all generations have bought."""
        return sum((generation.fresh for generation in self.generations), NOTHING)


class Purchase(Strict):
    """Human text that one generation bought, and its later use."""

    generation: str = Field(description="name of the generation")
    bought: Amount = Field(description="human text that it bought")
    used: Amount = Field(description="part of it that a later generation has written again")
    left: Amount = Field(description="part of it that no later generation has written")
    uses: int = Field(ge=0, description="how often its documents were written again, in total")


class LineageSummary(Strict):
    """Output of `outcross lineage show --json`."""

    folder: str = Field(description="folder of the lineage")
    generations: list[Generation] = Field(description="generations, as in lineage.json")
    ledger: list[Purchase] = Field(
        description="human text bought by each generation, and its later use"
    )


class LineageReport(Strict):
    """Place of a run in its lineage."""

    generation: str = Field(description="name of the run in the lineage")
    number: int = Field(ge=1, description="position of the run in the lineage, from 1")
    fresh: Amount = Field(
        description="human text bought: documents of human sources that were written"
    )
    reused: Amount = Field(description="human text of the ledger that was written")
    planned_fresh_tokens: float = Field(description="fresh human tokens in the plan")
    planned_reused_tokens: float = Field(description="tokens of the ledger in the plan")
    ledger: Amount = Field(description="contents of the ledger before the run")
    ranking: list[RankedSource] = Field(
        description="synthetic sources that the run could choose from, the nearest to human text "
        "first"
    )

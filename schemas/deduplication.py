"""Removed documents, the documents that they repeat, and the cost of their removal."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from outcross.schemas.base import Strict
from outcross.schemas.quotes import QuotedText


class SourceOverlap(Strict):
    """Documents of one source that were removed because they repeat a given set."""

    source: str = Field(description="name of the source that they were removed from")
    exact: int = Field(ge=0, description="documents removed for the same text")
    near: int = Field(ge=0, description="documents removed for a verified similarity")
    contained: int = Field(
        ge=0, description="documents removed because they hold a text of the set"
    )
    semantic: int = Field(
        default=0, ge=0, description="documents removed as paraphrases, by their embeddings"
    )


class Overlap(Strict):
    """An evaluation set, a reference or an earlier run's source, and documents that repeat it."""

    name: str = Field(description="name of the source; for an earlier run, after its folder")
    kind: Literal["exclude", "earlier run", "reference"] = Field(
        description="exclude, earlier run or reference"
    )
    documents: int = Field(ge=0, description="documents of the set")
    found: int = Field(ge=0, description="documents of the set that a removed document repeats")
    whole_only: int = Field(
        ge=0,
        description="texts that are not searched for inside longer ones: they are shorter than an "
        "n-gram, or nearly all their n-grams are phrases of many texts of the set",
    )
    removed: list[SourceOverlap] = Field(description="removed documents by source")


class Loss(Strict):
    """Removals among documents that are common, rare or unlike human text."""

    role: str = Field(description="role of the documents, or `all`")
    kind: Literal["head", "tail", "off-support"] = Field(
        description="class of the documents by density of human text: head (common), tail (rare) "
        "or off-support (unlike human text)"
    )
    documents: int = Field(ge=0, description="documents before deduplication")
    exact: int = Field(ge=0, description="documents removed for the same text as a kept one")
    near: int = Field(ge=0, description="documents removed for a verified similarity to a kept one")
    contained: int = Field(
        ge=0, description="documents removed because they hold an evaluation text"
    )
    semantic: int = Field(
        default=0, ge=0, description="documents removed as paraphrases of a kept one"
    )
    near_share: float | None = Field(description="near / (documents - exact - contained)")
    semantic_share: float | None = Field(
        default=None,
        description="semantic / (documents - exact - contained); null without semantic_threshold",
    )


class Removal(Strict):
    """A removed document, and the kept document that it repeats."""

    id: str = Field(description="id of the removed document")
    source: str = Field(description="source of the removed document")
    kept_id: str = Field(description="id of the kept document")
    kept_source: str = Field(
        description="source of the kept document; for an earlier run, after its folder"
    )
    stage: str = Field(description="exact, near, contained or semantic")
    rule: str = Field(description="rule by which the document was removed")
    similarity: float = Field(description="similarity of the two documents, 0 to 1")
    text: QuotedText = Field(description="beginning of the removed text")
    kept_text: QuotedText = Field(
        description="beginning of the kept text; null if it can't be read again"
    )


class RepeatedText(Strict):
    """A text that several documents of the corpus repeat."""

    id: str = Field(description="id of the kept document")
    source: str = Field(description="source of the kept document")
    times: int = Field(ge=2, description="number of documents with this text, exactly or nearly")
    exact: int = Field(ge=1, description="number of documents with exactly this text")
    text: QuotedText = Field(description="beginning of the text")


class BandRecall(Strict):
    """Chance that the bands bring two similar documents together."""

    similarity: float = Field(description="similarity of the two documents, 0 to 1")
    chance: float = Field(description="chance that they share a band and are compared, 0 to 1")
    planted: int | None = Field(
        default=None,
        ge=0,
        description="copies of the run's texts, with words replaced, whose similarity is within "
        ".025 of this one; null without `check_recall`",
    )
    together: float | None = Field(
        default=None, description="share of these copies that share a band with their original"
    )
    expected: float | None = Field(
        default=None, description="mean chance of these copies, computed at their similarities"
    )


class Certificate(Strict):
    """Estimate of how many documents could have been kept at most, and of repeats that were kept.

    Documents that share bands are connected to components. In a sample of the components all
    pairs are verified. It is about near repeats: paraphrases that were removed are left out.
    """

    components: int = Field(ge=0, description="components of documents that share bands")
    checked: int = Field(ge=0, description="components in which all pairs were verified")
    checked_documents: int = Field(ge=0, description="documents of the checked components")
    unchecked_documents: int = Field(
        ge=0, description="documents of components that are too large to verify all pairs"
    )
    kept: float | None = Field(
        description="share that was kept of what could be kept at most, 0 to 1; of documents that "
        "all repeat one another, one could be kept. Documents of unchecked components are left "
        "out. null where no component could be checked"
    )
    error: float | None = Field(
        description="half of the 95 % interval of that share; 0 where all components were checked"
    )
    missed: float | None = Field(
        description="share of the kept documents that repeat another kept one of their component, "
        "0 to 1"
    )
    recall: list[BandRecall] = Field(
        description="chance of being compared, by similarity: 1 - (1 - similarity^rows)^bands"
    )


class Deduplication(Strict):
    """Removed documents: counts, overlaps, losses and examples."""

    exact: int = Field(
        ge=0,
        description="documents removed for the same text as a kept one, line ends and trailing "
        "white space aside",
    )
    near: int = Field(
        ge=0,
        description="documents removed for a verified similarity to a kept one, or for the same "
        "text as a document that was removed so",
    )
    contained: int = Field(
        ge=0, description="documents removed because they hold an evaluation text"
    )
    semantic: int = Field(
        default=0,
        ge=0,
        description="documents removed as paraphrases: the cosine of their embedding and a kept "
        "one's reaches semantic_threshold",
    )
    open: int = Field(
        ge=0,
        description="documents kept although some documents that they might repeat were not "
        "compared",
    )
    bands: int = Field(ge=1, description="bands of the LSH")
    rows: int = Field(ge=1, description="rows per band")
    counts: dict[str, int] = Field(
        description="counts of the resolver's decisions; `different_meaning` counts pairs that "
        "share as many word sequences as repeats do but differ in numbers, signs, negations or "
        "vowel signs: both documents are kept"
    )
    certificate: Certificate | None = Field(
        default=None,
        description="estimate of how much was kept of what could be kept: of documents that all "
        "repeat one another, one could be; null where several near-identical answers to a prompt "
        "are kept on purpose (`max_same_answers`)",
    )
    found: list[Overlap] = Field(
        description="evaluation sets and earlier runs, and the removed documents that repeat them"
    )
    losses: list[Loss] = Field(
        description="removals among head, tail and off-support documents; empty after `dedup`, "
        "which has no clusters"
    )
    most_repeated: list[RepeatedText] = Field(
        description="texts of this corpus that occur most often, the commonest first"
    )
    least_similar: list[Removal] = Field(
        description="near removals with the lowest similarity, for judging the threshold"
    )
    least_semantic: list[Removal] = Field(
        default_factory=list,
        description="paraphrases with the lowest similarity, for judging semantic_threshold",
    )

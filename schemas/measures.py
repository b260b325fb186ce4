"""Measures that a report compares with human text: their names, units and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["ratio", "difference"]


@dataclass(frozen=True)
class MeasureInfo:
    """Description of a measure.

    Attributes:
        title: name for readers.
        meaning: explanation in plain words, without formulas.
        kind: ratio (a set's value is divided by the human one) or difference (the human value is
            subtracted).
        per: quantity that is held equal when two sets are compared.
        form: Python format of a value.
        unit: unit of a value; empty for counts and shares.
        better: direction of more diversity: `high`, or `low` for divergence and repetition.
        clause: clause of a verdict about the corpus ("it"), as a format of `value`, `human` and
            `against`; empty if the measure has no gate.
    """

    title: str
    meaning: str
    kind: Kind
    per: Literal["documents", "tokens"]
    form: str
    unit: str = ""
    better: Literal["high", "low"] = "high"
    clause: str = ""


MEASURES: dict[str, MeasureInfo] = {
    "effective_clusters": MeasureInfo(
        "effective clusters",
        "how many equally common topics the documents are worth: exp(entropy) over the clusters",
        "ratio",
        "documents",
        ".1f",
        clause="its topics are {against:.0%} as varied as human text's",
    ),
    "audit_effective_clusters": MeasureInfo(
        "effective clusters, second codebook",
        "the same on a second set of clusters, made of the documents' words without the embedder, "
        "that no decision of a run looks at",
        "ratio",
        "documents",
        ".1f",
        clause="by a second set of topics it is {against:.0%} as varied as human text",
    ),
    "js": MeasureInfo(
        "divergence from human text",
        "how differently documents and human text spread over the clusters (Jensen-Shannon); 0 is "
        "alike, .69 nothing in common",
        "difference",
        "documents",
        ".4f",
        "nats",
        "low",
        clause="its topics are in other proportions than human text's",
    ),
    "audit_js": MeasureInfo(
        "divergence, second codebook",
        "the same on the second set of clusters",
        "difference",
        "documents",
        ".4f",
        "nats",
        "low",
        clause="by a second set of topics its proportions are not human text's",
    ),
    "tail_mass": MeasureInfo(
        "tail",
        "share of documents that are human-like but rare: less at home among human text than 80 % "
        "of it",
        "ratio",
        "documents",
        ".1%",
        clause="it has {against:.0%} of human text's rare documents",
    ),
    "tail_coverage": MeasureInfo(
        "rare clusters held",
        "share of the rarest human clusters that still hold a quarter of what they hold in human "
        "text",
        "ratio",
        "documents",
        ".1%",
        clause="it holds {against:.0%} of the rare topics that human text holds",
    ),
    "off_support": MeasureInfo(
        "unlike the reference",
        "share of documents that are further from every cluster than 99 % of human text, or look "
        "like no human text",
        "difference",
        "documents",
        ".1%",
        "",
        "low",
        clause="{value:.0%} of its documents are unlike the reference",
    ),
    "vendi": MeasureInfo(
        "Vendi score",
        "how many wholly different documents the set is worth by the cosine of their embeddings",
        "ratio",
        "documents",
        ".1f",
    ),
    "vendi_2": MeasureInfo(
        "Vendi score of order 2",
        "the same with more weight on what is common",
        "ratio",
        "documents",
        ".1f",
    ),
    "vocabulary": MeasureInfo(
        "vocabulary",
        "how many different words stand in as many words",
        "ratio",
        "tokens",
        ",.0f",
        "words",
        clause="it has {against:.0%} of human text's different words",
    ),
    "distinct_2": MeasureInfo(
        "distinct word pairs",
        "share of word pairs that are different ones, in as many words",
        "ratio",
        "tokens",
        ".1%",
    ),
    "distinct_3": MeasureInfo(
        "distinct word triples",
        "share of word triples that are different ones, in as many words",
        "ratio",
        "tokens",
        ".1%",
        clause="it has {against:.0%} of human text's different three-word phrases",
    ),
    "entropy_1": MeasureInfo(
        "entropy of words",
        "how hard the next word is to guess from how often each stands there",
        "difference",
        "tokens",
        ".3f",
        "nats",
    ),
    "entropy_2": MeasureInfo(
        "entropy of word pairs",
        "the same for word pairs",
        "difference",
        "tokens",
        ".3f",
        "nats",
    ),
    "rare_words": MeasureInfo(
        "rare words kept",
        "share of the words that are rare in human text that still occur, in as many words",
        "ratio",
        "tokens",
        ".1%",
        clause="it keeps {against:.0%} of human text's rare words",
    ),
    "self_repetition": MeasureInfo(
        "phrases repeated",
        "share of four-word phrases that another document of the set has too, in as many words",
        "difference",
        "tokens",
        ".1%",
        "",
        "low",
        clause="{value:.1%} of its four-word phrases stand in several documents ({human:.1%} in "
        "human text)",
    ),
    "openings": MeasureInfo(
        "common openings",
        "share of documents that begin with one of the set's 100 commonest first five words; what "
        "begins one document only is not common",
        "difference",
        "documents",
        ".1%",
        "",
        "low",
        clause="{value:.1%} of its documents begin alike ({human:.1%} of human text's)",
    ),
    "near_duplicates": MeasureInfo(
        "near duplicates",
        "share of documents that repeat another one of the set, word for word or nearly",
        "difference",
        "documents",
        ".1%",
        "",
        "low",
        clause="{value:.1%} of its documents repeat another one ({human:.1%} of human text's)",
    ),
}
"""Measures in the order in which they are shown."""
BY_CLUSTERS = (
    *("effective_clusters", "js"),
    *("tail_mass", "tail_coverage", "off_support", "vendi", "vendi_2"),
)
"""Measures of embeddings, which mean little for texts that the embedder can't read."""
CONFIDENCE = 1.96
"""Standard errors on either side of a figure that hold the true value in 95 % of cases."""
LEXICAL = (
    *("vocabulary", "distinct_2", "distinct_3", "entropy_1", "entropy_2"),
    *("rare_words", "self_repetition"),
)
"""Measures of words alone, which no embedding or clustering can spoil."""

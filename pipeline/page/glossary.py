"""The terms of the page and their meaning, shown as tooltips and at the end of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from outcross.pipeline.page.markup import Html, el, section
from outcross.schemas.deduplication import (
    Deduplication,
    Loss,
    Overlap,
    Removal,
    RepeatedText,
    SourceOverlap,
)
from outcross.schemas.figures import Figures, Measure, Shard
from outcross.schemas.gap import Gap
from outcross.schemas.lineage import RankedSource
from outcross.schemas.measures import MEASURES
from outcross.schemas.plan import DomainPlan, FrontierPoint, Reached, Starved
from outcross.schemas.prompts import Answers, CollapsedPrompt, Prompts, Saturation
from outcross.schemas.report import Achieved, Cluster, Conservation, KnownWords, ReferenceSummary

_WORDS: dict[str, tuple[str, str]] = {
    "strip": (
        "position",
        "The shaded band shows human text compared with other human text: 95 of 100 such "
        "comparisons fall into it. Marks show the corpus after each stage, and their lines "
        "± 1.96 standard errors. An arrow at the edge stands for a mark beyond the scale.",
    ),
    "outcome": (
        "outcome",
        "Result of the measure's gate: go; warn; stop; noise (more variety than human text has); "
        "too little to judge (too few documents or words, an interval wider than the limit, or "
        "human text that the measure can't describe); not judged (the measure uses clusters, and "
        "the embedder can't read the texts); shown (no gate applies).",
    ),
    "stage-value": (
        "read, deduplicated, written, judged",
        "The measure after that stage, in the unit of the human figure. The column `judged` is "
        "what the gates judge.",
    ),
    "against": (
        "against human",
        "The corpus's value divided by human text's. For shares of repetition and for divergences "
        "it is the difference instead. ± shows 1.96 standard errors: the true figure lies within "
        "them in 95 of 100 cases.",
    ),
    "ratio": (
        "corpus ÷ human",
        "The corpus's share of the cluster divided by human text's share. ▼ below 1: the corpus "
        "has too little of it (starved). ▲ above 1: it has too much (swollen).",
    ),
    "excess": (
        "adds to divergence",
        "The cluster's part of the Jensen-Shannon divergence between corpus and human text, in "
        "thousandths of a nat. Starved and swollen clusters are sorted by it.",
    ),
    "outliers": (
        "outlying columns",
        "Number of columns in which the shard lies more than 3.5 robust standard deviations from "
        "the median shard: ▲ above it, ▼ below. Needs at least 8 shards.",
    ),
    "near_duplicate_rate": (
        "near-duplicate rate",
        "Share of documents that repeat another document of the same set. For an audited file, "
        "the share of the documents read from it that repeat another document of that file; of "
        "several that repeat the same document, all but one count.",
    ),
    "lexical_distinct_3": (
        "distinct triples",
        "Different word triples / word triples, in a fixed number of words.",
    ),
    "median_length": ("median length", "Half of the documents are shorter, in tokens."),
    "tokens": (
        "tokens",
        "Tokens, counted at each appearance of a document. A token is a word of the text.",
    ),
    "alpha": (
        "tempering α",
        "The target is human text's share of each cluster to the power α. 1 keeps the human "
        "distribution, lower values lift rare clusters, and 0 makes all clusters equal.",
    ),
    "trend": (
        "trend",
        "Change per generation of the figure against human text: the slope of a line through all "
        "generations, weighted by their errors, ± 1.96 standard errors. ↘ and ↗ mark slopes that "
        "are certain.",
    ),
    "fall": (
        "fall",
        "Share of the earlier figure against human text that is lost; for near duplicates, the "
        "rise of their share of the documents.",
    ),
    "asked": ("asked", "Value in the configuration."),
    "planned": ("planned", "Value in the plan, before whole documents are chosen."),
    "achieved": ("achieved", "Value in data/."),
}
_FIELDS: dict[type[BaseModel], dict[str, str]] = {
    Conservation: {
        "provenance": "provenance",
        "filtered": "filtered",
        "read": "read",
        "rejected": "rejected",
        "removed": "removed",
        "distinct": "different texts",
        "kept": "kept",
        "written": "written",
        "not_selected": "not selected",
        "copies": "copies",
    },
    Figures: {
        "documents": "documents",
        "copies": "copies among the documents",
        "near_duplicates": "near duplicates",
        "audit_effective_clusters": "second codebook",
        "sample_coverage": "sample coverage",
        "token_entropy": "entropy",
        "kl_to_reference": "KL to human",
        "zstd_ratio": "zstd ratio",
    },
    KnownWords: {"share": "words known"},
    Measure: {"human": "human", "n": "n"},
    Shard: {
        "read": "read from a file",
        "rows": "rows",
        "bytes": "size",
        "human_share": "human share of tokens",
    },
    Cluster: {
        "human_share": "human share of a cluster",
        "share": "corpus share of a cluster",
        "words": "distinctive words",
    },
    Achieved: {
        "longest_document": "longest document",
        "most_copies": "most copies",
        "lasting_error": "lasting error of a run",
    },
    ReferenceSummary: {
        "fingerprint": "fingerprint of the reference",
        "clusters": "clusters of the reference",
        "documents": "documents of the reference",
        "effective_clusters": "effective clusters of the reference",
        "tail_mass": "tail of the reference",
        "near_duplicate_rate": "near duplicates of the reference",
        "zstd_ratio": "zstd ratio of the reference",
    },
    Overlap: {"found": "repeated", "whole_only": "whole only"},
    SourceOverlap: {
        "exact": "exact",
        "near": "near",
        "contained": "contained",
        "semantic": "semantic",
    },
    Loss: {"kind": "class", "near_share": "near share", "semantic_share": "semantic share"},
    Deduplication: {"open": "open", "certificate": "certificate of deduplication"},
    RepeatedText: {"times": "occurs", "exact": "word for word"},
    Removal: {"similarity": "similarity", "rule": "rule"},
    Answers: {
        "prompts": "prompts looked at",
        "distinct_at_k": "different among k",
        "effective": "effective answers",
        "same_chance": "chance that two are the same",
        "collapsed_prompts": "collapsed",
    },
    Prompts: {
        "prompts": "prompts",
        "answers": "answers",
        "distinct_answers": "different answers",
        "kept_answers": "kept answers",
    },
    CollapsedPrompt: {"commonest": "commonest", "same_chance": "chance that two are the same"},
    Saturation: {"gains": "new answers"},
    RankedSource: {
        "distance": "distance of a source",
        "held": "tokens of a source",
        "candidates": "candidates of a source",
    },
    FrontierPoint: {
        "entropy": "entropy of a plan",
        "kl": "KL of a plan",
        "highest_entropy": "highest entropy",
        "lowest_kl": "lowest KL",
        "lasting_error": "lasting error",
    },
    Gap: {"words": "gap in words", "pairs": "gap in pairs"},
    DomainPlan: {
        "name": "domain of the plan",
        "kind": "kind of a domain",
        "share": "share of a domain",
        "reference_share": "human share of a domain",
        "kl": "KL of a domain",
    },
    Reached: {
        "effective_number": "effective number",
        "regime": "what binds",
        "shadow_price": "price of a human token",
    },
    Starved: {
        "wanted": "wanted for a cluster",
        "available": "available for a cluster",
        "planned": "planned for a cluster",
    },
}


def _measures() -> Iterator[tuple[str, tuple[str, str]]]:
    for key, info in MEASURES.items():
        unit = f" In {info.unit}." if info.unit else ""
        side = "Higher" if info.better == "high" else "Lower"
        meaning = f"{info.meaning[0].upper()}{info.meaning[1:]}.{unit} {side} is more diverse."
        yield key, (info.title, meaning)


def _fields() -> Iterator[tuple[str, tuple[str, str]]]:
    for model, titles in _FIELDS.items():
        for name, title in titles.items():
            meaning: Any = model.model_fields[name].description
            yield key_of(model, name), (title, f"{meaning[0].upper()}{meaning[1:]}.")


def key_of(model: type[BaseModel], name: str) -> str:
    """Return the key of the term that explains a field of a schema."""
    return f"{model.__name__}-{name}".lower()


TERMS: dict[str, tuple[str, str]] = _WORDS | dict(_measures()) | dict(_fields())
"""By key: title and meaning."""


def glossary(body: str) -> Html:
    """Return the section that explains the terms used in the page's body."""
    entries = []
    for key, (title, meaning) in sorted(TERMS.items(), key=lambda item: item[1][0].lower()):
        place = f"g-{key}"
        if f'"{place}"' in body:
            entries += [el("dt", title), el("dd", meaning, id=place)]
    brief = f"{len(entries) // 2} terms"
    shown = el("dl", *entries, class_="glossary")
    return section("glossary", "What the words mean", shown, brief=brief)

"""What the words of the page mean: shown where a pointer or the keyboard rests, and at its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from outcross.pipeline.page.markup import Html, el, section
from outcross.schemas.lineage import Ranked
from outcross.schemas.measures import MEASURES
from outcross.schemas.plan import DomainPlan, FrontierPoint, Reached, Starved
from outcross.schemas.report import (
    Achieved,
    Answers,
    Cluster,
    Collapsed,
    Conservation,
    Deduplication,
    Figures,
    Found,
    FoundIn,
    KnownWords,
    Loss,
    Measure,
    Prompts,
    Removal,
    Repeated,
    Saturation,
    Shard,
    Yardstick,
)

_OWN: dict[str, tuple[str, str]] = {
    "strip": (
        "where it stands",
        "The shaded band is where human text stands when it is compared with other human text: 95 "
        "of 100 such comparisons fall into it. Marks are the corpus after each stage, their lines "
        "± 1.96 standard errors. An arrow at the edge means that the mark lies further out.",
    ),
    "outcome": (
        "outcome",
        "What the gate of the measure says: go; warn; stop; noise (more variety than human text "
        "has); too little to judge (too few documents or words, an interval wider than the limit, "
        "or human text in which the figure means nothing); not judged (it is by clusters, and the "
        "embedder can't read the texts); shown (no gate applies).",
    ),
    "stage-value": (
        "read, deduplicated, written, judged",
        "The measure itself after that stage, in the unit that stands beside the human figure; "
        "judged is what the gates look at.",
    ),
    "against": (
        "against human",
        "The corpus's value divided by human text's; for shares of repetition and for divergences "
        "the difference between the two. ± are 1.96 standard errors: the true figure lies within "
        "them in 95 of 100 cases.",
    ),
    "ratio": (
        "corpus ÷ human",
        "The corpus's share of the cluster divided by human text's: ▼ below 1 the corpus has too "
        "little of it (starved), ▲ above 1 too much (swollen).",
    ),
    "excess": (
        "adds to divergence",
        "What the cluster adds to the Jensen-Shannon divergence between corpus and human text, in "
        "thousandths of a nat. Starved and swollen clusters are ranked by it.",
    ),
    "outliers": (
        "out of line",
        "In how many columns the shard lies more than 3.5 robust standard deviations from the "
        "median shard: ▲ above it, ▼ below. Said of 8 shards or more.",
    ),
    "near_duplicate_rate": (
        "near-duplicate rate",
        "Documents that repeat another one of the same set / its documents; of an audited file, "
        "the share of all that was read from it that repeats another document of that file (of "
        "those that stand for the same kept document all but one count).",
    ),
    "lexical_distinct_3": (
        "distinct triples",
        "Different word triples / word triples, in a fixed number of words.",
    ),
    "median_length": ("median length", "Half of the documents are shorter, tokens."),
    "tokens": (
        "tokens",
        "Tokens, each appearance of a document counted. Words until a tokenizer is named.",
    ),
    "alpha": (
        "tempering α",
        "The target is human text's share of each cluster to the power α: 1 is the human "
        "distribution, lower lifts what is rare, 0 makes all clusters alike.",
    ),
    "trend": (
        "trend",
        "Change of the figure against human text a generation: a line through all of them, "
        "weighted by their errors; ± 1.96 standard errors. ↘ and ↗ only where that is sure.",
    ),
    "fall": ("fall", "Share of the earlier figure against human text that is gone."),
    "asked": ("asked", "What the configuration asks for."),
    "planned": ("planned", "What the plan comes to, before whole documents are chosen."),
    "achieved": ("achieved", "What stands in data/."),
}
_FIELDS: dict[type[BaseModel], dict[str, str]] = {
    Conservation: {
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
    Achieved: {"longest_document": "longest document", "most_copies": "most copies"},
    Yardstick: {
        "fingerprint": "fingerprint of the yardstick",
        "clusters": "clusters of the yardstick",
        "documents": "documents of the yardstick",
        "effective_clusters": "effective clusters of the yardstick",
        "tail_mass": "tail of the yardstick",
        "near_duplicate_rate": "near duplicates of the yardstick",
        "zstd_ratio": "zstd ratio of the yardstick",
    },
    Found: {"found": "found", "whole_only": "whole only"},
    FoundIn: {"exact": "exact", "near": "near", "contained": "contained"},
    Loss: {"kind": "class", "near_share": "near share"},
    Deduplication: {"open": "open"},
    Repeated: {"times": "came", "exact": "word for word"},
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
    Collapsed: {"commonest": "commonest", "same_chance": "chance that two are the same"},
    Saturation: {"gains": "new answers"},
    Ranked: {
        "distance": "distance of a source",
        "held": "held by a source",
        "candidates": "candidates of a source",
    },
    FrontierPoint: {
        "entropy": "entropy of a plan",
        "kl": "KL of a plan",
        "highest_entropy": "highest entropy",
        "lowest_kl": "lowest KL",
    },
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
    """The term of a field of a schema."""
    return f"{model.__name__}-{name}".lower()


TERMS: dict[str, tuple[str, str]] = _OWN | dict(_measures()) | dict(_fields())
"""By key: title and meaning."""


def glossary(body: str) -> Html:
    """The terms that a page uses, each explained."""
    entries = []
    for key, (title, meaning) in sorted(TERMS.items(), key=lambda item: item[1][0].lower()):
        place = f"g-{key}"
        if f'"{place}"' in body:
            entries += [el("dt", title), el("dd", meaning, id=place)]
    brief = f"{len(entries) // 2} terms"
    shown = el("dl", *entries, class_="glossary")
    return section("glossary", "What the words mean", shown, brief=brief)

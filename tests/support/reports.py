"""Made reports, plans, comparisons and manifests, the same at every call."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from outcross.schemas.comparison import Comparison
from outcross.schemas.documents import FORMAT_VERSION
from outcross.schemas.figures import Figures, Measure
from outcross.schemas.formats import versions
from outcross.schemas.measures import MEASURES
from outcross.schemas.plan import Plan
from outcross.schemas.report import Report
from outcross.transforms.budget.generations import lasting_error

HOSTILE = (
    "</script><script>window.broken = 1</script>",
    '</style><img src=x onerror="window.broken = 2">',
    "<svg/onload=window.broken=3>'\"><iframe src=javascript:window.broken=4></iframe>",
    "<!--<script>--><b onmouseover='window.broken = 5'>bold</b>]]>{{7*7}}${8*8}",
    "\u202eesrever \u2066isolated\u2069 \u200bzero\u200bwidth \ufeff"
    " \u2028line\u2029paragraph \u0000\u0007",
    "\u06cc\u200c\u0645 \U0001f468\u200d\U0001f469 Z̸̢̗͓̹͈̈́͌a̶̛̰̪͇l̵͎̈́g̷̠̈́o",
    "<a href='https://example.invalid/x'>link</a> &lt;&amp;&#60;script&#62; \\u003cscript\\u003e",
    "m" * 1_000_000,
)
_TOPICS = (
    *("river flood bridge dam", "goal keeper league derby", "oven butter flour crust"),
    *("tenor opera aria score", "parser token grammar tree", "orbit probe lander crater"),
    *("clause court appeal ruling", "yarn needle purl stitch", "dose trial placebo cohort"),
)
_SENTENCES = (
    "The bridge closed at dusk because the river had risen above the second mark.",
    "Fold the butter into the flour until no streaks remain, then rest the dough.",
    "She sang the last aria twice, and the hall stayed quiet for a long while.",
    "A grammar with left recursion makes a naive parser loop for ever.",
)


def texts(hostile: bool) -> tuple[str, ...]:
    return HOSTILE if hostile else _SENTENCES


def measures(ratio: float = 0.9, n: int = 4000, seed: int = 0) -> list[Measure]:
    """Return one measure of each name.

    Args:
        ratio: mean of the ratios; excesses grow as it falls.
        n: documents compared.
        seed: seed of the values.
    """
    rng = np.random.default_rng(seed)
    measures_ = []
    for name, info in MEASURES.items():
        human = {"": 120.0, "nats": 0.021, "words": 9100.0}[info.unit]
        if info.form.endswith("%"):
            human = 0.21
        if name.startswith("entropy"):
            human = 7.4
        width = 0.02 * human if info.kind == "ratio" else 0.006
        if info.kind == "ratio":
            against = ratio + rng.normal(0, 0.03)
            value, error = against * human, 0.012
        else:
            side = 1 if info.better == "low" else -1
            against = side * (1 - ratio) * 0.3 + rng.normal(0, 0.004)
            value, error = human + against, 0.004
        gate = "go" if ratio > 0.95 else "warn" if ratio > 0.85 else "stop"
        if name in ("off_support", "vendi", "vendi_2", "openings"):
            gate = "shown"
        measures_.append(
            Measure(
                name=name, value=value, human=human, low=human - width, high=human + width,
                against=against, error=error, n=n if info.per == "documents" else 65_536,
                outcome=gate,
            )
        )  # fmt: skip
    measures_[-1] = measures_[-1].model_copy(
        update=dict.fromkeys(("value", "against", "error"), None)
    )
    measures_[-1] = measures_[-1].model_copy(update={"outcome": "too few"})
    return measures_


def figures(documents: int = 8000, ratio: float = 0.9, seed: int = 0, **more: Any) -> Figures:
    rng = np.random.default_rng(seed)
    return Figures(
        documents=documents,
        tokens=documents * 150,
        copies=documents // 90,
        near_duplicates=documents // 90,
        near_duplicate_rate=float(rng.normal(0.011, 0.001)),
        effective_clusters=float(130 * ratio * rng.normal(1, 0.01)),
        effective_clusters_error=1.4,
        audit_effective_clusters=float(88 * ratio * rng.normal(1, 0.01)),
        sample_coverage=0.992,
        token_entropy=4.8,
        kl_to_reference=float(0.04 / ratio * rng.normal(1, 0.02)),
        tail_mass=float(0.2 * ratio * rng.normal(1, 0.02)),
        off_support=float(0.012 * rng.normal(1, 0.05)),
        vendi=float(41 * ratio * rng.normal(1, 0.01)),
        vendi_2=12.0,
        lengths={"mean": 151.2, "least": 31, "median": 140, "most": 402},
        lexical={
            "tokens": 65_536, "vocabulary": 8100, "distinct_1": 0.12, "distinct_2": 0.6,
            "distinct_3": float(0.86 * rng.normal(1, 0.004)), "entropy_1": 7.2, "entropy_2": 10.1,
            "self_repetition": 0.08,
        },
        zstd_ratio=2.61,
        **more,
    )  # fmt: skip


def report(
    kind: str = "run",
    *,
    shards: int = 16,
    clusters: int = 256,
    outcome: str = "warn",
    ratio: float = 0.9,
    human: bool = True,
    hostile: bool = False,
) -> Report:
    """Return a report of a run, a deduplication or an audit.

    Args:
        kind: run, dedup or audit.
        shards: number of shards or audited files; every 40th is an outlier.
        clusters: number of clusters.
        outcome: outcome of the verdict.
        ratio: ratio of the measures to human text.
        human: True if there is human text.
        hostile: True if texts and names try to break out of a page.
    """
    quotes = texts(hostile)
    bad = HOSTILE[0] if hostile else ""
    ran, measured = kind == "run", kind != "dedup"
    judged = measured and human
    sets = {
        "read": (0.78, 1), "deduplicate": (0.84, 2), **({"write": (ratio, 3)} if ran else {})
    }  # fmt: skip
    stages: list[Any] = []
    for name, (ratio_, seed) in sets.items() if measured else ():
        figures_ = figures(
            9000 - 500 * seed, ratio_, seed, measures=measures(ratio_, seed=seed) if human else []
        )
        roles = {"all": figures_, "synthetic": figures(6000, ratio_ - 0.08, seed + 10)}
        if human:
            roles["human"] = figures(2000, 1.0, seed + 20)
        stages.append({"name": name, "roles": roles})
    return Report.model_validate(
        {
            "kind": kind,
            "verdict": {
                "outcome": outcome if judged else "done",
                "sentence": _sentence(kind, judged, outcome) + bad,
                "reasons": _reasons(judged, outcome),
                "warnings": ["the human share, 8.0 %, is below 10 %: a loop narrows from there"]
                + ([quotes[1]] if hostile else []),
            },
            "conservation": _conservation(kind, human),
            "asked": plan().asked if ran else None,
            "achieved": _achieved() if ran else None,
            "gain": _GAIN if ran and human else None,
            "stages": stages,
            "judged": stages[-1]["roles"]["all"] if judged else None,
            "shards": _shards(shards, ratio, bad) if measured else [],
            "deduplication": _deduplication(quotes, measured and human),
            "prompts": _prompts(quotes),
            "domains": [
                {"name": name, "kind": kind_of, "figures": figures(900, ratio_, place)}
                for place, (name, kind_of, ratio_) in enumerate(
                    [("stories" + bad, "open", 0.9), ("maths", "converge", 0.4), ("", "open", 0.8)]
                )
            ]
            if measured
            else [],
            "clusters": _clusters(clusters, quotes) if judged else [],
            "reference": {
                "fingerprint": "cd16a95339c31f966dca38f1dad34643", "human": human,
                "clusters": clusters, "documents": 20_000, "effective_clusters": 131.2,
                "tail_mass": 0.2 if human else None, "near_duplicate_rate": 0.004,
                "zstd_ratio": 2.4,
            }
            if measured
            else None,
        }
    )  # fmt: skip


_GAIN = {
    "before": {"words": 0.0873, "pairs": 0.235},
    "after": {"words": 0.0793, "pairs": 0.2041},
    "human": {"words": 0.0124, "pairs": 0.0527},
}


def _sentence(kind: str, judged: bool, outcome: str) -> str:
    if not judged:
        return "Done; there was nothing to judge by."
    subject = "What was written" if kind == "run" else "The corpus"
    return {
        "go": f"{subject} is as diverse as human text of its size.",
        "warn": f"{subject} holds 92 % of the topics that human text of its size does, and rare "
        "words are fewer.",
        "stop": f"{subject} has narrowed: it holds 78 % of the topics that human text of its size "
        "does, and a third of the rare ones are gone.",
    }[outcome]


def _reasons(judged: bool, outcome: str) -> list[str]:
    if not judged or outcome == "go":
        return []
    return [
        f"effective clusters are .92 of human text's; below .95 the gate says {outcome}",
        f"rare words kept are .88 of human text's; below .90 the gate says {outcome}",
    ]


def _conservation(kind: str, human: bool) -> list[dict[str, Any]]:
    lines = []
    for source, role, read in (("gpt-4.1", "synthetic", 92_113), ("people", "human", 20_400)):
        if role == "human" and not human:
            continue
        rejected, removed = read // 900, read // 11
        kept = read - rejected - removed
        written = kept * 2 // 3 if kind == "run" else kept if kind == "dedup" else 0
        not_selected = {"quota": kept - written} if kind == "run" else {}
        if kind == "audit":
            not_selected = {"audited": kept}
        lines.append(
            {
                "source": source, "role": role, "filtered": 12, "read": read, "rejected": rejected,
                "removed": removed, "distinct": read - removed // 2, "kept": kept,
                "written": written, "not_selected": not_selected, "copies": written // 90,
            }
        )  # fmt: skip
    return lines


def _achieved() -> dict[str, Any]:
    return {
        "tokens": 1_200_000, "synthetic_tokens": 960_023, "human_tokens": 239_977,
        "human_share": 0.19998, "planned_human_tokens": 240_000.0, "longest_document": 812,
        "entropy": 4.8312, "planned_entropy": 4.8341, "kl": 0.0214, "most_copies": 2,
        "lasting_error": 2.7779,
    }  # fmt: skip


def _shards(count: int, ratio: float, bad: str) -> list[dict[str, Any]]:
    rng = np.random.default_rng(7)
    lines = []
    for place in range(count):
        odd = place % 40 == 7
        figures_ = figures(1000, ratio * (0.6 if odd else 1.0), 100 + place)
        lines.append(
            {
                "file": f"train-{place:05d}-of-{count:05d}.parquet{bad}",
                "rows": 1000, "bytes": int(2_400_000 * rng.normal(1, 0.01)),
                "human_share": float(0.2 * rng.normal(1, 0.02)), "figures": figures_,
            }
        )  # fmt: skip
    return lines


def _deduplication(quotes: tuple[str, ...], judged: bool) -> dict[str, Any]:
    pairs = [
        {
            "id": f"gpt.jsonl#{place * 37}{quotes[place % len(quotes)][:40]}", "source": "gpt-4.1",
            "kept_id": f"people.jsonl#{place}", "kept_source": "people", "stage": "near",
            "rule": "Jaccard of 5-grams ≥ 0.8", "similarity": 0.8 + 0.004 * (11 - place),
            "text": quotes[place % len(quotes)],
            "kept_text": None
            if place == 5
            else quotes[place % len(quotes)].replace(" the ", " a "),
        }
        for place in range(12)
    ]  # fmt: skip
    losses = [
        {
            "role": role, "kind": kind, "documents": 20_000, "exact": 400, "near": near,
            "contained": 2, "near_share": near / 19_598,
        }
        for role in ("all", "synthetic")
        for kind, near in (("head", 1400), ("tail", 310), ("off-support", 12))
    ]  # fmt: skip
    overlap = {
        "name": "humaneval", "kind": "exclude", "documents": 164, "found": 3, "whole_only": 1,
        "removed": [{"source": "gpt-4.1", "exact": 1, "near": 4, "contained": 7}],
    }  # fmt: skip
    return {
        "exact": 6021, "near": 4187, "contained": 12, "open": 3, "bands": 14, "rows": 9,
        "counts": {"stars": 5123}, "found": [overlap], "losses": losses if judged else [],
        "least_similar": pairs,
        "most_repeated": [
            {"id": f"gpt.jsonl#{place}", "source": "gpt-4.1", "times": 812 - 90 * place,
             "exact": 640 - 90 * place, "text": quotes[place % len(quotes)]}
            for place in range(6)
        ],
    }  # fmt: skip


def _prompts(quotes: tuple[str, ...]) -> list[dict[str, Any]]:
    collapsed = [
        {
            "prompt": f"{place + 1}. {quotes[(place + 1) % len(quotes)]}", "answers": 16,
            "distinct": 1 + place % 3, "commonest": 14 - place, "same_chance": 0.91 - 0.05 * place,
            "text": None if place == 3 else quotes[place % len(quotes)],
        }
        for place in range(6)
    ]  # fmt: skip
    gains = [math.exp(-0.28 * k) for k in range(16)]
    sampling = {
        "prompts": 5_700, "answers": 91_200, "k": 8, "distinct_at_k": 4.31, "effective": 5.02,
        "same_chance": 0.11, "saturation": {"gains": gains, "at": 12}, "collapsed_prompts": 214,
        "collapsed": collapsed,
    }  # fmt: skip
    counts = {
        "prompts": 5_757,
        "answers": 92_113,
        "distinct_answers": 60_100,
        "kept_answers": 83_638,
    }
    return [
        {"source": "gpt-4.1", **counts, "sampling": sampling},
        {"source": "people", **counts, "sampling": None},
    ]


def _clusters(count: int, quotes: tuple[str, ...]) -> list[dict[str, Any]]:
    rng = np.random.default_rng(3)
    human = rng.dirichlet(np.full(count, 0.9))
    corpus = human * np.exp(rng.normal(0, 0.7, count))
    corpus[:: max(count // 20, 1)] = 0.0
    corpus /= corpus.sum()
    ranked = np.argsort(corpus - human)
    shown = {*ranked[:40].tolist(), *ranked[-40:].tolist()}
    places = rng.normal(0, 1, (count, 2)) + rng.choice([-3, 0, 3], (count, 2))
    hostile = quotes is HOSTILE
    return [
        {
            "cluster": c, "x": float(places[c, 0]), "y": float(places[c, 1]),
            "human_share": float(human[c]), "share": float(corpus[c]),
            "words": [quotes[c % len(quotes)], "x"]
            if hostile
            else _TOPICS[c % len(_TOPICS)].split(),
            "human_text": (quotes[c % len(quotes)] * 5)[:300],
            "text": (quotes[(c + 1) % len(quotes)] * 5)[:300] if c in shown else None,
        }
        for c in range(count)
    ]  # fmt: skip


def plan(clusters: int = 256, regime: str = "human-bound", price: float | None = 1.83) -> Plan:
    """Return a plan for 1.2 million tokens, a fifth of them human."""
    frontier: list[dict[str, Any]] = []
    for share in (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3):
        lift = 1 - math.exp(-9 * share)
        frontier.append(
            {
                "human_share": share, "human_tokens": 1_200_000 * share, "reachable": True,
                "reachable_human_tokens": 1_200_000 * share, "entropy": 4.6 + 0.28 * lift,
                "kl": 0.146 - 0.13 * lift, "highest_entropy": 4.7 + 0.29 * lift,
                "lowest_kl": 0.133 * (1 - lift),
                "regime": "human-bound" if share < 0.3 else "slack",
                "shadow_price": None if share == 0 else 1.9 * math.exp(-9 * share),
                "lasting_error": lasting_error(share, 1_200_000),
            }
        )  # fmt: skip
    frontier.append(
        {
            "human_share": 0.5, "human_tokens": 600_000, "reachable_human_tokens": 410_000,
            "reachable": False, "reason": "human text holds 410,000 tokens, repeats included",
        }
    )  # fmt: skip
    return Plan.model_validate(
        {
            "seed": 0,
            "made_for": "reports",
            "least_human_tokens": None,
            "asked": {
                "tokens": None, "human_share": 0.2, "human_tokens": None, "alpha": 0.7,
                "entropy_floor": 4.8, "max_kl": 0.05, "max_copies": {"synthetic": 2, "human": 2},
                "off_support": "keep",
            },
            "domains": [
                {
                    "name": "*", "kind": "open", "share": 1, "reference_share": 1,
                    "tokens": 1_200_000, "synthetic_tokens": 960_000, "human_tokens": 240_000,
                    "max_copies": {"synthetic": 2, "human": 2}, "alpha": 0.7, "entropy": 4.8341,
                    "kl": 0.0213, "reference_entropy": 4.877, "regime": regime,
                    "shadow_price": price,
                }
            ],
            "reached": {
                "tokens": 1_200_000, "synthetic_tokens": 960_000, "human_tokens": 240_000,
                "human_share": 0.2, "alpha": 0.7, "entropy": 4.8341, "effective_number": 125.7,
                "kl": 0.0213, "reference_entropy": 4.877, "regime": regime, "shadow_price": price,
                "lasting_error": 2.7778,
            },
            "shards": 16,
            "near_duplicates": {
                "threshold": 0.8, "bands": 14, "rows": 9, "num_perm": 128, "ngram": 5
            },
            "warnings": [],
            "gap": {"blind": _GAIN["before"], "human": _GAIN["human"]},
            "starved": [
                {
                    "cluster": c, "wanted": 5000.0 - 10 * c, "available": 1200.0,
                    "planned": 1200.0, "price": 0.1, "words": ["word"], "text": None,
                }
                for c in range(0, min(clusters, 400), 16)
            ],
            "frontier": frontier,
            "quotas": [
                {
                    "cluster": c, "reference_share": 1 / clusters, "synthetic_available": 9000,
                    "human_available": 2000, "off_support_available": 10,
                    "synthetic": 960_000 / clusters, "synthetic_off_support": 0,
                    "human": 240_000 / clusters,
                }
                for c in range(clusters)
            ],
        }
    )  # fmt: skip


def comparison(generations: int = 5, hostile: bool = False) -> Comparison:
    """Return a comparison of generations that narrow by 4 % each."""
    bad = HOSTILE[1] if hostile else ""
    return Comparison.model_validate(
        {
            "verdict": {
                "outcome": "stop",
                "reasons": ["effective clusters fell by 4.1 %; 3 % is the limit"],
                "sentence": "The loop narrows: topics fall with every generation." + bad,
                "warnings": [],
            },
            "reference": "cd16a95339c31f966dca38f1dad34643",
            "generations": [
                {
                    "name": f"generation-{place}{bad}", "report": f"runs/{place}/report.json",
                    "outcome": "go" if place < 1 else "warn" if place < 3 else "stop",
                    "measures": measures(0.99 * 0.96**place, seed=place),
                }
                for place in range(generations)
            ],
            "trends": [
                {"measure": name, "slope": -0.038 if info.better == "high" else 0.011,
                 "error": 0.006}
                for name, info in MEASURES.items()
            ]
            if generations > 2
            else [],
            "alarms": [
                {
                    "measure": "effective_clusters", "before": f"generation-{place}",
                    "after": f"generation-{place + 1}", "fall": 0.041, "error": 0.009,
                    "limit": 0.03,
                }
                for place in range(min(2, generations - 1))
            ],
        }
    )  # fmt: skip


def manifest(files: int = 16, hostile: bool = False) -> dict[str, Any]:
    """Return the contents of a run's manifest.json."""
    bad = HOSTILE[0] if hostile else ""
    return {
        **versions(FORMAT_VERSION),
        "versions": {"outcross": "0.1.0", "python": "3.11.7", "apache-beam": "2.77.0"},
        "configuration": {
            "out": "out/" + bad,
            "sources": [{"name": "gpt-4.1", "role": "synthetic", "files": ["syn/*.jsonl"]}],
        },
        "seed": 0,
        "workers": None,
        "beam_options": [],
        "started": "2026-01-22T19:46:53Z",
        "seconds": 3.055,
        "stage_seconds": {"sketch": 0.486, "deduplicate": 0.365, "write": 0.9},
        "embedder": "bbd7cbeeb75ba9c251208eace4088519",
        "inputs": {f"syn/0.jsonl{bad}": {"sources": ["gpt-4.1"], "rows": 9, "identity": "2-c3"}},
        "outputs": [
            {"file": f"data/{place}.parquet", "rows": 1000, "bytes": 2_400_000, "sha256": "5f" * 32}
            for place in range(files)
        ],
    }

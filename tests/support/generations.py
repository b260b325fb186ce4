"""Reports of generations, for tests of their comparison."""

from __future__ import annotations

from typing import Any

from outcross.pipeline.commands.compare import CLUSTERS, WORDS
from outcross.schemas.deduplication import Deduplication
from outcross.schemas.figures import Figures, Measure, Stage
from outcross.schemas.report import Achieved, ReferenceSummary, Report, Verdict

JUDGED = (*WORDS, *CLUSTERS)


def measure(
    name: str, against: float | None, error: float | None = 0.002, n: int = 4096
) -> Measure:
    known = against is not None
    return Measure(
        name=name,
        value=against,
        human=1.0 if known else None,
        low=None,
        high=None,
        against=against,
        error=error if known else None,
        n=n,
        outcome="shown" if known else "too few",
    )


def figures(measures: list[Measure] = [], tail: float | None = None) -> Figures:  # noqa: B006
    return Figures(
        documents=1000, tokens=9000, copies=0, near_duplicates=0, tail_mass=tail, measures=measures
    )


def report(
    against: dict[str, float | None] | float = 1.0,
    error: float | None = 0.002,
    n: int = 4096,
    tails: dict[Any, float] | None = None,
    **changed: Any,
) -> Report:
    """Return a report of an audit.

    Args:
        against: judged measures against human text; a number for all of them.
        error: their standard error.
        n: their sample size.
        tails: tail mass after each stage.
        changed: further keys of the report.
    """
    figures_of = dict.fromkeys(JUDGED, against) if isinstance(against, float) else against
    tails = {"read": 0.2, "deduplicate": 0.18} if tails is None else tails
    values: dict[str, Any] = {
        "kind": "audit",
        "verdict": Verdict(outcome="go", sentence="Go.", reasons=[], warnings=[]),
        "conservation": [],
        "asked": None,
        "achieved": None,
        "stages": [Stage(name=s, roles={"all": figures(tail=t)}) for s, t in tails.items()],
        "judged": figures([measure(name, value, error, n) for name, value in figures_of.items()]),
        "shards": [],
        "deduplication": Deduplication(
            exact=0,
            near=0,
            contained=0,
            open=0,
            bands=1,
            rows=1,
            counts={},
            found=[],
            losses=[],
            most_repeated=[],
            least_similar=[],
        ),
        "prompts": [],
        "domains": [],
        "clusters": [],
        "reference": reference_summary("aa11"),
    }
    return Report(**{**values, **changed})


def reference_summary(fingerprint: str, human: bool = True) -> ReferenceSummary:
    return ReferenceSummary(
        fingerprint=fingerprint,
        human=human,
        clusters=64,
        documents=1000,
        effective_clusters=40.0,
        tail_mass=0.2,
        near_duplicate_rate=0.0,
        zstd_ratio=None,
    )


def loop(*reports: Report) -> list[tuple[str, Report]]:
    return [(f"loop/gen{n}/report.json", report) for n, report in enumerate(reports, 1)]


def series(name: str, *against: float | None, error: float = 0.002) -> list[tuple[str, Report]]:
    """Return a loop in which only one measure changes."""
    steady = dict.fromkeys(JUDGED, 1.0)
    return loop(*(report({**steady, name: value}, error) for value in against))


def achieved() -> Achieved:
    return Achieved(
        tokens=1,
        synthetic_tokens=1,
        human_tokens=0,
        human_share=0.0,
        planned_human_tokens=0.0,
        longest_document=1,
        entropy=None,
        planned_entropy=None,
        kl=None,
        most_copies=1,
    )

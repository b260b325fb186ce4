"""The section on a run's place in its lineage."""

from __future__ import annotations

from outcross.pipeline.page.glossary import key_of
from outcross.pipeline.page.markup import Column, Html, el, figure, name, number, section, table
from outcross.schemas.lineage import LineageReport, RankedSource
from outcross.schemas.report import Report


def lineage(report: Report) -> Html | None:
    """Return the section: human text by origin, and the ranking of the synthetic sources."""
    place = report.lineage
    if place is None:
        return None
    return section(
        "lineage",
        "Place in the lineage",
        el(
            "p",
            f"Generation {place.number:,}, ",
            name(place.generation),
            f": {number(place.fresh.tokens)} human tokens were bought, and "
            f"{number(place.reused.tokens)} of the {number(place.ledger.tokens)} in the ledger "
            "were used again.",
            class_="lead",
        ),
        _human(place),
        _ranking(place.ranking),
        brief=f"generation {place.number:,}",
    )


def _human(place: LineageReport) -> Html:
    rows = (
        ("fresh", place.planned_fresh_tokens, place.fresh),
        ("from the ledger", place.planned_reused_tokens, place.reused),
    )
    return table(
        "Human text by origin",
        [
            Column("human text", numeric=False, heading=True),
            Column("tokens planned", "planned"),
            Column("tokens written", "achieved"),
            Column("documents"),
        ],
        [
            [
                title,
                figure(planned, ",.0f"),
                figure(written.tokens),
                figure(written.documents),
            ]
            for title, planned, written in rows
        ],
    )


def _ranking(ranking: list[RankedSource]) -> Html | None:
    if not ranking:
        return None
    return table(
        "The synthetic sources, nearest to human text first",
        [
            Column("source", numeric=False, heading=True),
            Column("distance, nats", key_of(RankedSource, "distance")),
            Column("tokens", key_of(RankedSource, "held")),
            Column("candidate tokens", key_of(RankedSource, "candidates")),
        ],
        [
            [
                candidate.name,
                figure(candidate.distance, ".4f"),
                figure(candidate.held.tokens),
                figure(candidate.candidates.tokens),
            ]
            for candidate in ranking
        ],
    )

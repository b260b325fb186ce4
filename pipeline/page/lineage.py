"""A run's place in its lineage: what it bought and used again, and what it could choose from."""

from __future__ import annotations

from outcross.pipeline.page.glossary import key_of
from outcross.pipeline.page.markup import Column, Html, el, figure, name, number, section, table
from outcross.schemas.lineage import LineageReport, Ranked
from outcross.schemas.report import Report


def lineage(report: Report) -> Html | None:
    """The human part by where it comes from, and the ranking of the synthetic sources."""
    found = report.lineage
    if found is None:
        return None
    return section(
        "lineage",
        "Its place in the lineage",
        el(
            "p",
            f"Generation {found.number:,}, ",
            name(found.generation),
            f": {number(found.fresh.tokens)} human tokens were bought, and "
            f"{number(found.reused.tokens)} of the {number(found.ledger.tokens)} in the ledger "
            "were used again.",
            class_="lead",
        ),
        _human(found),
        _ranking(found.ranking),
        brief=f"generation {found.number:,}",
    )


def _human(found: LineageReport) -> Html:
    rows = (
        ("fresh", found.planned_fresh_tokens, found.fresh),
        ("of the ledger", found.planned_reused_tokens, found.reused),
    )
    return table(
        "The human part",
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


def _ranking(ranking: list[Ranked]) -> Html | None:
    if not ranking:
        return None
    return table(
        "The synthetic sources, nearest to human text first",
        [
            Column("source", numeric=False, heading=True),
            Column("distance, nats", key_of(Ranked, "distance")),
            Column("tokens held", key_of(Ranked, "held")),
            Column("tokens to choose from", key_of(Ranked, "candidates")),
        ],
        [
            [
                one.name,
                figure(one.distance, ".4f"),
                figure(one.held.tokens),
                figure(one.candidates.tokens),
            ]
            for one in ranking
        ],
    )

"""The entropy frontier: what human text buys, where this run stands, what one more token costs."""

from __future__ import annotations

from typing import Any

from outcross.pipeline.page.markup import (
    Cell,
    Column,
    Html,
    cut,
    el,
    escape,
    figure,
    join,
    number,
    section,
    table,
    term,
)
from outcross.schemas.config import OTHERS
from outcross.schemas.plan import FrontierPoint, Plan, Reached
from outcross.schemas.report import Report

_REGIMES = {
    "slack": "Neither kind of text is scarcer than the other: each cluster has its part, or all "
    "the text that there is of it.",
    "human-bound": "Human text is what is scarce.",
    "synthetic-bound": "Synthetic text is what is scarce.",
    "drawn": "The human part is drawn evenly from fresh text and the ledger, and synthetic text is "
    "chosen to go with it.",
}
_STARVED = 50


def budget(report: Report, plan: Plan) -> Html:
    """The frontier as a chart and as a table, the price in words, the clusters that lack text."""
    words = {cluster.cluster: cluster.words for cluster in report.clusters}
    return section(
        "budget",
        "What human text buys",
        price(plan.reached),
        _weights(plan),
        _domains(report, plan),
        el("div", class_="chart", id="frontier", role="img", aria_label=_label(plan)),
        _frontier(plan.frontier),
        _starved(plan, words),
        brief="entropy against the human share",
    )


def price(reached: Reached) -> Html:
    """What one more human token would do, in words."""
    regime = _REGIMES[reached.regime]
    value, tokens = reached.shadow_price, max(reached.tokens, 1.0)
    what = term("reached-shadow_price", "divergence from the tempered human distribution")
    if value is None:
        effect: Html = escape(
            "A cluster of human text has no text at all here, so the first human token in it is "
            "worth more than any number says."
        )
    elif abs(value) < 1e-9:
        effect = join(
            ["One more human token in place of a synthetic one would not change the ", what, "."]
        )
    else:
        turn = "lower" if value > 0 else "raise"
        one, percent = number(abs(value), ".3g"), number(abs(value) / 100, ".2g", "nats")
        effect = join(
            [
                f"One more human token in place of a synthetic one would {turn} the ",
                what,
                " by ",
                el("b", f"{one} nats × tokens"),
                f", spread over {number(tokens, ',.0f')} tokens. At this price 1\u202f% of the "
                f"tokens ({number(tokens / 100, ',.0f')}) would {turn} it by about {percent}; the "
                "price falls as more is bought."
                if value > 0
                else f", spread over {number(tokens, ',.0f')} tokens: less human text would do.",
            ]
        )
    return el("p", term("reached-regime", regime), " ", effect, class_="lead")


def _weights(plan: Plan) -> Html | None:
    """What stands in data/ where copies are weights."""
    if plan.asked.copies == "rows":
        return None
    return el(
        "p",
        "Copies are weights: every document is one row of data/, and ",
        el("code", "outcross.weight"),
        " says how often it counts. Tokens, shares and diversity are those of the weighted corpus.",
        class_="note",
    )


def _label(plan: Plan) -> str:
    points = [point for point in plan.frontier if point.entropy is not None]
    if not points:
        return "No human share can be reached."
    first, last = points[0], points[-1]
    return (
        f"Entropy and divergence against the human share of the tokens: from "
        f"{number(first.entropy, '.3f')} nats at {number(first.human_share, '.0%')} to "
        f"{number(last.entropy, '.3f')} nats at {number(last.human_share, '.0%')}. "
        "The table below has all figures."
    )


def _domains(report: Report, plan: Plan) -> Html | None:
    """The domains' own budgets, and how their entropies add up."""
    if len(plan.domains) < 2:
        return None
    columns = [
        Column("domain", "domainplan-name", numeric=False, heading=True),
        Column("kind", "domainplan-kind", numeric=False),
        Column("tokens", "planned"),
        Column("share", "domainplan-share"),
        Column("share of human text", "domainplan-reference_share"),
        Column("human tokens", "planned"),
        Column("α", "alpha"),
        Column("entropy, nats", "planned"),
        Column("achieved", "achieved"),
        Column("KL to human, nats", "domainplan-kl"),
    ]
    achieved = report.achieved
    done = {one.name: one.entropy for one in achieved.domains} if achieved is not None else {}
    rows: list[list[Cell | str]] = [
        [
            Cell(el("span", cut(one.name, 40), class_="corpus", dir="auto")),
            one.kind,
            figure(one.tokens, ",.0f"),
            figure(one.share, ".1%"),
            figure(one.reference_share, ".1%"),
            figure(one.human_tokens, ",.0f"),
            figure(one.alpha, ".3f"),
            figure(one.entropy, ".4f"),
            figure(done.get(one.name), ".4f"),
            figure(one.kl, ".4f"),
        ]
        for one in plan.domains
    ]
    between = None if achieved is None else achieved.domain_entropy
    entropies: list[Cell | str] = [
        figure(plan.reached.domain_entropy, ".4f"),
        figure(between, ".4f"),
        "",
    ]
    rows.append(["between the domains", *[""] * 6, *entropies])
    note = el(
        "p",
        "Each domain is a budget of its own. The entropy of the whole is the one between the "
        "domains and the ones within them, weighted by their share: "
        f"{number(plan.reached.entropy, '.4f', 'nats')} planned"
        + ("" if achieved is None else f", {number(achieved.entropy, '.4f', 'nats')} achieved")
        + ".",
        class_="note",
    )
    return join([table("Domains and their budgets", columns, rows), note])


def _frontier(points: list[FrontierPoint]) -> Html | None:
    if not points:
        return None
    columns = [
        Column("human share", "shard-human_share", heading=True),
        Column("human tokens"),
        Column("entropy, nats", "frontierpoint-entropy"),
        Column("highest entropy, nats", "frontierpoint-highest_entropy"),
        Column("KL to human, nats", "frontierpoint-kl"),
        Column("lowest KL, nats", "frontierpoint-lowest_kl"),
        Column("what binds", "reached-regime", numeric=False),
        Column("price, nats × tokens", "reached-shadow_price"),
    ]
    rows: list[list[Cell | str]] = []
    for point in points:
        start: list[Cell | str] = [
            number(point.human_share, ".1%"),
            number(point.human_tokens, ",.0f"),
        ]
        if not point.reachable:
            reason = f"out of reach: {cut(point.reason or '')}"
            rows.append([*start, "–", "–", "–", "–", reason, "–"])
            continue
        rows.append(
            [
                *start,
                figure(point.entropy, ".4f"),
                figure(point.highest_entropy, ".4f"),
                figure(point.kl, ".4f"),
                figure(point.lowest_kl, ".4f"),
                point.regime or "",
                "unbounded" if point.shadow_price is None else figure(point.shadow_price, ".3g"),
            ]
        )
    return table("What other human shares of the same total would reach", columns, rows)


def _starved(plan: Plan, words: dict[int, list[str]]) -> Html | None:
    if not plan.starved:
        return None
    columns = [
        Column("cluster", heading=True),
        Column("distinctive words", "cluster-words", numeric=False),
        Column("wanted, tokens", "starved-wanted"),
        Column("available, tokens", "starved-available"),
        Column("planned, tokens", "starved-planned"),
    ]
    rows: list[list[Cell | str]] = [
        [
            number(one.cluster)
            if one.domain == OTHERS
            else Cell(el("span", cut(one.domain, 40), f" {one.cluster}", class_="corpus")),
            Cell(named(words.get(one.cluster, [])), classes="words"),
            figure(one.wanted, ",.0f"),
            figure(one.available, ",.0f"),
            figure(one.planned, ",.0f"),
        ]
        for one in plan.starved[:_STARVED]
    ]
    shown = table("Clusters that lack most of what they should have", columns, rows)
    return el("details", el("summary", "Clusters that the plan can't fill"), shown)


def named(words: list[str]) -> Html:
    """Distinctive words of a cluster."""
    shown = ", ".join(cut(word, 30) for word in words[:8])
    return el("span", shown or "–", class_="corpus", dir="auto")


def frontier_data(report: Report, plan: Plan) -> dict[str, Any]:
    """What the chart of the frontier is drawn from."""
    points = [point for point in plan.frontier if point.reachable]
    fields = ("human_share", "entropy", "highest_entropy", "kl", "lowest_kl")
    achieved, reached = report.achieved, plan.reached
    run = {"human_share": reached.human_share, "entropy": reached.entropy, "kl": reached.kl}
    if achieved is not None and achieved.human_share is not None and achieved.entropy is not None:
        run = {field: getattr(achieved, field) for field in ("human_share", "entropy", "kl")}
    return {
        **{field: [_short(getattr(point, field)) for point in points] for field in fields},
        "run": {field: _short(value) for field, value in run.items()},
        "reference_entropy": _short(reached.reference_entropy),
        "entropy_floor": _short(plan.asked.entropy_floor),
        "max_kl": _short(plan.asked.max_kl),
    }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")

"""The entropy frontier: what human text buys, and what one more human token is worth."""

from __future__ import annotations

from typing import Any

from outcross.pipeline.page.gain import lasting_error
from outcross.pipeline.page.markup import (
    Cell,
    Column,
    Html,
    cut,
    el,
    escape,
    figure,
    folded,
    join,
    number,
    rounded,
    section,
    table,
    term,
)
from outcross.pipeline.terminal.tables import times_form
from outcross.schemas.budget import OTHERS
from outcross.schemas.plan import FrontierPoint, Plan, Reached
from outcross.schemas.report import Report

_REGIMES = {
    "slack": "Neither human nor synthetic text is scarce: each cluster gets its share of the "
    "target, or all the text that it has.",
    "human-bound": "Human text is scarce.",
    "synthetic-bound": "Synthetic text is scarce.",
    "drawn": "The human part is drawn first, from fresh text and the ledger, and synthetic text is "
    "chosen to complement it.",
}
_STARVED = 50


def budget(report: Report, plan: Plan) -> Html:
    """Return the section with the frontier, the price of a human token and the starved clusters."""
    words = {cluster.cluster: cluster.words for cluster in report.clusters}
    return section(
        "budget",
        "What human text buys",
        price(plan.reached),
        lasting_error(report),
        _weights(plan),
        _domains(report, plan),
        el("div", class_="chart", id="frontier", role="img", aria_label=_label(plan)),
        _frontier(plan.frontier),
        _starved(plan, words),
        brief="entropy against the human share",
    )


def price(reached: Reached) -> Html:
    """Describe in words what one more human token would change."""
    regime = _REGIMES[reached.regime]
    value, tokens = reached.shadow_price, max(reached.tokens, 1.0)
    divergence = term("reached-shadow_price", "divergence from the tempered human distribution")
    if value is None:
        effect: Html = escape(
            "At least one cluster of human text has no text at all in this corpus, so its first "
            "human token has no finite price."
        )
    elif abs(value) < 1e-9:
        effect = join(
            [
                "One more human token in place of a synthetic one would not change the ",
                divergence,
                ".",
            ]
        )
    else:
        turn = "lower" if value > 0 else "raise"
        amount, percent = number(abs(value), ".3g"), number(abs(value) / 100, ".2g", "nats")
        effect = join(
            [
                f"One more human token in place of a synthetic one would {turn} the ",
                divergence,
                " by ",
                el("b", f"{amount} nats × tokens"),
                f", spread over {number(tokens, ',.0f')} tokens. At this price 1\u202f% of the "
                f"tokens ({number(tokens / 100, ',.0f')}) would {turn} it by about {percent}; the "
                "price falls as more is bought."
                if value > 0
                else f", spread over {number(tokens, ',.0f')} tokens: less human text would do.",
            ]
        )
    return el("p", term("reached-regime", regime), " ", effect, class_="lead")


def _weights(plan: Plan) -> Html | None:
    """Explain the rows of data/ where copies are weights; return None where copies are rows."""
    if plan.asked.copies == "rows":
        return None
    return el(
        "p",
        "Copies are weights: every document is one row of data/, and ",
        el("code", "outcross.weight"),
        " tells how often it counts. Tokens, shares and diversity are those of the weighted "
        "corpus.",
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
    """Return the table of the domains' budgets, and how their entropies add up."""
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
    written = {domain.name: domain.entropy for domain in achieved.domains} if achieved else {}
    rows: list[list[Cell | str]] = [
        [
            Cell(el("span", cut(domain.name, 40), class_="corpus", dir="auto")),
            domain.kind,
            figure(domain.tokens, ",.0f"),
            figure(domain.share, ".1%"),
            figure(domain.reference_share, ".1%"),
            figure(domain.human_tokens, ",.0f"),
            figure(domain.alpha, ".3f"),
            figure(domain.entropy, ".4f"),
            figure(written.get(domain.name), ".4f"),
            figure(domain.kl, ".4f"),
        ]
        for domain in plan.domains
    ]
    between = None if achieved is None else achieved.domain_entropy
    bounds: list[Cell | str] = [
        figure(plan.reached.domain_entropy, ".4f"),
        figure(between, ".4f"),
        "",
    ]
    rows.append(["between the domains", *[""] * 6, *bounds])
    note = el(
        "p",
        "Each domain has its own budget. The total entropy is the entropy between the domains plus "
        "the entropies within them, weighted by the domains' shares: "
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
        Column("lasting error", "frontierpoint-lasting_error"),
    ]
    rows: list[list[Cell | str]] = []
    for point in points:
        start: list[Cell | str] = [
            number(point.human_share, ".1%"),
            number(point.human_tokens, ",.0f"),
        ]
        error = figure(point.lasting_error, times_form(point.lasting_error or 0.0))
        if not point.reachable:
            reason = f"out of reach: {cut(point.reason or '')}"
            rows.append([*start, "–", "–", "–", "–", reason, "–", error])
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
                error,
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
            number(cluster.cluster)
            if cluster.domain == OTHERS
            else Cell(el("span", cut(cluster.domain, 40), f" {cluster.cluster}", class_="corpus")),
            Cell(named(words.get(cluster.cluster, [])), classes="words"),
            figure(cluster.wanted, ",.0f"),
            figure(cluster.available, ",.0f"),
            figure(cluster.planned, ",.0f"),
        ]
        for cluster in plan.starved[:_STARVED]
    ]
    shown = table("Clusters that lack most of their share of the target", columns, rows)
    return folded("Clusters that the plan can't fill", shown)


def named(words: list[str]) -> Html:
    """Return the first eight distinctive words of a cluster."""
    shown = ", ".join(cut(word, 30) for word in words[:8])
    return el("span", shown or "–", class_="corpus", dir="auto")


def frontier_data(report: Report, plan: Plan) -> dict[str, Any]:
    """Return the numbers from which the page's script draws the frontier."""
    points = [point for point in plan.frontier if point.reachable]
    fields = ("human_share", "entropy", "highest_entropy", "kl", "lowest_kl")
    achieved, reached = report.achieved, plan.reached
    run = {"human_share": reached.human_share, "entropy": reached.entropy, "kl": reached.kl}
    if achieved is not None and achieved.human_share is not None and achieved.entropy is not None:
        run = {field: getattr(achieved, field) for field in ("human_share", "entropy", "kl")}
    return {
        **{field: [rounded(getattr(point, field), 6) for point in points] for field in fields},
        "run": {field: rounded(value, 6) for field, value in run.items()},
        "reference_entropy": rounded(reached.reference_entropy, 6),
        "entropy_floor": rounded(plan.asked.entropy_floor, 6),
        "max_kl": rounded(plan.asked.max_kl, 6),
    }

"""Which topics the corpus has too little or too much of: the clusters on a map and by name."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from outcross.pipeline.page.budget import named
from outcross.pipeline.page.markup import (
    Cell,
    Column,
    Html,
    corpus,
    cut,
    el,
    many,
    number,
    section,
    table,
)
from outcross.schemas.report import EXTREMES, Cluster, Report

EVEN = 1.25  # corpus / human below which a cluster is neither
_BYTES = 1_000_000  # of words and example texts on the map


def ratio(cluster: Cluster) -> float:
    """Share of the corpus over share of human text; infinite where human text has none."""
    if cluster.human_share > 0:
        return cluster.share / cluster.human_share
    return math.inf if cluster.share else 1.0


def clusters(report: Report) -> Html | None:
    """The map, and the most starved and most swollen clusters."""
    found = report.clusters
    if not found:
        return None
    ranked = sorted(found, key=lambda cluster: (cluster.excess, cluster.cluster))
    starved = [cluster for cluster in ranked if cluster.excess < 0][:EXTREMES]
    swollen = [cluster for cluster in reversed(ranked) if cluster.excess > 0][:EXTREMES]
    low = sum(ratio(cluster) <= 1 / EVEN for cluster in found)
    high = sum(ratio(cluster) >= EVEN for cluster in found)
    lead = (
        f"Of {len(found):,} clusters, {low:,} are starved (▼ the corpus has at most four fifths of "
        f"human text's share) and {high:,} swollen (▲ at least five quarters of it)."
    )
    return section(
        "clusters",
        "What it is about",
        el("p", lead, class_="lead"),
        _map(),
        _named("Most starved", starved),
        _named("Most swollen", swollen),
        brief=f"{low:,} starved, {high:,} swollen of {many(len(found), 'cluster')}",
    )


def _map() -> Html:
    """What the script fills: a map, a panel for one cluster, and buttons that reach them all."""
    controls = el(
        "p",
        el("button", "◀ more starved", type="button", id="map-back"),
        el("button", "more swollen ▶", type="button", id="map-on"),
        el(
            "label",
            "Find a word ",
            el("input", type="search", id="map-find", autocomplete="off", spellcheck="false"),
        ),
        el("span", id="map-found", class_="note", role="status"),
        class_="controls",
    )
    chart = el(
        "div",
        class_="chart",
        id="map",
        role="img",
        aria_label="Map of the clusters: size is the human share, colour and sign the corpus's "
        "share divided by it. The buttons and the tables reach the same figures.",
    )
    panel = el("div", id="map-panel", class_="panel", aria_live="polite")
    return el("div", controls, el("div", chart, panel, class_="beside"), class_="scripted")


def _named(title: str, found: Sequence[Cluster]) -> Html | None:
    if not found:
        return None
    columns = [
        Column("cluster", heading=True),
        Column("distinctive words", "cluster-words", numeric=False),
        Column("human share", "cluster-human_share"),
        Column("corpus share", "cluster-share"),
        Column("corpus ÷ human", "ratio"),
        Column("adds, nats ÷ 1,000", "excess"),
        Column("examples", numeric=False),
    ]
    rows: list[list[Cell | str]] = [
        [
            number(cluster.cluster),
            Cell(named(cluster.words), classes="words"),
            number(cluster.human_share, ".3%"),
            number(cluster.share, ".3%"),
            Cell(sign(cluster), classes="starved" if cluster.excess < 0 else "swollen"),
            number(1000 * abs(cluster.excess), ".2f"),
            _examples(cluster),
        ]
        for cluster in found
    ]
    return table(f"{title} clusters", columns, rows)


def sign(cluster: Cluster) -> str:
    """The ratio with a sign that needs no colour."""
    found = ratio(cluster)
    if math.isinf(found):
        return "▲ no human"
    mark = "▼" if found <= 1 / EVEN else "▲" if found >= EVEN else "●"
    return f"{mark} {number(found, '.2f')}×"


def _examples(cluster: Cluster) -> str:
    texts = [("human", cluster.human_text), ("corpus", cluster.text)]
    shown = [
        el("p", el("b", f"{whose}: "), corpus(text)) for whose, text in texts if text is not None
    ]
    return el("details", el("summary", "texts"), *shown) if shown else "–"


def map_data(found: Sequence[Cluster]) -> dict[str, Any]:
    """What the map is drawn from, from the most starved to the most swollen.

    Words and then texts of the clusters that hold the most are given while there is room.
    """
    ranked = sorted(found, key=lambda cluster: (cluster.excess, cluster.cluster))
    room = _BYTES
    words = {cluster.cluster: "" for cluster in ranked}
    texts: dict[int, list[str | None]] = {}
    largest = sorted(
        ranked, key=lambda cluster: (-max(cluster.human_share, cluster.share), cluster.cluster)
    )
    for cluster in largest:
        line = ", ".join(cut(word, 30) for word in cluster.words[:8])
        room -= _written(line)
        if room < 0:
            break
        words[cluster.cluster] = line
    for cluster in largest:
        both = [None if t is None else cut(t) for t in (cluster.human_text, cluster.text)]
        room -= sum(_written(text) for text in both if text)
        if room < 0:
            break
        texts[cluster.cluster] = both
    nothing: list[str | None] = [None, None]
    return {
        "number": [cluster.cluster for cluster in ranked],
        "x": [_short(cluster.x) for cluster in ranked],
        "y": [_short(cluster.y) for cluster in ranked],
        "human": [_short(cluster.human_share) for cluster in ranked],
        "share": [_short(cluster.share) for cluster in ranked],
        "words": [words[cluster.cluster] for cluster in ranked],
        "human_text": [texts.get(cluster.cluster, nothing)[0] for cluster in ranked],
        "text": [texts.get(cluster.cluster, nothing)[1] for cluster in ranked],
        "even": EVEN,
        "dropped": any(
            cluster.cluster not in texts for cluster in ranked if cluster.human_text is not None
        ),
    }


def _written(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) + 5 * sum(map(text.count, "<>&"))


def _short(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None

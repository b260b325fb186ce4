"""Topics of which the corpus has too little or too much, on a map and in tables."""

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
    folded,
    many,
    number,
    rounded,
    section,
    table,
)
from outcross.schemas.report import EXTREMES, Cluster, Report

EVEN = 1.25  # corpus / human below which a cluster is neither
_BYTES = 1_000_000  # of words and example texts on the map


def ratio(cluster: Cluster) -> float:
    """Return the corpus's share of a cluster divided by human text's share.

    The ratio is infinite if human text has none of the cluster, and 1 if neither has any.
    """
    if cluster.human_share > 0:
        return cluster.share / cluster.human_share
    return math.inf if cluster.share else 1.0


def clusters(report: Report) -> Html | None:
    """Return the section with the map and the most starved and most swollen clusters."""
    all_clusters = report.clusters
    if not all_clusters:
        return None
    ranked = sorted(all_clusters, key=lambda cluster: (cluster.excess, cluster.cluster))
    starved = [cluster for cluster in ranked if cluster.excess < 0][:EXTREMES]
    swollen = [cluster for cluster in reversed(ranked) if cluster.excess > 0][:EXTREMES]
    low = sum(ratio(cluster) <= 1 / EVEN for cluster in all_clusters)
    high = sum(ratio(cluster) >= EVEN for cluster in all_clusters)
    lead = (
        f"Of {len(all_clusters):,} clusters, {low:,} are starved (▼ the corpus has at most four "
        f"fifths of human text's share) and {high:,} swollen (▲ at least five quarters of it)."
    )
    return section(
        "clusters",
        "Topics",
        el("p", lead, class_="lead"),
        _map(),
        _named("Most starved", starved),
        _named("Most swollen", swollen),
        brief=f"{low:,} starved, {high:,} swollen of {many(len(all_clusters), 'cluster')}",
    )


def _map() -> Html:
    """Return an empty map and its controls, which the page's script fills."""
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
        aria_label="Map of the clusters: size shows the human share, colour and sign show the "
        "corpus's share divided by it. The buttons and the tables give the same figures.",
    )
    panel = el("div", id="map-panel", class_="panel", aria_live="polite")
    return el("div", controls, el("div", chart, panel, class_="beside"), class_="scripted")


def _named(title: str, clusters: Sequence[Cluster]) -> Html | None:
    if not clusters:
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
        for cluster in clusters
    ]
    return table(f"{title} clusters", columns, rows)


def sign(cluster: Cluster) -> str:
    """Return the ratio of a cluster with a sign that needs no colour."""
    quotient = ratio(cluster)
    if math.isinf(quotient):
        return "▲ no human"
    mark = "▼" if quotient <= 1 / EVEN else "▲" if quotient >= EVEN else "●"
    return f"{mark} {number(quotient, '.2f')}×"


def _examples(cluster: Cluster) -> str:
    texts = [("human", cluster.human_text), ("corpus", cluster.text)]
    shown = [
        el("p", el("b", f"{whose}: "), corpus(text)) for whose, text in texts if text is not None
    ]
    return folded("texts", *shown) if shown else "–"


def map_data(clusters: Sequence[Cluster]) -> dict[str, Any]:
    """Return the numbers and texts of the map, from the most starved cluster to the most swollen.

    The data hold at most 1 MB of words and texts; the largest clusters come first.
    """
    ranked = sorted(clusters, key=lambda cluster: (cluster.excess, cluster.cluster))
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
        quotes = [None if t is None else cut(t) for t in (cluster.human_text, cluster.text)]
        room -= sum(_written(text) for text in quotes if text)
        if room < 0:
            break
        texts[cluster.cluster] = quotes
    nothing: list[str | None] = [None, None]
    return {
        "number": [cluster.cluster for cluster in ranked],
        "x": [rounded(cluster.x, 4) for cluster in ranked],
        "y": [rounded(cluster.y, 4) for cluster in ranked],
        "human": [rounded(cluster.human_share, 4) for cluster in ranked],
        "share": [rounded(cluster.share, 4) for cluster in ranked],
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

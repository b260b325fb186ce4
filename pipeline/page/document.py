"""The page as one file that holds its markup, style, scripts, data and chart library."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from outcross.pipeline.page import (
    budget,
    diversity,
    generations,
    lineage,
    overview,
    places,
    provenance,
    removals,
    shards,
    topics,
    verdict,
)
from outcross.pipeline.page.glossary import glossary
from outcross.pipeline.page.markup import Html, el, join
from outcross.schemas.comparison import Comparison
from outcross.schemas.plan import Plan
from outcross.schemas.report import Report

_ASSETS = Path(__file__).parent / "assets"
_SECTION = re.compile(r'<h2 id="(\w+)-title">(.*?)</h2>')
_KINDS = {"run": "Run", "dedup": "Deduplication", "audit": "Audit"}


def page(
    report: Report,
    plan: Plan | None = None,
    manifest: Mapping[str, Any] | None = None,
    comparison: Comparison | None = None,
) -> str:
    """Return a report as HTML that needs no network and no other file.

    Args:
        report: report of a run, a deduplication or an audit; with a comparison, report of the
            latest generation.
        plan: plan of the run, for the section on the budget.
        manifest: contents of manifest.json.
        comparison: comparison of generations; its section comes first.

    Returns:
        the page, at most 6 MB long for a corpus of any size.
    """
    title = f"{_KINDS[report.kind]} report"
    decision, gates = report.verdict, report.judged.measures if report.judged else []
    if comparison is not None:
        title, decision, gates = "Comparison of generations", comparison.verdict, []
    sections = [
        verdict.verdict(
            decision,
            title if comparison is None else f"{title} · the latest",
            verdict.facts(report),
            gates,
            places.places(report),
            overview.next_steps(report, plan),
        ),
        generations.generations(comparison, report) if comparison else None,
        overview.asked(report, plan),
        overview.flow(report),
        diversity.human(report),
        diversity.stages(report),
        budget.budget(report, plan) if plan else None,
        lineage.lineage(report),
        topics.clusters(report),
        shards.shards(report),
        diversity.domains(report),
        removals.prompts(report),
        removals.removed(report),
        provenance.reference(report),
        provenance.manifest(manifest) if manifest else None,
    ]
    body = join(sections)
    body = join([body, glossary(body)])
    data: dict[str, Any] = {}
    if plan and plan.frontier:
        data["frontier"] = budget.frontier_data(report, plan)
    if report.clusters:
        data["clusters"] = topics.map_data(report.clusters)
    if curves := removals.saturation_data(report):
        data["saturation"] = curves
    return _document(f"{title} · outcross", body, data)


def _document(title: str, body: Html, data: Mapping[str, Any]) -> str:
    style, script = _asset("page.css"), _asset("inflate.js") + _asset("page.js")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"script-src '{_hash(script)}' '{_hash(_library())}'; "
        "style-src 'unsafe-inline'; img-src data: blob:"
    )
    head = join(
        [
            el("meta", charset="utf-8"),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
            el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("meta", name="color-scheme", content="light dark"),
            el("meta", name="referrer", content="no-referrer"),
            el("title", title),
            el("style", Html(style)),
        ]
    )
    top = el(
        "header",
        el("a", "Skip to the verdict", href="#verdict", class_="skip"),
        el("span", "outcross", class_="brand"),
        el("button", "Open all", type="button", id="folds", class_="scripted"),
        el("button", "Theme: as the system", type="button", id="theme", class_="scripted"),
    )
    plain = el(
        "noscript",
        el(
            "p",
            "Scripts are off: tables stand as they are, charts and sorting are missing.",
            class_="note",
        ),
    )
    parts = [top, _contents(body), plain, el("main", body, id="main")]
    parts.append(Html(f'<script type="application/json" id="data">{_json(data)}</script>'))
    if data:
        parts.append(Html(f'<script type="text/plain" id="plotly">{_plotly()}</script>'))
    parts.append(Html(f"<script>{script}</script>"))
    document = el("html", el("head", head), el("body", *parts), lang="en")
    return f"<!doctype html>\n{document}\n"


def _contents(body: str) -> Html:
    """Return links to the sections of the page."""
    items = [
        el("li", el("a", Html(heading), href=f"#{key}")) for key, heading in _SECTION.findall(body)
    ]
    return el("nav", el("ul", *items), aria_label="Sections")


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text("utf-8")


def _hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _json(data: Mapping[str, Any]) -> str:
    """Return JSON that can't end the HTML element that holds it."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for c in "<>&\u2028\u2029":
        text = text.replace(c, f"\\u{ord(c):04x}")
    return text


@cache
def _library() -> str:
    """Return the chart library."""
    return str(get_plotlyjs())


@cache
def _plotly() -> str:
    """Return the chart library as raw DEFLATE (RFC 1951), which the page's script unpacks."""
    packer = zlib.compressobj(5, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(_library().encode()) + packer.flush()
    return base64.b64encode(packed).decode()

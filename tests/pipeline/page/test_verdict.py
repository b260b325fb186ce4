"""The first screen: its gates, reasons and places, and their order."""

from __future__ import annotations

import re
from typing import Any

from outcross.pipeline.page.document import page
from outcross.pipeline.page.places import places
from outcross.schemas.figures import Figures, Measure
from outcross.schemas.report import Report
from outcross.transforms.measuring.wording import reason
from tests.pipeline.page.test_document import Read
from tests.support import reports


def first_screen(report: Report) -> str:
    (section,) = re.findall(r'<section id="verdict".*?</section>', page(report), re.S)
    return str(section)


def words(markup: str) -> str:
    return Read(markup).words


def measure(name: str, outcome: str, value: float = 0.5, against: float = 0.5) -> Measure:
    return Measure(
        name=name, value=value, human=1.0, low=0.9, high=1.1, against=against, error=0.01,
        n=4000, outcome=outcome,
    )  # fmt: skip


def judged(*measures: Measure, reasons: list[str] | None = None) -> Report:
    report = reports.report("audit", outcome="stop")
    figures = report.stages[-1].roles["all"].model_copy(update={"measures": list(measures)})
    decision = report.verdict.model_copy(update={"reasons": reasons or []})
    return report.model_copy(update={"judged": figures, "verdict": decision})


def rows(markup: str) -> list[str]:
    body = re.findall(r'<table class="gates">.*?</table>', markup, re.S)
    return [
        words(row) for table in body for row in re.findall(r"<tr><th scope=.row.*?</tr>", table)
    ]


def test_the_gates_that_decide_stand_in_rows_the_second_codebook_last() -> None:
    measures = [
        measure("effective_clusters", "go"),
        measure("audit_effective_clusters", "stop", 28.8, 0.49),
        measure("vocabulary", "warn", 8131.0, 0.69),
        measure("near_duplicates", "stop", 0.098, 0.0955),
    ]
    shown = rows(first_screen(judged(*measures)))
    assert len(shown) == 3
    assert re.fullmatch(r"✕ near duplicates 9.8 % 100.0 % \+9.6 points", shown[0])
    assert re.fullmatch(r"! vocabulary 8,131 1 69 %", shown[1])
    assert re.fullmatch(r"✕ effective clusters, second codebook 28.8 1.0 49 %", shown[2])


def test_where_all_gates_pass_the_main_measures_stand_there() -> None:
    measures = [measure("effective_clusters", "go", 118.0, 0.98), measure("js", "go")]
    assert rows(first_screen(judged(*measures))) == ["✓ effective clusters 118.0 1.0 98 %"]


def test_a_reason_stands_once_as_a_row_or_as_a_line() -> None:
    stop = measure("effective_clusters", "stop")
    other = "stop: too little to judge, which these gates don't let pass"
    markup = first_screen(judged(stop, reasons=[reason(stop), other]))
    assert reason(stop) not in words(markup)
    assert "1 more reason " + other in words(markup)
    alone = first_screen(judged(measure("openings", "shown"), reasons=[other]))
    assert "Why " + other in words(alone)


def test_a_measure_of_an_older_report_is_passed_over() -> None:
    old = measure("effective_clusters", "stop").model_copy(update={"name": "perplexity"})
    assert rows(first_screen(judged(old, measure("vocabulary", "stop", 5.0)))) == [
        "✕ vocabulary 5 1 50 %"
    ]


def test_all_but_the_first_screen_is_a_closed_fold() -> None:
    markup = page(reports.report(), reports.plan(), reports.manifest())
    folds = re.findall(r'<details class="fold"><summary><h2 id="(\w+)-title">', markup)
    assert folds == Read(markup).sections[1:]
    assert "<details open" not in markup


def lines(report: Report) -> list[str]:
    shown = places(report)
    if shown is None:
        return []
    return [words(line) for line in re.findall(r"<dt>.*?</dd>", shown, re.S)]


def bare(**more: Any) -> Report:
    """Return a report in which nothing stands out."""
    report = reports.report("audit")
    deduplication = report.deduplication.model_copy(update={"most_repeated": []})
    nothing = {
        "shards": [],
        "domains": [],
        "prompts": [],
        "clusters": [],
        "deduplication": deduplication,
    }
    return report.model_copy(update=nothing | {"conservation": report.conservation[:1]} | more)


def narrowed(against: float) -> Figures:
    figures = reports.figures(1000)
    topics = measure("effective_clusters", "shown", against=against)
    return figures.model_copy(update={"measures": [topics], "near_duplicate_rate": 0.0})


def test_nothing_is_named_where_nothing_stands_out() -> None:
    assert places(bare()) is None
    shards = reports.report("audit", shards=3).shards
    even = [shard.model_copy(update={"figures": narrowed(0.99)}) for shard in shards]
    assert places(bare(shards=even)) is None
    assert "Where it is worst" not in words(first_screen(bare()))


def test_the_file_that_repeats_itself_and_the_narrowest_one_are_named() -> None:
    shards = list(reports.report("audit", shards=3).shards)
    null = narrowed(0.97).model_copy(update={"near_duplicate_rate": 804 / 805})
    names = ("a", "null", "narrow")
    for place, figures in enumerate((narrowed(0.9), null, narrowed(0.6))):
        new = {"file": names[place], "figures": figures, "read": 805}
        shards[place] = shards[place].model_copy(update=new)
    assert lines(bare(shards=shards)) == [
        "file null : 99.9 % of its 805 documents repeat another of them",
        "file narrow : 60 % of the topics in as much human text",
    ]
    assert lines(bare(shards=shards[:1])) == []  # one file is the corpus


def test_the_other_places_are_the_worst_of_their_kind() -> None:
    report = reports.report("audit")
    domains = [
        report.domains[place].model_copy(update={"figures": narrowed(against)})
        for place, against in enumerate((0.8, 0.2, 0.7))  # the second one is meant to converge
    ]
    (domain,) = lines(bare(domains=domains))
    assert domain == "domain none : 70 % of the topics in as much human text"
    (prompt,) = lines(bare(prompts=report.prompts))
    assert "14 of 16 answers the same; 214 of 5,700 prompts collapsed" in prompt
    first = report.conservation[0]
    other = first.model_copy(update={"source": "small", "read": 100, "removed": 40})
    (source,) = lines(bare(conservation=[first, other]))
    assert source == "source small : 40.0 % of 100 documents removed"
    (text,) = lines(bare(deduplication=report.deduplication))
    assert text.endswith("occurs 812 times")
    (topics,) = lines(bare(clusters=report.clusters))
    assert re.search(r"▲ too much .*%, human .*; ▼ too little .*%, human", topics)

"""The page of a small real run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from outcross.pipeline.commands.run import RunResult
from outcross.pipeline.page.document import page
from outcross.schemas.plan import Plan
from outcross.schemas.report import Report
from tests.pipeline.page.test_document import Read


@pytest.fixture(scope="module")
def markup(result: RunResult) -> str:
    return Path(result.out, "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def shown(markup: str) -> Read:
    return Read(markup)


def test_every_section_of_a_run_stands_in_its_order(shown: Read) -> None:
    sections = "verdict asked flow human stages budget clusters shards domains prompts removed"
    assert shown.sections == [*sections.split(), "reference", "manifest", "glossary"]


def test_every_row_is_accounted_for(result: RunResult, shown: Read) -> None:
    assert len(result.report.conservation) == 3
    for line in result.report.conservation:
        assert line.holds()
        for field in ("read", "rejected", "removed", "kept", "written"):
            assert f"{getattr(line, field):,}" in shown.words
    assert "No row is lost" in shown.words


def test_the_verdict_stands_first_with_its_reasons(result: RunResult, shown: Read) -> None:
    verdict = result.report.verdict
    assert verdict.outcome != "done"
    for line in (verdict.sentence, *verdict.warnings):
        assert line in shown.words


def test_removed_evaluation_texts_are_named(result: RunResult, shown: Read) -> None:
    (overlap,) = result.report.deduplication.found
    assert (overlap.name, overlap.found) == ("tests", 3)
    assert "Documents that repeat evaluation sets, earlier runs or the reference" in shown.words


def test_ids_are_unique_and_links_lead_somewhere(shown: Read) -> None:
    assert max(shown.ids.values()) == 1
    for key, value in shown.attributes:
        if key == "href":
            assert shown.ids[value[1:]] == 1, value


def test_every_term_that_is_used_is_explained(shown: Read) -> None:
    used = {value for key, value in shown.attributes if key == "data-term"}
    assert used
    assert all(shown.ids[term] == 1 for term in used)


def test_no_figure_is_a_python_word(shown: Read) -> None:
    assert not re.search(r"\b(NaN|inf)\b", shown.words)


def test_files_that_are_read_back_give_the_same_page(
    result: RunResult, manifest: dict[str, Any], markup: str
) -> None:
    report = Report.model_validate_json(Path(result.out, "report.json").read_text("utf-8"))
    plan = Plan.from_json(Path(result.out, "plan.json").read_bytes())
    assert report == result.report
    assert page(report, plan, manifest) == markup

"""The table of a report has a line about planted copies at the threshold."""

from __future__ import annotations

from typing import Any

import pytest

from outcross.pipeline.cli.report_table import show_report
from outcross.schemas.report import Report
from tests.support import reports


def with_recall(recall: list[dict[str, Any]]) -> Report:
    report = reports.report("dedup").model_dump(mode="json")
    counts = {"components": 4, "checked": 4, "checked_documents": 9, "unchecked_documents": 0}
    shares = {"kept": 1.0, "error": 0.0, "missed": 0.0}
    report["deduplication"]["certificate"] = {**counts, **shares, "recall": recall}
    return Report.model_validate(report)


def planted(similarity: float, copies: int | None) -> dict[str, Any]:
    point = {"similarity": similarity, "chance": similarity}
    if copies is None:
        return point
    share = similarity if copies else None
    return point | {"planted": copies, "together": share, "expected": share}


@pytest.mark.parametrize(
    ("threshold", "line"),
    [
        (0.8, "similarity 0.80: 80.0% compared (80.0% expected)"),
        (0.77, "similarity 0.80: 80.0% compared (80.0% expected)"),
        (0.7, "similarity 0.70: none, as the texts are too short or too few"),
        (1.0, "similarity 0.95: 95.0% compared (95.0% expected)"),
    ],
)
def test_planted_copies_are_shown_at_the_threshold(
    threshold: float, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recall = [planted(0.7, 0), planted(0.8, 40), planted(0.95, 50)]
    show_report("out", with_recall(recall), False, threshold)
    shown = capsys.readouterr().out
    assert [text for text in shown.splitlines() if "planted" in text] == [
        f"planted copies of {line}"
    ]


def test_without_planted_copies_there_is_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_report("out", with_recall([planted(0.8, None)]), False)
    assert "planted" not in capsys.readouterr().out

"""Generations are compared in tables: side by side, or one below the other."""

from __future__ import annotations

import json
from typing import Any

from outcross.pipeline.cli.compare_table import show_comparison
from outcross.pipeline.commands.compare import compare
from outcross.schemas.gates import Gates
from outcross.schemas.report import Report
from tests.support.generations import JUDGED, achieved, loop, report


def shown(capsys: Any, reports: list[tuple[str, Report]], as_json: bool = False) -> str:
    show_comparison(compare(reports, Gates()), reports, as_json)
    return capsys.readouterr().out


def row(text: str, label: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.strip().startswith(label))
    return line.split(label, 1)[1].split()


def test_generations_stand_side_by_side_with_what_stages_cost(capsys):
    steady = dict.fromkeys(JUDGED, 1.0)
    first = report({**steady, "js": 0.01}, tails={"read": 0.2, "deduplicate": 0.185})
    second = report(
        {**steady, "rare_words": 0.8, "js": 0.05},
        kind="run",
        achieved=achieved(),
        tails={"read": 0.15, "deduplicate": 0.16, "write": 0.19},
    )
    text = shown(capsys, loop(first, second))
    assert row(text, "own verdict") == ["go", "go"]
    assert row(text, "vocabulary") == ["1.000", "±", "0.004", "1.000", "±", "0.004", "+0.000"]
    assert row(text, "rare words kept") == [
        "1.000",
        "±",
        "0.004",
        "0.800",
        "±",
        "0.004",
        "↓",
        "-0.200",
    ]
    assert row(text, "divergence from human text") == (
        ["+0.0100", "±", "0.0039", "+0.0500", "±", "0.0039", "↑", "+0.0400"]
    )
    assert row(text, "read ") == ["20.0%", "15.0%", "(-3.5)"]
    assert row(text, "deduplicate") == ["18.5%", "(-1.5)", "16.0%", "(+1.0)"]
    assert row(text, "write") == ["–", "19.0%", "(+3.0)"]
    assert row(text, "human text ") == ["20.0%", "20.0%"]
    assert "Stop: rare words kept fell by 20.0%" in text
    assert "stop: rare words kept fell by 20.0%" in text


def test_many_generations_stand_below_each_other(capsys):
    text = shown(capsys, loop(*(report(1 - k / 100) for k in range(7))))
    for number in range(7):
        rows = [line.split() for line in text.splitlines() if line.startswith(f"gen{number + 1} ")]
        assert rows[0][1:5] == ["go", f"{1 - number / 100:.3f}", "±", "0.004"]
        assert "20.0%" in rows[1]


def test_names_are_no_markup_and_steer_no_terminal(capsys):
    reports = [(f"loop/[red]x\x1b[2J{n}/report.json", report(1.0 - n / 5)) for n in (0, 1)]
    text = shown(capsys, reports)
    evil = [r"[red]x\x1b[2J0", r"[red]x\x1b[2J1"]
    headings = [line.split() for line in text.splitlines() if line.split()[:1] == [evil[0]]]
    assert [line[:2] for line in headings] == [evil] * 2
    assert f"from {evil[0]} to {evil[1]}" in text
    assert "\x1b[2J" not in text


def test_json_is_the_comparison(capsys):
    reports = loop(report(), report(0.5))
    text = shown(capsys, reports, as_json=True)
    comparison = compare(reports, Gates())
    assert json.loads(text) == comparison.model_dump(mode="json")
    assert json.loads(text)["reference"] == "aa11"

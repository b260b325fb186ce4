"""The tables of `plan` show numbers as a reader writes them."""

from __future__ import annotations

import numpy as np
import pytest

from outcross.pipeline.cli.plan_table import show_plan
from outcross.pipeline.stages.planning.solve import make_plan
from outcross.pipeline.stages.planning.supply import DomainSupply, Supply
from outcross.schemas.config import parse

SOURCES = [
    {"name": "gpt", "role": "synthetic", "files": ["a"]},
    {"name": "people", "role": "human", "files": ["b"]},
]


def shown(capsys: pytest.CaptureFixture[str], **asked: float) -> str:
    supply = DomainSupply(
        name="*",
        synthetic=np.array([200_000.0, 100_000.0]),
        human=np.array([90_000.0, 90_000.0]),
        off_support=np.zeros(2),
        shares=np.array([0.6, 0.4]),
        reference_share=1.0,
        off_support_share=0.01,
    )
    config = parse({"out": "out", "sources": SOURCES, "tokens": 98_567} | asked)
    show_plan(make_plan(config, Supply([supply], (5.0, 6.0), True, {}, "")), False, False)
    return capsys.readouterr().out


def test_large_multiples_have_no_decimals(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys)
    assert "98,567 " in out
    assert "98,567.00" not in out
    assert "1.00" in out  # the line of human text


def test_a_ratio_is_shown_as_it_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert "the least human text for 99.9% of the" in shown(capsys, effective_ratio=0.999)
    assert "the least human text for 90% of the" in shown(capsys, effective_ratio=0.9)


def test_the_frontier_says_that_its_clusters_are_weighed_by_tokens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "effective clusters, by tokens" in shown(capsys)

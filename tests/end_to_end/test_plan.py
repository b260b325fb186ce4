"""The budget is asked back, and a plan is carried out as it was made."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from outcross.pipeline.commands import run as library
from outcross.pipeline.engine.artifacts import WORK
from outcross.schemas.config import parse
from tests.end_to_end.conftest import run, write_rows
from tests.support.commands import outcross
from tests.support.promises import promised_bytes


@pytest.fixture(scope="module")
def planned(corpus, base, tmp_path_factory) -> tuple[Path, Path, dict[str, Any]]:
    """Make a plan with caps and shares of its own; return its configuration, file and values."""
    out = tmp_path_factory.mktemp("planned") / "out"
    shutil.copytree(base.out / WORK, out / WORK)
    config = corpus.config(out)
    asked = ["--human-share", "0.3", "--max-copies-human", "1", "--off-support", "drop"]
    done = outcross("plan", config, *asked, "--json")
    assert json.loads(done.stdout) == json.loads((out / "plan.json").read_text())
    kept = out.parent / "kept.json"
    kept.write_bytes((out / "plan.json").read_bytes())
    return config, kept, json.loads(done.stdout)


def test_a_plan_is_carried_out_as_it_is(corpus, base, planned, tmp_path):
    config, path, plan = planned
    done = run(config, "--plan", path, out=config.parent / "out")
    assert (done.out / "plan.json").read_bytes() == path.read_bytes()
    achieved = done.report["achieved"]
    longest = achieved["longest_document"]
    assert abs(achieved["human_tokens"] - plan["reached"]["human_tokens"]) <= longest / 2
    human = [row["outcross"] for row in done.data if row["outcross"]["role"] == "human"]
    assert human
    assert {row["of"] for row in human} == {1}  # the plan's caps, not the default ones
    # What is told of the run is what was asked for, so that others can read it.
    stored = json.loads((done.out / "manifest.json").read_text())["configuration"]
    assert stored["plan"] == str(path)
    assert not {"max_copies", "off_support", "domains"} & stored.keys()
    outcross("explain", done.out, "--least-similar", "1")
    audited = outcross("audit", done.out, "--out", tmp_path / "audit", "--json", code=None)
    assert json.loads(audited.stdout)["kind"] == "audit"
    # As if all of it had been asked for at once, elsewhere.
    other = tmp_path / "other"
    shutil.copytree(base.out / WORK, other / WORK)
    asked = ["--human-share", "0.3", "--max-copies-human", "1", "--off-support", "drop"]
    again = run(corpus.config(other), *asked, out=other)
    assert promised_bytes(again.out) == promised_bytes(done.out)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"near_threshold": 0.85},
        {"near_threshold": 0.75},
        {"near_threshold": 0.5},
        {"near_threshold": 0.9, "band_threshold": 0.7},
    ],
)
def test_the_plan_names_the_bands_that_deduplication_uses(tmp_path, asked):
    rows = [{"text": f"text {n} of {n * 7} words that nobody else has"} for n in range(40)]
    path = write_rows(tmp_path / "gpt.jsonl", rows)
    source = {"name": "gpt", "role": "synthetic", "files": [str(path)]}
    config = {"out": str(tmp_path / "out"), "sources": [source], "workers": 1, "num_perm": 128}
    config["rounds"] = 1
    done = library.run(parse(config | asked))
    planned, used = done.plan.near_duplicates, done.report.deduplication
    assert (planned.bands, planned.rows) == (used.bands, used.rows)
    assert planned.threshold == asked.get("near_threshold", 0.8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--alpha", "0.5"], "was asked for alpha = 0.7, and this run for 0.5"),
        (["--copies", "weights"], "was asked for copies = rows, and this run for weights"),
        (["--near-threshold", "0.95"], "near_threshold = 0.8, and this run has 0.95"),
        (["--seed", "1"], "was made for other documents"),
    ],
)
def test_a_plan_of_something_else_is_refused(planned, options, message):
    config, path, _ = planned
    assert message in outcross("run", config, "--plan", path, *options, code=2).stderr


def test_what_is_no_plan_is_refused(planned, tmp_path):
    config, _, _ = planned
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"format_version": 1}')
    assert "plan: " in outcross("run", config, "--plan", wrong, code=2).stderr


def test_the_least_human_text_for_a_ratio(planned):
    config, _, _ = planned
    plans = [
        json.loads(outcross("plan", config, "--effective-ratio", ratio, "--json").stdout)
        for ratio in ("0.7", "0.95", "1")
    ]
    least = [plan["least_human_tokens"] for plan in plans]
    assert least == sorted(least)
    for plan, ratio in zip(plans, (0.7, 0.95, 1.0), strict=True):
        reached = plan["reached"]
        assert reached["human_tokens"] == pytest.approx(plan["least_human_tokens"], abs=1e-6)
        assert reached["entropy"] >= reached["reference_entropy"] + math.log(ratio) - 1e-6
        assert plan["asked"]["human_share"] is None
    done = outcross("plan", config, "--effective-ratio", "0.95", "--shopping-list")
    assert "the least human text for 95% of the human effective clusters" in done.stdout
    assert "effective clusters" in done.stdout
    refused = outcross("plan", config, "--effective-ratio", "0.9", "--human-share", "0.1", code=2)
    assert refused.stderr.startswith(
        "outcross: effective_ratio: set only one of effective_ratio, human_share"
    )


def test_the_shopping_list_names_what_runs_out(planned):
    config, _, _ = planned
    much = ["--human-share", "0.9", "--alpha", "0", "--best-effort"]
    plan = json.loads(outcross("plan", config, *much, "--json").stdout)
    lacking = [cluster for cluster in plan["starved"] if cluster["price"] != 0]
    assert lacking
    shown = outcross("plan", config, *much, "--shopping-list").stdout
    assert "which human text to gather" in shown
    assert any(cluster["available"] < cluster["wanted"] for cluster in lacking)
    for cluster in lacking:  # where text is left, it is a total that ran out
        assert cluster["planned"] < min(cluster["wanted"], cluster["available"] + 1e-6)
        assert cluster["words"][0] in shown


@pytest.mark.parametrize(("key", "value", "before"), [("ngram", 4, 5), ("num_perm", 64, 128)])
def test_a_plan_of_other_settings_is_refused(planned, tmp_path, key, value, before):
    config, path, _ = planned
    option = f"--{key.replace('_', '-')}"
    asked = [config, "--plan", path, option, value, "--out", tmp_path / "out"]
    refused = outcross("run", *asked, code=2)
    assert f"{key} = {before}, and this run has {value}" in refused.stderr
    assert not (tmp_path / "out" / "data").exists()


def test_a_plan_that_cannot_be_read_is_named(planned, tmp_path):
    config, path, _ = planned
    for wrong in (path.parent / "none.json", path.parent):
        refused = outcross("run", config, "--plan", wrong, "--out", tmp_path / "out", code=2)
        assert refused.stderr.startswith(f"outcross: plan: {wrong} can't be read")

"""The next steps: the most pressing first, with the same words on the page and on the console."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.pipeline.page.advice import Code, advice, plain
from outcross.pipeline.page.document import page
from outcross.pipeline.page.markup import escape
from outcross.schemas.measures import MEASURES
from outcross.schemas.report import Report
from tests.support import reports

OUTCOMES = ("go", "warn", "stop", "noise", "too few", "shown")


def with_outcomes(kind: str = "audit", **outcomes: str) -> Report:
    """Return a report in which some measures have the given outcomes and all others pass."""
    report = reports.report(kind)
    assert report.judged is not None
    measures = [
        measure.model_copy(update={"outcome": outcomes.get(measure.name, "go")})
        for measure in report.judged.measures
    ]
    judged = report.judged.model_copy(update={"measures": measures})
    return report.model_copy(update={"judged": judged, "prompts": []})


def steps(report: Report, planned: bool = False) -> list[str]:
    return [plain(step) for step in advice(report, planned)]


def test_another_reference_is_the_first_advice_with_the_command_that_builds_it() -> None:
    shown = steps(with_outcomes(off_support="stop", near_duplicates="stop"))
    assert shown[0].startswith("Build a reference from human text of the same domain, language")
    assert "`outcross reference build --human FILES --out REFERENCE`" in shown[0]
    assert "`outcross audit CORPUS --reference REFERENCE`" in shown[0]
    assert any("outcross dedup" in step for step in shown)
    assert not any("encodings" in step or "starved" in step for step in shown)
    assert (
        "`outcross run … --reference REFERENCE`"
        in steps(with_outcomes("run", off_support="stop"))[0]
    )


@given(
    st.dictionaries(st.sampled_from(["vocabulary", "js", "openings"]), st.sampled_from(OUTCOMES))
)
def test_noise_is_not_looked_for_on_the_wrong_reference_nor_without_noise(
    outcomes: dict[str, str],
) -> None:
    noisy = any("encodings" in step for step in steps(with_outcomes(**outcomes)))
    assert noisy == ("noise" in outcomes.values())


@pytest.mark.parametrize(
    ("outcomes", "advice_"),
    [
        ({"vocabulary": "stop"}, "The words themselves repeat"),
        ({"self_repetition": "stop"}, "The words themselves repeat"),
        ({"openings": "warn"}, "vary the prompts' templates"),
        ({"near_duplicates": "stop"}, "Deduplicate before training"),
        ({"js": "warn"}, "The most starved clusters"),
        ({"tail_mass": "too few"}, "give more documents or human text"),
    ],
)
def test_each_kind_of_loss_has_its_advice(outcomes: dict[str, str], advice_: str) -> None:
    shown = steps(with_outcomes(**outcomes))
    assert sum(advice_ in step for step in shown) == 1
    assert not any(advice_ in step for step in steps(with_outcomes()))


def test_without_a_verdict_what_is_missing_is_said_before_training() -> None:
    without = steps(reports.report("run", human=False))
    assert without[0].startswith("For a verdict, name human text with `--human`")
    assert "Or, without a verdict, train on `data/`." in without[1:]
    small = with_outcomes("run", **dict.fromkeys(MEASURES, "too few"))
    small = small.model_copy(
        update={"verdict": small.verdict.model_copy(update={"outcome": "done"})}
    )
    assert steps(small)[0].startswith("For a verdict, give more documents or human text")
    assert "Or, without a verdict, train on `data/`." in steps(small)[1:]
    assert not any("For a verdict" in step for step in steps(reports.report("dedup")))


def test_after_a_go_the_data_are_for_training() -> None:
    report = with_outcomes("run")
    go = report.model_copy(update={"verdict": report.verdict.model_copy(update={"outcome": "go"})})
    assert "Train on `data/`." in steps(go)
    assert not any("verdict" in step for step in steps(go))


def test_after_a_run_the_command_that_asks_for_starved_clusters_is_named() -> None:
    command = "`outcross requests OUT --tokens N`"
    assert any(command in step for step in steps(with_outcomes("run", js="warn")))
    assert not any(command in step for step in steps(with_outcomes("audit", js="warn")))


def test_collapsed_prompts_are_named_by_their_source() -> None:
    report = reports.report("audit")
    (line,) = [line for line in report.prompts if line.sampling and line.sampling.collapsed_prompts]
    sampling: Any = line.sampling
    (step,) = [step for step in steps(report) if "same answer each time" in step]
    beginning = (
        f"{sampling.collapsed_prompts:,} of {sampling.prompts:,} prompts of {line.source} get"
    )
    assert step.startswith(beginning)


@pytest.mark.parametrize("kind", ["run", "audit", "dedup"])
def test_the_page_shows_every_step(kind: str) -> None:
    report = reports.report(kind)
    shown = page(report)
    for step in advice(report):
        for part in step:
            words = part if isinstance(part, str) else part.text
            assert escape(words) in shown
            if isinstance(part, Code):
                assert f"<code>{escape(part.text)}</code>" in shown


@pytest.mark.parametrize(
    ("outcomes", "alpha"),
    [
        ({"audit_js": "stop"}, "`--alpha` nearer to 1"),
        ({"effective_clusters": "stop"}, "a lower `--alpha`"),
        ({"effective_clusters": "warn", "audit_js": "stop"}, "a lower `--alpha`"),
    ],
)
def test_alpha_goes_towards_1_where_only_proportions_missed(
    outcomes: dict[str, str], alpha: str
) -> None:
    (step,) = (step for step in steps(with_outcomes("run", **outcomes)) if "--alpha" in step)
    assert alpha in step

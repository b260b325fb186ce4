"""`compare`: a leak is found however slow it is, noise is not, and two references are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.pipeline.commands.compare import CLUSTERS, REPEATS, WORDS, compare, trend
from outcross.schemas.gates import Gates
from outcross.schemas.measures import MEASURES
from outcross.schemas.report import Report
from outcross.schemas.user_input import ConfigError
from tests.support.generations import (
    JUDGED,
    achieved,
    loop,
    measure,
    reference_summary,
    report,
    series,
)

NUMBERS = st.floats(0.01, 2)

# What raises an alarm.


@pytest.mark.parametrize(
    ("name", "limit"), [*((name, 0.05) for name in WORDS), *((name, 0.03) for name in CLUSTERS)]
)
def test_each_judged_measure_has_its_limit(name, limit):
    beyond = compare(series(name, 0.9, 0.9 * (1 - limit - 0.01)), Gates())
    (alarm,) = beyond.alarms
    assert (alarm.measure, alarm.before, alarm.after) == (name, "gen1", "gen2")
    assert alarm.fall == pytest.approx(limit + 0.01)
    assert alarm.limit == limit
    assert beyond.verdict.outcome == "stop"
    below = compare(series(name, 0.9, 0.9 * (1 - limit + 0.005)), Gates())
    assert (below.alarms, below.verdict.outcome) == ([], "warn")
    assert compare(series(name, 0.9, 0.9 * (1 - 0.4 * limit)), Gates()).verdict.outcome == "go"


def test_measures_that_are_differences_or_have_no_limit_raise_no_alarm():
    unjudged = [name for name in MEASURES if name not in (*JUDGED, REPEATS)]
    before, after = (report({**dict.fromkeys(unjudged, x), "vocabulary": 1.0}) for x in (0.5, 0.1))
    assert compare(loop(before, after), Gates()).verdict.outcome == "go"


def test_a_leak_of_two_percent_a_generation_is_found_against_the_first_one():
    leak = series("effective_clusters", *(0.98**k for k in range(4)))
    comparison = compare(leak, Gates())
    assert {(a.before, a.after) for a in comparison.alarms} == {("gen1", "gen3"), ("gen1", "gen4")}
    worst = comparison.alarms[0]
    assert worst.after == "gen4"
    assert worst.fall == pytest.approx(1 - 0.98**3)
    assert compare(leak[:2], Gates()).alarms == []


def test_a_fall_after_a_rise_is_found_against_the_generation_before():
    comparison = compare(series("vocabulary", 0.8, 1.0, 0.85), Gates())
    assert [(a.before, a.after) for a in comparison.alarms] == [("gen2", "gen3")]


def test_a_generation_without_a_figure_hides_no_fall():
    comparison = compare(series("tail_mass", None, 1.0, None, 0.9), Gates())
    assert [(a.before, a.after) for a in comparison.alarms] == [("gen2", "gen4")]
    assert any("tail (gen1, gen3)" in warning for warning in comparison.verdict.warnings)


def test_order_is_that_of_the_reports():
    assert compare(series("distinct_3", 1.0, 0.8), Gates()).verdict.outcome == "stop"
    assert compare(series("distinct_3", 0.8, 1.0), Gates()).verdict.outcome == "go"
    backwards = compare(list(reversed(loop(report(), report()))), Gates())
    assert [g.name for g in backwards.generations] == ["gen2", "gen1"]
    assert any("in the order given: gen2, gen1" in w for w in backwards.verdict.warnings)


def test_the_error_of_a_fall_is_that_of_the_ratio():
    alarm = compare(series("tail_mass", 0.8, 0.75, error=0.01), Gates()).alarms[0]
    before, after = np.random.default_rng(7).normal([[0.8], [0.75]], 0.01, (2, 200_000))
    assert alarm.error == pytest.approx(np.std(1 - after / before), rel=0.05)


@pytest.mark.parametrize("error", [0.01, 0.02, 0.05])
def test_noise_stops_one_comparison_in_twenty_at_most(error):
    """Compare generations that have lost nothing; errors lie below and above the limits."""
    rng = np.random.default_rng(11)
    stops = 0
    for _ in range(300):
        noisy = [
            report({name: 1 + error * rng.standard_normal() for name in JUDGED}, error)
            for _ in range(6)
        ]
        stops += bool(compare(loop(*noisy), Gates()).alarms)
    assert stops <= 300 * 0.05 + 3 * np.sqrt(300 * 0.05)


def test_a_fall_that_may_be_chance_warns_and_says_so():
    comparison = compare(series("effective_clusters", 1.0, 0.94, error=0.02), Gates())
    assert (comparison.verdict.outcome, comparison.alarms) == ("warn", [])
    assert (
        "effective clusters fell by 6.0% (± 5.5%) from gen1 to gen2" in comparison.verdict.sentence
    )
    assert "may still be chance" in comparison.verdict.reasons[0]
    blind = next(w for w in comparison.verdict.warnings if "too small" in w)
    assert "effective clusters 7.1%" in blind  # 2.5 standard errors, for eight falls


@given(st.lists(st.floats(0, 0.5), min_size=2, max_size=5))
def test_equal_figures_raise_no_alarm(errors):
    for value in (0.0, 0.3, 1.7):
        equal = [report(value, error) for error in errors]
        comparison = compare(loop(*equal), Gates())
        assert comparison.alarms == []
        assert comparison.verdict.outcome in ("go", "done")


@settings(max_examples=60)
@given(
    st.lists(st.fixed_dictionaries(dict.fromkeys(JUDGED, NUMBERS)), min_size=2, max_size=5),
    st.floats(0, 0.3),
    st.floats(1, 10),
)
def test_larger_errors_never_add_an_alarm(against, error, factor):
    def alarms(error: float) -> set[tuple[str, str, str]]:
        comparison = compare(loop(*(report(a, error) for a in against)), Gates())
        return {(alarm.measure, alarm.before, alarm.after) for alarm in comparison.alarms}

    assert alarms(error * factor) <= alarms(error)


@given(
    st.lists(st.fixed_dictionaries(dict.fromkeys(JUDGED, NUMBERS)), min_size=2, max_size=5),
    st.floats(0, 0.3),
)
def test_the_verdict_is_that_of_the_worst_fall(against, error):
    comparison = compare(loop(*(report(a, error) for a in against)), Gates())
    assert (comparison.verdict.outcome == "stop") == bool(comparison.alarms)
    severity = [alarm.fall / alarm.limit for alarm in comparison.alarms]
    assert severity == sorted(severity, reverse=True)
    assert all(alarm.fall > alarm.limit for alarm in comparison.alarms)
    if comparison.alarms:
        worst = comparison.alarms[0]
        interval = 1.96 * worst.error  # 95 % lie within it
        message = f"fell by {worst.fall:.1%} (± {interval:.1%}) from {worst.before} to"
        assert message in comparison.verdict.sentence


def test_the_gates_decide():
    fallen = series("vocabulary", 1.0, 0.9)
    assert compare(fallen, Gates()).alarms
    assert not compare(fallen, Gates(fall_lexical=0.2)).alarms
    assert compare(fallen, Gates(fall_clusters=0.2)).alarms


def test_reasons_name_each_measure_once_with_its_worst_fall():
    steady = dict.fromkeys(JUDGED, 1.0)
    leak = [report({**steady, "tail_mass": x, "rare_words": x}) for x in (1.0, 0.9, 0.8)]
    comparison = compare(loop(*leak), Gates())
    message = "from gen1 to gen3, and 1 more measure moved too far."
    assert comparison.verdict.sentence.endswith(message)
    assert comparison.verdict.reasons == [
        "stop: tail fell by 20.0% (± 0.6%) from gen1 to gen3, from 1.000 to 0.800 of human text, "
        "where 3% may be lost; 2 more like it between other generations",
        "stop: rare words kept fell by 20.0% (± 0.6%) from gen1 to gen3, from 1.000 to 0.800 of "
        "human text, where 5% may be lost; 2 more like it between other generations",
    ]


# Near duplicates, of which more is worse.


def repeating(*against: float | None, error: float = 0.002) -> list[tuple[str, Report]]:
    """Return a loop in which only the share of near duplicates changes."""
    steady = dict.fromkeys(JUDGED, 1.0)
    return loop(*(report({**steady, REPEATS: value}, error) for value in against))


def test_near_duplicates_that_rise_by_more_than_five_points_stop():
    comparison = compare(repeating(0.01, 0.07), Gates())
    (alarm,) = comparison.alarms
    assert (alarm.measure, alarm.before, alarm.after) == (REPEATS, "gen1", "gen2")
    assert (alarm.fall, alarm.limit) == (pytest.approx(0.06), 0.05)
    assert alarm.error == pytest.approx(0.002 * 2**0.5)
    assert comparison.verdict.outcome == "stop"
    message = "near duplicates rose by 6.0 (± 0.6) points from gen1 to gen2"
    assert comparison.verdict.sentence == f"Stop: {message}."
    assert comparison.verdict.reasons == [
        f"stop: {message}, from +1.0 to +7.0 points beyond human text's, where 5 may be gained"
    ]
    below = compare(repeating(0.01, 0.055), Gates())
    assert (below.alarms, below.verdict.outcome) == ([], "warn")
    assert compare(repeating(0.01, 0.03), Gates()).verdict.outcome == "go"


def test_a_rise_is_one_of_points_wherever_it_begins():
    """Compare points and not a ratio: human text may repeat nothing, and a generation even less."""
    for first in (-0.04, 0.0, 0.5):
        (alarm,) = compare(repeating(first, first + 0.06), Gates()).alarms
        assert alarm.fall == pytest.approx(0.06)
    assert compare(repeating(0.5, 0.0), Gates()).verdict.outcome == "go"


def test_a_slow_rise_is_found_against_the_first_generation():
    comparison = compare(repeating(0.0, 0.02, 0.04, 0.06), Gates())
    assert [(a.before, a.after) for a in comparison.alarms] == [("gen1", "gen4")]


def test_a_rise_that_may_be_chance_or_is_allowed_stops_nothing():
    unsure = compare(repeating(0.0, 0.06, error=0.02), Gates())
    assert (unsure.alarms, unsure.verdict.outcome) == ([], "warn")
    assert "may still be chance" in unsure.verdict.reasons[0]
    assert not compare(repeating(0.0, 0.06), Gates(rise_near_duplicates=0.2)).alarms
    assert compare(repeating(0.0, 0.06), Gates(fall_lexical=0.2, fall_clusters=0.2)).alarms


def test_a_run_beside_an_audit_has_no_near_duplicates_to_compare():
    """Ignore repeats in the data/ of a run: they are planned copies."""
    steady = dict.fromkeys(JUDGED, 1.0)
    written = report(steady, kind="run", achieved=achieved())
    comparison = compare(loop(report({**steady, REPEATS: 0.0}), written), Gates())
    assert comparison.verdict.outcome == "go"


# What says less than it seems to.


def test_without_a_common_figure_nothing_is_judged():
    few = report(dict.fromkeys(JUDGED))
    comparison = compare(loop(few, report(), few), Gates())
    verdict = comparison.verdict
    assert (verdict.outcome, comparison.alarms, verdict.reasons) == ("done", [], [])
    unsure = compare(loop(report(1.0, error=None), report(0.5, error=None)), Gates())
    assert unsure.verdict.outcome == "done"


def test_samples_of_different_size_are_named():
    warnings = compare(loop(report(n=4096), report(n=65536)), Gates()).verdict.warnings
    assert any("4,096 words in gen1 and 65,536 in gen2" in warning for warning in warnings)
    assert compare(loop(report(n=4096), report(n=4871)), Gates()).verdict.warnings == []


def test_an_audit_beside_a_run_is_named():
    written = report(kind="run", achieved=achieved())
    warnings = compare(loop(report(), written), Gates()).verdict.warnings
    assert any("gen1 was audited" in w and "gen2 is what `run` has written" in w for w in warnings)


def test_what_was_not_judged_is_not_compared():
    """Ignore clusters of texts that the embedder can't read."""
    low = report(0.1)
    unread = [
        figure.model_copy(update={"outcome": "not judged"})
        if figure.name in CLUSTERS
        else measure(figure.name, 1.0)
        for figure in low.judged.measures
    ]
    judged = low.judged.model_copy(update={"measures": unread})
    later = low.model_copy(update={"judged": judged})
    compared = compare(loop(report(1.0), later), Gates())
    assert compared.verdict.outcome == "go"
    assert any(
        "clusters of gen2 are not judged" in warning for warning in compared.verdict.warnings
    )
    assert compare(loop(report(1.0), low), Gates()).verdict.outcome == "stop"


# What is refused.


def test_two_references_are_refused():
    other = report(reference=reference_summary("bb22"))
    with pytest.raises(ConfigError) as refused:
        compare(loop(report(), report(), other), Gates())
    for word in ("loop/gen1/report.json", "loop/gen3/report.json", "aa11", "bb22", "--reference"):
        assert word in str(refused.value)


def test_what_has_nothing_to_compare_is_refused():
    with pytest.raises(ConfigError, match="two reports or more are needed; found only loop/gen1"):
        compare(loop(report()), Gates())
    for nothing in (
        report(kind="dedup", reference=None, judged=None, achieved=achieved()),
        report(reference=reference_summary("aa11", human=False)),
        report(judged=None),
    ):
        with pytest.raises(ConfigError, match=r"gen2/report.json: .*`outcross audit`"):
            compare(loop(report(), nothing), Gates())


# Trends.


@given(
    st.floats(-0.1, 0.1),
    st.lists(st.floats(0.01, 0.1), min_size=2, max_size=6),
)
def test_the_trend_of_a_line_is_its_slope(slope, errors):
    line = [measure("js", 0.5 + slope * k, error) for k, error in enumerate(errors)]
    fit = trend(line)
    assert fit is not None
    assert fit[0] == pytest.approx(slope, abs=1e-9)
    x, weight = np.arange(len(errors)), np.array(errors) ** -2.0
    normal = [[(weight * x ** (i + j)).sum() for i in (0, 1)] for j in (0, 1)]
    assert fit[1] == pytest.approx(np.sqrt(np.linalg.inv(normal)[1, 1]))


def test_the_trend_knows_scatter_and_gaps():
    scattered = trend([measure("js", y, 0.001) for y in (0.5, 0.9, 0.4, 0.8)])
    assert scattered is not None
    assert abs(scattered[0]) < scattered[1]
    assert trend([measure("js", 0.5), None, measure("js", None)]) is None
    gap = trend([measure("js", 0.5), None, measure("js", 0.7)])
    assert gap is not None
    assert gap[0] == pytest.approx(0.1)

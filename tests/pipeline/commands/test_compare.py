"""`compare`: a leak is found however slow it is, noise is not, and two yardsticks are refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.pipeline.cli.compare_table import show_comparison
from outcross.pipeline.commands.compare import CLUSTERS, REPEATS, WORDS, compare, trend
from outcross.pipeline.inputs.reports import names_of, read_reports
from outcross.schemas.deduplication import Deduplication
from outcross.schemas.figures import Figures, Measure, Stage
from outcross.schemas.gates import Gates
from outcross.schemas.measures import MEASURES
from outcross.schemas.report import Achieved, ReferenceSummary, Report, Verdict
from outcross.schemas.user_input import ConfigError

JUDGED = (*WORDS, *CLUSTERS)
NUMBERS = st.floats(0.01, 2)


def measure(
    name: str, against: float | None, error: float | None = 0.002, n: int = 4096
) -> Measure:
    known = against is not None
    return Measure(
        name=name,
        value=against,
        human=1.0 if known else None,
        low=None,
        high=None,
        against=against,
        error=error if known else None,
        n=n,
        outcome="shown" if known else "too few",
    )


def figures(measures: list[Measure] = [], tail: float | None = None) -> Figures:  # noqa: B006
    return Figures(
        documents=1000, tokens=9000, copies=0, near_duplicates=0, tail_mass=tail, measures=measures
    )


def report(
    against: dict[str, float | None] | float = 1.0,
    error: float | None = 0.002,
    n: int = 4096,
    tails: dict[Any, float] | None = None,
    **changed: Any,
) -> Report:
    """A report whose judged measures are all the same, or those that are given."""
    given = dict.fromkeys(JUDGED, against) if isinstance(against, float) else against
    tails = {"read": 0.2, "deduplicate": 0.18} if tails is None else tails
    value: dict[str, Any] = {
        "kind": "audit",
        "verdict": Verdict(outcome="go", sentence="Go.", reasons=[], warnings=[]),
        "conservation": [],
        "asked": None,
        "achieved": None,
        "stages": [Stage(name=s, roles={"all": figures(tail=t)}) for s, t in tails.items()],
        "judged": figures([measure(name, found, error, n) for name, found in given.items()]),
        "shards": [],
        "deduplication": Deduplication(
            exact=0,
            near=0,
            contained=0,
            open=0,
            bands=1,
            rows=1,
            counts={},
            found=[],
            losses=[],
            most_repeated=[],
            least_similar=[],
        ),
        "prompts": [],
        "domains": [],
        "clusters": [],
        "reference": yardstick("aa11"),
    }
    return Report(**{**value, **changed})


def yardstick(fingerprint: str, human: bool = True) -> ReferenceSummary:
    return ReferenceSummary(
        fingerprint=fingerprint,
        human=human,
        clusters=64,
        documents=1000,
        effective_clusters=40.0,
        tail_mass=0.2,
        near_duplicate_rate=0.0,
        zstd_ratio=None,
    )


def loop(*reports: Report) -> list[tuple[str, Report]]:
    return [(f"loop/gen{n}/report.json", found) for n, found in enumerate(reports, 1)]


def series(name: str, *against: float | None, error: float = 0.002) -> list[tuple[str, Report]]:
    """A loop in which one measure takes some values, and the others stay."""
    steady = dict.fromkeys(JUDGED, 1.0)
    return loop(*(report({**steady, name: found}, error) for found in against))


def save(path: Path, found: Report) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(found.model_dump_json())
    return path


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
    others = [name for name in MEASURES if name not in (*JUDGED, REPEATS)]
    before, after = (report({**dict.fromkeys(others, x), "vocabulary": 1.0}) for x in (0.5, 0.1))
    assert compare(loop(before, after), Gates()).verdict.outcome == "go"


def test_a_leak_of_two_percent_a_generation_is_found_against_the_first_one():
    leak = series("effective_clusters", *(0.98**k for k in range(4)))
    found = compare(leak, Gates())
    assert {(a.before, a.after) for a in found.alarms} == {("gen1", "gen3"), ("gen1", "gen4")}
    worst = found.alarms[0]
    assert worst.after == "gen4"
    assert worst.fall == pytest.approx(1 - 0.98**3)
    assert compare(leak[:2], Gates()).alarms == []


def test_a_fall_after_a_rise_is_found_against_the_generation_before():
    found = compare(series("vocabulary", 0.8, 1.0, 0.85), Gates())
    assert [(a.before, a.after) for a in found.alarms] == [("gen2", "gen3")]


def test_a_generation_without_a_figure_hides_no_fall():
    found = compare(series("tail_mass", None, 1.0, None, 0.9), Gates())
    assert [(a.before, a.after) for a in found.alarms] == [("gen2", "gen4")]
    assert any("tail (gen1, gen3)" in warning for warning in found.verdict.warnings)


def test_order_is_that_of_the_reports():
    assert compare(series("distinct_3", 1.0, 0.8), Gates()).verdict.outcome == "stop"
    assert compare(series("distinct_3", 0.8, 1.0), Gates()).verdict.outcome == "go"
    backwards = compare(list(reversed(loop(report(), report()))), Gates())
    assert [g.name for g in backwards.generations] == ["gen2", "gen1"]
    assert any("in the order given: gen2, gen1" in w for w in backwards.verdict.warnings)


def test_the_error_of_a_fall_is_that_of_the_ratio():
    found = compare(series("tail_mass", 0.8, 0.75, error=0.01), Gates()).alarms[0]
    before, after = np.random.default_rng(7).normal([[0.8], [0.75]], 0.01, (2, 200_000))
    assert found.error == pytest.approx(np.std(1 - after / before), rel=0.05)


@pytest.mark.parametrize("error", [0.01, 0.02, 0.05])
def test_noise_stops_one_comparison_in_twenty_at_most(error):
    """Six generations that have lost nothing; errors from much below to above the limits."""
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
    found = compare(series("effective_clusters", 1.0, 0.94, error=0.02), Gates())
    assert (found.verdict.outcome, found.alarms) == ("warn", [])
    assert "effective clusters fell by 6.0% (± 5.5%) from gen1 to gen2" in found.verdict.sentence
    assert "may still be chance" in found.verdict.reasons[0]
    blind = next(w for w in found.verdict.warnings if "too small" in w)
    assert "effective clusters 7.1%" in blind  # 2.5 standard errors, for eight falls


@given(st.lists(st.floats(0, 0.5), min_size=2, max_size=5))
def test_equal_figures_raise_no_alarm(errors):
    for value in (0.0, 0.3, 1.7):
        equal = [report(value, error) for error in errors]
        found = compare(loop(*equal), Gates())
        assert found.alarms == []
        assert found.verdict.outcome in ("go", "done")


@settings(max_examples=60)
@given(
    st.lists(st.fixed_dictionaries(dict.fromkeys(JUDGED, NUMBERS)), min_size=2, max_size=5),
    st.floats(0, 0.3),
    st.floats(1, 10),
)
def test_larger_errors_never_add_an_alarm(against, error, factor):
    def alarms(error: float) -> set[tuple[str, str, str]]:
        found = compare(loop(*(report(a, error) for a in against)), Gates()).alarms
        return {(alarm.measure, alarm.before, alarm.after) for alarm in found}

    assert alarms(error * factor) <= alarms(error)


@given(
    st.lists(st.fixed_dictionaries(dict.fromkeys(JUDGED, NUMBERS)), min_size=2, max_size=5),
    st.floats(0, 0.3),
)
def test_the_verdict_is_that_of_the_worst_fall(against, error):
    found = compare(loop(*(report(a, error) for a in against)), Gates())
    assert (found.verdict.outcome == "stop") == bool(found.alarms)
    severity = [alarm.fall / alarm.limit for alarm in found.alarms]
    assert severity == sorted(severity, reverse=True)
    assert all(alarm.fall > alarm.limit for alarm in found.alarms)
    if found.alarms:
        worst = found.alarms[0]
        interval = 1.96 * worst.error  # 95 % lie within it
        told = f"fell by {worst.fall:.1%} (± {interval:.1%}) from {worst.before} to"
        assert told in found.verdict.sentence


def test_the_gates_decide():
    fallen = series("vocabulary", 1.0, 0.9)
    assert compare(fallen, Gates()).alarms
    assert not compare(fallen, Gates(fall_lexical=0.2)).alarms
    assert compare(fallen, Gates(fall_clusters=0.2)).alarms


def test_reasons_name_each_measure_once_with_its_worst_fall():
    steady = dict.fromkeys(JUDGED, 1.0)
    leak = [report({**steady, "tail_mass": x, "rare_words": x}) for x in (1.0, 0.9, 0.8)]
    found = compare(loop(*leak), Gates())
    told = "from gen1 to gen3, and 1 more measure moved too far."
    assert found.verdict.sentence.endswith(told)
    assert found.verdict.reasons == [
        "stop: tail fell by 20.0% (± 0.6%) from gen1 to gen3, from 1.000 to 0.800 of human text, "
        "where 3% may be lost; 2 more like it between other generations",
        "stop: rare words kept fell by 20.0% (± 0.6%) from gen1 to gen3, from 1.000 to 0.800 of "
        "human text, where 5% may be lost; 2 more like it between other generations",
    ]


# Near duplicates, of which more is worse.


def repeating(*against: float | None, error: float = 0.002) -> list[tuple[str, Report]]:
    """A loop in which the share of near duplicates takes some values, and all else stays."""
    steady = dict.fromkeys(JUDGED, 1.0)
    return loop(*(report({**steady, REPEATS: found}, error) for found in against))


def test_near_duplicates_that_rise_by_more_than_five_points_stop():
    found = compare(repeating(0.01, 0.07), Gates())
    (alarm,) = found.alarms
    assert (alarm.measure, alarm.before, alarm.after) == (REPEATS, "gen1", "gen2")
    assert (alarm.fall, alarm.limit) == (pytest.approx(0.06), 0.05)
    assert alarm.error == pytest.approx(0.002 * 2**0.5)
    assert found.verdict.outcome == "stop"
    told = "near duplicates rose by 6.0 (± 0.6) points from gen1 to gen2"
    assert found.verdict.sentence == f"Stop: {told}."
    assert found.verdict.reasons == [
        f"stop: {told}, from +1.0 to +7.0 points beyond human text's, where 5 may be gained"
    ]
    below = compare(repeating(0.01, 0.055), Gates())
    assert (below.alarms, below.verdict.outcome) == ([], "warn")
    assert compare(repeating(0.01, 0.03), Gates()).verdict.outcome == "go"


def test_a_rise_is_one_of_points_wherever_it_begins():
    """Not of a ratio: human text may repeat nothing, and a first generation less than it."""
    for first in (-0.04, 0.0, 0.5):
        (alarm,) = compare(repeating(first, first + 0.06), Gates()).alarms
        assert alarm.fall == pytest.approx(0.06)
    assert compare(repeating(0.5, 0.0), Gates()).verdict.outcome == "go"


def test_a_slow_rise_is_found_against_the_first_generation():
    found = compare(repeating(0.0, 0.02, 0.04, 0.06), Gates())
    assert [(a.before, a.after) for a in found.alarms] == [("gen1", "gen4")]


def test_a_rise_that_may_be_chance_or_is_allowed_stops_nothing():
    unsure = compare(repeating(0.0, 0.06, error=0.02), Gates())
    assert (unsure.alarms, unsure.verdict.outcome) == ([], "warn")
    assert "may still be chance" in unsure.verdict.reasons[0]
    assert not compare(repeating(0.0, 0.06), Gates(rise_near_duplicates=0.2)).alarms
    assert compare(repeating(0.0, 0.06), Gates(fall_lexical=0.2, fall_clusters=0.2)).alarms


def test_a_run_beside_an_audit_has_no_near_duplicates_to_compare():
    """What repeats in its data/ are copies that were planned."""
    steady = dict.fromkeys(JUDGED, 1.0)
    written = report(steady, kind="run", achieved=achieved())
    found = compare(loop(report({**steady, REPEATS: 0.0}), written), Gates())
    assert found.verdict.outcome == "go"


# What says less than it seems to.


def test_without_a_common_figure_nothing_is_judged():
    few = report(dict.fromkeys(JUDGED))
    found = compare(loop(few, report(), few), Gates())
    assert (found.verdict.outcome, found.alarms, found.verdict.reasons) == ("done", [], [])
    unsure = compare(loop(report(1.0, error=None), report(0.5, error=None)), Gates())
    assert unsure.verdict.outcome == "done"


def test_samples_of_different_size_are_named():
    found = compare(loop(report(n=4096), report(n=65536)), Gates()).verdict.warnings
    assert any("4,096 words in gen1 and 65,536 in gen2" in warning for warning in found)
    assert compare(loop(report(n=4096), report(n=4871)), Gates()).verdict.warnings == []


def test_an_audit_beside_a_run_is_named():
    written = report(kind="run", achieved=achieved())
    found = compare(loop(report(), written), Gates()).verdict.warnings
    assert any("gen1 was audited" in w and "gen2 is what `run` has written" in w for w in found)


def achieved() -> Achieved:
    return Achieved(
        tokens=1,
        synthetic_tokens=1,
        human_tokens=0,
        human_share=0.0,
        planned_human_tokens=0.0,
        longest_document=1,
        entropy=None,
        planned_entropy=None,
        kl=None,
        most_copies=1,
    )


# What is refused.


def test_two_yardsticks_are_refused():
    other = report(reference=yardstick("bb22"))
    with pytest.raises(ConfigError) as refused:
        compare(loop(report(), report(), other), Gates())
    for word in ("loop/gen1/report.json", "loop/gen3/report.json", "aa11", "bb22", "--reference"):
        assert word in str(refused.value)


def test_what_has_nothing_to_compare_is_refused():
    with pytest.raises(ConfigError, match="two reports or more are needed; found only loop/gen1"):
        compare(loop(report()), Gates())
    for nothing in (
        report(kind="dedup", reference=None, judged=None, achieved=achieved()),
        report(reference=yardstick("aa11", human=False)),
        report(judged=None),
    ):
        with pytest.raises(ConfigError, match=r"gen2/report.json: .*`outcross audit`"):
            compare(loop(report(), nothing), Gates())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not json", "not JSON"),
        ("[1, 2]", "is no report.json"),
        (json.dumps({"format_version": 1, "alarms": []}), "is no report.json"),
        (json.dumps({"format_version": 2, "conservation": []}), "format_version 3 is needed; make"),
        (json.dumps({"conservation": []}), "it has no format_version, and format_version 3 is"),
        (json.dumps({"format_version": 3, "conservation": []}), "no valid report of format 3"),
    ],
)
def test_a_file_that_is_no_report_of_this_format_is_refused(tmp_path, content, words):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(ConfigError, match=words) as refused:
        read_reports([str(tmp_path)])
    assert str(tmp_path / "report.json") in str(refused.value)


def test_a_place_without_a_report_is_refused(tmp_path):
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    save(tmp_path / "a" / "b" / "c" / "report.json", report())  # three levels down
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ConfigError, match=r"no report\.json was found there"):
            read_reports([str(path)])
    with pytest.raises(ConfigError, match=r"absent\.json: can't be read: No such file"):
        read_reports([str(tmp_path / "absent.json")])


def test_a_report_counts_once(tmp_path):
    save(tmp_path / "gen1" / "report.json", report())
    with pytest.raises(ConfigError, match="is the same report as"):
        read_reports([str(tmp_path / "gen1"), str(tmp_path / "gen1" / "report.json")])
    with pytest.raises(ConfigError, match="is the same report as"):
        read_reports([str(tmp_path), f"{tmp_path}/gen1/"])


# Where reports are found, and what they are called.


def test_a_folder_is_read_in_natural_order(tmp_path):
    for number in (10, 2, 1):
        save(tmp_path / f"Gen{number}" / "report.json", report(1.0 / number))
    save(tmp_path / "gen9" / "out" / "report.json", report())
    save(tmp_path / "Gen2" / "audit" / "report.json", report())  # inside an output directory
    save(tmp_path / ".outcross" / "report.json", report())
    found = read_reports([f"{tmp_path}/"])
    places = [os.path.relpath(path, tmp_path) for path, _ in found]
    assert places == [f"{g}/report.json" for g in ("Gen1", "Gen2", "gen9/out", "Gen10")]
    assert found[3][1] == report(0.1)
    assert [g.name for g in compare(found, Gates()).generations] == ["Gen1", "Gen2", "out", "Gen10"]


def test_several_lines_of_generations_are_not_read_as_one(tmp_path):
    for line in ("with-human", "without"):
        for number in (1, 2):
            save(tmp_path / line / f"gen{number}" / "report.json", report())
    with pytest.raises(ConfigError, match=r"lie in several folders.*: with-human, without; name"):
        read_reports([str(tmp_path)])
    assert len(read_reports([str(tmp_path / "without")])) == 2
    # A link to a line is no further one.
    (tmp_path / "with-human").rename(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    (tmp_path / "latest").symlink_to("without")
    found = read_reports([str(tmp_path)])
    places = [os.path.relpath(path, tmp_path) for path, _ in found]
    assert places == ["without/gen1/report.json", "without/gen2/report.json"]


def test_a_link_to_a_generation_is_no_further_one(tmp_path):
    for number in (1, 2):
        save(tmp_path / "loop" / f"gen{number}" / "report.json", report())
    (tmp_path / "loop" / "current").symlink_to("gen2")
    (tmp_path / "other").symlink_to("loop")
    for folder in ("loop", "other"):
        found = read_reports([str(tmp_path / folder)])
        assert [Path(path).parent.name for path, _ in found] == ["gen1", "gen2"]


def test_paths_may_be_files_and_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(Path("r1.json"), report())
    save(Path("r2.json"), report())
    save(Path("[x]*/out/report.json"), report())
    save(Path("y/out/report.json"), report())
    found = read_reports(["r2.json", "[x]*", "y/out", "r1.json"])
    paths = ["r2.json", "[x]*/out/report.json", "y/out/report.json", "r1.json"]
    assert [path for path, _ in found] == paths
    generations = compare(found, Gates()).generations
    assert [g.name for g in generations] == ["r2.json", "[x]*/out", "y/out", "r1.json"]
    assert [g.report for g in generations] == paths


@given(
    st.lists(
        st.lists(st.sampled_from(["a", "b", "out"]), max_size=4),
        min_size=1,
        max_size=8,
        unique_by=tuple,
    )
)
def test_names_differ_and_are_no_longer_than_needed(folders):
    paths = ["/".join(["/base", *parts, "report.json"]) for parts in folders]
    names = names_of(paths)
    assert len(set(names)) == len(names)
    for path, name in zip(paths, names, strict=True):
        assert path.endswith(f"/{name}/report.json")
    if len({parts[-1] if parts else "base" for parts in folders}) == len(folders):
        assert all("/" not in name for name in names)


# What is shown.


@given(
    st.floats(-0.1, 0.1),
    st.lists(st.floats(0.01, 0.1), min_size=2, max_size=6),
)
def test_the_trend_of_a_line_is_its_slope(slope, errors):
    line = [measure("js", 0.5 + slope * k, error) for k, error in enumerate(errors)]
    found = trend(line)
    assert found is not None
    assert found[0] == pytest.approx(slope, abs=1e-9)
    x, weight = np.arange(len(errors)), np.array(errors) ** -2.0
    normal = [[(weight * x ** (i + j)).sum() for i in (0, 1)] for j in (0, 1)]
    assert found[1] == pytest.approx(np.sqrt(np.linalg.inv(normal)[1, 1]))


def test_the_trend_knows_scatter_and_gaps():
    scattered = trend([measure("js", y, 0.001) for y in (0.5, 0.9, 0.4, 0.8)])
    assert scattered is not None
    assert abs(scattered[0]) < scattered[1]
    assert trend([measure("js", 0.5), None, measure("js", None)]) is None
    gap = trend([measure("js", 0.5), None, measure("js", 0.7)])
    assert gap is not None
    assert gap[0] == pytest.approx(0.1)


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
        own = [line.split() for line in text.splitlines() if line.startswith(f"gen{number + 1} ")]
        assert own[0][1:5] == ["go", f"{1 - number / 100:.3f}", "±", "0.004"]
        assert "20.0%" in own[1]


def test_names_are_no_markup_and_steer_no_terminal(capsys):
    evil = "[red]x\x1b[2J"
    reports = [(f"loop/{evil}{n}/report.json", report(1.0 - n / 5)) for n in (0, 1)]
    text = shown(capsys, reports)
    headings = [line.split() for line in text.splitlines() if line.split()[:1] == ["[red]x"]]
    assert [line[:4] for line in headings] == [["[red]x", "[2J0", "[red]x", "[2J1"]] * 2
    assert "from [red]x [2J0 to [red]x [2J1" in text
    assert "\x1b[2J" not in text


def test_json_is_the_comparison(capsys):
    reports = loop(report(), report(0.5))
    text = shown(capsys, reports, as_json=True)
    comparison = compare(reports, Gates())
    assert json.loads(text) == comparison.model_dump(mode="json")
    assert json.loads(text)["reference"] == "aa11"


def test_what_was_not_judged_is_not_compared():
    """Clusters of texts that the embedder can't read may fall as they like."""
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

"""The verdict: a stop is certain, a warning is beyond chance, and the sentence says what it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.gates import Gates, Least, Most
from schemas.measures import BY_CLUSTERS, MEASURES
from schemas.report import Measure
from transforms.gate import STOP_Z, WARN_Z, judged, outcome, unread, verdict
from transforms.known import Known

BADNESS = {"go": 0, "noise": 0, "warn": 1, "stop": 2}
RATIOS = [name for name, limits in Gates() if isinstance(limits, Least)]
EXCESSES = [name for name, limits in Gates() if isinstance(limits, Most)]
NOISY = ("vocabulary", "distinct_3", "rare_words")
TINY = 1e-9


def found(name: str, against: float | None, error: float | None = 0.0, **more: Any) -> Measure:
    values = {"value": 50.0, "human": 60.0, "low": 55.0, "high": 65.0, "n": 8192}
    values |= {"outcome": "shown", **more}
    return Measure(name=name, against=against, error=error, **values)


def least(against: float | None, error: float | None = 0.0, name: str = "vocabulary") -> str:
    return outcome(found(name, against, error), Gates(**{name: {"warn": 0.9, "stop": 0.7}}))


def most(against: float, error: float = 0.0) -> str:
    return outcome(found("js", against, error), Gates(js=Most(warn=0.02, stop=0.05)))


@pytest.mark.parametrize(
    ("against", "error", "expected"),
    [
        # Without error the limits themselves; each of them is still on the good side.
        (0.7 - TINY, 0, "stop"),
        (0.7, 0, "warn"),
        (0.9 - TINY, 0, "warn"),
        (0.9, 0, "go"),
        (1.0, 0, "go"),
        (1.1, 0, "go"),
        (1.1 + TINY, 0, "noise"),
        # A stop is below its limit by more than chance explains.
        (0.7 - STOP_Z * 0.02 - TINY, 0.02, "stop"),
        (0.7 - STOP_Z * 0.02 + TINY, 0.02, "warn"),
        # A warning is further from human text than chance explains.
        (1 - WARN_Z * 0.1 - TINY, 0.1, "warn"),
        (1 - WARN_Z * 0.1 + TINY, 0.1, "go"),
        (0.5, 0.5, "go"),
        # And so is noise from its limit.
        (1.1 + WARN_Z * 0.1 + TINY, 0.1, "noise"),
        (1.1 + WARN_Z * 0.1 - TINY, 0.1, "go"),
    ],
)
def test_a_ratio_is_judged_at_its_limits(against: float, error: float, expected: str) -> None:
    assert least(against, error) == expected


@pytest.mark.parametrize(
    ("against", "error", "expected"),
    [
        (0.05 + TINY, 0, "stop"),
        (0.05, 0, "warn"),
        (0.02 + TINY, 0, "warn"),
        (0.02, 0, "go"),
        (-1.0, 0, "go"),
        (0.05 + STOP_Z * 0.01 + TINY, 0.01, "stop"),
        (0.05 + STOP_Z * 0.01 - TINY, 0.01, "warn"),
        (WARN_Z * 0.02 + TINY, 0.02, "warn"),
        (WARN_Z * 0.02 - TINY, 0.02, "go"),
        (5.0, 3.0, "go"),
    ],
)
def test_an_excess_is_judged_at_its_limits(against: float, error: float, expected: str) -> None:
    assert most(against, error) == expected


@pytest.mark.parametrize("name", [*RATIOS, *EXCESSES])
def test_every_gate_stops_warns_and_lets_pass(name: str) -> None:
    limits = getattr(Gates(), name)
    middle = (limits.warn + limits.stop) / 2
    good, bad = (1.0, 0.1) if name in RATIOS else (0.0, 0.6)
    outcomes = [outcome(found(name, against), Gates()) for against in (good, middle, bad)]
    assert outcomes == ["go", "warn", "stop"]


def test_noise_is_said_of_words_alone_and_where_it_is_asked_for() -> None:
    for name in RATIOS:
        expected = "noise" if name in NOISY else "go"
        assert outcome(found(name, 1.5), Gates()) == expected
        assert outcome(found(name, 1.5), Gates(noise=None)) == "go"
        assert outcome(found(name, 1.5), Gates(noise=2)) == "go"


def test_what_has_no_gate_is_shown() -> None:
    for name in MEASURES:
        gates = Gates(**{name: None}) if name in {*RATIOS, *EXCESSES} else Gates()
        assert outcome(found(name, 0.0), gates) == "shown"
        assert outcome(found(name, 9.0), gates) == "shown"
        assert outcome(found(name, None, None, outcome="too few"), gates) == "too few"


def test_what_could_not_be_compared_is_too_few() -> None:
    assert least(None, None) == "too few"
    assert least(None, None, "effective_clusters") == "too few"


AGAINST = st.floats(-2, 3, allow_nan=False)
ERRORS = st.floats(0, 2, allow_nan=False)


@given(st.sampled_from([*RATIOS, *EXCESSES]), AGAINST, ERRORS, ERRORS)
def test_more_error_never_makes_it_worse(
    name: str, against: float, one: float, more: float
) -> None:
    sure, unsure = (
        BADNESS[outcome(found(name, against, error), Gates())] for error in (one, one + more)
    )
    assert unsure <= sure


@given(st.sampled_from([*RATIOS, *EXCESSES]), AGAINST, st.floats(0, 2), ERRORS)
def test_what_is_further_off_is_never_better(
    name: str, against: float, further: float, error: float
) -> None:
    worse = against - further if name in RATIOS else against + further
    one, other = (BADNESS[outcome(found(name, x, error), Gates())] for x in (against, worse))
    assert one <= other


@given(st.sampled_from([*RATIOS, *EXCESSES]), AGAINST, ERRORS)
def test_a_stop_is_beyond_the_limit_by_more_than_chance(
    name: str, against: float, error: float
) -> None:
    limit = getattr(Gates(), name).stop
    beyond = limit - against if name in RATIOS else against - limit
    stops = outcome(found(name, against, error), Gates()) == "stop"
    if abs(beyond - STOP_Z * error) > TINY:
        assert stops == (beyond > STOP_Z * error)


def report(*, too_few: str = "pass", n: int = 8192, **against: float | None) -> Any:
    """The verdict where there are no gates but those of the given measures."""
    others = dict.fromkeys({*RATIOS, *EXCESSES} - set(against))
    gates = Gates(too_few=too_few, **others)
    measures = [found(name, x, None if x is None else 0.001, n=n) for name, x in against.items()]
    return verdict(judged(measures, gates), ["a warning"], gates)


def test_a_stop_names_what_it_stops_for() -> None:
    made = report(vocabulary=0.5, effective_clusters=0.9, js=0.2, distinct_3=1.5, tail_mass=1.0)
    assert made.outcome == "stop"
    assert made.sentence == (
        "Stop: vocabulary at 50% of human text's and divergence from human text 0.2000 nats beyond "
        "human text's."
    )
    assert [line.split(":")[0] for line in made.reasons] == [
        *("stop", "stop", "warning", "noise rather than diversity")
    ]
    assert made.reasons[0] == (
        "stop: vocabulary at 50% of human text's (50 words against 60 words in 8,192 words)"
    )
    assert made.reasons[2] == (
        "warning: effective clusters at 90% of human text's (50.0 against 60.0 in 8,192 documents)"
    )
    assert made.warnings == ["a warning"]


def test_more_than_three_are_counted() -> None:
    made = report(vocabulary=0.5, effective_clusters=0.5, tail_mass=0.5, js=0.2, rare_words=0.1)
    assert made.sentence == (
        "Stop: vocabulary at 50% of human text's, effective clusters at 50% of human text's, tail "
        "at 50% of human text's and 2 more."
    )
    assert len(made.reasons) == 5


def test_a_warning_goes_on_and_says_where_to_look() -> None:
    made = report(vocabulary=1.5, effective_clusters=0.9, tail_mass=1.0, js=None, off_support=0.5)
    assert made.outcome == "warn"
    assert made.sentence == (
        "Go, but look: effective clusters at 90% of human text's and vocabulary at 150% of human "
        "text's (1 of 3 gates pass, 1 had too little to judge)."
    )
    assert len(made.reasons) == 2


def test_all_gates_pass() -> None:
    made = report(vocabulary=1.0, effective_clusters=0.99, js=0.001, self_repetition=0.9)
    assert made.outcome == "go"
    assert made.sentence == "Go: as diverse as human text, 3 of 3 gates pass."
    assert made.reasons == []
    made = report(vocabulary=1.0, effective_clusters=None)
    assert made.sentence == (
        "Go: as diverse as human text, 1 of 1 gates pass, 1 had too little to judge."
    )


def test_what_most_gates_could_not_look_at_is_not_judged() -> None:
    made = report(vocabulary=None, js=None, openings=0.3)
    assert (made.outcome, made.reasons) == ("done", [])
    small = "could be looked at; the corpus or the yardstick is too small."
    assert made.sentence == f"Not judged: only 0 of 2 gates {small}"
    made = report(vocabulary=1.0, js=None, tail_mass=None)
    assert (made.outcome, made.reasons) == ("done", [])
    assert made.sentence == f"Not judged: only 1 of 3 gates {small}"
    # Half of the gates are enough.
    assert report(vocabulary=1.0, js=None).outcome == "go"
    assert report(vocabulary=1.0, js=0.0, tail_mass=None, rare_words=None).outcome == "go"


def test_a_gate_whose_measure_is_not_there_has_judged_nothing() -> None:
    made = verdict(judged([found("vocabulary", 1.0)], Gates()), [], Gates())
    assert made.outcome == "done"
    assert made.sentence.startswith("Not judged: ")


def test_without_documents_or_gates_nothing_is_judged_and_it_is_said_why() -> None:
    made = report(vocabulary=None, js=None, n=0)
    assert (made.outcome, made.sentence) == (
        "done",
        "Not judged: no document is left that is new to the yardstick and not meant to converge.",
    )
    for too_few in ("pass", "stop"):
        made = report(openings=0.3, too_few=too_few)
        assert (made.outcome, made.reasons) == ("done", [])
        assert made.sentence == "Not judged: there are no gates."


def test_gates_may_let_nothing_pass_that_they_could_not_look_at() -> None:
    for n, why in ((60, "only 0 of 2 gates could be looked at"), (0, "no document is left")):
        made = report(vocabulary=None, js=None, n=n, too_few="stop")
        assert made.outcome == "stop"
        assert made.sentence.startswith(f"Stop: {why}")
        assert made.reasons == ["stop: too little to judge, which these gates don't let pass"]
    # What could be looked at and is in order changes nothing of that; nor does what only warns.
    few = {"js": None, "rare_words": None}
    assert report(vocabulary=1.0, **few, too_few="stop").outcome == "stop"
    made = report(vocabulary=0.8, **few, too_few="stop")
    assert (made.outcome, len(made.reasons)) == ("stop", 2)
    assert report(vocabulary=0.8, **few).outcome == "warn"
    assert report(vocabulary=1.0, js=None, too_few="stop").outcome == "go"


def test_too_little_to_judge_hides_no_stop() -> None:
    for too_few in ("pass", "stop"):
        made = report(near_duplicates=0.9, js=None, vocabulary=None, too_few=too_few)
        assert made.outcome == "stop"
        assert made.sentence == "Stop: near duplicates 90.0 points beyond human text's."


@given(
    st.fixed_dictionaries(
        dict.fromkeys([*RATIOS, *EXCESSES], st.sampled_from([None, 0.0, 0.5, 0.88, 1.0]))
    ),
    st.sampled_from(["pass", "stop"]),
)
def test_go_is_said_only_of_what_was_looked_at(
    against: dict[str, float | None], too_few: str
) -> None:
    made = report(**against, too_few=too_few)
    known = sum(x is not None for x in against.values())
    sighted = known >= len(against) - known
    outcomes = {
        outcome(found(name, x, 0.001), Gates()) for name, x in against.items() if x is not None
    }
    if "stop" in outcomes or (too_few == "stop" and not sighted):
        expected = "stop"
    elif outcomes & {"warn", "noise"}:
        expected = "warn"
    else:
        expected = "go" if sighted else "done"
    assert made.outcome == expected


def test_judging_changes_the_outcome_alone() -> None:
    measures = [found("vocabulary", 0.5), found("openings", 0.5), found("js", None, None)]
    made = judged(measures, Gates())
    assert [one.outcome for one in made] == ["stop", "shown", "too few"]
    same = [one.model_copy(update={"outcome": "shown"}) for one in made]
    assert same == measures


@pytest.mark.parametrize(
    ("known", "share"),
    [
        ([Known(1000, 120), Known(1000, 900)], "12%"),
        ([Known(1000, 900), Known(1000, 250)], "25%"),
        ([Known(1000, 250), Known(1000, 120)], "12%"),
    ],
)
def test_clusters_of_texts_that_can_t_be_read_are_shown_and_not_judged(
    known: list[Known], share: str
) -> None:
    measures = [found(name, 0.1 if MEASURES[name].kind == "ratio" else 1.0) for name in MEASURES]
    marked, gates, sentence = unread(measures, Gates(), known)
    figures = judged(marked, gates)
    assert sentence == f"Clusters are not judged: the embedder knows {share} of the words."
    assert {figure.name for figure in figures if figure.outcome == "not judged"} == {*BY_CLUSTERS}
    assert [figure.against for figure in figures] == [figure.against for figure in measures]
    assert {figure.name for figure in figures if figure.outcome == "stop"} == {
        *("vocabulary", "distinct_3", "rare_words", "near_duplicates"),
    }
    fine = [found(name, 1.0 if MEASURES[name].kind == "ratio" else 0.0) for name in MEASURES]
    marked, gates, sentence = unread(fine, Gates(too_few="stop"), known)
    result = verdict(judged(marked, gates), [], gates, sentence)
    assert result.outcome == "go"
    assert result.sentence.endswith(f"4 of 4 gates pass. {sentence}")


def test_clusters_of_texts_that_can_be_read_are_judged_as_ever() -> None:
    measures = [found(name, 1.0) for name in MEASURES]
    for known in ([], [Known(1000, 900), Known(0, 0)], [Known(10, 0)]):
        assert unread(measures, Gates(), known) == (measures, Gates(), "")

"""The verdict: a stop is certain, a warning is beyond chance, and the sentence says what it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.schemas.figures import Measure
from outcross.schemas.gates import Gates, Least, Most
from outcross.schemas.measures import BY_CLUSTERS, MEASURES
from outcross.transforms.measuring.gate import (
    DIFFERENT,
    STOP_Z,
    WARN_Z,
    foreign,
    judged,
    outcome,
    unread,
    verdict,
    with_findings,
)
from outcross.transforms.measuring.wording import CollapsedPrompts
from outcross.transforms.text.known import Known

BADNESS = {"go": 0, "noise": 0, "warn": 1, "stop": 2}
RATIOS = [name for name, limits in Gates() if isinstance(limits, Least)]
EXCESSES = [name for name, limits in Gates() if isinstance(limits, Most)]
NOISY = ("vocabulary", "distinct_3", "rare_words")
TINY = 1e-9


def make_measure(
    name: str,
    against: float | None,
    error: float | None = 0.0,
    human: float | None = None,
    **more: Any,
) -> Measure:
    """Make a measure as a set has it beside human text."""
    info = MEASURES[name]
    if human is None and against is not None:
        human = 0.02 if info.kind == "difference" else 0.6 if info.form.endswith("%") else 60.0
    value = None
    if against is not None and human is not None:
        value = human * against if info.kind == "ratio" else human + against
    values = {"value": value, "human": human, "low": human, "high": human, "n": 8192}
    values |= {"outcome": "shown", **more}
    return Measure(name=name, against=against, error=error, **values)


def least(against: float | None, error: float | None = 0.0, name: str = "vocabulary") -> str:
    return outcome(make_measure(name, against, error), Gates(**{name: {"warn": 0.9, "stop": 0.7}}))


def most(against: float, error: float = 0.0) -> str:
    return outcome(make_measure("js", against, error), Gates(js=Most(warn=0.02, stop=0.05)))


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
    outcomes = [outcome(make_measure(name, against), Gates()) for against in (good, middle, bad)]
    assert outcomes == ["go", "warn", "stop"]


def test_noise_is_said_of_words_alone_and_where_it_is_asked_for() -> None:
    for name in RATIOS:
        expected = "noise" if name in NOISY else "go"
        assert outcome(make_measure(name, 1.5), Gates()) == expected
        assert outcome(make_measure(name, 1.5), Gates(noise=None)) == "go"
        assert outcome(make_measure(name, 1.5), Gates(noise=2)) == "go"


def test_what_has_no_gate_is_shown() -> None:
    for name in MEASURES:
        gates = Gates(**{name: None}) if name in {*RATIOS, *EXCESSES} else Gates()
        assert outcome(make_measure(name, 0.0), gates) == "shown"
        assert outcome(make_measure(name, 9.0), gates) == "shown"
        assert outcome(make_measure(name, None, None, outcome="too few"), gates) == "too few"


def test_what_could_not_be_compared_is_too_few() -> None:
    assert least(None, None) == "too few"
    assert least(None, None, "effective_clusters") == "too few"


AGAINST = st.floats(-2, 3, allow_nan=False)
ERRORS = st.floats(0, 2, allow_nan=False)


@given(st.sampled_from([*RATIOS, *EXCESSES]), AGAINST, ERRORS, ERRORS)
def test_more_error_never_makes_it_worse(
    name: str, against: float, small: float, more: float
) -> None:
    sure, unsure = (
        BADNESS[outcome(make_measure(name, against, error), Gates())]
        for error in (small, small + more)
    )
    assert unsure <= sure


@given(st.sampled_from([*RATIOS, *EXCESSES]), AGAINST, st.floats(0, 2), ERRORS)
def test_what_is_further_off_is_never_better(
    name: str, against: float, further: float, error: float
) -> None:
    worse = against - further if name in RATIOS else against + further
    near, far = (BADNESS[outcome(make_measure(name, x, error), Gates())] for x in (against, worse))
    assert near <= far


@given(st.sampled_from([*RATIOS, *EXCESSES]), AGAINST, ERRORS)
def test_a_stop_is_beyond_the_limit_by_more_than_chance(
    name: str, against: float, error: float
) -> None:
    limit = getattr(Gates(), name).stop
    beyond = limit - against if name in RATIOS else against - limit
    stops = outcome(make_measure(name, against, error), Gates()) == "stop"
    if abs(beyond - STOP_Z * error) > TINY:
        assert stops == (beyond > STOP_Z * error)


def report(
    *,
    too_few: str = "pass",
    n: int = 8192,
    prompts: CollapsedPrompts | None = None,
    **against: float | None,
) -> Any:
    """Return the verdict where only the given measures have gates."""
    unmeasured = dict.fromkeys({*RATIOS, *EXCESSES} - set(against))
    gates = Gates(too_few=too_few, **unmeasured)
    measures = [
        make_measure(name, x, None if x is None else 0.001, n=n) for name, x in against.items()
    ]
    return verdict(judged(measures, gates), ["a warning"], gates, prompts)


def test_a_stop_names_what_it_stops_for() -> None:
    result = report(vocabulary=0.5, effective_clusters=0.9, js=0.2, distinct_3=1.5, tail_mass=1.0)
    assert result.outcome == "stop"
    assert result.sentence == (
        "Stop: the corpus has narrowed: it has 50% of human text's different words and its topics "
        "are in other proportions than human text's."
    )
    assert [line.split(":")[0] for line in result.reasons] == [
        *("stop", "stop", "warning", "noise rather than diversity")
    ]
    assert result.reasons[0] == (
        "stop: vocabulary at 50% of human text's (30 words against 60 words in 8,192 words)"
    )
    assert result.reasons[2] == (
        "warning: effective clusters at 90% of human text's (54.0 against 60.0 in 8,192 documents)"
    )
    assert result.warnings == ["a warning"]


def test_the_headline_says_what_kind_of_loss_it_is() -> None:
    repeats = {"near_duplicates": 0.1, "self_repetition": 0.3, "openings": 0.4}
    assert report(**repeats).sentence == (
        "Stop: the corpus repeats itself: 12.0% of its documents repeat another one (2.0% of human "
        "text's), 32.0% of its four-word phrases stand in several documents (2.0% in human text) "
        "and 42.0% of its documents begin alike (2.0% of human text's)."
    )
    assert report(js=0.2).sentence.startswith("Stop: the corpus differs from human text: ")
    assert report(js=0.03).sentence.startswith("Warning: the corpus may differ from human text: ")
    assert report(vocabulary=0.8).sentence.startswith("Warning: the corpus may have narrowed: ")
    assert report(vocabulary=1.5).sentence.startswith("Warning: the corpus looks noisy: ")
    assert report(openings=0.07).sentence.startswith("Warning: the corpus may repeat itself: ")
    assert report(js=0.2, openings=0.5).sentence.startswith("Stop: the corpus has narrowed: ")


def test_more_than_three_are_counted() -> None:
    result = report(vocabulary=0.5, effective_clusters=0.5, tail_mass=0.5, js=0.2, rare_words=0.1)
    assert result.sentence == (
        "Stop: the corpus has narrowed: it has 50% of human text's different words, its topics are "
        "50% as varied as human text's, it has 50% of human text's rare documents and 2 more "
        "figures are off."
    )
    assert len(result.reasons) == 5


def test_a_warning_goes_on_and_says_where_to_look() -> None:
    result = report(vocabulary=1.5, effective_clusters=0.9, tail_mass=1.0, js=None, vendi=0.5)
    assert result.outcome == "warn"
    assert result.sentence == (
        "Warning: the corpus may have narrowed: its topics are 90% as varied as human text's and "
        "it has 150% of human text's different words (1 of 4 gates "
        "pass, 2 warn, 1 had too little to judge)."
    )
    assert len(result.reasons) == 2


def test_all_gates_pass() -> None:
    result = report(vocabulary=1.0, effective_clusters=0.99, js=0.001, vendi=0.9)
    assert result.outcome == "go"
    assert result.sentence == "Go: as diverse as human text, 3 of 3 gates pass."
    assert result.reasons == []
    result = report(vocabulary=1.0, effective_clusters=None)
    assert result.sentence == (
        "Go: as diverse as human text, 1 of 2 gates pass, 1 had too little to judge."
    )


def test_the_counts_of_a_verdict_add_up_to_all_gates() -> None:
    doubts = {"audit_js": "the embedder knows 12% of the words"}
    gates = Gates()
    figures = {"vocabulary": 1.0, "effective_clusters": 0.9, "tail_mass": 1.0, "audit_js": 0.0}
    measures = judged([make_measure(name, value) for name, value in figures.items()], gates, doubts)
    sentence = verdict(measures, [], gates).sentence
    everything = sum(getattr(gates, name, None) is not None for name in MEASURES)
    assert f"(2 of {everything} gates pass, 1 warns, " in sentence
    counts = [int(n) for n in re.findall(r"(\d+) (?:warn|had too|can't be)", sentence)]
    assert 2 + sum(counts) == everything


def test_the_second_set_of_topics_is_named_once() -> None:
    both = {"audit_effective_clusters": 0.85, "audit_js": 0.04}
    words = "by a second set of topics it is 85% as varied as human text and in other proportions"
    result = report(vocabulary=0.9, **both)
    assert words in result.sentence
    assert result.sentence.count("second set") == 1
    assert (
        "by a second set of topics its proportions"
        in report(audit_js=0.04, vocabulary=0.9).sentence
    )


def test_what_most_gates_could_not_look_at_is_not_judged() -> None:
    result = report(vocabulary=None, js=None, vendi=0.3)
    assert (result.outcome, result.reasons) == ("done", [])
    small = "had enough text to judge; the corpus or the reference is too small."
    assert result.sentence == f"Done, not judged: only 0 of 2 gates {small}"
    result = report(vocabulary=1.0, js=None, tail_mass=None)
    assert (result.outcome, result.reasons) == ("done", [])
    assert result.sentence == f"Done, not judged: only 1 of 3 gates {small}"
    # Half of the gates are enough.
    assert report(vocabulary=1.0, js=None).outcome == "go"
    assert report(vocabulary=1.0, js=0.0, tail_mass=None, rare_words=None).outcome == "go"


def test_a_gate_whose_measure_is_not_there_has_judged_nothing() -> None:
    result = verdict(judged([make_measure("vocabulary", 1.0)], Gates()), [], Gates())
    assert result.outcome == "done"
    assert result.sentence.startswith("Done, not judged: ")


def test_without_documents_or_gates_nothing_is_judged_and_it_is_said_why() -> None:
    result = report(vocabulary=None, js=None, n=0)
    assert (result.outcome, result.sentence) == (
        "done",
        "Done, not judged: no document is left that is new to the reference and not meant to "
        "converge.",
    )
    for too_few in ("pass", "stop"):
        result = report(vendi=0.3, too_few=too_few)
        assert (result.outcome, result.reasons) == ("done", [])
        assert result.sentence == "Done, not judged: there are no gates."


def test_gates_may_let_nothing_pass_that_they_could_not_look_at() -> None:
    for n, why in ((60, "only 0 of 2 gates had enough text to judge"), (0, "no document is left")):
        result = report(vocabulary=None, js=None, n=n, too_few="stop")
        assert result.outcome == "stop"
        assert result.sentence.startswith(f"Stop: {why}")
        assert result.reasons == ["stop: too little to judge, which these gates don't let pass"]
    # What could be looked at and is in order changes nothing of that; nor does what only warns.
    few = {"js": None, "rare_words": None}
    assert report(vocabulary=1.0, **few, too_few="stop").outcome == "stop"
    result = report(vocabulary=0.8, **few, too_few="stop")
    assert (result.outcome, len(result.reasons)) == ("stop", 2)
    assert report(vocabulary=0.8, **few).outcome == "warn"
    assert report(vocabulary=1.0, js=None, too_few="stop").outcome == "go"


def test_too_little_to_judge_hides_no_stop() -> None:
    for too_few in ("pass", "stop"):
        result = report(near_duplicates=0.9, js=None, vocabulary=None, too_few=too_few)
        assert result.outcome == "stop"
        assert result.sentence.startswith("Stop: the corpus repeats itself: 92.0% of its documents")


@given(
    st.fixed_dictionaries(
        dict.fromkeys(
            sorted({*RATIOS, *EXCESSES} - {"off_support"}),
            st.sampled_from([None, 0.0, 0.5, 0.88, 1.0]),
        )
    ),
    st.sampled_from(["pass", "stop"]),
)
def test_go_is_said_only_of_what_was_looked_at(
    against: dict[str, float | None], too_few: str
) -> None:
    result = report(**against, too_few=too_few)
    known = sum(x is not None for x in against.values())
    sighted = known >= len(against) - known
    outcomes = {
        outcome(make_measure(name, x, 0.001), Gates())
        for name, x in against.items()
        if x is not None
    }
    if "stop" in outcomes or (too_few == "stop" and not sighted):
        expected = "stop"
    elif outcomes & {"warn", "noise"}:
        expected = "warn"
    else:
        expected = "go" if sighted else "done"
    assert result.outcome == expected


@given(
    st.fixed_dictionaries(
        dict.fromkeys([*RATIOS, *EXCESSES], st.sampled_from([None, 0.0, 0.3, 0.88, 1.0, 1.3]))
    ),
    st.sampled_from(["pass", "stop"]),
    st.none() | st.builds(CollapsedPrompts, prompts=st.just(100), collapsed=st.integers(0, 100)),
)
def test_the_sentence_begins_with_what_the_badge_says(
    against: dict[str, float | None], too_few: str, prompts: CollapsedPrompts | None
) -> None:
    result = report(**against, too_few=too_few, prompts=prompts)
    word = result.sentence.split(",")[0].split(":")[0]
    assert word == {"stop": "Stop", "warn": "Warning", "go": "Go", "done": "Done"}[result.outcome]


def test_judging_changes_the_outcome_alone() -> None:
    measures = [
        make_measure("vocabulary", 0.5),
        make_measure("vendi", 0.5),
        make_measure("js", None, None),
    ]
    result = judged(measures, Gates())
    assert [measure.outcome for measure in result] == ["stop", "shown", "too few"]
    same = [measure.model_copy(update={"outcome": "shown"}) for measure in result]
    assert same == measures
    assert judged(result, Gates()) == result


# Figures that mean nothing.

GATED = st.sampled_from([*RATIOS, *EXCESSES])


def judged_by_name(measures: Sequence[Measure], **more: Any) -> dict[str, Measure]:
    return {measure.name: measure for measure in judged(measures, Gates(), **more)}


@given(st.floats(0.0, 1.0), AGAINST, st.floats(0, 0.05))
def test_words_that_hardly_come_twice_judge_nothing(
    different: float, against: float, error: float
) -> None:
    words = ["vocabulary", "distinct_3", "rare_words", "self_repetition", "openings"]
    measures = [make_measure(name, against, error, human=0.5) for name in words[1:]]
    measures += [make_measure("vocabulary", against, error, human=different * 8192)]
    measures += [make_measure("effective_clusters", against, error)]
    result = judged_by_name(measures)
    for name in words:
        if different >= DIFFERENT:
            assert result[name].outcome == "too few"
            assert "of the human text's words are different ones" in (result[name].unjudged or "")
        else:
            assert "words are different" not in (result[name].unjudged or "")
    assert "words are different" not in (result["effective_clusters"].unjudged or "")


@given(GATED, AGAINST, ERRORS, st.floats(0.0, 1.0))
def test_a_figure_passes_only_where_a_loss_at_the_limit_would_have_shown(
    name: str, against: float, error: float, human: float
) -> None:
    limits = getattr(Gates(), name)
    measure = make_measure(name, against, error, human=human)
    (result,) = judged([measure], Gates())
    assert (result.outcome == "too few") == (result.unjudged is not None)
    lost = limits.stop if isinstance(limits, Least) else -limits.stop
    equal = 1 if isinstance(limits, Least) else 0
    if result.outcome == "go":
        assert STOP_Z * error <= abs(equal - abs(lost)) + TINY
        # What is lost twice as much is told from human text.
        further = 2 * abs(lost) - equal if isinstance(limits, Least) else 2 * limits.stop
        beyond = further - 1e-6 if isinstance(limits, Least) else further + 1e-6
        assert outcome(make_measure(name, beyond, error, human=human), Gates()) == "stop"
    if result.outcome in ("stop", "warn", "noise"):
        assert result.outcome == outcome(measure, Gates())


@given(st.sampled_from(EXCESSES), AGAINST, st.floats(0, 0.01), st.floats(0.0, 1.0))
def test_an_excess_that_can_not_reach_its_limit_judges_nothing(
    name: str, against: float, error: float, human: float
) -> None:
    top = 0.69 if MEASURES[name].unit == "nats" else 1.0
    (result,) = judged([make_measure(name, against, error, human=human)], Gates())
    if human + getattr(Gates(), name).stop >= top:
        assert result.outcome == "too few"
        assert "no corpus can have much more" in (result.unjudged or "")
    else:
        assert "no corpus can have" not in (result.unjudged or "")


def test_why_a_figure_says_nothing_stands_in_the_reasons() -> None:
    gates = Gates()
    measures = judged(
        [
            make_measure("tail_coverage", 0.95, 0.2),
            make_measure("vocabulary", 1.0, 0.01, human=8100),
            make_measure("near_duplicates", 0.0, 0.001, human=0.97),
            make_measure("js", 0.0, 0.001),
        ],
        gates,
    )
    result = verdict(measures, [], gates)
    assert result.outcome == "done"
    assert result.reasons == [
        "too little to judge: rare clusters held: chance alone moves it by ± 52%, more than the "
        "limit",
        "too little to judge: vocabulary: 99% of the human text's words are different ones",
        "too little to judge: near duplicates: human text has 97.0%, so no corpus can have much "
        "more",
    ]


def test_what_human_text_has_none_of_is_not_judged_and_it_is_said_why() -> None:
    empty = make_measure("rare_words", None, None, human=0.0, value=0.0)
    (result,) = judged([empty], Gates())
    assert result.outcome == "too few"
    assert result.unjudged == "human text has none of what this measure counts, in 8,192 words"


def test_a_sure_stop_stays_one_however_wide_its_interval_is() -> None:
    """Stop a small corpus, too, if most of its diversity is gone."""
    (result,) = judged([make_measure("effective_clusters", 0.3, 0.1)], Gates())
    assert (result.outcome, result.unjudged) == ("stop", None)
    (result,) = judged([make_measure("effective_clusters", 0.97, 0.1)], Gates())
    assert result.outcome == "too few"


def test_what_is_known_from_elsewhere_is_not_judged() -> None:
    measures = [make_measure("effective_clusters", 0.1), make_measure("vocabulary", 1.0)]
    result = judged_by_name(
        measures, doubts={"effective_clusters": "the embedder knows 12% of the words"}
    )
    assert result["effective_clusters"].outcome == "not judged"
    assert result["effective_clusters"].unjudged == "the embedder knows 12% of the words"
    assert result["vocabulary"].outcome == "go"


# The reference of another kind.


def unlike(share: float, **against: float) -> Any:
    values = {"off_support": share, "vocabulary": 2.3, "effective_clusters": 0.6, **against}
    measures = judged([make_measure(name, x, 0.004) for name, x in values.items()], Gates())
    return measures, verdict(measures, [], Gates())


def test_the_wrong_reference_is_said_first() -> None:
    measures, result = unlike(0.89)
    assert result.outcome == "stop"
    assert result.sentence == (
        "Stop: 91% of the documents are unlike the reference: another domain, language or form. "
        "Compare with a reference of the same kind before reading the rest."
    )
    assert [measure.outcome for measure in measures] == ["stop", "shown", "shown"]
    assert not any("noise" in reason or "clusters" in reason for reason in result.reasons)
    assert result.reasons[-1].startswith("not judged: the other gates")


def test_a_corpus_that_repeats_itself_stops_on_any_reference() -> None:
    _, result = unlike(0.89, near_duplicates=0.8)
    assert result.outcome == "stop"
    assert result.sentence.startswith("Stop: 91% of the documents are unlike the reference")
    assert "The corpus repeats itself: 82.0% of its documents repeat another one" in result.sentence


@given(st.floats(0.0, 1.0))
def test_most_of_a_corpus_has_to_be_unlike_the_reference(share: float) -> None:
    measures, result = unlike(share)
    wrong = share - STOP_Z * 0.004 > 0.5
    assert result.sentence.startswith("Stop:")
    assert ("unlike the reference: another domain" in result.sentence) == wrong
    assert (measures[1].outcome == "noise") == (not wrong)


def test_what_the_embedder_can_not_read_is_not_called_unlike_the_reference() -> None:
    measures = [make_measure("off_support", 0.9, 0.004), make_measure("vocabulary", 0.5, 0.004)]
    result = judged(measures, Gates(), {"off_support": "the embedder knows 12% of the words"})
    assert [measure.outcome for measure in result] == ["not judged", "stop"]
    sentence = verdict(result, [], Gates()).sentence
    assert sentence.startswith("Stop: the corpus has narrowed")


def test_who_insists_is_judged_on_the_wrong_reference() -> None:
    gates = Gates(off_support=None)
    measures = judged(
        [make_measure("off_support", 0.9, 0.004), make_measure("vocabulary", 2.3, 0.004)], gates
    )
    assert [measure.outcome for measure in measures] == ["shown", "noise"]
    assert "unlike" not in verdict(measures, [], gates).sentence


# Collapsed prompts.


@pytest.mark.parametrize(
    ("against", "collapsed", "outcome", "start", "end"),
    [
        (
            1.0,
            1068,
            "warn",
            "Warning: 1,068 of 1,319 prompts have collapsed; else as",
            "gates pass.",
        ),
        (1.0, 3, "go", "Go: ", "1 of 1 gates pass."),
        (1.0, 0, "go", "Go: ", "1 of 1 gates pass."),
        (0.8, 1068, "warn", "Warning: ", "1,068 of 1,319 prompts have collapsed."),
        (0.5, 1068, "stop", "Stop: ", "1,068 of 1,319 prompts have collapsed."),
        (None, 1068, "done", "Done, ", "1,068 of 1,319 prompts have collapsed."),
    ],
)
def test_collapsed_prompts_stand_in_the_verdict(
    against: float | None, collapsed: int, outcome: str, start: str, end: str
) -> None:
    result = report(vocabulary=against, prompts=CollapsedPrompts(1319, collapsed))
    assert result.outcome == outcome
    assert result.sentence.startswith(start)
    assert result.sentence.endswith(end)
    noticed = [reason for reason in result.reasons if "prompts have collapsed" in reason]
    assert len(noticed) == (collapsed > 0)


def test_where_answers_are_meant_to_agree_collapsed_prompts_are_only_noticed() -> None:
    result = report(vocabulary=1.0, prompts=CollapsedPrompts(60, 60, judged=False))
    assert (result.outcome, result.sentence.count("prompts")) == ("go", 0)
    assert result.reasons == [
        "noticed: 60 of 60 prompts have collapsed: two answers to such a prompt are mostly the same"
    ]


# Texts that the embedder can't read.


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
    gates = Gates(too_few="stop")
    fine = [make_measure(name, 1.0 if MEASURES[name].kind == "ratio" else 0.0) for name in MEASURES]
    figures = judged(fine, gates, unread(known))
    doubted = {figure.name for figure in figures if figure.outcome == "not judged"}
    assert doubted == {name for name in BY_CLUSTERS if getattr(gates, name, None)} | {"off_support"}
    assert [figure.against for figure in figures] == [figure.against for figure in fine]
    result = verdict(figures, [], gates)
    assert result.outcome == "go"
    sentence = f"Clusters of embeddings are not judged: the embedder knows {share} of the words."
    assert result.sentence.endswith(sentence)
    broken = [
        make_measure(name, 0.1 if MEASURES[name].kind == "ratio" else 1.0) for name in MEASURES
    ]
    figures = judged(broken, gates, unread(known))
    stops = {figure.name for figure in figures if figure.outcome == "stop"}
    words = {"vocabulary", "distinct_3", "rare_words", "near_duplicates"}
    seen = {"audit_effective_clusters", "audit_js"}  # made of words, without the embedder
    assert stops == words | seen | {"self_repetition", "openings"}
    assert verdict(figures, [], gates).sentence.endswith(sentence)


def test_a_corpus_in_another_language_than_the_reference_is_said_first() -> None:
    for corpus, reference, shares in (
        (Known(1000, 0), Known(1000, 940), "0% of its words and 94%"),
        (Known(1000, 940), Known(1000, 0), "94% of its words and 0%"),
    ):
        measures = [make_measure(name, 30.0) for name in MEASURES]
        doubts = unread([corpus, reference])
        result = judged(measures, Gates(), doubts, foreign(corpus, reference))
        assert {m.outcome for m in result if m.name in ("vocabulary", "rare_words")} == {"shown"}
        judged_by_name = verdict(result, [], Gates())
        assert judged_by_name.outcome == "stop"
        assert judged_by_name.sentence.startswith(
            "Stop: the corpus is in another language than the "
        )
        assert f"the embedder knows {shares} of the reference's" in judged_by_name.sentence
        assert not any(
            "noise" in reason or "clusters" in reason for reason in judged_by_name.reasons
        )
    for known in (Known(1000, 0), Known(1000, 940), Known(10, 0)):
        assert foreign(known, known) is None
    assert foreign(Known(10, 0), Known(1000, 940)) is None


def test_clusters_of_texts_that_can_be_read_are_judged_as_ever() -> None:
    for known in ([], [Known(1000, 900), Known(0, 0)], [Known(10, 0)]):
        assert unread(known) == {}


def test_a_finding_keeps_a_corpus_from_passing_and_hides_no_stop() -> None:
    passing = [make_measure(name, 1.0) for name in RATIOS]
    passed = verdict(judged(passing, Gates()), [], Gates())
    assert passed.outcome == "go"
    assert with_findings(passed, []) == passed
    warned = with_findings(passed, ["one document is most of it"])
    assert warned.outcome == "warn"
    assert warned.sentence.startswith("Warning: one document is most of it; else as diverse as")
    assert warned.reasons[-1] == "warning: one document is most of it"
    stopped = verdict(judged([make_measure("vocabulary", 0.1)], Gates()), [], Gates())
    still = with_findings(stopped, ["one document is most of it"])
    assert (still.outcome, still.sentence) == ("stop", stopped.sentence)
    assert still.reasons[-1] == "warning: one document is most of it"

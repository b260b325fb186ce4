"""The verdict: which figures stop a loop, which warn, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from schemas.gates import Gates, Least, Most
from schemas.measures import BY_CLUSTERS, MEASURES
from schemas.report import Measure, Verdict
from transforms.known import Known

STOP_Z = 2.58
"""A stop wants to be sure: chance alone passes it once in two hundred times."""
WARN_Z = 1.96
_NOISE = ("vocabulary", "distinct_3", "rare_words")


def judged(measures: Sequence[Measure], gates: Gates) -> list[Measure]:
    """The measures with what the gates say of them."""
    return [found.model_copy(update={"outcome": outcome(found, gates)}) for found in measures]


def outcome(found: Measure, gates: Gates) -> str:
    """What the gates say of a measure.

    A stop is beyond its limit by more than chance explains; a warning is beyond its limit, and
    further from human text than chance explains.
    """
    limits: Least | Most | None = getattr(gates, found.name, None)
    if limits is None:
        return found.outcome
    if found.against is None or found.error is None:
        return "too few"
    against, stop, warn = found.against, STOP_Z * found.error, WARN_Z * found.error
    if isinstance(limits, Most):
        if against - stop > limits.stop:
            return "stop"
        return "warn" if against > limits.warn and against - warn > 0 else "go"
    if against + stop < limits.stop:
        return "stop"
    if against < limits.warn and against + warn < 1:
        return "warn"
    if found.name in _NOISE and gates.noise is not None and against - warn > gates.noise:
        return "noise"
    return "go"


def unread(
    measures: Sequence[Measure], gates: Gates, known: Sequence[Known]
) -> tuple[list[Measure], Gates, str]:
    """Take the figures by clusters out of the verdict where the embedder can't read the texts.

    Args:
        measures: not judged yet.
        gates: to judge them by.
        known: of the corpus and of its reference.

    Returns:
        The measures, those by clusters marked; the gates without theirs; and a sentence for the
        verdict. All as they were and no sentence where the embedder knows enough of the words.
    """
    shares = [part.share for part in known if part.share is not None and not part.enough]
    if not shares:
        return list(measures), gates, ""
    marked = [
        measure.model_copy(update={"outcome": "not judged"})
        if measure.name in BY_CLUSTERS
        else measure
        for measure in measures
    ]
    without = {name: None for name in BY_CLUSTERS if name in Gates.model_fields}
    sentence = f"Clusters are not judged: the embedder knows {min(shares):.0%} of the words."
    return marked, gates.model_copy(update=without), sentence


def verdict(
    measures: Sequence[Measure], warnings: Sequence[str], gates: Gates, remark: str = ""
) -> Verdict:
    """The verdict of judged measures.

    Args:
        measures: from `judged`.
        warnings: what else was noticed.
        gates: that they were judged by.
        remark: a sentence for the end, on what was not judged; from `unread`.
    """
    by = {
        what: [found for found in measures if found.outcome == what]
        for what in ("stop", "warn", "noise", "go")
    }
    reasons = [reason(found) for what in ("stop", "warn", "noise") for found in by[what]]
    doubtful = [*by["warn"], *by["noise"]]
    judged_ones = len(by["go"]) + len(by["stop"]) + len(doubtful)
    unjudged = sum(getattr(gates, name, None) is not None for name in MEASURES) - judged_ones
    blind = unjudged > judged_ones or judged_ones == 0
    passed = f"{len(by['go'])} of {judged_ones} gates pass"
    if unjudged:
        passed += f", {unjudged} had too little to judge"
    few = [found.n for found in measures if found.outcome == "too few" and found.n]
    outcome: Literal["done", "go", "warn", "stop"]
    if by["stop"]:
        outcome, sentence = "stop", f"Stop: {_named(by['stop'])}."
    elif blind and gates.too_few == "stop" and unjudged:
        outcome = "stop"
        sentence = f"Stop: {_too_little(judged_ones, unjudged, bool(few))}"
        reasons.append("stop: too little to judge, which these gates don't let pass")
    elif doubtful:
        outcome, sentence = "warn", f"Go, but look: {_named(doubtful)} ({passed})."
    elif blind:
        outcome, sentence = "done", f"Not judged: {_too_little(judged_ones, unjudged, bool(few))}"
    else:
        outcome, sentence = "go", f"Go: as diverse as human text, {passed}."
    sentence = f"{sentence} {remark}".rstrip()
    return Verdict(outcome=outcome, sentence=sentence, reasons=reasons, warnings=list(warnings))


def _too_little(judged_ones: int, unjudged: int, few: bool) -> str:
    """Why most gates say nothing."""
    if not unjudged:
        return "there are no gates."
    if not few:
        return "no document is left that is new to the yardstick and not meant to converge."
    return (
        f"only {judged_ones} of {judged_ones + unjudged} gates could be looked at; the corpus or "
        "the yardstick is too small."
    )


def _named(measures: Sequence[Measure]) -> str:
    shown = [_short(found) for found in measures[:3]]
    if len(measures) > 3:
        shown.append(f"{len(measures) - 3} more")
    return ", ".join(shown[:-1]) + (" and " if len(shown) > 1 else "") + shown[-1]


def _short(found: Measure) -> str:
    info = MEASURES[found.name]
    assert found.against is not None
    if info.kind == "ratio":
        return f"{info.title} at {found.against:.0%} of human text's"
    if info.form.endswith("%"):
        return f"{info.title} {100 * found.against:.1f} points beyond human text's"
    return f"{info.title} {found.against:{info.form}} {info.unit}".rstrip() + " beyond human text's"


def reason(found: Measure) -> str:
    """What a gate says of a measure, with its numbers."""
    info = MEASURES[found.name]
    per = "words" if info.per == "tokens" else "documents"
    what = {"stop": "stop", "warn": "warning", "noise": "noise rather than diversity"}
    return (
        f"{what.get(found.outcome, found.outcome)}: {_short(found)} "
        f"({_value(found.value, info.form, info.unit)} against "
        f"{_value(found.human, info.form, info.unit)} in {found.n:,} {per})"
    )


def _value(value: float | None, form: str, unit: str) -> str:
    return "–" if value is None else f"{value:{form}} {unit}".rstrip()

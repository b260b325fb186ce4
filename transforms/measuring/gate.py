"""The verdict: which figures stop a loop, which warn, and which say nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from outcross.schemas.figures import Measure
from outcross.schemas.gates import Gates, Least, Most
from outcross.schemas.measures import BY_CLUSTERS, LEXICAL, MEASURES
from outcross.schemas.report import Verdict
from outcross.transforms.measuring.wording import (
    CollapsedPrompts,
    interval,
    narrowed,
    per,
    reason,
    unjudged,
    unlike,
)
from outcross.transforms.text.known import Known

STOP_Z = 2.58
"""A stop wants to be sure: chance alone passes it once in two hundred times."""
WARN_Z = 1.96
DIFFERENT = 0.9
"""Share of different words among human text's from which words are no units that could repeat."""
MANY_COLLAPSED = 0.05
"""Share of collapsed prompts that a verdict warns of."""
_NOISE = ("vocabulary", "distinct_3", "rare_words")
_OF_WORDS = (*LEXICAL, "openings")
_ANYWHERE = ("off_support", "near_duplicates")
"""Measures that mean the same on a reference of another kind."""
_HIGHEST = {"js": 0.69, "audit_js": 0.69}
"""Of a divergence, the logarithm of 2, rounded down; no share is above 1."""


def judged(
    measures: Sequence[Measure],
    gates: Gates,
    doubts: Mapping[str, str] | None = None,
    foreign: str | None = None,
) -> list[Measure]:
    """Return the measures with what the gates say of them.

    Where most of a corpus is unlike the reference, only what means the same on any reference is
    judged; the other measures are shown.

    Args:
        measures: of a corpus.
        gates: the limits.
        doubts: by measure, why its gate can't judge, where that is known from elsewhere.
        foreign: why the corpus is in another language than the reference; from `foreign`.
    """
    vocabulary = next((m for m in measures if m.name == "vocabulary"), None)
    out = []
    for measure in measures:
        limits: Least | Most | None = getattr(gates, measure.name, None)
        if limits is None:
            out.append(measure)
            continue
        said = outcome(measure, gates)
        if foreign is not None and measure.name == "off_support":
            out.append(measure.model_copy(update={"outcome": "stop", "unjudged": foreign}))
            continue
        if doubts and measure.name in doubts:
            doubted = {"outcome": "not judged", "unjudged": doubts[measure.name]}
            out.append(measure.model_copy(update=doubted))
            continue
        why = doubt(measure, limits, vocabulary)
        if why is None and said == "go":
            why = too_wide(measure, limits)
        update = {"outcome": said if why is None else "too few", "unjudged": why}
        out.append(measure.model_copy(update=update))
    if not is_unlike(out):
        return out
    shown = {"outcome": "shown", "unjudged": None}
    return [
        measure
        if measure.name in _ANYWHERE or getattr(gates, measure.name, None) is None
        else measure.model_copy(update=shown)
        for measure in out
    ]


def is_unlike(measures: Sequence[Measure]) -> bool:
    """Return whether most of a corpus is unlike the reference: the wrong one, or no text.

    Args:
        measures: from `judged`.
    """
    return any(m.name == "off_support" and m.outcome == "stop" for m in measures)


def outcome(measure: Measure, gates: Gates) -> str:
    """Return what a gate says of a measure by its limits.

    A stop is beyond its limit by more than chance explains; a warning is beyond its limit, and
    further from human text than chance explains.
    """
    limits: Least | Most | None = getattr(gates, measure.name, None)
    if limits is None:
        return measure.outcome
    if measure.against is None or measure.error is None:
        return "too few"
    against, stop, warn = measure.against, STOP_Z * measure.error, WARN_Z * measure.error
    if isinstance(limits, Most):
        if against - stop > limits.stop:
            return "stop"
        return "warn" if against > limits.warn and against - warn > 0 else "go"
    if against + stop < limits.stop:
        return "stop"
    if against < limits.warn and against + warn < 1:
        return "warn"
    if measure.name in _NOISE and gates.noise is not None and against - warn > gates.noise:
        return "noise"
    return "go"


def doubt(measure: Measure, limits: Least | Most, vocabulary: Measure | None) -> str | None:
    """Return why a figure means nothing, whatever it is; None where it means something.

    Words that hardly ever come twice can't show that a corpus repeats them. And where human text
    has nearly all of what a gate looks for, no corpus is further beyond it than the limit.

    Args:
        measure: with a gate.
        limits: of the gate.
        vocabulary: the measure of different words, of the same corpus.
    """
    if measure.human is None:
        return None
    if measure.against is None:
        return f"human text has none of what it counts in {measure.n:,} {per(measure)}"
    if measure.name in _OF_WORDS and vocabulary is not None and vocabulary.human is not None:
        different = vocabulary.human / max(vocabulary.n, 1)
        if different >= DIFFERENT:
            return f"{different:.0%} of the human text's words are different ones"
    highest = _HIGHEST.get(measure.name, 1.0)
    if isinstance(limits, Most) and measure.human + limits.stop >= highest:
        form = MEASURES[measure.name].form
        return f"human text has {measure.human:{form}}, so no corpus can have much more"
    return None


def too_wide(measure: Measure, limits: Least | Most) -> str | None:
    """Return why a figure that passes says nothing: its interval is wider than the limit.

    A stop is sure whatever the interval, and so is a warning. But where a corpus at the stop limit
    could not be told from human text, passing is no finding.

    Args:
        measure: with `against` and `error`.
        limits: of its gate.
    """
    if measure.error is None:
        return None
    room = limits.stop if isinstance(limits, Most) else 1 - limits.stop
    if STOP_Z * measure.error <= room:
        return None
    return f"chance alone moves it by {interval(measure, STOP_Z)}, more than the limit"


def unread(known: Sequence[Known]) -> dict[str, str]:
    """Return why the gates by clusters can't judge texts that the embedder can't read.

    Args:
        known: words of the corpus and of its reference.

    Returns:
        The doubts of `judged`; none where the embedder knows enough of the words.
    """
    shares = [part.share for part in known if part.share is not None and not part.enough]
    if not shares:
        return {}
    why = f"the embedder knows {min(shares):.0%} of the words"
    return dict.fromkeys((*BY_CLUSTERS, "off_support"), why)


def foreign(corpus: Known, reference: Known) -> str | None:
    """Return why a corpus and its reference are in different languages; None where they may not be.

    The embedder then knows enough words of one of them, and not of the other.
    """
    if corpus.share is None or reference.share is None or corpus.enough == reference.enough:
        return None
    return (
        "the corpus is in another language than the reference: the embedder knows "
        f"{corpus.share:.0%} of its words and {reference.share:.0%} of the reference's"
    )


def verdict(
    measures: Sequence[Measure],
    warnings: Sequence[str],
    gates: Gates,
    prompts: CollapsedPrompts | None = None,
) -> Verdict:
    """Return the verdict of judged measures.

    Args:
        measures: from `judged`.
        warnings: what else was noticed.
        gates: that they were judged by.
        prompts: those that have collapsed, where prompts are known.
    """
    by = {
        what: [measure for measure in measures if measure.outcome == what]
        for what in ("stop", "warn", "noise", "go")
    }
    reasons = [reason(measure) for what in ("stop", "warn", "noise") for measure in by[what]]
    doubtful = [*by["warn"], *by["noise"]]
    seen = len(by["go"]) + len(by["stop"]) + len(doubtful)
    doubted = [measure for measure in measures if measure.outcome == "not judged"]
    unseen = sum(getattr(gates, name, None) is not None for name in MEASURES)
    unseen -= seen + len(doubted)
    blind = unseen > seen or seen == 0
    passed = f"{len(by['go'])} of {seen} gates pass"
    if unseen:
        passed += f", {unseen} had too little to judge"
    documents = max((measure.n for measure in measures if measure.value is None), default=0)
    said: Literal["done", "go", "warn", "stop"]
    if is_unlike(measures):
        said, sentence = "stop", _unlike(by["stop"])
        reasons.append(
            "not judged: the other gates, which compare with human text of the same kind"
        )
    elif by["stop"]:
        said, sentence = "stop", f"Stop: {narrowed(by['stop'], sure=True)}."
    elif blind and gates.too_few == "stop" and unseen:
        said, sentence = "stop", f"Stop: {_too_little(seen, unseen, documents)}"
        reasons.append("stop: too little to judge, which these gates don't let pass")
    elif doubtful:
        said, sentence = "warn", f"Warning: {narrowed(doubtful, sure=False)} ({passed})."
    elif blind:
        said, sentence = "done", f"Done, not judged: {_too_little(seen, unseen, documents)}"
    else:
        said, sentence = "go", f"Go: as diverse as human text, {passed}."
    if doubted and not is_unlike(measures):
        sentence += f" Clusters are not judged: {doubted[0].unjudged}."
    silent = [m for m in measures if m.unjudged is not None and m.outcome != "stop"]
    reasons += [unjudged(measure) for measure in silent]
    result = Verdict(outcome=said, sentence=sentence, reasons=reasons, warnings=list(warnings))
    return result if prompts is None else with_prompts(result, prompts)


def with_prompts(result: Verdict, prompts: CollapsedPrompts) -> Verdict:
    """Return a verdict that names the prompts that have collapsed.

    They never stop a loop, as there may be a right answer. Many of them turn a go into a warning.
    """
    if not prompts.collapsed:
        return result
    many = prompts.judged and prompts.share >= MANY_COLLAPSED
    kind = "warning" if many else "noticed"
    reasons = [*result.reasons, f"{kind}: {prompts}: two answers to one are mostly the same"]
    if many and result.outcome == "go":
        sentence = f"Warning: {prompts}; else {result.sentence.partition(': ')[2]}"
        return result.model_copy(
            update={"outcome": "warn", "sentence": sentence, "reasons": reasons}
        )
    sentence = f"{result.sentence} {prompts}." if many else result.sentence
    return result.model_copy(update={"sentence": sentence, "reasons": reasons})


def with_findings(result: Verdict, findings: Sequence[str]) -> Verdict:
    """Return a verdict that names what keeps a corpus from passing whatever its diversity.

    Args:
        result: of the gates.
        findings: what was found, the most pressing first.
    """
    if not findings:
        return result
    reasons = [*result.reasons, *(f"warning: {finding}" for finding in findings)]
    if result.outcome not in ("go", "done"):
        return result.model_copy(update={"reasons": reasons})
    sentence = f"Warning: {findings[0]}. {result.sentence}"
    if result.outcome == "go":
        sentence = f"Warning: {findings[0]}; else {result.sentence.partition(': ')[2]}"
    return result.model_copy(update={"outcome": "warn", "sentence": sentence, "reasons": reasons})


def _unlike(stops: Sequence[Measure]) -> str:
    """Say first that the reference is the wrong one, then what stops on any reference."""
    (strange,) = (measure for measure in stops if measure.name == "off_support")
    others = [measure for measure in stops if measure.name != "off_support"]
    first = (
        f"Stop: {unlike(strange)}. Compare with a reference of the same kind before reading the "
        "rest."
    )
    if not others:
        return first
    also = narrowed(others, sure=True)
    return f"{first} {also[0].upper()}{also[1:]}."


def _too_little(seen: int, unseen: int, documents: int) -> str:
    """Say why most gates say nothing."""
    if not unseen:
        return "there are no gates."
    if not documents:
        return "no document is left that is new to the reference and not meant to converge."
    return (
        f"only {seen} of {seen + unseen} gates could be looked at; the corpus or the reference is "
        "too small."
    )

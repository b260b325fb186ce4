"""Judge measures by their gates, and make a verdict from the outcomes."""

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
"""Standard errors beyond a limit that make a stop; chance alone exceeds them once in 200 times."""
WARN_Z = 1.96
DIFFERENT = 0.9
"""Share of different words in human text from which measures of words can't judge."""
MANY_COLLAPSED = 0.05
"""Least share of collapsed prompts that turns a go into a warning."""
_NOISE_MEASURES = ("vocabulary", "distinct_3", "rare_words")
"""Measures that noise makes too high."""
_WORD_MEASURES = (*LEXICAL, "openings")
_ANY_REFERENCE = ("off_support", "near_duplicates")
"""Measures that mean the same on any reference."""
_HIGHEST = {"js": 0.69, "audit_js": 0.69}
"""Highest values of divergences: the logarithm of 2, rounded down. Shares are at most 1."""


def judged(
    measures: Sequence[Measure],
    gates: Gates,
    doubts: Mapping[str, str] | None = None,
    foreign: str | None = None,
) -> list[Measure]:
    """Return the measures with the outcomes of their gates.

    Where most of a corpus is unlike the reference, only measures that mean the same on any
    reference are judged; the others are shown.

    Args:
        measures: measures of a corpus.
        gates: limits of the measures.
        doubts: reasons why a gate can't judge, by measure; from `unread`.
        foreign: result of `foreign`: a sentence if the languages differ, else None.
    """
    vocabulary = next((m for m in measures if m.name == "vocabulary"), None)
    out = []
    for measure in measures:
        limits: Least | Most | None = getattr(gates, measure.name, None)
        if limits is None:
            out.append(measure)
            continue
        result = outcome(measure, gates)
        if foreign is not None and measure.name == "off_support":
            out.append(measure.model_copy(update={"outcome": "stop", "unjudged": foreign}))
            continue
        if doubts and measure.name in doubts:
            doubted = {"outcome": "not judged", "unjudged": doubts[measure.name]}
            out.append(measure.model_copy(update=doubted))
            continue
        why = doubt(measure, limits, vocabulary)
        if why is None and result == "go":
            why = too_wide(measure, limits)
        update = {"outcome": result if why is None else "too few", "unjudged": why}
        out.append(measure.model_copy(update=update))
    if not is_unlike(out):
        return out
    shown = {"outcome": "shown", "unjudged": None}
    return [
        measure
        if measure.name in _ANY_REFERENCE or getattr(gates, measure.name, None) is None
        else measure.model_copy(update=shown)
        for measure in out
    ]


def is_unlike(measures: Sequence[Measure]) -> bool:
    """Return whether most of a corpus is unlike the reference.

    The reference is then the wrong one, or the corpus is no text.

    Args:
        measures: measures from `judged`.
    """
    return any(m.name == "off_support" and m.outcome == "stop" for m in measures)


def outcome(measure: Measure, gates: Gates) -> str:
    """Return the outcome of a measure's gate.

    A measure stops if it is beyond the limit `stop` by more than chance explains. It warns if it is
    beyond the limit `warn`, and worse than human text by more than chance explains.
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
    if measure.name in _NOISE_MEASURES and gates.noise is not None and against - warn > gates.noise:
        return "noise"
    return "go"


def doubt(measure: Measure, limits: Least | Most, vocabulary: Measure | None) -> str | None:
    """Return why a measure can't judge a corpus, whatever its value; None if it can.

    If human words hardly ever occur twice, measures of words can't show repetition. If human text
    is near a measure's highest value, no corpus can exceed it by the limit.

    Args:
        measure: a measure with a gate.
        limits: limits of the gate.
        vocabulary: the measure `vocabulary` of the same corpus.
    """
    if measure.human is None:
        return None
    if measure.against is None:
        return f"human text has none of what this measure counts, in {measure.n:,} {per(measure)}"
    by_words = measure.name in _WORD_MEASURES
    if by_words and vocabulary is not None and vocabulary.human is not None:
        different = vocabulary.human / max(vocabulary.n, 1)
        if different >= DIFFERENT:
            return f"{different:.0%} of the human text's words are different ones"
    highest = _HIGHEST.get(measure.name, 1.0)
    if isinstance(limits, Most) and measure.human + limits.stop >= highest:
        form = MEASURES[measure.name].form
        return f"human text has {measure.human:{form}}, so no corpus can have much more"
    return None


def too_wide(measure: Measure, limits: Least | Most) -> str | None:
    """Return why a passed gate proves nothing, if the interval is wider than the limit; else None.

    A stop or a warning is certain with any interval. A pass is not, if chance could make a corpus
    at the stop limit look like human text.

    Args:
        measure: a measure with `against` and `error`.
        limits: limits of its gate.
    """
    if measure.error is None:
        return None
    room = limits.stop if isinstance(limits, Most) else 1 - limits.stop
    if STOP_Z * measure.error <= room:
        return None
    return f"chance alone moves it by {interval(measure, STOP_Z)}, more than the limit"


def unread(known: Sequence[Known]) -> dict[str, str]:
    """Return why gates by clusters can't judge, if the embedder knows too few of the words.

    Args:
        known: known words of the corpus and of its reference.

    Returns:
        The `doubts` of `judged`, by measure; empty where the embedder knows enough words.
    """
    shares = [part.share for part in known if part.share is not None and not part.enough]
    if not shares:
        return {}
    why = f"the embedder knows {min(shares):.0%} of the words"
    return dict.fromkeys((*BY_CLUSTERS, "off_support"), why)


def foreign(corpus: Known, reference: Known) -> str | None:
    """Return a sentence if a corpus and its reference are in different languages, else None.

    They are if the embedder knows enough words of one of them, but not of the other.
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
        measures: measures from `judged`.
        warnings: warnings of the run.
        gates: gates that judged them.
        prompts: collapsed prompts, where prompts are known.
    """
    by = {
        result: [measure for measure in measures if measure.outcome == result]
        for result in ("stop", "warn", "noise", "go")
    }
    reasons = [reason(measure) for result in ("stop", "warn", "noise") for measure in by[result]]
    doubtful = [*by["warn"], *by["noise"]]
    seen = len(by["go"]) + len(by["stop"]) + len(doubtful)
    doubted = [measure for measure in measures if measure.outcome == "not judged"]
    unseen = sum(getattr(gates, name, None) is not None for name in MEASURES)
    unseen -= seen + len(doubted)
    blind = unseen > seen or seen == 0
    passed = _counts(len(by["go"]), len(by["stop"]), len(doubtful), unseen, len(doubted))
    documents = max((measure.n for measure in measures if measure.value is None), default=0)
    overall: Literal["done", "go", "warn", "stop"]
    if is_unlike(measures):
        overall, sentence = "stop", _unlike(by["stop"])
        reasons.append(
            "not judged: the other gates, which compare with human text of the same kind"
        )
    elif by["stop"]:
        overall, sentence = "stop", f"Stop: {narrowed(by['stop'], sure=True)}."
    elif blind and gates.too_few == "stop" and unseen:
        overall, sentence = "stop", f"Stop: {_too_little(seen, unseen, documents)}"
        reasons.append("stop: too little to judge, which these gates don't let pass")
    elif doubtful:
        overall, sentence = "warn", f"Warning: {narrowed(doubtful, sure=False)} ({passed})."
    elif blind:
        overall, sentence = "done", f"Done, not judged: {_too_little(seen, unseen, documents)}"
    else:
        overall, sentence = "go", f"Go: as diverse as human text, {passed}."
    if doubted and not is_unlike(measures):
        sentence += f" Clusters of embeddings are not judged: {doubted[0].unjudged}."
    silent = [m for m in measures if m.unjudged is not None and m.outcome != "stop"]
    reasons += [unjudged(measure) for measure in silent]
    result = Verdict(outcome=overall, sentence=sentence, reasons=reasons, warnings=list(warnings))
    return result if prompts is None else with_prompts(result, prompts)


def with_prompts(result: Verdict, prompts: CollapsedPrompts) -> Verdict:
    """Return a verdict that names the collapsed prompts.

    Collapsed prompts never stop a loop, as a prompt may have one right answer. Many of them turn a
    go into a warning.
    """
    if not prompts.collapsed:
        return result
    many = prompts.judged and prompts.share >= MANY_COLLAPSED
    label = "warning" if many else "noticed"
    sense = "two answers to such a prompt are mostly the same"
    reasons = [*result.reasons, f"{label}: {prompts}: {sense}"]
    if many and result.outcome == "go":
        sentence = f"Warning: {prompts}; else {result.sentence.partition(': ')[2]}"
        return result.model_copy(
            update={"outcome": "warn", "sentence": sentence, "reasons": reasons}
        )
    sentence = f"{result.sentence} {prompts}." if many else result.sentence
    return result.model_copy(update={"sentence": sentence, "reasons": reasons})


def with_findings(result: Verdict, findings: Sequence[str]) -> Verdict:
    """Return a verdict with findings that keep a corpus from passing, however diverse it is.

    Args:
        result: verdict of the gates.
        findings: sentences on the corpus, the most pressing first.
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
    """Write the sentence for a wrong reference, then add the other measures that stop."""
    (strange,) = (measure for measure in stops if measure.name == "off_support")
    further = [measure for measure in stops if measure.name != "off_support"]
    first = (
        f"Stop: {unlike(strange)}. Compare with a reference of the same kind before reading the "
        "rest."
    )
    if not further:
        return first
    second = narrowed(further, sure=True)
    return f"{first} {second[0].upper()}{second[1:]}."


def _counts(passing: int, stopping: int, warning: int, unseen: int, doubted: int) -> str:
    """Count the gates by outcome; the counts add up to all gates."""
    total = passing + stopping + warning + unseen + doubted
    rest = {
        "stop": stopping,
        "warns" if warning == 1 else "warn": warning,
        "had too little to judge": unseen,
        "can't be judged": doubted,
    }
    named = [f"{count} {outcome}" for outcome, count in rest.items() if count]
    return ", ".join([f"{passing} of {total} gates pass", *named])


def _too_little(seen: int, unseen: int, documents: int) -> str:
    """Say why most gates can't judge."""
    if not unseen:
        return "there are no gates."
    if not documents:
        return "no document is left that is new to the reference and not meant to converge."
    return (
        f"only {seen} of {seen + unseen} gates had enough text to judge; the corpus or the "
        "reference is too small."
    )

"""Wording of a verdict: a headline in a trainer's words, and a reason for each gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outcross.schemas.figures import OUTCOMES, Measure
from outcross.schemas.measures import CONFIDENCE, MEASURES

REPEATS = frozenset({"near_duplicates", "self_repetition", "openings"})
"""Measures of repetition."""
MIX = frozenset({"js", "audit_js", "off_support"})
"""Measures of a corpus's subjects, which don't depend on repetition."""

_NAMED = 3  # clauses of a headline
_SECOND = ("audit_effective_clusters", "audit_js")
"""Measures of the second codebook, which a headline names in one clause."""


@dataclass(frozen=True)
class CollapsedPrompts:
    """Prompts that get nearly the same answer each time.

    Attributes:
        prompts: number of prompts that were judged.
        collapsed: number of collapsed prompts among them.
        judged: whether a collapse is a loss; it is none in a domain that is meant to converge.
    """

    prompts: int
    collapsed: int
    judged: bool = True

    @property
    def share(self) -> float:
        """Compute the share of collapsed prompts."""
        return self.collapsed / self.prompts if self.prompts else 0.0

    def __str__(self) -> str:
        return f"{self.collapsed:,} of {self.prompts:,} prompts have collapsed"


def unlike(measure: Measure) -> str:
    """Say that a corpus is unlike its reference.

    Args:
        measure: the measure `off_support`, with a value or a reason.
    """
    if measure.unjudged is not None:
        return measure.unjudged
    assert measure.value is not None
    return (
        f"{measure.value:.0%} of the documents are unlike the reference: another domain, language "
        "or form"
    )


def narrowed(measures: Sequence[Measure], sure: bool) -> str:
    """Describe a corpus by its measures that are off.

    Args:
        measures: at least one measure, the worst first.
        sure: whether gates stop for them.
    """
    names = {measure.name for measure in measures}
    noisy = all(measure.outcome == "noise" for measure in measures)
    if noisy:
        lead = "looks noisy"
    elif names <= REPEATS:
        lead = "repeats itself" if sure else "may repeat itself"
    elif names <= MIX:
        lead = "differs from human text" if sure else "may differ from human text"
    else:
        lead = "has narrowed" if sure else "may have narrowed"
    return f"the corpus {lead}: {_listed(measures)}"


def clause(measure: Measure) -> str:
    """Describe a measure that is off, as a clause about the corpus."""
    info = MEASURES[measure.name]
    values = {"value": measure.value, "human": measure.human, "against": measure.against}
    return info.clause.format(**values)


def _listed(measures: Sequence[Measure]) -> str:
    """List the clauses of the first measures, and count the other measures."""
    second = [measure for measure in measures if measure.name in _SECOND]
    groups = [[m] for m in measures if m not in second[1:]]
    if len(second) == len(_SECOND):
        groups[groups.index(second[:1])] = second
    shown = [_together(group) for group in groups[:_NAMED]]
    if len(groups) > _NAMED:
        more = sum(map(len, groups[_NAMED:]))
        shown.append(f"{more} more {'figure is' if more == 1 else 'figures are'} off")
    return ", ".join(shown[:-1]) + (" and " if len(shown) > 1 else "") + shown[-1]


def _together(group: Sequence[Measure]) -> str:
    """Describe one measure, or both of the second codebook."""
    if len(group) == 1:
        return clause(group[0])
    varied = next(measure for measure in group if measure.name == _SECOND[0])
    return f"{clause(varied)} and in other proportions"


def reason(measure: Measure) -> str:
    """Give the outcome of a measure's gate, with its numbers."""
    info = MEASURES[measure.name]
    if measure.unjudged is not None:
        return f"{measure.outcome}: {measure.unjudged}"
    labels = {"stop": "stop", "warn": "warning", "noise": "noise rather than diversity"}
    return (
        f"{labels[measure.outcome]}: {_against(measure)} "
        f"({_value(measure.value, info.form, info.unit)} against "
        f"{_value(measure.human, info.form, info.unit)} in {measure.n:,} {per(measure)})"
    )


def per(measure: Measure) -> str:
    """Return the unit of a measure's `n`."""
    return "words" if MEASURES[measure.name].per == "tokens" else "documents"


def unjudged(measure: Measure) -> str:
    """Say why a gate could not judge."""
    return f"{OUTCOMES.get(measure.outcome, measure.outcome)}: {MEASURES[measure.name].title}: " + (
        measure.unjudged or ""
    )


def interval(measure: Measure, errors: float = CONFIDENCE) -> str:
    """Write so many standard errors of `against` in the measure's unit."""
    assert measure.error is not None
    info, width = MEASURES[measure.name], errors * measure.error
    if info.kind == "ratio":
        return f"± {width:.0%}"
    if info.form.endswith("%"):
        return f"± {100 * width:.1f} points"
    return f"± {width:{info.form}} {info.unit}".rstrip()


def _against(measure: Measure) -> str:
    info = MEASURES[measure.name]
    assert measure.against is not None
    if info.kind == "ratio":
        return f"{info.title} at {measure.against:.0%} of human text's"
    if info.form.endswith("%"):
        return f"{info.title} {100 * measure.against:.1f} points beyond human text's"
    beyond = f"{info.title} {measure.against:{info.form}} {info.unit}".rstrip()
    return f"{beyond} beyond human text's"


def _value(value: float | None, form: str, unit: str) -> str:
    return "–" if value is None else f"{value:{form}} {unit}".rstrip()

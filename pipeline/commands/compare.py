"""Comparison of several generations' reports: which figures have fallen, and how surely."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from outcross.pipeline.engine.locks import another_place, check_writable
from outcross.pipeline.inputs.reports import names_of, natural
from outcross.pipeline.page.document import page
from outcross.schemas.comparison import Alarm, Comparison, Generation, Trend
from outcross.schemas.figures import Measure
from outcross.schemas.gates import Gates
from outcross.schemas.measures import CONFIDENCE, LEXICAL, MEASURES
from outcross.schemas.report import Report, Verdict
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files

WORDS = tuple(name for name in LEXICAL if MEASURES[name].kind == "ratio")
REPEATS = "near_duplicates"
CLUSTERS = ("effective_clusters", "audit_effective_clusters", "tail_mass", "tail_coverage")

_CHANCE = 0.05  # of an alarm in a comparison of generations that have lost nothing
_NOTABLE = 2.0  # standard errors from which a fall is worth a warning


def compare(reports: Sequence[tuple[str, Report]], gates: Gates | None = None) -> Comparison:
    """Judge which figures have fallen from generation to generation.

    A figure is a corpus's value as a ratio to that of human text. Its fall is 1 - later / earlier.
    Each generation is compared with the one before and with the first one. A leak too slow to be
    seen in a step is thus seen in the sum. Generations without the figure are passed over.

    A fall raises an alarm where it exceeds the gates' limit and is surely no chance. Generations
    that have lost nothing raise an alarm in one of 20 comparisons at most, for any number of tested
    falls (Bonferroni, one-sided). That takes 2.5 standard errors for the nine falls between two
    generations, and 3.4 for ten generations. A fall is a warning where it exceeds half the limit
    and two of its standard errors. For near duplicates the rise is judged, later - earlier.

    Args:
        reports: path and content of each report.json, the first generation first.
        gates: limits; the default ones if absent.

    Raises:
        ConfigError: when there are fewer than two reports, when one was not measured against
            human text, or when they were measured on different references.
    """
    gates = gates or Gates()
    reference = _shared_reference(reports)
    names = names_of([path for path, _ in reports])
    generations = [
        Generation(
            name=name,
            report=path,
            outcome=report.verdict.outcome,
            measures=report.judged.measures if report.judged is not None else [],
        )
        for name, (path, report) in zip(names, reports, strict=True)
    ]
    falls = [
        fall for name in (*WORDS, *CLUSTERS, REPEATS) for fall in _falls(name, generations, gates)
    ]
    errors = NormalDist().inv_cdf(1 - _CHANCE / max(len(falls), 1))
    alarms = _worst_first([f for f in falls if f.share > max(f.limit, errors * f.error)])
    alarmed = {fall.measure for fall in alarms}
    notable = _worst_first(
        [
            fall
            for fall in falls
            if fall.share > max(fall.limit / 2, _NOTABLE * fall.error)
            and fall.measure not in alarmed
        ]
    )
    outcome: Literal["done", "go", "warn", "stop"]
    if alarms:
        outcome, sentence = "stop", f"Stop: {_summary(alarms)}."
    elif notable:
        outcome, sentence = "warn", f"Warning: {_summary(notable)}."
    elif falls:
        outcome, sentence = "go", _passed(generations, gates)
    else:
        outcome, sentence = "done", "Nothing could be judged: no figure is in two reports."
    return Comparison(
        verdict=Verdict(
            outcome=outcome,
            sentence=sentence,
            reasons=_reasons("stop", alarms) + _reasons("warning", notable),
            warnings=_warnings(reports, generations, falls, errors),
        ),
        reference=reference,
        generations=generations,
        trends=_trends(generations),
        alarms=[
            Alarm(
                measure=fall.measure,
                before=fall.before.name,
                after=fall.after.name,
                fall=fall.share,
                error=fall.error,
                limit=fall.limit,
            )
            for fall in alarms
        ],
    )


def trend(figures: Sequence[Measure | None]) -> tuple[float, float] | None:
    """Fit the slope of a measure by least squares, weighted with its errors.

    The slope's standard error grows with the scatter about the line, where the errors don't explain
    it (Birge 1932). A series that goes up and down thus has no sure trend.

    Args:
        figures: the measure in each generation, one step apart; None where it is missing.

    Returns:
        Change of `against` per generation and its standard error; None without two figures.
    """
    known = [
        (step, figure.against, max(figure.error, 1e-9))
        for step, figure in enumerate(figures)
        if figure is not None and figure.against is not None and figure.error is not None
    ]
    if len(known) < 2:
        return None
    x, y, error = np.array(known, np.float64).T
    weight = error**-2
    x, y = x - np.average(x, weights=weight), y - np.average(y, weights=weight)
    spread = float((weight * x**2).sum())
    slope = float((weight * x * y).sum()) / spread
    scatter = float((weight * (y - slope * x) ** 2).sum()) / max(len(known) - 2, 1)
    return slope, math.sqrt(max(scatter, 1.0) / spread)


def _trends(generations: Sequence[Generation]) -> list[Trend]:
    """Return the trend of each measure that three generations have."""
    measures = [{measure.name: measure for measure in g.measures} for g in generations]
    trends = []
    for name in MEASURES:
        figures = [by_name.get(name) for by_name in measures]
        known = sum(figure is not None and figure.against is not None for figure in figures)
        line = trend(figures)
        if line is not None and known > 2:
            trends.append(Trend(measure=name, slope=line[0], error=line[1]))
    return trends


def write_comparison(out: str, comparison: Comparison, latest: Report) -> None:
    """Write compare.json, and report.html with the latest generation's report below it.

    Args:
        out: output directory.
        comparison: the comparison.
        latest: report of the last generation.

    Raises:
        ConfigError: when the directory holds something else.
    """
    path = files.join(out, "compare.json")
    if files.exists(out) and not files.exists(path) and files.list_files(files.join(out, "*")):
        raise ConfigError(
            f"out: {out} holds other files than a comparison's; choose an empty directory"
        )
    check_writable("out", out)
    described = (comparison.model_dump_json(indent=2) + "\n").encode()
    shown = page(latest, comparison=comparison).encode()
    with another_place("out"):
        files.make_folder(out)
        files.write_bytes(path, described)
        files.write_bytes(files.join(out, "report.html"), shown)


def _shared_reference(reports: Sequence[tuple[str, Report]]) -> str:
    """Return the fingerprint of the reference that all reports were measured on."""
    if len(reports) < 2:
        given = f"only {reports[0][0]}" if reports else "none"
        raise ConfigError(f"compare: two reports or more are needed; found {given}")
    fingerprints = []
    for path, report in reports:
        if report.kind == "dedup":
            raise ConfigError(
                f"{path}: is a report of `dedup`, which measures nothing; run `outcross audit` on "
                "its data/ with the same --reference as the others, and compare that report"
            )
        if report.reference is None or not report.reference.human or report.judged is None:
            raise ConfigError(
                f"{path}: was made without human text, so there is nothing to compare; run "
                "`outcross audit` on the data with the same --reference as the others"
            )
        fingerprints.append(report.reference.fingerprint)
    for (path, _), fingerprint in zip(reports, fingerprints, strict=True):
        if fingerprint != fingerprints[0]:
            raise ConfigError(
                f"compare: {reports[0][0]} was measured on the reference {fingerprints[0]}, "
                f"{path} on {fingerprint}; figures on two references can't be compared. Run "
                "`outcross audit` on each data/ with the same --reference DIR, such as the first "
                "run's reference/"
            )
    return fingerprints[0]


@dataclass(frozen=True)
class _Fall:
    """Fall of a figure between two generations; for near duplicates their rise.

    Attributes:
        measure: key of the measure.
        before, after: the generations.
        figures: the figure against human text in both.
        limit: largest fall that passes.
        share: share of the earlier figure that is lost; negative where it has risen.
        error: standard error of the share if nothing has fallen.
    """

    measure: str
    before: Generation
    after: Generation
    figures: tuple[float, float]
    limit: float
    share: float
    error: float

    def __str__(self) -> str:
        moved = (
            f"rose by {100 * self.share:.1f} (± {100 * CONFIDENCE * self.error:.1f}) points"
            if self.measure == REPEATS
            else f"fell by {self.share:.1%} (± {CONFIDENCE * self.error:.1%})"
        )
        title = MEASURES[self.measure].title
        return f"{title} {moved} from {self.before.name} to {self.after.name}"

    @property
    def detail(self) -> str:
        """Limit, with the figure before and after."""
        earlier, later = self.figures
        if self.measure == REPEATS:
            return (
                f"from {100 * earlier:+.1f} to {100 * later:+.1f} points beyond human text's, "
                f"where {100 * self.limit:g} may be gained"
            )
        return (
            f"from {earlier:.3f} to {later:.3f} of human text, where {self.limit:.0%} may be lost"
        )


def _figure(generation: Generation, name: str) -> tuple[float, float, int] | None:
    """Return a judged measure against human text, its standard error and its sample size."""
    for measure in generation.measures:
        if measure.name != name or measure.outcome == "not judged":
            continue
        if measure.against is not None and measure.error is not None:
            return measure.against, measure.error, measure.n
    return None


def _falls(name: str, generations: Sequence[Generation], gates: Gates) -> list[_Fall]:
    limit = gates.fall_lexical if name in WORDS else gates.fall_clusters
    limit = gates.rise_near_duplicates if name == REPEATS else limit
    known = [(g, figure) for g in generations if (figure := _figure(g, name)) is not None]
    falls = []
    for number in range(1, len(known)):
        after, (later, later_error, _) = known[number]
        for earlier_number in sorted({0, number - 1}):
            before, (earlier, earlier_error, _) = known[earlier_number]
            if name == REPEATS:
                figures, error = (earlier, later), math.hypot(earlier_error, later_error)
                falls.append(_Fall(name, before, after, figures, limit, later - earlier, error))
                continue
            if earlier <= 0:  # there is nothing to lose
                continue
            # The error of the ratio by the delta method, at a ratio of 1. The question is whether
            # there is a fall at all; at the measured ratio, chance would make its own error
            # smaller. Both figures share the errors of one human text, so this is rather too large.
            error = math.hypot(earlier_error, later_error) / earlier
            share = 1 - later / earlier
            falls.append(_Fall(name, before, after, (earlier, later), limit, share, error))
    return falls


def _worst_first(falls: Sequence[_Fall]) -> list[_Fall]:
    return sorted(falls, key=lambda fall: -fall.share / fall.limit)


def _summary(falls: Sequence[_Fall]) -> str:
    """Return the worst fall, and how many other measures have fallen."""
    more = len({fall.measure for fall in falls}) - 1
    endings = {0: "", 1: ", and 1 more measure moved too far"}
    return f"{falls[0]}{endings.get(more, f', and {more} more measures moved too far')}"


def _reasons(level: Literal["stop", "warning"], falls: Sequence[_Fall]) -> list[str]:
    """Return a sentence for each measure: its worst fall, and how many more there are."""
    reasons = []
    for name in dict.fromkeys(fall.measure for fall in falls):
        worst, *more = (fall for fall in falls if fall.measure == name)
        reason = f"{level}: {worst}, {worst.detail}"
        if level == "warning" and worst.share > worst.limit:
            reason += "; it may still be chance"
        if more:
            reason += f"; {len(more)} more like it between other generations"
        reasons.append(reason)
    return reasons


def _passed(generations: Sequence[Generation], gates: Gates) -> str:
    return (
        f"Go: from {generations[0].name} to {generations[-1].name} nothing has surely fallen by "
        f"more than half of what may be lost ({100 * gates.fall_lexical:g}% of the measures of "
        f"words, {100 * gates.fall_clusters:g}% of clusters and tail)."
    )


def _warnings(
    reports: Sequence[tuple[str, Report]],
    generations: Sequence[Generation],
    falls: Sequence[_Fall],
    errors: float,
) -> list[str]:
    """Return the reasons why the comparison says less than it seems to.

    Args:
        reports: path and content of each report.
        generations: the generations, in the same order.
        falls: all falls that were tested.
        errors: standard errors from which a fall raises an alarm.
    """
    warnings = []
    names = [generation.name for generation in generations]
    ordered = sorted(names, key=natural)
    if names != ordered and len({re.sub(r"\d+", "0", name) for name in names}) == 1:
        warnings.append(
            f"the generations stand in the order given: {', '.join(names)}; if they came as "
            f"{', '.join(ordered)}, name their folder instead of its parts"
        )
    kinds = {report.kind: name for name, (_, report) in zip(names, reports, strict=True)}
    if len(kinds) > 1:
        warnings.append(
            f"{kinds['audit']} was audited as it is, {kinds['run']} is what `run` has written, "
            "with human text mixed in: a difference between them is not the loop's alone"
        )
    warnings += _unlike_samples(generations)
    unread = [g.name for g in generations if any(m.outcome == "not judged" for m in g.measures)]
    if unread:
        warnings.append(
            f"clusters of {', '.join(unread)} are not judged: the embedder knows too few of their "
            "words"
        )
    blind: dict[str, float] = {}
    for fall in falls:
        if fall.measure != REPEATS and errors * fall.error > fall.limit:
            blind[fall.measure] = max(errors * fall.error, blind.get(fall.measure, 0.0))
    if blind:
        seen = ", ".join(f"{MEASURES[name].title} {least:.1%}" for name, least in blind.items())
        warnings.append(
            "the samples are too small to be sure of every fall at its limit; between some "
            f"generations these would have to fall by more: {seen}"
        )
    missing = []
    for name in (*WORDS, *CLUSTERS):
        without = [g.name for g in generations if _figure(g, name) is None]
        if without:
            missing.append(f"{MEASURES[name].title} ({', '.join(without)})")
    if missing:
        warnings.append(f"not measured, so not judged: {'; '.join(missing)}")
    return warnings


def _unlike_samples(generations: Sequence[Generation]) -> list[str]:
    """Return a warning where a measure was taken from samples of very different size."""
    unlike = []
    for name in (*WORDS, *CLUSTERS):
        sizes = [(figure[2], g.name) for g in generations if (figure := _figure(g, name))]
        if sizes:
            unlike.append((max(sizes)[0] / max(min(sizes)[0], 1), name, min(sizes), max(sizes)))
    times, name, (few, small), (many, large) = max(
        unlike, key=lambda sizes: sizes[0], default=(1.0, "", (0, ""), (0, ""))
    )
    if times < 2:
        return []
    unit = "words" if MEASURES[name].per == "tokens" else "documents"
    return [
        f"samples differ in size (for {MEASURES[name].title}, {few:,} {unit} in {small} and "
        f"{many:,} in {large}), and what is lost shows more in the larger ones; audit samples of "
        "one size to be sure"
    ]

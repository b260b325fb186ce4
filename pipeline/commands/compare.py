"""Reports of several generations against each other: what has fallen, and whether surely."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from outcross.pipeline.inputs.reports import names_of, natural
from outcross.pipeline.page import page
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
_NOTICED = 2.0  # standard errors from which a fall is worth a warning


def compare(reports: Sequence[tuple[str, Report]], gates: Gates | None = None) -> Comparison:
    """Judges whether figures have fallen from generation to generation.

    A figure is a set's value as a ratio to that of human text. Its fall, 1 - later / earlier, is
    taken against the generation before and against the first one, so that a leak too slow to be
    seen in a step is seen in the sum; generations without the figure are passed over. A fall
    raises an alarm where it is larger than the gates' limit and surely no chance: so many of its
    standard errors from zero that an alarm in generations that have lost nothing comes once in 20
    comparisons at most, however many falls are looked at (Bonferroni, one-sided; 2.5 errors for
    the nine falls between two generations, 3.4 for ten generations). It warns where it is larger
    than half the limit and than two of its standard errors. Of near duplicates it is the rise that
    is looked at, later - earlier.

    Args:
        reports: path of each report.json and what it holds, the first generation first.
        gates: the limits; the default ones if absent.

    Raises:
        ConfigError: when there are fewer than two reports, or some were not measured against
            human text, or on different yardsticks.
    """
    gates = gates or Gates()
    reference = _one_yardstick(reports)
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
    stopped = {fall.measure for fall in alarms}
    noticed = _worst_first(
        [
            fall
            for fall in falls
            if fall.share > max(fall.limit / 2, _NOTICED * fall.error)
            and fall.measure not in stopped
        ]
    )
    outcome: Literal["done", "go", "warn", "stop"]
    if alarms:
        outcome, sentence = "stop", f"Stop: {_in_short(alarms)}."
    elif noticed:
        outcome, sentence = "warn", f"Warning: {_in_short(noticed)}."
    elif falls:
        outcome, sentence = "go", _passed(generations, gates)
    else:
        outcome, sentence = "done", "Nothing could be judged: no figure stands in two reports."
    return Comparison(
        verdict=Verdict(
            outcome=outcome,
            sentence=sentence,
            reasons=_reasons("stop", alarms) + _reasons("warning", noticed),
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
    """Slope of a measure against human text, by least squares weighted with its errors.

    Its standard error grows with the scatter about the line where that is larger than the errors
    explain (Birge 1932), so that a series which goes up and down has no sure trend.

    Args:
        figures: the measure in each generation, one step apart.

    Returns:
        Change of `against` a generation and its standard error; None without two figures.
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
    """Of the measures that say more than the difference of two."""
    of = [{figure.name: figure for figure in one.measures} for one in generations]
    lines = []
    for name in MEASURES:
        figures = [known.get(name) for known in of]
        known = sum(figure is not None and figure.against is not None for figure in figures)
        found = trend(figures)
        if found is not None and known > 2:
            lines.append(Trend(measure=name, slope=found[0], error=found[1]))
    return lines


def write_comparison(out: str, found: Comparison, latest: Report) -> None:
    """Writes compare.json, and report.html with the latest generation's report below it.

    Raises:
        ConfigError: when the directory holds something else.
    """
    path = files.join(out, "compare.json")
    if files.exists(out) and not files.exists(path) and files.list_files(files.join(out, "*")):
        raise ConfigError(
            f"out: {out} holds files that are not of a comparison; choose an empty directory"
        )
    files.make_folder(out)
    files.write_bytes(path, (found.model_dump_json(indent=2) + "\n").encode())
    files.write_bytes(files.join(out, "report.html"), page(latest, comparison=found).encode())


def _one_yardstick(reports: Sequence[tuple[str, Report]]) -> str:
    """The yardstick of all reports."""
    if len(reports) < 2:
        found = f"only {reports[0][0]}" if reports else "none"
        raise ConfigError(f"compare: two reports or more are needed; found {found}")
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
    others = [n for n, found in enumerate(fingerprints) if found != fingerprints[0]]
    if others:
        raise ConfigError(
            f"compare: {reports[0][0]} was measured on the yardstick {fingerprints[0]}, "
            f"{reports[others[0]][0]} on {fingerprints[others[0]]}; figures on two yardsticks "
            "can't be compared. Measure all of them on one and the same: `outcross audit` on each "
            "data/ with the same --reference DIR, such as the first run's reference/"
        )
    return fingerprints[0]


@dataclass(frozen=True)
class _Fall:
    """How much of a figure is gone between two generations; below 0 it has risen.

    Of near duplicates it is what they have risen by.

    Attributes:
        measure: key of the measure.
        before, after: the generations.
        figures: against human text in both.
        limit: the largest fall that passes.
        share: of the earlier figure that is gone.
        error: its standard error if nothing has fallen.
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
        """From what to what, and what may be."""
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
    """A judged measure against human text, its standard error, and what it was taken from."""
    for found in generation.measures:
        if found.name != name or found.outcome == "not judged":
            continue
        if found.against is not None and found.error is not None:
            return found.against, found.error, found.n
    return None


def _falls(name: str, generations: Sequence[Generation], gates: Gates) -> list[_Fall]:
    limit = gates.fall_lexical if name in WORDS else gates.fall_clusters
    limit = gates.rise_near_duplicates if name == REPEATS else limit
    known = [(g, found) for g in generations if (found := _figure(g, name)) is not None]
    falls = []
    for number in range(1, len(known)):
        after, (later, later_error, _) = known[number]
        for earlier_number in sorted({0, number - 1}):
            before, (earlier, earlier_error, _) = known[earlier_number]
            if name == REPEATS:
                figures, error = (earlier, later), math.hypot(earlier_error, later_error)
                falls.append(_Fall(name, before, after, figures, limit, later - earlier, error))
                continue
            if earlier <= 0:  # nothing is left that could be lost
                continue
            # Of the ratio by the delta method, at a ratio of 1: what matters is whether there is a
            # fall at all, and at the ratio found chance would make its own error smaller. What of
            # the two errors is the same human text's cancels; so this is rather too large.
            error = math.hypot(earlier_error, later_error) / earlier
            share = 1 - later / earlier
            falls.append(_Fall(name, before, after, (earlier, later), limit, share, error))
    return falls


def _worst_first(falls: Sequence[_Fall]) -> list[_Fall]:
    return sorted(falls, key=lambda fall: -fall.share / fall.limit)


def _in_short(falls: Sequence[_Fall]) -> str:
    """The worst fall, and how many other measures have fallen."""
    others = len({fall.measure for fall in falls}) - 1
    more = {0: "", 1: ", and 1 more measure moved too far"}
    return f"{falls[0]}{more.get(others, f', and {others} more measures moved too far')}"


def _reasons(what: Literal["stop", "warning"], falls: Sequence[_Fall]) -> list[str]:
    """A sentence for each measure: its worst fall, and how many more there are."""
    reasons = []
    for name in dict.fromkeys(fall.measure for fall in falls):
        worst, *others = (fall for fall in falls if fall.measure == name)
        reason = f"{what}: {worst}, {worst.detail}"
        if what == "warning" and worst.share > worst.limit:
            reason += "; it may still be chance"
        if others:
            reason += f"; {len(others)} more like it between other generations"
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
    """What makes the comparison say less than it seems to."""
    found = []
    names = [generation.name for generation in generations]
    ordered = sorted(names, key=natural)
    if names != ordered and len({re.sub(r"\d+", "0", name) for name in names}) == 1:
        found.append(
            f"the generations stand in the order given: {', '.join(names)}; if they came as "
            f"{', '.join(ordered)}, name their folder instead of its parts"
        )
    kinds = {report.kind: name for name, (_, report) in zip(names, reports, strict=True)}
    if len(kinds) > 1:
        found.append(
            f"{kinds['audit']} was audited as it is, {kinds['run']} is what `run` has written, "
            "with human text mixed in: a difference between them is not the loop's alone"
        )
    found += _unlike_samples(generations)
    unread = [g.name for g in generations if any(m.outcome == "not judged" for m in g.measures)]
    if unread:
        found.append(
            f"clusters of {', '.join(unread)} are not judged: the embedder knows too few of their "
            "words"
        )
    blind: dict[str, float] = {}
    for fall in falls:
        if fall.measure != REPEATS and errors * fall.error > fall.limit:
            blind[fall.measure] = max(errors * fall.error, blind.get(fall.measure, 0.0))
    if blind:
        seen = ", ".join(f"{MEASURES[name].title} {least:.1%}" for name, least in blind.items())
        found.append(
            "the samples are too small to be sure of every fall at its limit; between some "
            f"generations these would have to fall by more: {seen}"
        )
    missing = []
    for name in (*WORDS, *CLUSTERS):
        without = [g.name for g in generations if _figure(g, name) is None]
        if without:
            missing.append(f"{MEASURES[name].title} ({', '.join(without)})")
    if missing:
        found.append(f"not measured, so not judged: {'; '.join(missing)}")
    return found


def _unlike_samples(generations: Sequence[Generation]) -> list[str]:
    """A warning where a measure was taken from samples of very different size."""
    unlike = []
    for name in (*WORDS, *CLUSTERS):
        sizes = [(own[2], g.name) for g in generations if (own := _figure(g, name)) is not None]
        if sizes:
            unlike.append((max(sizes)[0] / max(min(sizes)[0], 1), name, min(sizes), max(sizes)))
    times, name, (few, small), (many, large) = max(
        unlike, key=lambda found: found[0], default=(1.0, "", (0, ""), (0, ""))
    )
    if times < 2:
        return []
    unit = "words" if MEASURES[name].per == "tokens" else "documents"
    return [
        f"samples differ in size (for {MEASURES[name].title}, {few:,} {unit} in {small} and "
        f"{many:,} in {large}), and what is lost shows more in the larger ones; audit samples of "
        "one size to be sure"
    ]

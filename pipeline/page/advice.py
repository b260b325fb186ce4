"""Advice about a verdict, for the page and the console."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from outcross.schemas.measures import LEXICAL
from outcross.schemas.report import Report


@dataclass(frozen=True)
class Code:
    """A command, an option or a file that a reader can type.

    Attributes:
        text: the command, option or file.
    """

    text: str


@dataclass(frozen=True)
class Link:
    """Words that lead to a section of the page.

    Attributes:
        section: key of the section.
        text: words of the link.
    """

    section: str
    text: str


Step = Sequence[str | Code | Link]
"""A piece of advice: words, things to type and links, one after another."""

BUILD = Code("outcross reference build --human FILES --out REFERENCE")
_REPEATS = ("self_repetition", "openings", "near_duplicates")
_DISTANCES = {"js", "audit_js"}  # from the proportions of human text


def plain(step: Step) -> str:
    """Return a step as a console shows it."""
    words = []
    for part in step:
        if isinstance(part, Code):
            words.append(f"`{part.text}`")
        else:
            words.append(part if isinstance(part, str) else part.text)
    return "".join(words)


def advice(report: Report, planned: bool = False) -> list[Step]:
    """Return what a reader can do about the verdict, the most pressing step first.

    Args:
        report: report of a run, a deduplication or an audit.
        planned: True if the page shows a plan.
    """
    outcomes = {
        measure.name: measure.outcome
        for measure in (report.judged.measures if report.judged else [])
    }
    missed = {name for name, outcome in outcomes.items() if outcome in ("stop", "warn")}
    steps: list[Step] = []
    if outcomes.get("off_support") == "stop":
        steps += _other_reference(report)
    else:
        steps += _spread(report, missed - set(LEXICAL) - set(_REPEATS), planned)
    steps += _repeats(missed)
    steps += _prompts(report)
    if "noise" in outcomes.values():
        steps.append(
            [
                "More variety than human text has is usually noise: look for broken encodings and "
                "random strings in some texts."
            ]
        )
    if report.verdict.outcome == "done" and report.kind != "dedup":
        steps = [*_missing_for_verdict(report, outcomes.values()), *steps]
    elif "too few" in outcomes.values():
        steps.append(
            ["Some gates had too little data to judge: give more documents or human text."]
        )
    return steps if missed else steps + _otherwise(report)


def _missing_for_verdict(report: Report, outcomes: Collection[str]) -> list[Step]:
    """Return what a run or an audit without a verdict lacks.

    Args:
        report: report of a run or an audit.
        outcomes: outcomes of the measures.
    """
    if report.judged is None:
        human = Code("--human")
        return [["For a verdict, name human text with ", human, ": without it nothing is judged."]]
    if "too few" in outcomes:
        return [["For a verdict, give more documents or human text: there was too little of it."]]
    if "not judged" in outcomes:
        embedder = Code("--embedder")
        return [
            ["For a verdict by clusters, name a model that knows the language: ", embedder, "."]
        ]
    return []


def _other_reference(report: Report) -> list[Step]:
    command = "outcross audit CORPUS --reference REFERENCE"
    if report.kind == "run":
        command = "outcross run … --reference REFERENCE"
    return [
        [
            "Build a reference from human text of the same domain, language and form: ",
            BUILD,
            ", then ",
            Code(command),
            ".",
        ],
        ["If the reference is right, the generator no longer writes such text: read some texts."],
    ]


def _spread(report: Report, missed: set[str], planned: bool) -> list[Step]:
    steps: list[Step] = []
    if missed and report.kind == "run":
        where = (
            Link("budget", "what each share would reach")
            if planned
            else Link("flow", "where the rows went")
        )
        options = Code("--human-share"), Code("--alpha")
        # A lower alpha raises the tails, and so takes the mix further from human text.
        other = ") or " if missed <= _DISTANCES else ") or a lower "
        end = " nearer to 1: see " if missed <= _DISTANCES else ": see "
        words = "Write with more human text (", other, end
        steps.append([words[0], options[0], words[1], options[1], words[2], where, "."])
    if missed and report.clusters:
        starved = Link("clusters", "The most starved clusters")
        topics: list[str | Code | Link] = [
            starved,
            " are the topics to gather or generate texts of",
        ]
        if report.kind == "run":
            topics += [
                ": ",
                Code("outcross requests OUT --tokens N"),
                " writes what to ask a generator for",
            ]
        steps.append([*topics, "."])
    return steps


def _repeats(missed: set[str]) -> list[Step]:
    steps: list[Step] = []
    if missed & set(LEXICAL):
        steps.append(
            [
                "The words themselves repeat: sample from more prompts, from another generator or "
                "at a higher temperature, or keep candidates of earlier generations."
            ]
        )
    if "openings" in missed:
        steps.append(["Answers begin alike: vary the prompts' templates."])
    if "near_duplicates" in missed:
        where = Link("removed", "what repeats what")
        steps.append(
            ["Deduplicate before training (", Code("outcross dedup"), "): see ", where, "."]
        )
    return steps


def _prompts(report: Report) -> list[Step]:
    """Name the synthetic sources whose prompts have collapsed."""
    steps: list[Step] = []
    roles = {line.source: line.role for line in report.conservation}
    for line in report.prompts:
        if roles.get(line.source) != "synthetic" or line.sampling is None:
            continue
        if line.sampling.collapsed_prompts:
            count, of = line.sampling.collapsed_prompts, line.sampling.prompts
            which = Link("prompts", f"{count:,} of {of:,} prompts")
            steps.append(
                [
                    which,
                    f" of {line.source} get nearly the same answer each time: ask each of them "
                    "less often, ask more different ones, or sample at a higher temperature.",
                ]
            )
    return steps


def _otherwise(report: Report) -> list[Step]:
    """Return the steps for a report in which no gate is missed."""
    steps: list[Step] = []
    if report.kind == "dedup":
        command = Code("outcross run")
        steps.append(["Mix in human text, and measure what is kept: ", command, "."])
        pairs = Link("removed", "the least similar removals")
        steps.append(["Judge the threshold by ", pairs, "."])
    elif report.verdict.outcome in ("go", "done") and report.kind == "run":
        begin = (
            "Train on " if report.verdict.outcome == "go" else "Or, without a verdict, train on "
        )
        train: list[str | Code | Link] = [begin, Code("data/")]
        if report.asked is not None and report.asked.copies == "weights":
            train += [", drawing rows by ", Code("outcross.weight")]
        steps.append([*train, "."])
    if report.verdict.outcome == "go":
        compare = Code("outcross compare")
        steps.append(["Keep report.json: ", compare, " compares the next generation with it."])
    return steps

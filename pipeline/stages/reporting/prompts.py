"""Answers by prompt in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outcross.pipeline.stages.count import Counted
from outcross.pipeline.stages.measure import AnyMeasured
from outcross.pipeline.stages.reporting.answers import Comparisons
from outcross.pipeline.stages.reporting.quotes import Quotes
from outcross.schemas.prompts import Answers, CollapsedPrompt, Prompts, Saturation
from outcross.transforms.measuring.prompts import read_prompts
from outcross.transforms.measuring.wording import CollapsedPrompts


def prompts(counted: Counted, compared: Comparisons, quotes: Quotes) -> list[Prompts]:
    """Describe the answers by prompt of each source that names a column of prompts.

    Args:
        counted: result of `count`.
        compared: result of `comparisons`; empty without embeddings.
        quotes: texts and prompts of the shown answers.
    """
    sums = counted.totals.sources
    return [
        Prompts(
            source=source.name,
            prompts=read_prompts(counted.prompts, number),
            answers=int(sums.answers[number]),
            distinct_answers=int(counted.distinct[1, number]),
            kept_answers=int(sums.kept_answers[number]),
            sampling=_sampling(compared[number], quotes) if number in compared else None,
        )
        for number, source in enumerate(counted.corpus.config.sources)
        if source.prompt_field is not None
    ]


def collapsed_prompts(measured: AnyMeasured, lines: Sequence[Prompts]) -> CollapsedPrompts | None:
    """Count the prompts that have collapsed, over all synthetic sources.

    They are judged where no domain may converge.

    Returns:
        None where no synthetic source has a prompt with several answers that could be compared.
    """
    synthetic = {s.name for s in measured.sketched.config.sources if s.role == "synthetic"}
    known = [line.sampling for line in lines if line.source in synthetic and line.sampling]
    if not known:
        return None
    return CollapsedPrompts(
        sum(line.prompts for line in known),
        sum(line.collapsed_prompts for line in known),
        not measured.partly_judged,
    )


def _sampling(compared: Mapping[str, Any], quotes: Quotes) -> Answers:
    """Describe the answers to the prompts of a source that were drawn.

    Args:
        compared: comparison of the answers.
        quotes: texts and prompts of the shown answers.
    """
    return Answers(
        prompts=compared["several"],
        answers=compared["answers"],
        k=compared["k"] or 0,
        distinct_at_k=compared["distinct"],
        effective=compared["effective"],
        same_chance=compared["same_chance"],
        saturation=Saturation(gains=compared["gains"], at=compared["saturates_at"]),
        collapsed_prompts=compared["collapsed_prompts"],
        collapsed=[
            CollapsedPrompt(
                prompt=quotes.questions[case["document"]],
                answers=case["answers"],
                distinct=case["distinct"],
                commonest=case["times"],
                same_chance=case["same_chance"],
                text=quotes.answers[case["document"]],
            )
            for case in compared["collapsed"]
        ],
    )

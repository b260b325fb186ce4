"""Answers by prompt in the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.measure import AnyMeasured
from outcross.pipeline.stages.sketched import Sketched
from outcross.pipeline.stages.texts import beginning, texts_of_documents
from outcross.schemas.documents import EMBEDDING_DIMS
from outcross.schemas.prompts import Answers, CollapsedPrompt, Prompts, Saturation
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.dedup.order import count_distinct
from outcross.transforms.measuring.answers import summarise
from outcross.transforms.measuring.wording import CollapsedPrompts

_ANSWERS = 1 << 18  # answers of a source that are compared with one another
_SHOWN = 20  # collapsed prompts in the report


def prompts(deduplicated: Deduplicated) -> list[Prompts]:
    """Describe the answers by prompt of each source that names a column of prompts.

    Without embeddings answers can't be compared.
    """
    sketched = deduplicated.sketched
    sources = sketched.config.sources
    if all(source.prompt_field is None for source in sources):
        return []
    prompt = sketched.sketches.numbers("prompt")
    hi, lo = sketched.fingerprints
    lines = []
    for number, source in enumerate(sources):
        if source.prompt_field is None:
            continue
        rows = np.flatnonzero((sketched.source_numbers == number) & (prompt != 0))
        sampling = _sampling(sketched, rows, prompt[rows]) if sketched.embedded else None
        lines.append(
            Prompts(
                source=source.name,
                prompts=count_distinct(prompt[rows]),
                answers=len(rows),
                distinct_answers=count_distinct(prompt[rows], hi[rows], lo[rows]),
                kept_answers=int(deduplicated.kept[rows].sum()),
                sampling=sampling,
            )
        )
    return lines


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
        bool(measured.open.all()),
    )


def _sampling(
    sketched: Sketched, answers: NDArray[np.int64], prompt: NDArray[np.uint64]
) -> Answers | None:
    """Compare the answers to each of the prompts that a hash draws.

    Args:
        sketched: result of `sketch`.
        answers: int64[n], ascending numbers of a source's documents that answer a prompt.
        prompt: uint64[n], hashes of their prompts.

    Returns:
        None where no prompt has several answers.
    """
    seed = sketched.config.seed
    value, which, often = np.unique(prompt, return_inverse=True, return_counts=True)
    order = np.argsort(seeded_hash(value, value, seed, "prompts"), kind="stable")
    order = order[often[order] > 1]
    drawn = order[np.cumsum(often[order]) - often[order] < _ANSWERS]
    if len(drawn) == 0:
        return None
    chosen = np.isin(which, drawn)
    documents = answers[chosen]
    hi, lo = (half[documents] for half in sketched.fingerprints)
    offsets, words = sketched.sketches.words(documents)
    embeddings = sketched.sketches.matrix("embedding", documents, np.int8)
    summary = summarise(
        prompt[chosen],
        offsets,
        words,
        hi,
        lo,
        embeddings.reshape(-1, EMBEDDING_DIMS),
        seed,
    )
    shown = summary.collapsed[:_SHOWN]
    rows = np.unique(documents[[case.row for case in shown]]) if shown else documents[:0]
    texts = texts_of_documents(sketched, rows)
    questions = texts_of_documents(sketched, rows, part="prompt")
    return Answers(
        prompts=summary.several,
        answers=summary.answers,
        k=summary.k or 0,
        distinct_at_k=summary.distinct,
        effective=summary.effective,
        same_chance=summary.same_chance,
        saturation=Saturation(gains=list(summary.gains), at=summary.saturates_at),
        collapsed_prompts=len(summary.collapsed),
        collapsed=[
            CollapsedPrompt(
                prompt=beginning(questions[int(documents[case.row])]),
                answers=case.answers,
                distinct=case.distinct,
                commonest=case.times,
                same_chance=case.same_chance,
                text=beginning(texts[int(documents[case.row])]),
            )
            for case in shown
        ],
    )

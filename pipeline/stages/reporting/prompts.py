"""What the report says of answers by prompt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.sketch import Sketched
from outcross.pipeline.stages.texts import beginning, texts_of_documents
from outcross.schemas.documents import EMBEDDING_DIMS
from outcross.schemas.prompts import Answers, CollapsedPrompt, Prompts, Saturation
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.dedup.decide import Verdicts
from outcross.transforms.dedup.order import count_distinct
from outcross.transforms.measuring.answers import summarise
from outcross.transforms.measuring.wording import CollapsedPrompts

_ANSWERS = 1 << 18  # of a source that are compared with one another
_SHOWN = 20


def prompts(
    context: Context, sketched: Sketched, verdicts: Verdicts, embedded: bool
) -> list[Prompts]:
    """Answers by prompt, of the sources that name a column of prompts.

    Args:
        context, sketched, verdicts: of the run.
        embedded: whether there are embeddings, without which answers can't be compared.
    """
    sources = context.config.sources
    if all(source.prompt_field is None for source in sources):
        return []
    prompt = sketched.sketches.numbers("prompt")
    hi, lo = sketched.fingerprints
    source_of = np.repeat(
        [unit.source for unit in sketched.sketches.units], np.diff(sketched.sketches.offsets)
    )
    lines = []
    for number, source in enumerate(sources):
        if source.prompt_field is None:
            continue
        own = np.flatnonzero((source_of == number) & (prompt != 0))
        lines.append(
            Prompts(
                source=source.name,
                prompts=count_distinct(prompt[own]),
                answers=len(own),
                distinct_answers=count_distinct(prompt[own], hi[own], lo[own]),
                kept_answers=int(verdicts.kept[own].sum()),
                sampling=_sampling(context, sketched, own, prompt[own]) if embedded else None,
            )
        )
    return lines


def collapsed_prompts(
    context: Context, lines: Sequence[Prompts], judged: bool
) -> CollapsedPrompts | None:
    """Count the prompts that have collapsed, over all synthetic sources.

    Args:
        context: of the run.
        lines: from `prompts`.
        judged: whether no domain is meant to converge.

    Returns:
        None where no synthetic source has a prompt with several answers that could be compared.
    """
    synthetic = {s.name for s in context.config.sources if s.role == "synthetic"}
    known = [line.sampling for line in lines if line.source in synthetic and line.sampling]
    if not known:
        return None
    return CollapsedPrompts(
        sum(line.prompts for line in known),
        sum(line.collapsed_prompts for line in known),
        judged,
    )


def _sampling(
    context: Context, sketched: Sketched, own: NDArray[np.int64], prompt: NDArray[np.uint64]
) -> Answers | None:
    """How different the answers are, over whole prompts that a hash has drawn.

    Args:
        context, sketched: of the run.
        own: int64[n], ascending, one source's documents that answer something.
        prompt: uint64[n], hashes of what.
    """
    value, which, often = np.unique(prompt, return_inverse=True, return_counts=True)
    order = np.argsort(seeded_hash(value, value, context.config.seed, "prompts"), kind="stable")
    order = order[often[order] > 1]
    drawn = order[np.cumsum(often[order]) - often[order] < _ANSWERS]
    if len(drawn) == 0:
        return None
    chosen = np.isin(which, drawn)
    documents = own[chosen]
    hi, lo = (half[documents] for half in sketched.fingerprints)
    offsets, words = sketched.sketches.words(documents)
    embeddings = sketched.sketches.matrix("embedding", documents, np.int8)
    found = summarise(
        prompt[chosen],
        offsets,
        words,
        hi,
        lo,
        embeddings.reshape(-1, EMBEDDING_DIMS),
        context.config.seed,
    )
    shown = found.collapsed[:_SHOWN]
    rows = np.unique(documents[[one.row for one in shown]]) if shown else documents[:0]
    texts = texts_of_documents(context, sketched, rows)
    questions = texts_of_documents(context, sketched, rows, what="prompt")
    return Answers(
        prompts=found.several,
        answers=found.answers,
        k=found.k or 0,
        distinct_at_k=found.distinct,
        effective=found.effective,
        same_chance=found.same_chance,
        saturation=Saturation(gains=list(found.gains), at=found.saturates_at),
        collapsed_prompts=len(found.collapsed),
        collapsed=[
            CollapsedPrompt(
                prompt=beginning(questions[int(documents[one.row])]),
                answers=one.answers,
                distinct=one.distinct,
                commonest=one.times,
                same_chance=one.same_chance,
                text=beginning(texts[int(documents[one.row])]),
            )
            for one in shown
        ],
    )

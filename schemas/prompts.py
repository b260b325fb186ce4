"""Variety of the answers to one prompt."""

from __future__ import annotations

from pydantic import Field

from outcross.schemas.base import Strict
from outcross.schemas.quotes import QuotedText


class Saturation(Strict):
    """New answers that the k-th answer to one prompt adds."""

    gains: list[float] = Field(
        description="mean number of new answers that the k-th answer brings, for k from 1"
    )
    at: int | None = Field(
        description="first k whose gain is below a twentieth of the first answer's; null if there "
        "is none"
    )


class CollapsedPrompt(Strict):
    """A prompt whose answers are nearly all the same."""

    prompt: QuotedText = Field(
        description="beginning of the prompt; null if it can't be read again"
    )
    answers: int = Field(ge=0, description="answers to the prompt")
    distinct: int = Field(ge=0, description="different answers")
    commonest: int = Field(ge=0, description="how often the commonest answer occurs")
    same_chance: float = Field(description="probability that two of the answers are the same")
    text: QuotedText = Field(description="beginning of the commonest answer")


class Answers(Strict):
    """Variety of the answers to one prompt, over the prompts that were examined."""

    prompts: int = Field(ge=0, description="prompts with at least two answers that were examined")
    answers: int = Field(ge=0, description="answers to these prompts")
    k: int = Field(
        ge=0, description="number of answers per prompt to which distinct_at_k is rarefied"
    )
    distinct_at_k: float | None = Field(description="mean number of different answers among k")
    effective: float | None = Field(description="mean of exp(entropy) of a prompt's answers")
    same_chance: float | None = Field(
        description="mean probability that two answers to a prompt are the same"
    )
    saturation: Saturation = Field(description="what each further answer adds")
    collapsed_prompts: int = Field(
        ge=0,
        description="number of prompts that have collapsed: nearly all their answers are the same",
    )
    collapsed: list[CollapsedPrompt] = Field(description="the worst of the collapsed prompts")


class Prompts(Strict):
    """Answers of one source that has a prompt column."""

    source: str = Field(description="name of the source")
    prompts: int = Field(ge=0, description="different prompts")
    answers: int = Field(ge=0, description="answers that could be read")
    distinct_answers: int = Field(
        ge=0, description="different texts per prompt, summed over the prompts"
    )
    kept_answers: int = Field(ge=0, description="answers that survive deduplication")
    sampling: Answers | None = Field(
        description="variety of the answers to one prompt; null if each prompt has one answer, "
        "and after `dedup`"
    )

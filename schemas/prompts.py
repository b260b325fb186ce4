"""Answers to the same prompt: how different they are."""

from __future__ import annotations

from pydantic import Field

from outcross.schemas.base import Strict
from outcross.schemas.quotes import QuotedText


class Saturation(Strict):
    """What the k-th answer to one prompt still adds."""

    gains: list[float] = Field(
        description="new answers that the k-th answer brings on average, k from 1"
    )
    at: int | None = Field(
        description="the first k whose gain is below a twentieth of the first answer's; null if "
        "none is"
    )


class Collapsed(Strict):
    """A prompt whose answers are nearly all the same."""

    prompt: QuotedText = Field(description="beginning of the prompt; null if it is gone")
    answers: int = Field(ge=0, description="answers to it")
    distinct: int = Field(ge=0, description="different ones among them")
    commonest: int = Field(ge=0, description="how often the commonest came")
    same_chance: float = Field(description="chance that two of the answers are the same")
    text: QuotedText = Field(description="beginning of the commonest answer")


class Answers(Strict):
    """How different the answers to one prompt are, over the prompts that were looked at."""

    prompts: int = Field(ge=0, description="prompts with two answers or more that were looked at")
    answers: int = Field(ge=0, description="their answers")
    k: int = Field(ge=0, description="answers a prompt that the next figure is rarefied to")
    distinct_at_k: float | None = Field(description="different answers among k, mean")
    effective: float | None = Field(description="exp(entropy) of a prompt's answers, mean")
    same_chance: float | None = Field(description="chance that two answers are the same, mean")
    saturation: Saturation = Field(description="what further answers add")
    collapsed_prompts: int = Field(ge=0, description="prompts that have collapsed")
    collapsed: list[Collapsed] = Field(description="the worst of them")


class Prompts(Strict):
    """What one source answers, where a column of prompts is named."""

    source: str = Field(description="name of the source")
    prompts: int = Field(ge=0, description="different prompts")
    answers: int = Field(ge=0, description="answers to them that could be read")
    distinct_answers: int = Field(
        ge=0, description="different texts for each prompt, added up over the prompts"
    )
    kept_answers: int = Field(ge=0, description="answers that survive deduplication")
    sampling: Answers | None = Field(
        description="how different answers to one prompt are; null where each has one answer, "
        "and after `dedup`"
    )

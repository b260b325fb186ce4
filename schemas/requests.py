"""Lines of requests.jsonl: what to ask a generator for, and what to ask it no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, RootModel

from outcross.schemas.base import Strict
from outcross.schemas.budget import OTHERS
from outcross.schemas.plan import Share, Tokens
from outcross.schemas.prompts import CollapsedPrompt


class Seed(Strict):
    """A human text that shows a generator a cluster."""

    source: str = Field(description="name of its source; `ledger` for text of the ledger")
    id: str = Field(description="id of the document, as in the column outcross.id")
    text: str = Field(
        description="beginning of the text, with its lines, but without control characters"
    )


class ClusterRequest(Strict):
    """Text to ask for in one cluster of one domain."""

    kind: Literal["cluster"] = Field(default="cluster", description="kind of the line")
    domain: str = Field(
        default=OTHERS,
        description="value of the domain column; '*' for all domains that are not named",
    )
    cluster: int = Field(ge=0, description="number of the cluster in the codebook")
    tokens: int = Field(ge=1, description="tokens to ask for")
    target: Share = Field(
        description="share of the planned tokens that the target has in this domain and cluster, "
        "without off-support text"
    )
    wanted: Tokens = Field(
        description="synthetic tokens that the target wants: its tokens without the planned human "
        "ones; with --tokens, human ones that the plan could have chosen elsewhere aren't taken off"
    )
    available: Tokens = Field(
        description="synthetic tokens after deduplication that are not off-support, each document "
        "once"
    )
    words: list[str] = Field(
        description="words that distinguish the cluster in the reference; empty if none are known"
    )
    seeds: list[Seed] = Field(
        description="human texts of the cluster that the run has written, at random; never of a "
        "source of role reference"
    )
    prompt: str | None = Field(
        description="a prompt in plain English with the words and the seeds, each line of a seed "
        "after '> '; null without words and seeds"
    )


class PromptRequest(Strict):
    """A prompt to ask no more, or in other words, as nearly all its answers are the same."""

    kind: Literal["prompt"] = Field(default="prompt", description="kind of the line")
    source: str = Field(description="name of the synthetic source")
    collapsed: CollapsedPrompt = Field(description="the prompt and its answers")


class RequestLine(
    RootModel[Annotated[ClusterRequest | PromptRequest, Field(discriminator="kind")]]
):
    """One line of requests.jsonl."""


class Requests(Strict):
    """All lines of requests.jsonl."""

    clusters: list[ClusterRequest] = Field(description="what to ask for, the most tokens first")
    prompts: list[PromptRequest] = Field(description="prompts that have collapsed, by source")
    warnings: list[str] = Field(description="what the lines lack, and why")

    @property
    def tokens(self) -> int:
        """Number of tokens to ask for."""
        return sum(line.tokens for line in self.clusters)

    def lines(self) -> Iterator[str]:
        """Yield the lines as JSON, without line ends."""
        for line in (*self.clusters, *self.prompts):
            yield line.model_dump_json()

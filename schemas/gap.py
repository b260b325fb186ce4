"""Gap between a mix and human text, as plan.json and report.json have it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outcross.schemas.base import Strict

Nats = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Gap(Strict):
    """KL divergence of a mix's words from the human reference, in nats a human token.

    It says by how much better the reference's own frequencies foretell a human token than those of
    the mix do. A smaller sample has a larger gap, whatever its text.
    """

    words: Nats = Field(
        description="KL divergence KL(reference ‖ mix) of hashed words and signs, in nats a human "
        "token"
    )
    pairs: Nats = Field(
        description="the same of hashed pairs, a token and the one before it; pairs hold the words "
        "and their order"
    )


class PlannedGap(Strict):
    """Gaps of as many tokens as planned, drawn blindly: what a selection starts from."""

    blind: Gap = Field(
        description="gap of a blind mix: as many fresh, ledger and synthetic tokens as planned, "
        "drawn evenly from all documents that may be written"
    )
    human: Gap | None = Field(
        description="gap of as many tokens of the run's human documents alone, drawn evenly; null "
        "if there are fewer. Text that the reference was made of is nearer to it than other human "
        "text"
    )


class Gain(Strict):
    """Gap to human text before and after the selection, for as many tokens."""

    before: Gap = Field(description="gap of a blind mix, as `blind` in plan.json")
    after: Gap = Field(description="gap of the text that was written, copies included")
    human: Gap | None = Field(
        description="gap of as much human text, as in plan.json; null if there is less"
    )

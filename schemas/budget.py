"""Parts of the budget that users ask for: copies of documents, and policies of domains."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from outcross.schemas.user_input import Model


class MaxCopies(Model):
    """Caps on the copies of one document, or on its weight with `copies: weights`.

    By default a document is written once: a copy teaches less than the text whose place it takes
    (docs/budget.md). The literature on data-constrained scaling calls it `epochs`.
    """

    synthetic: int = Field(
        default=1, ge=1, le=100, description="most copies of a synthetic document"
    )
    human: int = Field(
        default=1,
        ge=1,
        le=100,
        description="most copies of a human document; with a lineage always 1 per run",
    )

    @model_validator(mode="before")
    @classmethod
    def _number_is_for_both(cls, value: Any) -> Any:
        """Accept `max_copies: 1` for documents of both roles."""
        if isinstance(value, int) and not isinstance(value, bool):
            return {"synthetic": value, "human": value}
        return value


CopiesAs = Literal["rows", "weights"]


LongDocuments = Literal["leave_out", "keep"]


Kind = Literal["open", "converge"]


OTHERS = "*"
"""Name that stands for all domains that are not named, and for documents without one."""


class DomainPolicy(Model):
    """Budget of one domain."""

    kind: Kind = Field(
        default="open",
        description="open (diversity is wanted) or converge (maths, code, facts: the human "
        "distribution is kept, each document is written once, and figures are shown but never "
        "judged)",
    )
    alpha: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="tempering of the domain's target, 0 to 1; if absent, alpha of the run",
    )
    share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of the tokens written, 0 to 1; if absent, the domains without a share "
        "divide the rest in the proportions of the human reference",
    )
    entropy_floor: float | None = Field(
        default=None,
        ge=0,
        description="least entropy of the domain's tokens over the clusters, in nats; no limit if "
        "absent",
    )

    @model_validator(mode="after")
    def _what_converges_is_not_lifted(self) -> DomainPolicy:
        """Refuse a tempering or an entropy floor for a domain that converges."""
        for key in ("alpha", "entropy_floor"):
            if self.kind == "converge" and getattr(self, key) is not None:
                raise ValueError(
                    f"{key}: a domain of kind converge keeps the human distribution (alpha 1) and "
                    f"has no entropy floor; leave out {key}, or set kind to open"
                )
        return self

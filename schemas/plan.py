"""plan.json: what was asked, what the budget reaches, and how many tokens each cluster gives.

The same corpus, seed and request give the same bytes, so a plan holds no paths, times, worker
counts or hosts. Amounts are tokens, entropies and divergences nats.
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from outcross.schemas.base import Strict
from outcross.schemas.config import OTHERS, CopiesAs, DomainPolicy, Kind, LongDocuments, MaxCopies
from outcross.schemas.quotes import QuotedText, QuotedWords

SUM_TOLERANCE = 1e-6  # of a total: what quotas may be off by, and far less than a document

Regime = Literal["slack", "human-bound", "synthetic-bound", "drawn"]
"""What binds a budget; `Reached.regime` explains each value."""


def _one_zero(value: float) -> float:
    """−0.0 equals 0.0 but is not written like it."""
    return value + 0.0


Number = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_one_zero)]
Tokens = Annotated[Number, Field(ge=0)]
Nats = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]


def _infinite_as_null(value: object) -> object:
    return None if isinstance(value, float) and math.isinf(value) else value


ShadowPrice = Annotated[Number | None, BeforeValidator(_infinite_as_null)]


class Asked(Strict):
    """The request."""

    tokens: Tokens | None = Field(description="tokens out; null: as many as the caps hold")
    human_share: Share | None = Field(
        default=None, description="human share of the tokens; null where tokens were asked"
    )
    human_tokens: Tokens | None = Field(
        default=None, description="human tokens; null where a share was asked"
    )
    fresh_human_tokens: Tokens | None = Field(
        default=None,
        description="with a lineage, human tokens to take of the human sources; null: all there "
        "are, up to the human share",
    )
    alpha: Share = Field(
        description="tempering of the reference: 1 is the human distribution, 0 is uniform"
    )
    entropy_floor: Nats | None = Field(
        default=None, description="least entropy over clusters, nats; null: none"
    )
    max_kl: Nats | None = Field(
        default=None, description="greatest divergence from the reference, nats; null: none"
    )
    effective_ratio: Share | None = Field(
        default=None,
        description="effective clusters as a share of the reference's that the least human text "
        "was sought for; null: none",
    )
    max_copies: MaxCopies = Field(description="repeat caps")
    copies: CopiesAs = Field(
        default="rows",
        description="what copies are: rows of data/, or the weight of a document's only row",
    )
    domains: dict[str, DomainPolicy] = Field(
        default_factory=dict, description="by name, what is wanted of a domain"
    )
    off_support: Literal["keep", "cap", "drop"] = Field(
        description="what becomes of synthetic text that is unlike anything human"
    )
    long_documents: LongDocuments = Field(
        default="leave_out", description="what becomes of documents that are too long"
    )

    @model_validator(mode="after")
    def _one_human_part(self) -> Asked:
        if self.human_share is not None and self.human_tokens is not None:
            raise ValueError(
                f"human_share ({self.human_share}) and human_tokens ({self.human_tokens}) were "
                "both given; give the one that was asked for"
            )
        return self


class LengthLimits(Strict):
    """Tokens of the longest document that may be written."""

    synthetic: int = Field(ge=1, description="of a synthetic document")
    human: int = Field(ge=1, description="of a human document")


class Reached(Strict):
    """What the quotas come to, before they are rounded to whole documents."""

    tokens: Tokens = Field(description="tokens planned")
    synthetic_tokens: Tokens = Field(description="synthetic tokens among them, off-support too")
    human_tokens: Tokens = Field(description="human tokens among them")
    human_share: Share = Field(description="human tokens / tokens")
    ledger_tokens: Tokens = Field(
        default=0.0, description="of the human tokens, those that come from the lineage's ledger"
    )
    alpha: Share | None = Field(
        description="the tempering that met the floor or the ceiling; null where domains differ "
        "in it"
    )
    entropy: Nats = Field(
        description="entropy of the planned tokens over clusters, nats; where there are domains, "
        "over (domain, cluster): by the chain rule domain_entropy and the entropies within the "
        "domains, weighted by their share of the tokens, add up to it"
    )
    domain_entropy: Nats = Field(
        default=0.0, description="entropy of the planned tokens over domains, nats"
    )
    effective_number: float = Field(
        ge=1, allow_inf_nan=False, description="exp(entropy): so many equally likely clusters"
    )
    kl: Nats | None = Field(
        description="KL(plan ‖ reference) over the same, nats; null where there is no human "
        "reference"
    )
    reference_entropy: Nats | None = Field(
        description="entropy of the reference over the same, nats; null where there is none"
    )
    regime: Regime = Field(
        description="what binds: slack (each cluster has its part, or all the text there is of "
        "it), human-bound (human tokens are scarce) or synthetic-bound (synthetic tokens are); "
        "drawn: with a lineage the human part is drawn evenly, and the synthetic part is the best "
        "beside it"
    )
    shadow_price: ShadowPrice = Field(
        description="ln(θ_synthetic/θ_human): nats of divergence from the tempered reference, "
        "times the tokens planned, that one more human token in place of a synthetic one saves; "
        "negative where synthetic-bound; null where it is unbounded, because the first such token "
        "would go to a cluster that has none. Where the human part is drawn, of a human token that "
        "is spread like the others. Of several domains, the mean by tokens"
    )


class DomainPlan(Strict):
    """One domain's part of the plan, a budget of its own."""

    name: str = Field(description="value of the domain column; '*' for all that is not named")
    kind: Kind = Field(
        description="open: tempered; converge: the human distribution as it is, each document once"
    )
    share: Share = Field(description="its tokens / the tokens planned")
    reference_share: Share = Field(description="its share of the reference's tokens")
    tokens: Tokens = Field(description="tokens planned")
    synthetic_tokens: Tokens = Field(description="synthetic tokens among them, off-support too")
    human_tokens: Tokens = Field(description="human tokens among them")
    max_copies: MaxCopies = Field(description="repeat caps of its documents")
    alpha: Share = Field(description="the tempering of its target")
    entropy: Nats | None = Field(
        description="entropy of its tokens over clusters, nats; null where it gets none"
    )
    kl: Nats | None = Field(
        description="KL of its clusters from the reference's within the domain, nats; null without"
    )
    reference_entropy: Nats | None = Field(
        description="entropy of the reference over clusters within the domain, nats; null without"
    )
    regime: Regime | None = Field(description="what binds in it; null where it gets no tokens")
    shadow_price: ShadowPrice = Field(
        description="of a human token in this domain, times its tokens; null where it is unbounded"
    )


class Quota(Strict):
    """Tokens to take from one cluster, within a domain."""

    domain: str = Field(
        default=OTHERS,
        description="value of the domain column; '*' for all that is not named",
    )
    cluster: int = Field(ge=0, description="number of the cluster in the codebook")
    reference_share: Share = Field(
        description="smoothed share of the reference that is of this domain and cluster"
    )
    synthetic_available: Tokens = Field(
        description="synthetic tokens after deduplication that are not off-support, each once"
    )
    human_available: Tokens = Field(description="human tokens after deduplication, each once")
    off_support_available: Tokens = Field(
        description="synthetic tokens after deduplication that are unlike anything human"
    )
    synthetic: Tokens = Field(description="tokens to take of synthetic_available, repeats included")
    synthetic_off_support: Tokens = Field(description="tokens to take of off_support_available")
    human: Tokens = Field(description="tokens to take of human_available, repeats included")
    human_ledger: Tokens = Field(
        default=0.0, description="tokens among them that come from the lineage's ledger"
    )


class FrontierPoint(Strict):
    """What another human share of the same total would reach."""

    human_share: Share = Field(description="human share of the tokens")
    human_tokens: Tokens = Field(description="human tokens at this share")
    reachable_human_tokens: Tokens | None = Field(
        description="nearest human tokens that the caps can hold at this total; null: none can"
    )
    reachable: bool = Field(description="whether the caps can hold this share of the total")
    reason: str | None = Field(default=None, description="why not; null where they can")
    entropy: Nats | None = Field(default=None, description="entropy at the plan's alpha, nats")
    kl: Nats | None = Field(
        default=None, description="KL to the reference at the plan's alpha, nats"
    )
    highest_entropy: Nats | None = Field(
        default=None, description="entropy that the lowest floor's alpha (0) reaches, nats"
    )
    lowest_kl: Nats | None = Field(
        default=None, description="KL to the reference that alpha = 1 reaches, nats"
    )
    regime: Regime | None = Field(default=None, description="what binds, as in reached")
    shadow_price: ShadowPrice = Field(
        default=None, description="as in reached; null where it is unbounded or not reachable"
    )

    @model_validator(mode="after")
    def _figures_or_a_reason(self) -> FrontierPoint:
        if self.reachable is (self.entropy is None) or self.reachable is (self.reason is not None):
            raise ValueError(
                f"the point at human share {self.human_share} must have an entropy if it is "
                "reachable, and else a reason"
            )
        return self


class Starved(Strict):
    """A cluster that gets less than its part of the tempered reference."""

    domain: str = Field(
        default=OTHERS,
        description="value of the domain column; '*' for all that is not named",
    )
    cluster: int = Field(ge=0, description="number of the cluster in the codebook")
    wanted: Tokens = Field(description="its part of the tempered reference, tokens")
    available: Tokens = Field(description="what its documents hold, repeats included, tokens")
    planned: Tokens = Field(
        description="what it gets, tokens; below available where a total ran out instead"
    )
    price: Nats | None = Field(
        description="nats of divergence, times the tokens planned, that one more human token of "
        "this cluster saves; 0 where there is text that was not asked for; null where there is "
        "none at all, as the first token has no finite price"
    )
    words: QuotedWords = Field(description="words that set the cluster apart")
    text: QuotedText = Field(description="beginning of a human text of the cluster")


class NearDuplicates(Strict):
    """How near-duplicates were looked for."""

    threshold: Share = Field(description="similarity from which one of two documents is removed")
    bands: int = Field(ge=1, description="LSH bands")
    rows: int = Field(ge=1, description="signature values in a band")
    num_perm: int = Field(ge=1, description="values in a MinHash signature")
    ngram: int = Field(ge=1, description="words in a shingle")


class SourceTexts(Strict):
    """What is judged of a source's rows, and what goes along untouched."""

    source: str = Field(description="name of the source")
    judged: list[str] = Field(description="columns and dotted paths whose text is judged")
    roles: list[str] | None = Field(
        default=None, description="roles of the turns that are judged; null for all"
    )
    carried: list[str] = Field(description="the other columns, which are carried")


class Plan(Strict):
    """The contents of plan.json."""

    format_version: Literal[4] = Field(default=4, description="version of this file's format")
    seed: int = Field(description="seed of the run")
    generation: int | None = Field(
        default=None, ge=1, description="number of the run in its lineage; null without one"
    )
    made_for: str = Field(
        description="names what there was to take: documents, yardstick and settings of the stages "
        "before. A run carries out a plan that was made for the same"
    )
    asked: Asked = Field(description="the request")
    reached: Reached = Field(description="what the quotas come to")
    length_limits: LengthLimits | None = Field(
        default=None,
        description="tokens of the longest document that may be written: 1 % of the tokens to "
        "write, or 20 times the median where that is more; null: documents of any length",
    )
    shards: int = Field(ge=1, description="shards that will be written, or as many as rows")
    near_duplicates: NearDuplicates = Field(description="how near-duplicates were looked for")
    warnings: list[str] = Field(description="what a person should know before spending anything")
    least_human_tokens: Tokens | None = Field(
        description="human tokens with which this total reaches the effective-cluster ratio that "
        "was asked for; null where none was asked for"
    )
    domains: list[DomainPlan] = Field(
        description="the domains, each with a budget of its own; without any asked for, one '*'"
    )
    starved: list[Starved] = Field(
        description="the clusters that lack most of what they should have, the worst first"
    )
    frontier: list[FrontierPoint] = Field(
        description="what other human shares of the same total would reach"
    )
    texts: list[SourceTexts] = Field(
        default=[], description="what is judged and what is carried, by source"
    )
    quotas: list[Quota] = Field(
        description="tokens to take from each cluster of each domain, in the order of both"
    )

    @model_validator(mode="after")
    def _quotas_sum_to_what_is_reached(self) -> Plan:
        sums = {
            "synthetic_tokens": math.fsum(
                q.synthetic + q.synthetic_off_support for q in self.quotas
            ),
            "human_tokens": math.fsum(q.human for q in self.quotas),
            "ledger_tokens": math.fsum(q.human_ledger for q in self.quotas),
        }
        for name, total in sums.items():
            reached = getattr(self.reached, name)
            if abs(total - reached) > SUM_TOLERANCE * max(self.reached.tokens, 1.0):
                raise ValueError(f"the quotas sum to {total} {name}; reached says {reached}")
        cells = [(quota.domain, quota.cluster) for quota in self.quotas]
        if any(a >= b for a, b in pairwise(cells)):
            raise ValueError(
                "quotas must stand in the order of their domains and clusters, each once"
            )
        return self

    @model_validator(mode="after")
    def _domains_add_up(self) -> Plan:
        names = [domain.name for domain in self.domains]
        if any(a >= b for a, b in pairwise(names)) or not {q.domain for q in self.quotas} <= {
            *names
        }:
            raise ValueError("domains must stand in the order of their names, all that have quotas")
        tokens = math.fsum(domain.tokens for domain in self.domains)
        entropy = self.reached.domain_entropy + math.fsum(
            domain.share * (domain.entropy or 0.0) for domain in self.domains
        )
        for name, total in (("tokens", tokens), ("entropy", entropy)):
            reached = getattr(self.reached, name)
            if abs(total - reached) > SUM_TOLERANCE * max(reached, 1.0):
                raise ValueError(f"the domains add up to {total} {name}; reached says {reached}")
        return self

    def to_json(self) -> bytes:
        """UTF-8 JSON, one quota a line so that two plans can be compared line by line.

        Keys stand in the order of the model and floats in their shortest form that reads back as
        the same number, so equal plans are equal bytes.
        """
        fields = self.model_dump(mode="json")
        lines = [f"{_compact(name)}: {_field(value)}" for name, value in fields.items()]
        return ("{\n" + ",\n".join(lines) + "\n}\n").encode()

    @classmethod
    def from_json(cls, text: bytes | str) -> Plan:
        """The plan that `to_json` wrote. Raises pydantic.ValidationError, naming the field."""
        return cls.model_validate_json(text)


_compact = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _field(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(_compact(item) for item in value) + "\n]"
    return _compact(value)

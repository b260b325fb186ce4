"""Contents of plan.json: the request, the totals reached, and the tokens of each cluster.

The same corpus, seed and request give the same bytes: a plan holds no paths, times, worker
counts or hosts. Amounts are in tokens, entropies and divergences in nats.
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from outcross.schemas.base import Strict
from outcross.schemas.budget import OTHERS, CopiesAs, DomainPolicy, Kind, LongDocuments, MaxCopies
from outcross.schemas.gap import PlannedGap
from outcross.schemas.quotes import QuotedText, QuotedWords
from outcross.schemas.tokens import CountsTokens, Tokenizer, tokenizer_field

SUM_TOLERANCE = 1e-6  # share of a total by which the sum of quotas may differ from it

Regime = Literal["slack", "human-bound", "synthetic-bound", "drawn"]
"""Limits of a budget; `Reached.regime` explains each value."""


def _one_zero(value: float) -> float:
    """Turn −0.0, which equals 0.0 but is written differently, into 0.0."""
    return value + 0.0


Number = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_one_zero)]
Tokens = Annotated[Number, Field(ge=0)]
Nats = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]


def _infinite_as_null(value: object) -> object:
    return None if isinstance(value, float) and math.isinf(value) else value


ShadowPrice = Annotated[Number | None, BeforeValidator(_infinite_as_null)]
LastingError = Annotated[Number | None, Field(ge=0)]


class Asked(Strict):
    """The request."""

    tokens: Tokens | None = Field(description="tokens to write; null: as many as the caps allow")
    human_share: Share | None = Field(
        default=None, description="human share of the tokens; null if human_tokens was given"
    )
    human_tokens: Tokens | None = Field(
        default=None, description="human tokens to write; null if a share was given"
    )
    fresh_human_tokens: Tokens | None = Field(
        default=None,
        description="with a lineage, human tokens to take from the human sources; null: as many "
        "as there are, up to the human share",
    )
    alpha: Share = Field(
        description="tempering of the reference, 0 to 1: 1 keeps the human distribution, 0 makes "
        "it uniform"
    )
    entropy_floor: Nats | None = Field(
        default=None, description="least entropy over clusters, in nats; null: no limit"
    )
    max_kl: Nats | None = Field(
        default=None,
        description="largest KL divergence from the reference, in nats; null: no limit",
    )
    effective_ratio: Share | None = Field(
        default=None,
        description="effective clusters to reach, as a share of the reference's, for which the "
        "least human text was sought; null: not asked for",
    )
    max_copies: MaxCopies = Field(description="most copies of one document, by role")
    copies: CopiesAs = Field(
        default="rows",
        description="rows: each copy is a row of data/; weights: copies are the weight of a "
        "document's only row",
    )
    domains: dict[str, DomainPolicy] = Field(
        default_factory=dict, description="policy of each domain, by its name"
    )
    off_support: Literal["keep", "cap", "drop"] = Field(
        description="what happens to synthetic text that is unlike any human text: keep, cap or "
        "drop"
    )
    long_documents: LongDocuments = Field(
        default="leave_out",
        description="what happens to documents that are too long: leave_out or keep",
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

    synthetic: int = Field(
        ge=1, description="tokens of the longest synthetic document that may be written"
    )
    human: int = Field(ge=1, description="tokens of the longest human document that may be written")


class Reached(Strict):
    """Totals of the quotas, before they are rounded to whole documents."""

    tokens: Tokens = Field(description="tokens planned")
    synthetic_tokens: Tokens = Field(
        description="synthetic tokens among them, off-support documents included"
    )
    human_tokens: Tokens = Field(description="human tokens among them")
    human_share: Share = Field(description="human tokens / tokens")
    ledger_tokens: Tokens = Field(
        default=0.0, description="human tokens that come from the lineage's ledger"
    )
    alpha: Share | None = Field(
        description="tempering that meets the entropy floor or the KL limit; null if domains "
        "differ in it"
    )
    entropy: Nats = Field(
        description="entropy of the planned tokens over clusters, in nats. With domains, it is "
        "the entropy over (domain, cluster): domain_entropy plus the entropies within the "
        "domains, weighted by their shares"
    )
    domain_entropy: Nats = Field(
        default=0.0, description="entropy of the planned tokens over domains, in nats"
    )
    effective_number: float = Field(
        ge=1,
        allow_inf_nan=False,
        description="exp(entropy): the number of equally likely clusters with the same entropy",
    )
    kl: Nats | None = Field(
        description="KL divergence of the plan from the reference, over the same cells, in nats; "
        "null without a human reference"
    )
    reference_entropy: Nats | None = Field(
        description="entropy of the reference over the same cells, in nats; null without a human "
        "reference"
    )
    regime: Regime = Field(
        description="what limits the plan. slack: nothing, as each cluster gets its share of the "
        "target or all the text that it has; human-bound: human tokens are scarce; "
        "synthetic-bound: synthetic tokens are scarce; drawn: with a lineage, the human part is "
        "drawn first, whatever its clusters, and the synthetic part is the best complement to it"
    )
    shadow_price: ShadowPrice = Field(
        description="ln(θ_synthetic/θ_human): by how many nats, times the tokens planned, the "
        "divergence from the tempered reference falls if one human token replaces a synthetic "
        "one. Negative if synthetic text is scarce; null if unbounded, because the first such "
        "token would go to a cluster without any. If the human part is drawn, it is the price of "
        "a human token that is spread like the others. With several domains, it is their mean, "
        "weighted by tokens"
    )
    lasting_error: LastingError = Field(
        default=None,
        description="sampling error that remains after many generations with this human share of "
        "fresh text, times that of all human text; null with text of a ledger, which "
        "isn't fresh, and in plans of older versions",
    )


class DomainPlan(Strict):
    """Plan of one domain, which has its own budget."""

    name: str = Field(
        description="value of the domain column; '*' for all domains that are not named"
    )
    kind: Kind = Field(
        description="open: tempered; converge: the human distribution is kept, and each document "
        "is written once"
    )
    share: Share = Field(description="tokens of the domain / tokens planned")
    reference_share: Share = Field(description="domain's share of the reference's tokens")
    tokens: Tokens = Field(description="tokens planned")
    synthetic_tokens: Tokens = Field(
        description="synthetic tokens among them, off-support documents included"
    )
    human_tokens: Tokens = Field(description="human tokens among them")
    max_copies: MaxCopies = Field(description="most copies of one document, by role")
    alpha: Share = Field(description="tempering of the domain's target")
    entropy: Nats | None = Field(
        description="entropy of the domain's tokens over clusters, in nats; null if it gets none"
    )
    kl: Nats | None = Field(
        description="KL divergence of the domain's tokens from the reference within the domain, "
        "in nats; null without a reference"
    )
    reference_entropy: Nats | None = Field(
        description="entropy of the reference over clusters within the domain, in nats; null "
        "without a reference"
    )
    regime: Regime | None = Field(
        description="what limits the domain's plan; null if it gets no tokens"
    )
    shadow_price: ShadowPrice = Field(
        description="price of a human token in this domain, times the domain's tokens; null if "
        "unbounded"
    )


class Quota(Strict):
    """Tokens to take from one cluster of one domain."""

    domain: str = Field(
        default=OTHERS,
        description="value of the domain column; '*' for all domains that are not named",
    )
    cluster: int = Field(ge=0, description="number of the cluster in the codebook")
    reference_share: Share = Field(
        description="smoothed share of the reference that lies in this domain and cluster"
    )
    synthetic_available: Tokens = Field(
        description="synthetic tokens after deduplication that are not off-support, each document "
        "once"
    )
    human_available: Tokens = Field(
        description="human tokens after deduplication, each document once"
    )
    off_support_available: Tokens = Field(
        description="synthetic tokens after deduplication that are unlike any human text"
    )
    synthetic: Tokens = Field(
        description="tokens to take from synthetic_available, copies included"
    )
    synthetic_off_support: Tokens = Field(description="tokens to take from off_support_available")
    human: Tokens = Field(description="tokens to take from human_available, copies included")
    human_ledger: Tokens = Field(
        default=0.0, description="tokens among them that come from the lineage's ledger"
    )


class FrontierPoint(Strict):
    """What another human share of the same total would reach."""

    human_share: Share = Field(description="human share of the tokens")
    human_tokens: Tokens = Field(description="human tokens at this share")
    reachable_human_tokens: Tokens | None = Field(
        description="human tokens nearest to this share that the caps allow at this total; null "
        "if they allow none"
    )
    reachable: bool = Field(description="true if the caps allow this share of the total")
    reason: str | None = Field(
        default=None, description="why the share can't be reached; null if it can"
    )
    entropy: Nats | None = Field(default=None, description="entropy at the plan's alpha, in nats")
    kl: Nats | None = Field(
        default=None, description="KL divergence from the reference at the plan's alpha, in nats"
    )
    highest_entropy: Nats | None = Field(
        default=None, description="entropy at alpha 0, the highest that can be reached, in nats"
    )
    lowest_kl: Nats | None = Field(
        default=None,
        description="KL divergence from the reference at alpha 1, the lowest that can be reached, "
        "in nats",
    )
    regime: Regime | None = Field(
        default=None, description="what limits the plan at this share, as in `reached`"
    )
    shadow_price: ShadowPrice = Field(
        default=None,
        description="price of a human token, as in `reached`; null if unbounded or if the share "
        "can't be reached",
    )
    lasting_error: LastingError = Field(
        default=None,
        description="sampling error that remains after many generations with this human share of "
        "fresh text, times that of all human text; it is the number of tokens without any, as all "
        "is lost then; null with text of a ledger",
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
    """A cluster that gets less than its share of the tempered reference."""

    domain: str = Field(
        default=OTHERS,
        description="value of the domain column; '*' for all domains that are not named",
    )
    cluster: int = Field(ge=0, description="number of the cluster in the codebook")
    wanted: Tokens = Field(description="cluster's share of the tempered reference, in tokens")
    available: Tokens = Field(description="tokens of the cluster's documents, copies included")
    planned: Tokens = Field(
        description="tokens planned; below `available` if a total ran out first"
    )
    price: Nats | None = Field(
        description="by how many nats, times the tokens planned, the divergence falls for one "
        "more human token in this cluster; 0 if there is text that was not asked for; null if "
        "there is none, as the first token has no finite price"
    )
    words: QuotedWords = Field(description="words that distinguish the cluster")
    text: QuotedText = Field(description="beginning of a human text of the cluster")


class NearDuplicates(Strict):
    """Settings of the search for near duplicates."""

    threshold: Share = Field(description="similarity from which one of two documents is removed")
    bands: int = Field(ge=1, description="bands of the LSH")
    rows: int = Field(ge=1, description="signature values per band")
    num_perm: int = Field(ge=1, description="values per MinHash signature")
    ngram: int = Field(ge=1, description="words per shingle")


class SourceTexts(Strict):
    """Columns of a source that are judged, and columns that are carried unchanged."""

    source: str = Field(description="name of the source")
    judged: list[str] = Field(description="columns and dotted paths whose text is judged")
    roles: list[str] | None = Field(
        default=None, description="roles of the turns that are judged; null for all"
    )
    carried: list[str] = Field(description="columns that are copied to the output unchanged")


class Plan(CountsTokens):
    """Contents of plan.json."""

    format_version: Literal[4] = Field(default=4, description="version of this file's format")
    seed: int = Field(description="seed of the run")
    generation: int | None = Field(
        default=None,
        ge=1,
        description="position of the run in its lineage, from 1; null without a lineage",
    )
    made_for: str = Field(
        description="fingerprint of the documents, the reference and the settings of earlier "
        "stages; a run only carries out a plan with its own fingerprint"
    )
    asked: Asked = Field(description="the request")
    reached: Reached = Field(description="totals of the quotas")
    length_limits: LengthLimits | None = Field(
        default=None,
        description="tokens of the longest document that may be written: 1 % of the tokens to "
        "write, or 20 times the median if that is more; null: documents of any length",
    )
    shards: int = Field(
        ge=1, description="number of shards that will be written; fewer if there are fewer rows"
    )
    near_duplicates: NearDuplicates = Field(description="how near duplicates were found")
    warnings: list[str] = Field(description="what to know before the run")
    least_human_tokens: Tokens | None = Field(
        description="least human tokens with which this total reaches effective_ratio; null if it "
        "was not given"
    )
    domains: list[DomainPlan] = Field(
        description="domains with their budgets; a single '*' if no domains were given"
    )
    starved: list[Starved] = Field(
        description="clusters that lack most of their share of the target, the worst first"
    )
    frontier: list[FrontierPoint] = Field(
        description="what other human shares of the same total would reach"
    )
    gap: PlannedGap | None = Field(
        default=None,
        description="gap to human text of as many tokens, drawn blindly; null without a human "
        "reference",
    )
    texts: list[SourceTexts] = Field(
        default=[], description="columns that are judged and columns that are carried, by source"
    )
    tokenizer: Tokenizer | None = tokenizer_field()
    quotas: list[Quota] = Field(
        description="tokens to take from each cluster of each domain, ordered by domain and cluster"
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
        """Return UTF-8 JSON with one quota per line, so that plans can be compared line by line.

        Keys have the order of the model, and floats their shortest exact form, so equal plans give
        equal bytes.
        """
        fields = self.model_dump(mode="json")
        lines = [f"{_compact(name)}: {_field(value)}" for name, value in fields.items()]
        return ("{\n" + ",\n".join(lines) + "\n}\n").encode()

    @classmethod
    def from_json(cls, text: bytes | str) -> Plan:
        """Return the plan that `to_json` wrote.

        Raises:
            pydantic.ValidationError: naming the field.
        """
        return cls.model_validate_json(text)


_compact = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _field(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(_compact(item) for item in value) + "\n]"
    return _compact(value)

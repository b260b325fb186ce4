"""The configuration: the one source of the YAML, the options, the help and the JSON Schema."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)

from outcross.schemas.sources import WRITABLE, Source
from outcross.schemas.user_input import ConfigError, Model, readable

OnBroken = Literal["stop", "reject"]


PLAN_KEYS = frozenset(
    {
        "tokens",
        "human_share",
        "human_tokens",
        "fresh_human_tokens",
        "alpha",
        "entropy_floor",
        "max_kl",
        "effective_ratio",
        "max_copies",
        "copies",
        "domains",
        "off_support",
        "long_documents",
        "best_effort",
    }
)
"""What is asked of the budget."""


DEFAULT_SYNTHETIC = 2 / 3
"""Of what survived deduplication, where no tokens are asked for: selection needs a choice."""


class MaxCopies(Model):
    """How often one document may appear (`epochs` in the data-constrained scaling literature).

    With `copies: weights`, how much it may weigh.
    """

    synthetic: int = Field(default=2, ge=1, le=100, description="cap of a synthetic document")
    human: int = Field(default=2, ge=1, le=100, description="cap of a human document")

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
"""The domain of documents whose own is not named, or that have none."""


class DomainPolicy(Model):
    """What is wanted of one domain."""

    kind: Kind = Field(
        "open",
        description="open (diversity is wanted) or converge (maths, code, facts: the human "
        "distribution as it is, each document once, measured but never judged)",
    )
    alpha: float | None = Field(
        None, ge=0, le=1, description="tempering of its target; the run's own if absent"
    )
    share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of the tokens written; if absent, what the others leave, divided as in "
        "the human reference",
    )
    entropy_floor: float | None = Field(
        None, ge=0, description="least entropy over the clusters within the domain, in nats"
    )

    @model_validator(mode="after")
    def _what_converges_is_not_lifted(self) -> DomainPolicy:
        for key in ("alpha", "entropy_floor"):
            if self.kind == "converge" and getattr(self, key) is not None:
                raise ValueError(
                    f"{key}: a domain that is meant to converge keeps the human distribution "
                    f"(alpha 1) and has no floor; leave out {key}, or make its kind open"
                )
        return self


class Config(Model):
    """A run of outcross. Keys are the options' names with underscores, but for max_copies; domains
    stand in YAML only.
    """

    out: str = Field(description="directory of the result; its .outcross/ holds the work")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of every decision that needs one")
    workers: int | None = Field(None, ge=1, description="threads at work; all cores if absent")
    max_reject_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of unreadable rows, or of unreadable bytes, above which the run fails",
    )
    on_broken_file: OnBroken = Field(
        "stop",
        description="what a file that is broken as a whole does (truncated, or not what its name "
        "says): stop, or reject: what can't be read of it is counted as rejected",
    )
    texts: bool = Field(
        True,
        description="quote the corpus in reports, plans and references: words, beginnings of texts "
        "and of prompts; ids and names of sources, files and domains stand there in any case",
    )
    best_effort: bool = Field(
        False, description="what can't be reached is a warning, and the nearest is done"
    )
    reference: str | None = Field(None, description="a yardstick made by an earlier run")
    lineage: str | None = Field(
        None,
        description="folder that a training loop's runs share: human text that earlier runs bought "
        "is used again, and what they had to choose from stands beside the new",
    )
    near_threshold: float = Field(
        0.8, gt=0.2, le=1, description="similarity from which two documents repeat"
    )
    ngram: int = Field(5, ge=1, le=64, description="words in a shingle")
    num_perm: int = Field(128, ge=16, le=1024, multiple_of=8, description="MinHash permutations")
    band_threshold: float | None = Field(
        None,
        gt=0.2,
        le=1,
        description="similarity that the LSH bands are made for, near_threshold at most; if "
        "absent, that rounded down to a tenth, .8 at most. Runs that differ in near_threshold "
        "alone share the bands and the pairs that were verified",
    )
    verify: Literal["exact", "signature"] = Field(
        "exact",
        description="similarity of two documents that share a band: the Jaccard similarity of "
        "their shingles itself, or the signatures' estimate of it",
    )
    boilerplate: int | None = Field(
        None,
        ge=2,
        le=65_535,
        description="shingles that stand in so many of the documents that share a band are "
        "boilerplate: documents then repeat only if they do without it as well",
    )
    containment: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of an exclude text's word n-grams from which a document that holds them "
        "is removed; 0 to look for whole repeats only",
    )
    containment_ngram: int = Field(
        8, ge=2, le=64, description="words in an n-gram of `containment`"
    )
    max_same_answers: int | None = Field(
        None,
        ge=1,
        description="how many near-identical answers to one prompt are kept; answers to different "
        "prompts are then not compared. If absent, prompts don't matter",
    )
    against: list[str] = Field(
        default_factory=list,
        description="output directories of earlier runs: what repeats a document that they have "
        "written is removed",
    )
    tokens: int | None = Field(
        None,
        ge=1,
        description="tokens to write; if absent, two thirds of the synthetic tokens that survive "
        "deduplication, and the human share on top",
    )
    human_share: float = Field(0.2, ge=0, le=1, description="human share of the tokens written")
    human_tokens: int | None = Field(
        None, ge=0, description="human tokens to write, instead of a share"
    )
    fresh_human_tokens: int | None = Field(
        None,
        ge=0,
        description="with a lineage, human tokens to take of the human sources, that is to buy; "
        "the rest of the human share comes from the ledger. If absent, all that there are, up to "
        "the human share",
    )
    archive: float = Field(
        3.5,
        ge=0,
        description="with a lineage, so many times the tokens to write to choose synthetic ones "
        "from: the run's own sources and those of earlier runs, nearest to human text first; 0 for "
        "the run's own alone",
    )
    archive_source: float = Field(
        3.5,
        gt=0,
        description="so many times the tokens to write come from one source at most, unless all of "
        "them together fall short of `archive`",
    )
    alpha: float = Field(
        0.7,
        ge=0,
        le=1,
        description="tempering of the target: 1 is the human distribution, lower lifts the tails",
    )
    entropy_floor: float | None = Field(
        None, ge=0, description="least entropy over the clusters, in nats"
    )
    max_kl: float | None = Field(
        None, ge=0, description="largest KL divergence to the human reference, in nats"
    )
    effective_ratio: float | None = Field(
        None,
        gt=0,
        le=1,
        description="effective clusters as a share of the human ones: the least human text that "
        "reaches it is mixed in, instead of a share",
    )
    plan: str | None = Field(
        None,
        description="a plan.json that `outcross plan` has made of the same input: carried out as "
        "it is, and what else is asked of the budget is refused",
    )
    max_copies: MaxCopies = Field(
        MaxCopies(), description="how often one document may appear, by role"
    )
    copies: CopiesAs = Field(
        "rows",
        description="what copies of a document are: rows of data/, each by itself; or weights, for "
        "trainers that sample: one row a document, and outcross.weight says how often it counts",
    )
    domains: dict[str, DomainPolicy] = Field(
        default_factory=dict,
        description="by value of the domain column, what is wanted of a domain; each is budgeted "
        "by itself. '*' is for all others, and for documents without one",
    )
    off_support: Literal["keep", "cap", "drop"] = Field(
        "keep",
        description="documents unlike anything human: keep at most their natural share, cap at "
        "the share that human text itself has, or drop; never copied",
    )
    long_documents: LongDocuments = Field(
        "leave_out",
        description="documents longer than both 1 % of the tokens to write and 20 times the median "
        "of their role: leave_out names them and writes none, keep treats them like any other",
    )
    select: Literal["residual", "random"] = Field(
        "residual", description="how synthetic documents fill a quota"
    )
    rounds: int = Field(
        4, ge=1, le=64, description="rounds of residual selection; more choose better, and slower"
    )
    shard_mb: int = Field(
        256,
        ge=1,
        le=1024,
        description="uncompressed MB of a shard; small corpora make up to 16 smaller ones",
    )
    text_out: str | None = Field(
        None,
        description="a further column with the judged text, beside the untouched ones; if absent, "
        "text_judged where sources have different text fields or a text is of several parts",
    )
    gates: str | None = Field(
        None, description="YAML file with the limits of the verdict, and the kinds of the domains"
    )
    gate: bool = Field(False, description="end with exit code 3 where the verdict is to stop")
    sources: Annotated[list[Source], Field(min_length=1)] = Field(
        description="where the documents come from"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        names = [source.name for source in self.sources]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"sources: the name {name!r} is used twice; names must differ")
        if all(source.role in ("reference", "exclude") for source in self.sources):
            raise ValueError(
                "sources: none has the role synthetic or human, so there is nothing to write"
            )
        for source in self.sources:
            for name in source.removed_by or []:
                if name not in names:
                    raise ValueError(
                        f"sources: removed_by of {source.name!r} names {name!r}, which is no "
                        f"source; there are {', '.join(names)}"
                    )
        if (self.band_threshold or 0) > self.near_threshold:
            raise ValueError(
                f"band_threshold: {self.band_threshold} is above near_threshold = "
                f"{self.near_threshold}; bands have to find what is to be removed"
            )
        if self.boilerplate is not None and self.verify != "exact":
            raise ValueError("boilerplate: signatures know no shingles; it needs verify: exact")
        if self.max_same_answers is not None and all(
            source.prompt_field is None for source in self.sources
        ):
            raise ValueError("max_same_answers: no source names its prompts; give a prompt_field")
        if self.text_out == "outcross":
            raise ValueError("text_out: the column 'outcross' is taken; choose another name")
        if self.human_tokens is not None and "human_share" in self.model_fields_set:
            raise ValueError("human_tokens: give human_tokens or human_share, not both")
        if self.effective_ratio is not None and (
            self.human_tokens is not None or "human_share" in self.model_fields_set
        ):
            raise ValueError(
                "effective_ratio: it says how much human text there is; give it, or human_share, "
                "or human_tokens"
            )
        self._check_domains()
        self._check_lineage()
        if (self.human_tokens or 0) > (self.tokens or math.inf):
            raise ValueError(
                f"human_tokens: {self.human_tokens:,} is more than tokens = {self.tokens:,}; "
                "ask for fewer, or for more tokens"
            )
        roles = {source.role for source in self.sources}
        remembered = self.lineage is not None  # its ledger may hold human text
        if self.human_tokens and not ("human" in roles or remembered or self.best_effort):
            raise ValueError(
                f"human_tokens: {self.human_tokens:,} were asked, but no source has the role human"
            )
        if (
            self.max_kl is not None
            and self.reference is None
            and not (roles & {"human", "reference"} or remembered)
        ):
            raise ValueError(
                "max_kl: there is nothing human to diverge from; add a source with the role human "
                "or reference, or give the reference of an earlier run"
            )
        return self

    def _check_lineage(self) -> None:
        asked = self.model_fields_set
        if self.lineage is None:
            for key in ("fresh_human_tokens", "archive", "archive_source"):
                if key in asked:
                    raise ValueError(f"{key}: it is of a lineage; give lineage as well")
            return
        if self.effective_ratio is not None:
            raise ValueError(
                "effective_ratio: with a lineage the human part is drawn evenly from all there is, "
                "so that no least of it can be said; ask for human_share"
            )
        if "human" in self.max_copies.model_fields_set and self.max_copies.human > 1:
            raise ValueError(
                f"max_copies.human: {self.max_copies.human}; with a lineage human documents "
                "appear once a run, as they come again in later ones; leave it out, or say 1"
            )
        if (self.fresh_human_tokens or 0) > (self.human_tokens or math.inf):
            raise ValueError(
                f"fresh_human_tokens: {self.fresh_human_tokens:,} are more than human_tokens = "
                f"{self.human_tokens:,}, of which they are a part"
            )

    def _check_domains(self) -> None:
        if not self.domains:
            return
        if "" in self.domains:
            raise ValueError(
                f"domains: there is one without a name; {OTHERS!r} is for documents that have none"
            )
        if all(source.domain_field is None for source in self.sources if source.role in WRITABLE):
            raise ValueError("domains: no source names its domains; give a domain_field")
        shares = sum(policy.share or 0.0 for policy in self.domains.values())
        if shares > 1 + 1e-9:
            raise ValueError(f"domains: the shares sum to {shares:g}; all tokens are 1")
        over_all = {
            "entropy_floor": "give each domain a floor of its own",
            "max_kl": "raise alpha, of the run or of a domain, towards 1",
            "effective_ratio": "ask for human_share or human_tokens",
        }
        for key, instead in over_all.items():
            if getattr(self, key) is not None:
                raise ValueError(
                    f"{key}: it is of one budget, and each domain has its own; {instead}"
                )


def repeat_caps(config: Config) -> MaxCopies:
    """How often documents may appear; with a lineage human ones once, as they come again."""
    if config.lineage is None:
        return config.max_copies
    return config.max_copies.model_copy(update={"human": 1})


def band_threshold(config: Config) -> float:
    """The similarity that the LSH bands are made for.

    One for a range of thresholds, so that another threshold needs no other bands. Above .8 it
    stays there: the bands of .8 are few, and what they find beyond need is dropped when verified.
    """
    if config.band_threshold is not None:
        return config.band_threshold
    return min(0.8, math.floor(config.near_threshold * 10 + 1e-9) / 10)


def parse(values: dict[str, Any]) -> Config:
    """A configuration from plain values.

    Raises:
        ConfigError: naming the key, what was found and what would be right.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(readable(error, model=Config)) from None

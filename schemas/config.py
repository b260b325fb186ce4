"""The configuration: the source of YAML keys, command-line options, help and JSON Schema."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from outcross.schemas.budget import CopiesAs, DomainPolicy, LongDocuments, MaxCopies
from outcross.schemas.consistency import ENCODER, check_keys
from outcross.schemas.publishing import EventUrl, Languages, License
from outcross.schemas.sources import Source
from outcross.schemas.tokens import TOKENIZER_HELP, Tokenizer
from outcross.schemas.user_input import ConfigError, Model, accept_short_form, readable

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
"""Keys of the request that a plan holds."""


DEFAULT_SYNTHETIC = 2 / 3
"""Share of the synthetic tokens after deduplication that is written if `tokens` is absent."""


def _accept_a_number(field: dict[str, Any]) -> None:
    accept_short_form(field, {"type": "integer", "minimum": 1, "maximum": 100})


class Config(Model):
    """Configuration of a run.

    The command line has an option for each key except `sources` and `domains`.
    """

    out: str = Field(description="output directory; its folder .outcross/ holds the work files")
    seed: int = Field(default=0, ge=0, lt=2**63, description="seed of every random decision")
    workers: int | None = Field(
        default=None,
        ge=1,
        description="number of worker threads; if absent, one for each 12 MB of the input, "
        "and no more than there are cores",
    )
    max_reject_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="share of unreadable rows, or of unreadable bytes, above which the run fails",
    )
    on_broken_file: OnBroken = Field(
        default="stop",
        description="what happens if a whole file is broken (truncated, or in another format than "
        "its name says): stop the run, or reject and count what can't be read of it",
    )
    texts: bool = Field(
        default=True,
        description="quote words and the beginnings of texts and prompts in reports, plans and "
        "references; ids and names of sources, files and domains appear in any case",
    )
    best_effort: bool = Field(
        default=False,
        description="if a request can't be met, warn and come as close as possible instead of "
        "failing",
    )
    reference: str | None = Field(
        default=None, description="folder of a reference that an earlier run has made"
    )
    embedder: str | None = Field(
        default=None,
        description="model that makes embeddings: static:PLACE for a model in the format of "
        "model2vec, transformers:PLACE for an encoder in ONNX, where PLACE is a directory or a hub "
        "id with its commit, OWNER/NAME@REVISION. If absent, the packaged English table",
    )
    lineage: str | None = Field(
        default=None,
        description="folder that the runs of a training loop share: a run uses human text that "
        "earlier runs bought again, and chooses from their synthetic text as well",
    )
    tokenizer: str | None = Field(default=None, description=TOKENIZER_HELP)
    near_threshold: float = Field(
        default=0.8,
        gt=0.2,
        le=1,
        description="Jaccard similarity from which one of two documents is removed as a near "
        "duplicate",
    )
    semantic_threshold: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="cosine of two embeddings from which one of two short documents is removed as "
        "a paraphrase, such as 0.95; only with an `embedder` that is an encoder. If absent, "
        "embeddings remove nothing",
    )
    ngram: int = Field(default=5, ge=1, le=64, description="words per shingle")
    num_perm: int = Field(
        default=128,
        ge=16,
        le=1024,
        multiple_of=8,
        description="permutations of the MinHash signature; a multiple of 8",
    )
    band_threshold: float | None = Field(
        default=None,
        gt=0.2,
        le=1,
        description="similarity that the LSH bands are tuned for, at most near_threshold; if "
        "absent, near_threshold rounded down to a tenth, at most 0.8",
    )
    verify: Literal["exact", "signature"] = Field(
        default="exact",
        description="how the similarity of two documents that share a band is computed: exact "
        "compares their shingles, signature estimates it from their signatures",
    )
    boilerplate: int | None = Field(
        default=None,
        ge=2,
        le=65_535,
        description="a shingle is boilerplate if at least so many documents that share a band "
        "contain it. Two documents then repeat each other only if they do so without boilerplate "
        "as well. If absent, no shingle is boilerplate",
    )
    check_recall: bool = Field(
        default=False,
        description="plant copies of some 500 texts at known similarities, and report how many of "
        "them deduplication's bands find",
    )
    containment: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="a document is removed if it contains at least this share of the word n-grams "
        "of a text of a source of role exclude; 0 removes whole repeats only",
    )
    containment_ngram: int = Field(
        default=8, ge=2, le=64, description="words per n-gram for containment"
    )
    max_same_answers: int | None = Field(
        default=None,
        ge=1,
        description="how many near-identical answers to one prompt are kept; answers to different "
        "prompts are then not compared. If absent, prompts are ignored",
    )
    against: list[str] = Field(
        default_factory=list,
        description="output directories of earlier runs: documents that repeat a document written "
        "by them are removed",
    )
    tokens: int | None = Field(
        default=None,
        ge=1,
        description="tokens to write; if absent, two thirds of the synthetic tokens that survive "
        "deduplication, plus the human share",
    )
    human_share: float = Field(
        default=0.2, ge=0, le=1, description="human share of the tokens to write, 0 to 1"
    )
    human_tokens: int | None = Field(
        default=None, ge=0, description="human tokens to write, instead of human_share"
    )
    fresh_human_tokens: int | None = Field(
        default=None,
        ge=0,
        description="with a lineage: human tokens to take from the human sources, that is, to "
        "buy; the rest of the human share comes from the ledger. If absent, as many as there are, "
        "up to the human share",
    )
    archive: float = Field(
        default=3.5,
        ge=0,
        description="with a lineage: size of the pool of synthetic candidates, as a multiple of "
        "the tokens to write. Sources of this run and of earlier runs fill it, those nearest to "
        "human text first; 0 uses this run's sources only",
    )
    archive_source: float = Field(
        default=3.5,
        gt=0,
        description="with a lineage: most candidates from one source, as a multiple of the tokens "
        "to write; exceeded only if all sources together fall short of archive",
    )
    alpha: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="tempering of the target, 0 to 1: 1 keeps the human distribution over "
        "clusters, lower values lift rare clusters",
    )
    entropy_floor: float | None = Field(
        default=None,
        ge=0,
        description="least entropy of the tokens over the clusters, in nats; no limit if absent",
    )
    max_kl: float | None = Field(
        default=None,
        ge=0,
        description="largest KL divergence of the tokens from the human reference, in nats; no "
        "limit if absent",
    )
    effective_ratio: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="effective clusters to reach, as a share of the human reference's, 0 to 1: "
        "the least human text that reaches it is mixed in, instead of human_share",
    )
    plan: str | None = Field(
        default=None,
        description="path of a plan.json that `outcross plan` made from the same input; it is "
        "carried out unchanged, so no other budget key may be given",
    )
    max_copies: MaxCopies = Field(
        default=MaxCopies(),
        description="how often one document may appear, by role; a single number holds for both "
        "roles",
        json_schema_extra=_accept_a_number,
    )
    copies: CopiesAs = Field(
        default="rows",
        description="rows: each copy of a document is a row of data/; weights: each document is "
        "one row, and its outcross.weight tells how often it counts, for trainers that sample",
    )
    domains: dict[str, DomainPolicy] = Field(
        default_factory=dict,
        description="budgets by domain: a mapping from a value of the domain column to what is "
        "wanted of that domain. '*' stands for all other domains and for documents without one",
    )
    off_support: Literal["keep", "cap", "drop"] = Field(
        default="keep",
        description="what happens to synthetic documents unlike any human text: keep at most "
        "their natural share, cap them at the share that human text itself has, or drop them; "
        "they are never copied",
    )
    long_documents: LongDocuments = Field(
        default="leave_out",
        description="what happens to documents longer than both 1 % of the tokens to write and 20 "
        "times their role's median length: leave_out writes none and lists them, keep treats them "
        "like any other",
    )
    select: Literal["residual", "random"] = Field(
        default="residual",
        description="how synthetic documents are chosen within a quota: residual takes those that "
        "bring the corpus's n-grams nearest to human text, random draws evenly",
    )
    rounds: int = Field(
        default=8,
        ge=1,
        le=64,
        description="rounds of residual selection; more rounds choose better and take longer",
    )
    shard_mb: int = Field(
        default=256,
        ge=1,
        le=1024,
        description="uncompressed size of a shard, in MB; small corpora are written as up to 16 "
        "smaller shards",
    )
    text_out: str | None = Field(
        default=None,
        description="name of an added column that holds the judged text; your own columns stay "
        "unchanged. If absent, text_judged is added where sources have different text fields or a "
        "text has several parts",
    )
    gates: str | None = Field(
        default=None,
        description="YAML file with the limits of the verdict and the kinds of domains; default "
        "limits if absent",
    )
    gate: bool = Field(default=False, description="end with exit code 3 if the verdict is stop")
    languages: Languages = Field(
        default_factory=list,
        description="codes of the languages of the texts, such as en or pt-BR, for the dataset "
        "card and croissant.json; not said if absent",
    )
    license: License | None = Field(
        default=None,
        description="the hub's name of the corpus's licence, such as cc-by-4.0, for the dataset "
        "card and croissant.json; not said if absent",
    )
    openlineage_url: EventUrl | None = Field(
        default=None,
        description="address to which the event in openlineage.json is posted, with the key in "
        "OPENLINEAGE_API_KEY if that variable is set; a failing post is a warning",
    )
    sources: Annotated[list[Source], Field(min_length=1)] = Field(
        description="sources that documents are read from"
    )

    @property
    def encodes(self) -> bool:
        """True if embeddings are those of an encoder."""
        return (self.embedder or "").startswith(ENCODER)

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        check_keys(self)
        return self


def tokenizer_of(config: Config) -> Tokenizer | None:
    """Return the tokenizer that counts the tokens of a running job; None where tokens are words."""
    file = config.sources[0].tokenizer
    return None if file is None else file.tokenizer


def repeat_caps(config: Config) -> MaxCopies:
    """Return how often documents may appear: human ones once per run of a lineage."""
    if config.lineage is None:
        return config.max_copies
    return config.max_copies.model_copy(update={"human": 1})


def band_threshold(config: Config) -> float:
    """Return the similarity that the LSH bands are tuned for.

    Thresholds that round down to the same tenth share their bands. Above 0.8 the threshold stays at
    0.8: these bands are few, and verification drops the pairs below `near_threshold`.
    """
    if config.band_threshold is not None:
        return config.band_threshold
    return min(0.8, math.floor(config.near_threshold * 10 + 1e-9) / 10)


def parse(values: dict[str, Any]) -> Config:
    """Validate plain values as a configuration.

    Raises:
        ConfigError: naming the key, the value found and the remedy.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(readable(error, model=Config, values=values)) from None

"""Contents of gates.yaml: the limits beyond which a figure warns or stops a loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from outcross.schemas.budget import OTHERS, DomainPolicy, Kind
from outcross.schemas.formats import FORMAT, check_versions
from outcross.schemas.sources import Provenance
from outcross.schemas.user_input import ConfigError, Model, load_yaml, readable


class Least(Model):
    """Limits of a ratio to human text; something is lost below them."""

    warn: float = Field(ge=0, description="a lower ratio warns")
    stop: float = Field(ge=0, description="a ratio that is certainly lower stops")

    @model_validator(mode="after")
    def _warns_first(self) -> Least:
        if self.stop > self.warn:
            raise ValueError(
                f"stop is {self.stop}, above warn, {self.warn}: a loop would stop without a "
                "warning; give a stop of at most warn"
            )
        return self


class Most(Model):
    """Limits of an excess over human text; something is wrong above them."""

    warn: float = Field(description="a larger excess warns")
    stop: float = Field(description="an excess that is certainly larger stops")

    @model_validator(mode="after")
    def _warns_first(self) -> Most:
        if self.stop < self.warn:
            raise ValueError(
                f"stop is {self.stop}, below warn, {self.warn}: a loop would stop without a "
                "warning; give a stop of at least warn"
            )
        return self


def _least(warn: float, stop: float, subject: str) -> Least | None:
    text = f"{subject}, as a ratio to human text of as many documents or words; null for no gate"
    limit: Least | None = Field(default=Least(warn=warn, stop=stop), description=text)
    return limit


def _most(warn: float, stop: float, subject: str) -> Most | None:
    text = f"{subject}, beyond that of human text against human text; null for no gate"
    limit: Most | None = Field(default=Most(warn=warn, stop=stop), description=text)
    return limit


class Limits(Model):
    """Limits of the measures. A measure without a limit is shown but never judged."""

    effective_clusters: Least | None = _least(0.95, 0.85, "effective clusters")
    audit_effective_clusters: Least | None = _least(
        0.95, 0.85, "effective clusters on the second codebook"
    )
    tail_mass: Least | None = _least(0.90, 0.75, "share of rare documents")
    tail_coverage: Least | None = _least(0.95, 0.90, "share of the rare clusters that are held")
    js: Most | None = _most(0.02, 0.05, "Jensen-Shannon divergence from human text in nats")
    audit_js: Most | None = _most(0.02, 0.05, "the same on the second codebook")
    vocabulary: Least | None = _least(0.90, 0.75, "different words")
    distinct_3: Least | None = _least(0.90, 0.75, "different word triples")
    rare_words: Least | None = _least(0.90, 0.75, "rare human words that still occur")
    self_repetition: Most | None = _most(
        0.05, 0.10, "share of four-word phrases that another document has too"
    )
    openings: Most | None = _most(0.05, 0.10, "share of documents with a common opening")
    near_duplicates: Most | None = _most(0.01, 0.05, "share of near duplicates")
    off_support: Most | None = _most(
        0.20,
        0.50,
        "share of documents that are unlike the reference; beyond stop, the reference "
        "is the wrong one, and the gates that compare with it judge nothing",
    )
    noise: float | None = Field(
        default=1.10,
        ge=1,
        description="a ratio of vocabulary, rare words or triples above it warns, as such variety "
        "is usually noise; null for no gate",
    )


class Gates(Limits):
    """Limits of the verdict."""

    format_version: Literal[1] = Field(
        default=1, description="version of this file's format; a file without one has version 1"
    )
    too_few: Literal["pass", "stop"] = Field(
        default="pass",
        description="pass or stop a corpus that is too small for most gates",
    )
    fall_lexical: float = Field(
        default=0.05,
        gt=0,
        description="share by which a lexical measure may fall between generations; a larger fall "
        "stops `compare`",
    )
    fall_clusters: float = Field(
        default=0.03,
        gt=0,
        description="share by which effective clusters may fall between generations; a larger "
        "fall stops `compare`",
    )
    rise_near_duplicates: float = Field(
        default=0.05,
        gt=0,
        description="how much the share of near duplicates may rise between generations; a larger "
        "rise stops `compare`",
    )
    domains: dict[str, Kind] = Field(
        default_factory=dict,
        description="kind of each domain, open or converge: documents of a converge domain "
        "(maths, code, facts) are measured and never judged. '*' stands for all other domains and "
        "for documents without one",
    )

    provenance: dict[Provenance, Limits] = Field(
        default_factory=dict,
        description="limits for a corpus whose synthetic sources all have this provenance: "
        "generated, rephrased or edited. Keys that are absent keep the limits above",
    )

    def converges(self, domain: str | None) -> bool:
        """Return whether a domain's documents are measured but not judged."""
        other = self.domains.get(OTHERS, "open")
        return self.domains.get(domain or OTHERS, other) == "converge"

    def of_run(self, policies: Mapping[str, DomainPolicy]) -> Gates:
        """Return these gates with the kinds of a run's domains; the gates' own kinds win."""
        kinds = {name: policy.kind for name, policy in policies.items()}
        return self.model_copy(update={"domains": kinds | self.domains})

    def of_provenance(self, provenance: Provenance | None) -> Gates:
        """Return these gates with the limits for a provenance; None has no limits of its own."""
        limits = self.provenance.get(provenance, Limits()) if provenance else Limits()
        names = limits.model_fields_set
        return self.model_copy(update={name: getattr(limits, name) for name in names})

    def limits_of(self, provenance: Provenance | None) -> list[str]:
        """Name the limits for a provenance that hold in these gates, in the order of the fields."""
        limits = self.provenance.get(provenance, Limits()) if provenance else Limits()
        return [
            name
            for name in Limits.model_fields
            if name in limits.model_fields_set and getattr(limits, name) == getattr(self, name)
        ]


def load_gates(path: str | None) -> Gates:
    """Read the gates of a YAML file; without a file, return the default gates.

    Raises:
        ConfigError: naming the key, the value found and the remedy.
    """
    if path is None:
        return Gates()
    try:
        values = load_yaml(path)
        known = Gates.model_fields[FORMAT].default
        remedy = "write the file anew after `outcross schema gates`"
        check_versions("gates", path, {FORMAT: 1, **values}, {FORMAT: known}, remedy)
        return Gates.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path}: {readable(error, 'gates', Gates)}") from None

"""Supply of tokens by domain and cluster, and the reference's shares of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact
from outcross.pipeline.stages.planning.draw import HumanPart, human_part
from outcross.pipeline.stages.planning.gaps import warnings_of_gaps
from outcross.pipeline.stages.rank import Ranking
from outcross.pipeline.stages.sources import warnings_of_known
from outcross.schemas.budget import OTHERS
from outcross.schemas.config import Config
from outcross.schemas.user_input import ConfigError
from outcross.transforms.estimators import richness
from outcross.transforms.reference.reference import Reference
from outcross.transforms.selection.uses import (
    FRESH,
    GENERATED,
    HUMAN,
    LEDGER,
    OFF_SUPPORT,
    SYNTHETIC,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DomainSupply:
    """Tokens of one domain after deduplication, by cluster, each document once.

    Attributes:
        name: value of the domain column, or '*'.
        synthetic: float64[C], synthetic tokens without off-support ones.
        off_support: float64[C], off-support tokens.
        human: float64[C], human tokens.
        shares: float64[C], the reference's smoothed shares within the domain.
        reference_share: the domain's share of the reference.
        off_support_share: share of the reference's documents that are off-support.
    """

    name: str
    synthetic: Floats
    off_support: Floats
    human: Floats
    shares: Floats
    reference_share: float
    off_support_share: float

    def writable(self, mode: str) -> float:
        """Return the synthetic tokens that may be written, each document once.

        They are the tokens that are not off-support, and as many off-support ones as the mode
        allows.

        Args:
            mode: treatment of off-support text: keep, cap or drop.
        """
        clean, off = float(self.synthetic.sum()), float(self.off_support.sum())
        if mode == "drop":
            return clean
        if mode == "keep" or self.off_support_share == 1:
            return clean + off
        return min(clean + off, clean / (1 - self.off_support_share))

    def off_support_cap(self, mode: str, synthetic_tokens: float, copies: int) -> Floats:
        """Return the off-support tokens that may be taken, each document once.

        Args:
            mode: `keep` their natural share, `cap` it at the reference's, or `drop` them.
            synthetic_tokens: synthetic tokens that are wanted.
            copies: most copies of a synthetic document. Wanted tokens beyond that can't be
                written, so they give off-support text no share.

        Returns:
            float64[C].
        """
        available = self.synthetic.sum() + self.off_support.sum()
        if mode == "drop" or available == 0:
            return np.zeros_like(self.off_support)
        natural = self.off_support * min(1.0, synthetic_tokens / available)
        if mode == "keep" or natural.sum() == 0:
            return natural
        total, share = synthetic_tokens, self.off_support_share
        if share < 1:
            total = min(total, copies * float(self.synthetic.sum()) / (1 - share))
        return natural * min(1.0, share * total / natural.sum())


@dataclass(frozen=True)
class Supply:
    """Tokens that may be written.

    Attributes:
        domains: supply of each domain, in the order of their names; a single '*' without domains.
        bytes_per_token: bytes of a token in synthetic and in human rows.
        human_reference: True if the reference is human text.
        names: distinctive words and some human texts of each cluster, by its number.
        key: hash of the documents and the reference.
        warnings: warnings about the sources and domains.
        new: synthetic tokens of the run's own sources; None where there are no others.
        part: human text that the human part is drawn from; None without a lineage.
        documents: number of documents by role, with words or without.
    """

    domains: Sequence[DomainSupply]
    bytes_per_token: tuple[float, float]
    human_reference: bool
    names: Mapping[int, Mapping[str, Any]]
    key: str
    warnings: Sequence[str] = ()
    new: float | None = None
    part: HumanPart | None = None
    documents: Mapping[str, int] = field(default_factory=dict)

    def about(self, cluster: int) -> dict[str, Any]:
        """Return the words of a cluster, and a human text."""
        named = self.names.get(cluster, {"words": [], "texts": []})
        return {"words": named["words"], "text": named["texts"][0] if named["texts"] else None}

    def writable(self, mode: str) -> float:
        """Return the synthetic tokens of all domains that may be written, each document once."""
        return sum(domain.writable(mode) for domain in self.domains)

    @property
    def human(self) -> float:
        """Human tokens of all domains, each document once."""
        return sum(float(domain.human.sum()) for domain in self.domains)


def supply_key(ranking: Ranking) -> str:
    """Return a hash of the documents that may be written, and of the reference.

    The files that hold the documents don't matter.
    """
    state = xxhash.xxh3_128(ranking.clustered.reference.fingerprint().encode())
    lineage = ranking.context.lineage
    parts: dict[str, tuple[int, ...]] = {"synthetic": GENERATED, "human": HUMAN}
    if lineage is not None:  # the ledger has a draw of its own in every generation
        parts |= {"human": (FRESH,), f"ledger of generation {lineage.number}": (LEDGER,)}
        for generation in lineage.before.generations:  # which depends on earlier draws
            state.update((generation.used or "").encode())
    for name, uses in parts.items():
        state.update(ranking.sums.key(*uses))
        state.update(name.encode())
    return str(state.hexdigest())


def measure_supply(ranking: Ranking, draws: Artifact) -> Supply:
    """Count the tokens that may be written, by domain and cluster.

    Args:
        ranking: result of `rank`.
        draws: artifact that gets the sums of a lineage's draws.

    Raises:
        ConfigError: when a share is wanted of a domain that has no text.
    """
    clustered, config, sums = ranking.clustered, ranking.config, ranking.sums
    names = ranking.columns.domains
    documents = {"synthetic": sums.of_uses(*GENERATED), "human": sums.of_uses(*HUMAN)}
    per_token = {
        role: float(size / max(tokens, 1)) for role, (_, tokens, size) in documents.items()
    }
    plain, strange, people = (
        sums.cells_of(*uses) for uses in ((SYNTHETIC,), (OFF_SUPPORT,), HUMAN)
    )
    occurs = sums.domains > 0
    absent = [name for name, occurring in zip(names, occurs, strict=True) if not occurring]
    warnings = _without_text(absent, config)
    shares, natural, bare = _reference_shares(
        clustered.reference,
        sums.reference.astype(np.float64),
        (plain + strange + people).sum(axis=1),
    )
    unknown = [name for name, lacks in zip(names, bare & occurs, strict=True) if lacks]
    warnings += _without_reference(unknown, config)
    classes = clustered.reference.counts.classes
    off_support_share = float(classes[richness.OFF_SUPPORT] / max(classes.sum(), 1))
    present = np.flatnonzero(occurs).tolist()
    return Supply(
        domains=[
            DomainSupply(
                name=names[d],
                synthetic=plain[d],
                off_support=strange[d],
                human=people[d],
                shares=shares[d],
                reference_share=float(natural[d]),
                off_support_share=off_support_share,
            )
            for d in present
        ],
        bytes_per_token=(per_token["synthetic"], per_token["human"]),
        human_reference=clustered.reference.human,
        names={row["cluster"]: row for row in clustered.reference.names.to_pylist()},
        key=supply_key(ranking),
        warnings=[
            *warnings_of_known(ranking.sketched),
            *warnings_of_gaps(ranking),
            *warnings,
        ],
        new=None if ranking.context.lineage is None else ranking.new,
        part=human_part(ranking, draws, present),
        documents={role: int(part[0]) for role, part in documents.items()},
    )


def _reference_shares(
    reference: Reference, tokens: Floats, supply: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return the reference's shares of the clusters in each domain, and of the domains.

    Half a document smooths each cluster. It is divided among the domains like the reference, so
    that all domains together are the reference without domains. A domain without reference text
    gets the shares of the whole reference, and its share of the supply.

    Args:
        reference: reference of the run.
        tokens: float64[D, C], tokens of the reference that are the run's own documents.
        supply: float64[D], tokens that may be written.

    Returns:
        float64[D, C], shares of the clusters in each domain; float64[D], shares of the domains;
        bool[D], domains without reference text.
    """
    totals = tokens.sum(axis=1)
    bare = totals == 0
    shares = np.broadcast_to(reference.shares, tokens.shape).copy()
    natural = supply / max(float(supply.sum()), 1.0)
    if bare.all():
        return shares, natural, bare
    documents = max(int(reference.counts.documents.sum()), 1)
    share = totals / totals.sum()
    half = 0.5 * max(totals.sum(), 1.0) / documents
    for d in np.flatnonzero(~bare):
        smoothed = tokens[d] + half * share[d]
        shares[d] = smoothed / smoothed.sum()
    natural = np.where(bare, natural, share * (1 - float(natural[bare].sum())))
    return shares, natural, bare


def _without_text(names: Sequence[str], config: Config) -> list[str]:
    """Return warnings of the domains that no document has.

    Args:
        names: names of these domains.
        config: configuration of the run.

    Raises:
        ConfigError: when a share is wanted of such a domain.
    """
    warnings = []
    for name in names:
        policy = config.domains.get(name)
        if policy is not None and policy.share and not config.best_effort:
            raise ConfigError(
                f"domains.{name}.share: {policy.share} was asked, but no document that survived "
                "deduplication has this domain; is the name right?"
            )
        if policy is not None and name != OTHERS:
            warnings.append(f"domains: no document has the domain {name!r}; is the name right?")
    return warnings


def _without_reference(names: Sequence[str], config: Config) -> list[str]:
    """Return a warning of the domains that the reference has no text of.

    Args:
        names: names of these domains.
        config: configuration of the run.
    """
    if not config.domains or not names:
        return []
    why = (
        "a reference that was loaded knows no domains"
        if config.reference is not None
        else "the human reference has no text of them"
    )
    return [
        f"domains {', '.join(map(repr, names))}: {why}, so they are compared with all of its "
        "clusters. Without a share in the configuration, each gets its share of the text to write"
    ]

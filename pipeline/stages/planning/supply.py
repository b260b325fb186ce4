"""What there is to take: tokens by domain and cluster, and how the reference shares them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from outcross.pipeline.stages.cluster import Clustered, yardstick_documents
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.planning.draw import HumanPart, human_part
from outcross.pipeline.stages.rank import Ranking
from outcross.pipeline.stages.sketch import Sketched, warnings_of_known
from outcross.schemas.budget import OTHERS
from outcross.schemas.config import Config
from outcross.schemas.user_input import ConfigError
from outcross.transforms.estimators.richness import OFF_SUPPORT

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DomainSupply:
    """Tokens of one domain after deduplication, by cluster, each document once.

    Attributes:
        name: value of the domain column, or '*'.
        synthetic, off_support, human: float64[C]; synthetic without off-support.
        shares: float64[C], the reference's smoothed shares within the domain.
        reference_share: the domain's share of the reference.
        off_support_share: of the reference's documents that are off-support by its thresholds.
    """

    name: str
    synthetic: Floats
    off_support: Floats
    human: Floats
    shares: Floats
    reference_share: float
    off_support_share: float

    def writable(self, mode: str) -> float:
        """Synthetic tokens that may be written, each document once: those that are not off-support
        and as many off-support ones as may go with them.
        """
        clean, off = float(self.synthetic.sum()), float(self.off_support.sum())
        if mode == "drop":
            return clean
        if mode == "keep" or self.off_support_share == 1:
            return clean + off
        return min(clean + off, clean / (1 - self.off_support_share))

    def off_support_cap(self, mode: str, synthetic_tokens: float, copies: int) -> Floats:
        """Off-support tokens that may be taken: each document once, never more than their share.

        Args:
            mode: `keep` the share that they have, `cap` it at the reference's, or `drop` them.
            synthetic_tokens: that are asked for.
            copies: how often a synthetic document may appear; what is asked beyond that can't be
                written, and so lends off-support text no share.
        """
        everything = self.synthetic.sum() + self.off_support.sum()
        if mode == "drop" or everything == 0:
            return np.zeros_like(self.off_support)
        natural = self.off_support * min(1.0, synthetic_tokens / everything)
        if mode == "keep" or natural.sum() == 0:
            return natural
        total, share = synthetic_tokens, self.off_support_share
        if share < 1:
            total = min(total, copies * float(self.synthetic.sum()) / (1 - share))
        return natural * min(1.0, share * total / natural.sum())


@dataclass(frozen=True)
class Supply:
    """What there is to take, and what it is measured on.

    Attributes:
        domains: in the order of their names; a single '*' where none are asked for.
        bytes_per_token: of synthetic and of human rows.
        human_reference: whether the reference is human text.
        names: by cluster, the words that set it apart and some human texts.
        key: names all of this.
        warnings: what has to be said about the sources and domains.
        new: synthetic tokens of the run's own sources; None where there are no others.
        part: what the human part is drawn from; None without a lineage.
        documents: by role, how many there are, with words or without.
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
        """The words of a cluster, and a human text of it."""
        named = self.names.get(cluster, {"words": [], "texts": []})
        return {"words": named["words"], "text": named["texts"][0] if named["texts"] else None}

    def writable(self, mode: str) -> float:
        """Synthetic tokens of all domains that may be written, each document once."""
        return sum(domain.writable(mode) for domain in self.domains)

    @property
    def human(self) -> float:
        """Human tokens of all domains, each document once."""
        return sum(float(domain.human.sum()) for domain in self.domains)


def supply_key(sketched: Sketched, clustered: Clustered, ranking: Ranking) -> str:
    """Names the documents that may be written, whatever files they stand in, and the yardstick."""
    state = xxhash.xxh3_128(clustered.reference.fingerprint().encode())
    hi, lo = sketched.fingerprints
    lineage = sketched.context.lineage
    human = ranking.human
    parts = {"synthetic": ranking.candidate, "human": human}
    if lineage is not None:  # what it has bought is drawn apart, and otherwise every time
        old = sketched.of_sources(*lineage.ledger)
        number = f"ledger of generation {lineage.number}"
        parts |= {"human": human & ~old, number: human & old}
    for name, rows in parts.items():
        order = np.lexsort((lo[rows], hi[rows]))
        state.update(np.stack([hi[rows], lo[rows]], axis=1)[order].tobytes())
        state.update(name.encode())
    return str(state.hexdigest())


def measure_supply(
    sketched: Sketched, deduplicated: Deduplicated, clustered: Clustered, ranking: Ranking
) -> Supply:
    """What there is to take, by domain and cluster.

    Raises:
        ConfigError: where a share is asked for of a domain that has no text.
    """
    config, tokens = sketched.context.config, sketched.tokens
    size = sketched.sketches.numbers("size")
    synthetic, human = ranking.candidate, ranking.human
    off = clustered.kind == OFF_SUPPORT
    names = sorted({*config.domains, OTHERS})
    number = sketched.domains(names)
    clusters = clustered.reference.codebook.size
    cells = len(names), clusters

    def by_cell(rows: NDArray[Any]) -> Floats:
        place = number[rows].astype(np.int64) * clusters + clustered.cluster[rows]
        counted = np.bincount(place, tokens[rows], len(names) * clusters)
        return counted.astype(np.float64).reshape(cells)

    def per_token(rows: NDArray[np.bool_]) -> float:
        return float(size[rows].sum() / max(tokens[rows].sum(), 1))

    yardstick = np.zeros(0, np.int64)
    if config.reference is None:
        yardstick = yardstick_documents(sketched, deduplicated)
        # What is too long to be written would else say what its cluster is to have.
        yardstick = yardstick[~ranking.too_long.rows[yardstick]]
    plain, strange, given = (by_cell(r) for r in (synthetic & ~off, synthetic & off, human))
    there = np.bincount(number[synthetic | human], minlength=len(names)) > 0
    there |= np.bincount(number[yardstick], minlength=len(names)) > 0
    warnings = _without_text(
        [name for name, some in zip(names, there, strict=True) if not some], config
    )
    shares, natural, bare = _reference_shares(
        clustered, by_cell(yardstick), (plain + strange + given).sum(axis=1)
    )
    warnings += _without_reference(
        [n for n, b in zip(names, bare & there, strict=True) if b], config
    )
    classes = clustered.reference.counts.classes
    off_support_share = float(classes[OFF_SUPPORT] / max(classes.sum(), 1))
    lineage, found = sketched.context.lineage, np.flatnonzero(there)
    part = None
    if lineage is not None:
        own = [names[d] for d in found]
        part = human_part(sketched, clustered, lineage, human, own)
    return Supply(
        domains=[
            DomainSupply(
                name=names[d],
                synthetic=plain[d],
                off_support=strange[d],
                human=given[d],
                shares=shares[d],
                reference_share=float(natural[d]),
                off_support_share=off_support_share,
            )
            for d in found
        ],
        bytes_per_token=(per_token(synthetic), per_token(human)),
        human_reference=clustered.reference.human,
        names={row["cluster"]: row for row in clustered.reference.names.to_pylist()},
        key=supply_key(sketched, clustered, ranking),
        warnings=[*warnings_of_known(sketched), *warnings],
        new=None if lineage is None else ranking.new,
        part=part,
        documents={"synthetic": int(synthetic.sum()), "human": int(human.sum())},
    )


def _reference_shares(
    clustered: Clustered, yardstick: Floats, held: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """The reference's shares of the clusters in each domain and of the domains, and which domains
    it has no text of.

    The half document that smooths a cluster is shared out like the reference itself, so that all
    domains together are the reference as it is without any. A domain that it has no text of is held
    against all of its clusters, and has the share that it has of the text there is to write.

    Args:
        clustered: the yardstick.
        yardstick: float64[D, C], its tokens, as far as they are the run's own documents.
        held: float64[D], tokens there are to write.
    """
    reference = clustered.reference
    own = yardstick.sum(axis=1)
    bare = own == 0
    shares = np.broadcast_to(reference.shares, yardstick.shape).copy()
    natural = held / max(float(held.sum()), 1.0)
    if bare.all():
        return shares, natural, bare
    documents = max(int(reference.counts.documents.sum()), 1)
    share = own / own.sum()
    half = 0.5 * max(own.sum(), 1.0) / documents
    for d in np.flatnonzero(~bare):
        smoothed = yardstick[d] + half * share[d]
        shares[d] = smoothed / smoothed.sum()
    natural = np.where(bare, natural, share * (1 - float(natural[bare].sum())))
    return shares, natural, bare


def _without_text(names: Sequence[str], config: Config) -> list[str]:
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
    if not config.domains or not names:
        return []
    why = (
        "a yardstick that was loaded knows no domains"
        if config.reference is not None
        else "the human reference has no text of them"
    )
    return [
        f"domains {', '.join(map(repr, names))}: {why}, so they are held against all of its "
        "clusters, and get the share of the tokens that they have of the text there is to write "
        "where no other is asked for"
    ]

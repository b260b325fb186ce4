"""Stage `measure`: how diverse the documents are after each stage, in each shard and domain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import artifact
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.sketch import Sketched
from outcross.schemas.gates import Gates
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.measuring.diversity import Diversity, Grouping, merged, set_file
from outcross.transforms.measuring.measure_diversity import MeasureDiversity
from outcross.transforms.reference.sample import DOCUMENTS, sample_key
from outcross.transforms.sketches.aligned import save_aligned

_DOMAINS = 32  # that are shown, the largest ones
JUDGED = "judged"


@dataclass
class Measured:
    """After `measure`: the sets of documents.

    Attributes:
        folder: of their accumulators; those of a thousand shards don't fit memory at once.
        names: of the sets, as `Grouping` gives them.
        shards: how many there are.
        domains: the names of those that are measured; '' for documents without one.
        sizes: of the two codebooks.
        open: bool[n], the documents that the gates may look at: all but those of domains that
            are meant to converge.
    """

    folder: str
    names: frozenset[str]
    shards: int
    domains: Sequence[str]
    sizes: tuple[int, int]
    open: NDArray[np.bool_]

    def load(self, name: str) -> Diversity:
        """One set; an empty one where no document is in it."""
        if name not in self.names:
            return Diversity.empty(*self.sizes)
        return Diversity.from_bytes(files.read_bytes(set_file(self.folder, name)))

    def roles(self, stage: str) -> dict[str, Diversity]:
        """What a stage or a shard holds, by role and in all."""
        found = {role: self.load(f"{stage}/{role}") for role in WRITABLE}
        return found | {"all": merged(found.values(), *self.sizes)}

    @cached_property
    def last(self) -> dict[str, Diversity]:
        """All shards together, by role and in all."""
        found = {
            role: merged(
                (self.load(f"shard/{number}/{role}") for number in range(self.shards)), *self.sizes
            )
            for role in WRITABLE
        }
        return found | {"all": merged(found.values(), *self.sizes)}

    @property
    def judged(self) -> Diversity:
        """What the gates look at."""
        return self.last["all"] if self.open.all() else self.load(JUDGED)


def measure(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    clustered: Clustered,
    copies: NDArray[np.int32],
    gates: Gates,
    shard: NDArray[np.int64] | None,
    shards: int,
) -> Measured:
    """Measures the documents.

    Args:
        context, sketched, deduplicated, clustered: of the run.
        copies: int32[n], how often each document stands in a shard, or what it weighs there.
        gates: say which domains are judged.
        shard: int64[n], of each document, where shards are files; None where a hash deals copies
            out.
        shards: how many there are.
    """
    config, sketches = context.config, sketched.sketches
    weighted = config.copies == "weights"
    names, domain, judged = _domains(context, sketched, copies, gates)
    done = artifact(
        config.out,
        "measure",
        cluster=clustered.artifact.key,
        copies=_fingerprint(copies),
        roles=[source.role for source in config.sources],
        domains=[names, _fingerprint(judged)],
        shards=[None if shard is None else _fingerprint(shard), shards, weighted],
        seed=config.seed,
    )
    folder, columns = done.subfolder("sets"), done.subfolder("columns")
    grouping = Grouping(
        roles=[source.role if source.role in WRITABLE else None for source in config.sources],
        folder=columns,
        by_hash=shard is None,
        shards=shards,
        seed=config.seed,
        partly_judged=not bool(judged.all()),
        copies_together=weighted,
    )
    sizes = clustered.reference.sizes
    if done.finished:
        context.progress.skipped("measure")
        found: list[str] = done.stats()["sets"]
    else:
        with context.progress.stage("measure", documents=len(sketches)):
            aligned: dict[str, NDArray[Any]] = {
                "kept": deduplicated.verdicts.kept,
                "copies": copies,
                "domain": domain,
                "judged": judged,
            }
            if shard is not None:
                aligned["shard"] = shard
            save_aligned(columns, sketches, aligned)
            limits = _limits(sketched, grouping)
            found = list(limits)
            path = done.path("limits.json")
            files.write_json(path, limits)
            work = MeasureDiversity(
                sketches.folder,
                clustered.folder,
                clustered.reference.thresholds,
                sizes,
                grouping,
                path,
                folder,
            )
            context.over_units(sketched.units(*WRITABLE), lambda p: p | work)
        done.finish({"sets": found})
    return Measured(folder, frozenset(found), shards, names, sizes, judged)


def _fingerprint(values: NDArray[Any]) -> str:
    return str(xxhash.xxh3_128_hexdigest(np.ascontiguousarray(values).tobytes()))


def _domains(
    context: Context, sketched: Sketched, copies: NDArray[np.int32], gates: Gates
) -> tuple[list[str], NDArray[np.int16], NDArray[np.bool_]]:
    """The largest domains, each document's number among them, and whether it is judged."""
    sketches = sketched.sketches
    domain = np.full(len(sketches), -1, np.int16)
    judged = np.full(len(sketches), not gates.converges(None))
    named = set(gates.domains) - {"*"}
    if not any(report.named.get("domain", 0) for report in sketches.reports):
        if named:
            context.warn(
                f"gates: domains {', '.join(map(repr, sorted(named)))} are named, but no document "
                "has a domain; give the column's name as domain_field"
            )
        return [], domain, judged
    columns = []
    often: Counter[str] = Counter()
    for unit, part in sketches.per_unit(copies):
        column = pc.fill_null(sketches.table(unit.index, ["domain"]).column(0), "")
        encoded = column.combine_chunks().dictionary_encode()
        codes, values = encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
        columns.append((codes, values))
        counts = np.bincount(codes, part, len(values)).astype(int)
        often.update({value: int(count) for value, count in zip(values, counts, strict=True)})
    if missing := sorted(named - set(often)):
        context.warn(
            f"gates: no document has the domain {' or '.join(map(repr, missing))}; there are "
            f"{', '.join(map(repr, sorted(often)[:10]))}"
        )
    ranked = sorted(often, key=lambda name: (-often[name], name))[:_DOMAINS]
    number = {name: place for place, name in enumerate(ranked)}
    for (codes, values), (_, part), (_, open_) in zip(
        columns, sketches.per_unit(domain), sketches.per_unit(judged), strict=True
    ):
        if len(codes):
            part[:] = np.array([number.get(value, -1) for value in values], np.int16)[codes]
            open_[:] = np.array([not gates.converges(value) for value in values])[codes]
    return ranked, domain, judged


def _limits(sketched: Sketched, grouping: Grouping) -> dict[str, int]:
    """The largest key that each set's sample holds, so that workers carry no more than that."""
    sketches = sketched.sketches
    hi, lo = sketched.fingerprints
    keys: dict[str, list[NDArray[np.uint64]]] = {}
    for unit in sketched.units(*WRITABLE):
        part = slice(sketches.offsets[unit.index], sketches.offsets[unit.index + 1])
        for name, rows, copy, _, _ in grouping.sets(unit, hi[part], lo[part]):
            own = sample_key(hi[part][rows], lo[part][rows], copy)
            keys.setdefault(name, []).append(own)
    limits = {}
    for name, parts in keys.items():
        every = np.concatenate(parts)
        if len(every) > DOCUMENTS:
            every = np.partition(every, DOCUMENTS - 1)[:DOCUMENTS]
        limits[name] = int(every.max(initial=0))
    return limits

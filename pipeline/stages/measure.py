"""Stage `measure`: the diversity of the documents after each stage, in each shard and domain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import artifact
from outcross.pipeline.stages.audited import Audited
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.select import Selected
from outcross.pipeline.stages.sketched import Sketched
from outcross.pipeline.stages.write import Written
from outcross.schemas.gates import Gates
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.measuring.diversity import Diversity, Grouping, merged, set_file
from outcross.transforms.measuring.figures import FigureMaker
from outcross.transforms.measuring.measure_diversity import MeasureDiversity
from outcross.transforms.reference.sample import DOCUMENTS, sample_key
from outcross.transforms.sketches.aligned import save_aligned

_DOMAINS = 32  # largest domains, which are shown
JUDGED = "judged"

CorpusT = TypeVar("CorpusT", Written[Selected], Audited)


@dataclass(frozen=True)
class Measured(Generic[CorpusT]):
    """Sets of documents with their measures; result of `measure`.

    Attributes:
        corpus: documents that were measured.
        gates: limits that the measures are judged by.
        folder: folder of the sets' accumulators; those of a thousand shards don't fit memory.
        names: names of the sets, as `Grouping` gives them.
        domains: names of the measured domains; '' for documents without one.
        open: bool[n], documents that are judged: all but those of domains that may converge.
    """

    corpus: CorpusT
    gates: Gates
    folder: str
    names: frozenset[str]
    domains: Sequence[str]
    open: NDArray[np.bool_]

    @property
    def clustered(self) -> Clustered:
        """Result of `cluster`."""
        return self.corpus.clustered

    @property
    def copies(self) -> NDArray[np.int32]:
        """Array int32[n]: copies of each document."""
        return self.corpus.copies

    @property
    def sketched(self) -> Sketched:
        """Result of `sketch`."""
        return self.corpus.sketched

    @property
    def context(self) -> Context:
        """Context of the run or audit."""
        return self.corpus.context

    @property
    def sizes(self) -> tuple[int, int]:
        """Pair of the codebooks' sizes."""
        return self.clustered.reference.sizes

    @cached_property
    def maker(self) -> FigureMaker:
        """Maker of figures on the reference."""
        return FigureMaker(self.clustered.reference)

    def load(self, name: str) -> Diversity:
        """Load a set by its name; return an empty set where no document is in it."""
        if name not in self.names:
            return Diversity.empty(*self.sizes)
        return Diversity.from_bytes(files.read_bytes(set_file(self.folder, name)))

    def roles(self, stage: str) -> dict[str, Diversity]:
        """Load the sets of a stage or a shard, by role and in all."""
        sets = {role: self.load(f"{stage}/{role}") for role in WRITABLE}
        return sets | {"all": merged(sets.values(), *self.sizes)}

    @cached_property
    def last(self) -> dict[str, Diversity]:
        """Union of all shards, by role and in all."""
        shards = range(len(self.corpus.files))
        sets = {
            role: merged((self.load(f"shard/{n}/{role}") for n in shards), *self.sizes)
            for role in WRITABLE
        }
        return sets | {"all": merged(sets.values(), *self.sizes)}

    @property
    def judged(self) -> Diversity:
        """Set of the documents that are judged."""
        return self.last["all"] if self.open.all() else self.load(JUDGED)


AnyMeasured = Measured[Written[Selected]] | Measured[Audited]
"""Measures of a run or of an audit."""


def measure(corpus: CorpusT, gates: Gates) -> Measured[CorpusT]:
    """Measure the documents of a corpus.

    Args:
        corpus: documents that a run has written or an audit has read.
        gates: limits that the measures will be judged by.
    """
    context, config, sketched = corpus.context, corpus.config, corpus.sketched
    clustered, copies, file = corpus.clustered, corpus.copies, corpus.file
    sketches, shards = sketched.sketches, len(corpus.files)
    weighted = config.copies == "weights"
    names, domain, judged = _domains(sketched, copies, gates)
    done = artifact(
        config.out,
        "measure",
        cluster=clustered.artifact.key,
        copies=_fingerprint(copies),
        roles=[source.role for source in config.sources],
        domains=[names, _fingerprint(judged)],
        shards=[None if file is None else _fingerprint(file), shards, weighted],
        seed=config.seed,
    )
    folder, columns = done.subfolder("sets"), done.subfolder("columns")
    grouping = Grouping(
        roles=[source.role if source.role in WRITABLE else None for source in config.sources],
        folder=columns,
        by_hash=file is None,
        shards=shards,
        seed=config.seed,
        partly_judged=not bool(judged.all()),
        copies_together=weighted,
    )
    if done.finished:
        context.progress.skipped("measure")
        sets: list[str] = done.stats()["sets"]
    else:
        with context.progress.stage("measure", documents=len(sketches)):
            aligned: dict[str, NDArray[Any]] = {
                "kept": corpus.deduplicated.kept,
                "copies": copies,
                "domain": domain,
                "judged": judged,
            }
            if file is not None:
                aligned["shard"] = file
            save_aligned(columns, sketches, aligned)
            limits = _limits(sketched, grouping)
            sets = list(limits)
            path = done.path("limits.json")
            files.write_json(path, limits)
            work = MeasureDiversity(
                sketches.folder,
                clustered.folder,
                clustered.reference.thresholds,
                clustered.reference.sizes,
                grouping,
                path,
                folder,
            )
            context.over_units(sketched.units(*WRITABLE), lambda p: p | work)
        done.finish({"sets": sets})
    return Measured(corpus, gates, folder, frozenset(sets), names, judged)


def _fingerprint(values: NDArray[Any]) -> str:
    return str(xxhash.xxh3_128_hexdigest(np.ascontiguousarray(values).tobytes()))


def _domains(
    sketched: Sketched, copies: NDArray[np.int32], gates: Gates
) -> tuple[list[str], NDArray[np.int16], NDArray[np.bool_]]:
    """Find the largest domains, and the documents that are judged.

    Args:
        sketched: result of `sketch`.
        copies: int32[n], copies of each document.
        gates: limits; they name the domains that may converge.

    Returns:
        The domains' names; int16[n], the place of each document's domain among them, -1 for
        another domain; bool[n], documents that are judged.
    """
    context, sketches = sketched.context, sketched.sketches
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
    """Return the largest key in each set's sample, so that workers carry no larger ones."""
    sketches = sketched.sketches
    hi, lo = sketched.fingerprints
    keys: dict[str, list[NDArray[np.uint64]]] = {}
    for unit in sketched.units(*WRITABLE):
        part = slice(sketches.offsets[unit.index], sketches.offsets[unit.index + 1])
        for name, rows, copy, _, _ in grouping.sets(unit, hi[part], lo[part]):
            keys.setdefault(name, []).append(sample_key(hi[part][rows], lo[part][rows], copy))
    limits = {}
    for name, parts in keys.items():
        smallest = np.concatenate(parts)
        if len(smallest) > DOCUMENTS:
            smallest = np.partition(smallest, DOCUMENTS - 1)[:DOCUMENTS]
        limits[name] = int(smallest.max(initial=0))
    return limits

"""Stage `deduplicate`: decide which documents repeat others, and describe the removals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.earlier import Index, earlier_runs
from outcross.pipeline.stages.removal_sums import RemovalSums
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.config import Config, band_threshold
from outcross.schemas.deduplication import Overlap
from outcross.schemas.sources import Role
from outcross.transforms.dedup.agreement import STRICT_TOKENS
from outcross.transforms.dedup.corpus import Corpus, Named
from outcross.transforms.dedup.decide import CONTAINED, EXACT, NEAR, SEMANTIC, Settings
from outcross.transforms.dedup.deduplicate_documents import DeduplicateDocuments
from outcross.transforms.dedup.passage_verdicts import SavePassageVerdicts
from outcross.transforms.dedup.rules import Party
from outcross.transforms.exchange.per_unit import PerUnit
from outcross.transforms.inputs.places import file_names
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.joined import JoinedSketches
from outcross.transforms.sketches.store import Sketches
from outcross.transforms.text.minhash import lsh_parameters
from outcross.transforms.writing.shards import count_shards

_FOLDERS = ("repeats", "containment/contained", "boilerplate", "verdicts", "removals", "sums")


@dataclass(frozen=True)
class Deduplicated:
    """Kept documents, and what the others repeat; result of `deduplicate`.

    Attributes:
        sketched: result of `sketch`. From here on its sketches hold the passages as well, of
            sources that are offered in pieces.
        artifact: artifact of the stage.
        bands: number of bands.
        rows: rows of a band.
    """

    sketched: Sketched
    artifact: Artifact
    bands: int
    rows: int

    @property
    def context(self) -> Context:
        """Context of the run."""
        return self.sketched.context

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.sketched.config

    @property
    def sketches(self) -> Sketches:
        """Store of the run's sketches."""
        return self.sketched.sketches

    @property
    def folder(self) -> str:
        """Folder of the row-aligned verdicts."""
        return self.artifact.path("verdicts")

    @cached_property
    def sums(self) -> RemovalSums:
        """Sums over all removals."""
        return RemovalSums(self.artifact.path("sums"), self.artifact.stats()["sums"])

    @property
    def counts(self) -> dict[str, int]:
        """Counts of the work."""
        return self.sums.counts

    @property
    def repeats(self) -> list[Overlap]:
        """Counts of the repeats of evaluation sets and of earlier runs."""
        return [Overlap(**line) for line in self.artifact.stats()["found"]]

    @property
    def removed_shards(self) -> int:
        """Number of shards of removed/."""
        return count_shards(self.sums.bytes, self.config.shard_mb, self.sums.removed())

    def group_sizes(self, *roles: Role) -> NDArray[np.int64]:
        """Count the groups of documents that repeat one document, by size.

        Args:
            roles: roles of the documents: one that is not `exclude`, or those of data/.

        Returns:
            int64[m, 2], ascending sizes and the number of groups of each size. A group is a kept
            document with the removed ones; of a kept document of another role, the removed alone.
        """
        chosen = [n for n, s in enumerate(self.config.sources) if s.role in roles]
        return self.sums.group_sizes(roles, chosen)

    def ids(self, documents: NDArray[np.int64]) -> list[str]:
        """Return the ids of documents.

        Args:
            documents: int64[m], ascending numbers of documents.
        """
        sketches, ids = self.sketches, []
        for unit, rows, _ in sketches.rows_of(documents):
            (repeated,) = load_unit(self.folder, unit, ["repeated_id"])
            named = _named(sketches, self.config.sources[sketches.units[unit].source].name, unit)
            table = sketches.table(unit, ["id", "row"])
            ids += named.names(table, rows, repeated[rows]).to_pylist()
        return ids


def deduplicate(sketched: Sketched, indices: Sequence[Index] = ()) -> Deduplicated:
    """Decide which documents repeat others, and describe the removals for removed/.

    Args:
        sketched: result of `sketch`.
        indices: further texts whose repeats are removed, in addition to those of earlier runs.
    """
    context, config, sketches = sketched.context, sketched.config, sketched.sketches
    earlier = [*earlier_runs(config), *indices]
    bands, rows = lsh_parameters(band_threshold(config), config.num_perm)
    done = artifact(
        config.out,
        "deduplicate",
        sketch=sketched.artifact.key,
        sources=[[s.name, s.role, s.priority, s.removed_by] for s in config.sources],
        against=[run.identity for run in earlier],
        containment=[config.containment, config.containment_ngram],
        bands=[bands, rows],
        files=list(file_names(sketches.units).values()),  # ids contain them
        threshold=config.near_threshold,
        verify=config.verify,
        boilerplate=config.boilerplate,
        max_same_answers=config.max_same_answers,
        shard_mb=config.shard_mb,
        seed=config.seed,
        **_semantic(config),
    )
    if done.finished:
        context.progress.skipped("deduplicate")
    else:
        with context.progress.stage("deduplicate", documents=len(sketches)):
            _deduplicate(sketched, earlier, done, bands, rows)
    if sketched.passages is not None:
        sketched = replace(sketched, sketches=sketched.passages)
    result = Deduplicated(sketched, done, bands, rows)
    repeated = result.sums.total("repeated_id")
    if repeated:
        context.warn(
            f"{repeated:,} documents have an id that another one of their source has "
            "too; their place in the file is added to it"
        )
    return result


def _semantic(config: Config) -> dict[str, Any]:
    """Return what the key of the work names in addition where embeddings are compared."""
    if config.semantic_threshold is None:
        return {}
    return {"semantic_threshold": config.semantic_threshold}


def _deduplicate(
    sketched: Sketched, earlier: Sequence[Index], done: Artifact, bands: int, rows: int
) -> None:
    """Run the pipeline of the stage, and sum what it found.

    Args:
        sketched: result of `sketch`.
        earlier: indices of texts whose repeats are removed.
        done: artifact of the stage.
        bands: number of bands.
        rows: rows of a band.
    """
    config, context = sketched.config, sketched.context
    parts = [(sketched.sketches, len(config.sources))]
    joined = JoinedSketches([*parts, *((run.sketches, len(run.sources)) for run in earlier)])
    corpus = _corpus(sketched, earlier, joined)
    for name in _FOLDERS:
        done.subfolder(name)
    if config.semantic_threshold is not None:
        done.subfolder("semantic/pairs")
    settings = Settings(
        config.near_threshold,
        config.verify == "exact",
        config.ngram,
        config.num_perm,
        config.boilerplate,
        config.max_same_answers,
        config.semantic_threshold,
    )
    searched = (config.containment, config.containment_ngram) if config.containment else None
    with context.spill() as spill:
        work = DeduplicateDocuments(
            corpus=corpus,
            settings=settings,
            bands=bands,
            rows=rows,
            containment=searched,
            folder=done.folder,
            reasons=_reasons(config),
            seed=config.seed,
            workers=config.workers or _WORKERS,
            spill=spill,
        )

        def wire(lanes: Any) -> None:
            decided = lanes | work
            if sketched.passages is not None:
                lanes | "Passages" >> PerUnit(_passage_verdicts(sketched.passages, done), decided)

        context.over_units(joined.units, wire)
    sums = RemovalSums.add_up(done.path("sums"))
    lines = sums.overlaps(corpus.parties, config.sources, done.path("containment"))
    done.finish({"sums": sums.values, "found": [line.model_dump() for line in lines]})


def _passage_verdicts(sketches: Sketches, done: Artifact) -> SavePassageVerdicts:
    passages = {index: replace(unit, pieces=()) for index, unit in sketches.replaced.items()}
    return SavePassageVerdicts(sketches.folder, done.path("verdicts"), passages)


_WORKERS = 8  # where their number is unknown


def _corpus(sketched: Sketched, earlier: Sequence[Index], joined: JoinedSketches) -> Corpus:
    """Describe the units of the run and of the indices for workers."""
    config, sketches = sketched.config, sketched.sketches
    named = [
        _named(sketches, config.sources[unit.source].name, unit.index) for unit in sketches.units
    ]
    parties = [Party(source) for source in config.sources]
    written: dict[int, str] = {}
    for run in earlier:
        parties += run.parties
        for unit in run.sketches.units:
            path = run.written(unit.index)
            if path is not None:
                written[len(named)] = path
            named.append(run.named(unit.index))
    return Corpus(
        parties=parties,
        paths=joined.paths,
        party=np.array([unit.source for unit in joined.units], np.int16),
        offsets=joined.offsets,
        named=named,
        current=len(sketches.units),
        by_prompt=config.max_same_answers is not None,
        written=written,
    )


def _named(sketches: Sketches, source: str, unit: int) -> Named:
    """Return the names of the documents of one of the run's units."""
    return Named(source, sketches.places[unit])


def _reasons(config: Config) -> dict[int, str]:
    """Return the reasons for a removal that removed/ gives, by stage."""
    measure = "jaccard" if config.verify == "exact" else "minhash estimate"
    near = f"similar {config.ngram}-word sequences, by {measure}"
    if config.boilerplate is not None:
        near += ", also without boilerplate"
    return {
        EXACT: "same text but for line ends and trailing white space",
        NEAR: f"{near}; numbers, signs and negations agree (above 200 words in that proportion)",
        SEMANTIC: f"cosine of the embeddings; numbers, signs and negations agree, and both texts "
        f"have up to {STRICT_TOKENS} words",
        CONTAINED: f"holds {config.containment_ngram}-word sequences of an evaluation text",
    }

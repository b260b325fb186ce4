"""Stage `measure`: the diversity of the documents after each stage, in each shard and domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from outcross.pipeline.engine.artifacts import artifact
from outcross.pipeline.stages.audited import Audited
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.count import Counted
from outcross.pipeline.stages.reporting.quotes import Quoting
from outcross.pipeline.stages.selected import Selected
from outcross.pipeline.stages.sketched import Sketched
from outcross.pipeline.stages.write import Branch, Written, data_shards, write
from outcross.schemas.gates import Gates
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.inputs.places import file_names
from outcross.transforms.measuring.diversity import Diversity, merged
from outcross.transforms.measuring.figures import FigureMaker
from outcross.transforms.measuring.grouping import Grouping, set_file
from outcross.transforms.measuring.measure_diversity import DiversityWork, MeasureDiversity
from outcross.transforms.sketches.store import Sketches

_DOMAINS = 32  # largest domains, which are shown

CorpusT = TypeVar("CorpusT", Written[Selected], Audited)


@dataclass(frozen=True)
class Measured(Generic[CorpusT]):
    """Sets of documents with their measures; result of `measure`.

    Attributes:
        corpus: documents that were measured.
        counted: result of `count` for them.
        gates: limits that the measures are judged by.
        folder: folder of the sets' accumulators; those of a thousand shards don't fit memory.
        files: names of the files in this folder.
        domains: names of the measured domains; '' for documents without one.
        partly_judged: True if some documents aren't judged, as their domains may converge.
        quoting: lookup of the texts that the report shows.
    """

    corpus: CorpusT
    counted: Counted
    gates: Gates
    folder: str
    files: frozenset[str]
    domains: Sequence[str]
    partly_judged: bool
    quoting: Quoting

    @property
    def clustered(self) -> Clustered:
        """Result of `cluster`."""
        return self.corpus.clustered

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
        if set_file(name) not in self.files:
            return Diversity.empty(*self.sizes)
        return files.read_as(files.join(self.folder, set_file(name)), Diversity.from_bytes)

    def roles(self, stage: str) -> dict[str, Diversity]:
        """Load the sets of a stage or a shard, by role and in all."""
        sets = {role: self.load(f"{stage}/{role}") for role in WRITABLE}
        return sets | {"all": merged(sets.values(), *self.sizes)}

    @cached_property
    def kept(self) -> dict[str, Diversity]:
        """Documents that deduplication kept, by role and in all."""
        return self.roles("deduplicate")

    @property
    def read(self) -> dict[str, Diversity]:
        """Documents that were read, by role and in all: those removed and those kept."""
        return {role: part.merge(self.kept[role]) for role, part in self.roles("removed").items()}

    @cached_property
    def last(self) -> dict[str, Diversity]:
        """Union of all shards, by role and in all."""
        shards = range(len(self.corpus.files))
        sets = {
            role: merged((self.load(f"shard/{n}/{role}") for n in shards), *self.sizes)
            for role in WRITABLE
        }
        return sets | {"all": merged(sets.values(), *self.sizes)}


AnyMeasured = Measured[Written[Selected]] | Measured[Audited]
"""Measures of a run or of an audit."""


class Measuring(Branch):
    """Work of the stage, which may share a pipeline with that of `write`.

    Args:
        corpus: documents to measure.
        counted: result of `count` for them.
        gates: limits that the measures will be judged by.
        shards: number of shards, or of audited files.
    """

    def __init__(
        self, corpus: Selected | Audited, counted: Counted, gates: Gates, shards: int
    ) -> None:
        self.corpus, self.counted, self.gates, self.shards = corpus, counted, gates, shards
        self.domains, self.partly_judged = _domains(counted, gates)
        config = corpus.config
        self.done = artifact(
            config.out,
            "measure",
            count=counted.artifact.key,
            roles=[source.role for source in config.sources],
            domains=[self.domains, gates.model_dump(mode="json")["domains"]],
            shards=[isinstance(corpus, Audited), shards, config.copies],
            seed=config.seed,
        )
        self.folder = self.done.subfolder("sets")
        self.quoting = Quoting(counted, measured=True)

    @property
    def finished(self) -> bool:
        """True if the documents are measured."""
        return self.done.finished

    def transform(self, spill: str | None) -> MeasureDiversity:
        """Return the transform that measures units, with the folder of rows on their way."""
        corpus, config, clustered = self.corpus, self.corpus.config, self.corpus.clustered
        sketches, runs = corpus.sketched.sketches, None
        if isinstance(corpus, Audited):
            runs = self.done.path("files.json")
            files.write_json(runs, _file_runs(sketches))
        grouping = Grouping(
            roles=[source.role if source.role in WRITABLE else None for source in config.sources],
            verdicts=corpus.deduplicated.folder,
            selection=corpus.folder,
            domains=self.domains,
            gates=self.gates,
            partly_judged=self.partly_judged,
            shards=self.shards,
            seed=config.seed,
            copies_together=config.copies == "weights",
            file_runs=runs,
            replaced=frozenset(sketches.replaced),
        )
        work = DiversityWork(
            sketches.folder,
            clustered.folder,
            clustered.classes_folder,
            clustered.reference.sizes,
            grouping,
            self.folder,
        )
        return MeasureDiversity(work, spill)

    def finish(self) -> None:
        """Note which sets there are."""
        paths = files.list_files(files.join(self.folder, "*.npz"))
        self.done.finish({"sets": [path.rpartition("/")[2] for path in paths]})

    def run(self) -> None:
        """Measure the documents by a pipeline of its own."""
        context, sketched = self.corpus.context, self.corpus.sketched
        unfinished = [branch for branch in (self, self.quoting) if not branch.finished]
        stage = context.progress.stage("measure", documents=sketched.sketches.offered_rows)
        with stage, context.spill() as spill:
            transforms = [branch.transform(spill) for branch in unfinished]
            context.over_units(
                sketched.all_units(*WRITABLE),
                lambda lanes: [lanes | transform for transform in transforms],
                reading=True,
            )
        for branch in unfinished:
            branch.finish()

    def result(self, corpus: CorpusT) -> Measured[CorpusT]:
        """Return the measures of a corpus that was written or audited."""
        return Measured(
            corpus,
            self.counted,
            self.gates,
            self.folder,
            frozenset(self.done.stats()["sets"]),
            self.domains,
            self.partly_judged,
            self.quoting,
        )


def measure(audited: Audited, counted: Counted, gates: Gates) -> Measured[Audited]:
    """Measure the documents of an audit.

    Args:
        audited: documents that the audit has read.
        counted: result of `count` for them.
        gates: limits that the measures will be judged by.
    """
    measuring = Measuring(audited, counted, gates, len(audited.files))
    if measuring.finished:
        audited.context.progress.skipped("measure")
    else:
        measuring.run()
    return measuring.result(audited)


def write_and_measure(
    selected: Selected, counted: Counted, gates: Gates
) -> Measured[Written[Selected]]:
    """Write the documents of a run and measure them, by one pipeline.

    Args:
        selected: documents of data/.
        counted: result of `count` for them.
        gates: limits that the measures will be judged by.
    """
    measuring = Measuring(selected, counted, gates, data_shards(selected, counted))
    before = measuring.finished
    written = write(selected, counted, [measuring, measuring.quoting])
    if before:
        selected.context.progress.skipped("measure")
    elif not measuring.finished:
        measuring.run()
    return measuring.result(written)


def _domains(counted: Counted, gates: Gates) -> tuple[list[str], bool]:
    """Find the largest domains, and return True beside them if some documents are not judged.

    Args:
        counted: result of `count`.
        gates: limits; they name the domains that may converge.
    """
    context = counted.corpus.context
    named = set(gates.domains) - {"*"}
    if not counted.named:
        if named:
            context.warn(
                f"gates: domains {', '.join(map(repr, sorted(named)))} are named, but no document "
                "has a domain; give the column's name as domain_field"
            )
        return [], gates.converges(None)
    copies = counted.totals.domains.copies
    if missing := sorted(named - set(copies)):
        context.warn(
            f"gates: no document has the domain {' or '.join(map(repr, missing))}; there are "
            f"{', '.join(map(repr, sorted(copies)[:10]))}"
        )
    ranked = sorted(copies, key=lambda name: (-copies[name], name))[:_DOMAINS]
    return ranked, any(gates.converges(name) for name in copies)


def _file_runs(sketches: Sketches) -> dict[int, list[tuple[int, int]]]:
    """Return the number of the file and the rows of each piece of each unit."""
    paths = [path for _, path in file_names(sketches.units)]
    number = {path: place for place, path in enumerate(dict.fromkeys(paths))}
    return {
        unit.index: [
            (number[piece.file], rows)
            for piece, rows in zip(unit.pieces, report.piece_rows, strict=True)
        ]
        for unit, report in zip(sketches.units, sketches.reports, strict=True)
    }

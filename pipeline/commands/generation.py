"""Generations: a finished run's place in its lineage, and its commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.inputs.lineage import LINEAGE, USED, RunLineage, read_lineage
from outcross.pipeline.stages.context import RunError
from outcross.pipeline.stages.selected import Selected
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.columns import is_json, json_field, original_name, settle, unite
from outcross.schemas.config import tokenizer_of
from outcross.schemas.lineage import (
    Amount,
    ArchivedSource,
    Generation,
    LedgerPart,
    Lineage,
    LineageReport,
)
from outcross.schemas.sources import Fields, Source
from outcross.transforms.base import files
from outcross.transforms.base.files import absolute_path
from outcross.transforms.exchange.exchange import Collect, Regroup, Send
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.inputs.input_files import pattern_of
from outcross.transforms.reference.reference import copy_reference
from outcross.transforms.writing.ledger import (
    BOUGHT,
    WRITTEN,
    BuyRows,
    ListReused,
    SumWritten,
    WrittenRows,
)

PARTITION = 1 << 22
"""Reused documents that one worker sorts, about."""


@dataclass(frozen=True)
class Purchases:
    """Human documents that a run has written.

    Attributes:
        artifact: artifact that keeps the sums.
        amounts: int64[S, 2, 2], documents and tokens of each source that are fresh, and those of
            the ledger.
    """

    artifact: Artifact
    amounts: NDArray[np.int64]

    @property
    def fresh(self) -> Amount:
        """Text that was bought."""
        return _amount(self.amounts[:, 0])

    @property
    def reused(self) -> Amount:
        """Text of the ledger."""
        return _amount(self.amounts[:, 1])

    def bought(self, source: int) -> Amount:
        """Return the text that was bought from a source.

        Args:
            source: number of the source.
        """
        return _amount(self.amounts[source : source + 1, 0])


def _amount(sums: NDArray[np.int64]) -> Amount:
    documents, tokens = sums.sum(axis=0).tolist()
    return Amount(documents=documents, tokens=tokens)


def purchases(selected: Selected) -> Purchases:
    """Count the human documents that a run with a lineage has written.

    Args:
        selected: result of `select`.
    """
    done = artifact(selected.config.out, "commit", select=selected.artifact.key)
    units, amounts = selected.sketched.units("human"), np.zeros((1, 2, 2), np.int64)
    if not done.finished:
        work = SumWritten(_written_rows(selected))
        selected.context.over_units(units, lambda p: p | SumUnits(work, done.folder))
        done.finish()
    if units:
        amounts = files.read_as(done.path(WRITTEN), files.unpack_arrays)["amounts"]
    return Purchases(done, amounts)


def _written_rows(selected: Selected) -> WrittenRows:
    return WrittenRows(selected.ranking.columns, selected.ranking.folder, selected.folder)


def lineage_report(selected: Selected) -> LineageReport | None:
    """Describe a run's place in its lineage; return None without a lineage."""
    lineage = selected.context.lineage
    if lineage is None:
        return None
    reached, human = selected.planned.plan.reached, purchases(selected)
    return LineageReport(
        generation=lineage.name,
        number=lineage.number,
        fresh=human.fresh,
        reused=human.reused,
        planned_fresh_tokens=reached.human_tokens - reached.ledger_tokens,
        planned_reused_tokens=reached.ledger_tokens,
        ledger=lineage.before.ledger,
        ranking=list(selected.ranking.sources),
    )


def commit(selected: Selected, tokens: int) -> None:
    """Append a finished run to its lineage.

    Its files are written first. They are part of the lineage once lineage.json names them.

    Args:
        selected: result of `select`, whose data/ is written.
        tokens: tokens that the run has written.

    Raises:
        RunError: when another run was committed meanwhile.
    """
    config, clustered = selected.config, selected.clustered
    lineage = selected.context.lineage
    if lineage is None:
        return
    human = purchases(selected)
    place = f"{lineage.name}-{human.artifact.key[:8]}"
    for kind in ("ledger", "archive"):
        files.make_folder(lineage.path(f"{kind}/{place}"))
    write_ledger(selected, lineage, human, place)
    ngrams = used = None
    if human.fresh.documents:
        ngrams = f"ledger/{place}/{BOUGHT}"
        files.write_bytes(lineage.path(ngrams), files.read_as(human.artifact.path(BOUGHT), bytes))
    if human.reused.documents:
        used = f"ledger/{place}/{USED}"
    generation = Generation(
        name=lineage.name,
        out=absolute_path(config.out),
        seed=config.seed,
        reference=clustered.reference.fingerprint(),
        tokens=tokens,
        fresh=human.fresh,
        reused=human.reused,
        bought=_bought(selected.sketched, human, place),
        used=used,
        ngrams=ngrams,
        sources=_archived(selected, lineage, place),
        ranking=list(selected.ranking.sources),
    )
    selected.context.confirm_locks()
    if read_lineage(lineage.folder) != lineage.state:
        raise RunError(
            f"lineage: {lineage.folder} has changed during the run; the result in {config.out} is "
            "complete, but it is not a generation of the lineage. Run again, to build on the "
            "changed lineage"
        )
    shared = files.exists(files.join(lineage.reference, "reference.json"))
    first = not (shared and lineage.before.generations)
    if first and clustered.reference.human:  # else a later run with human text copies it
        files.make_folder(lineage.reference)
        copy_reference(clustered.reference_folder, lineage.reference)
    generations = [*lineage.before.generations, generation]
    state = Lineage(generations=generations, tokenizer=tokenizer_of(config))
    text = state.model_dump_json(indent=2) + "\n"
    files.write_bytes(lineage.path(LINEAGE), text.encode())
    _delete_others(lineage.folder, state)


def write_ledger(selected: Selected, lineage: RunLineage, human: Purchases, place: str) -> None:
    """Write the ledger's files: the bought rows of each source, and the list of reused ones.

    Args:
        selected: result of `select`.
        lineage: lineage of the run.
        human: human documents that the run has written.
        place: name of the folder in the ledger.
    """
    sketched, context, config = selected.sketched, selected.context, selected.config
    written, parts = _written_rows(selected), human.artifact.subfolder("parts")
    bought = [n for n in range(len(config.sources)) if human.bought(n).documents]
    if not bought and not human.reused.documents:
        return
    buy = BuyRows(
        written,
        config.sources,
        sketched.sketches.places,
        selected.deduplicated.folder,
        lineage.name,
        {number: _columns(sketched, number) for number in bought},
        parts,
        {n: lineage.path(_ledger_file(place, config.sources[n])) for n in bought},
    )
    partitions = -(-human.reused.documents // PARTITION)
    reuse = ListReused(written, partitions, parts, lineage.path(f"ledger/{place}/{USED}"))

    def wire(lanes: Any) -> None:
        if bought:
            lanes | Send(buy, spill) | Collect(buy)
        if partitions:
            sent = lanes | "SendReused" >> Send(reuse, spill)
            sent | Regroup(reuse, spill) | "CollectReused" >> Collect(reuse)

    with context.spill() as spill:
        context.over_units(sketched.units("human"), wire, reading=True)


def _ledger_file(place: str, source: Source) -> str:
    return f"ledger/{place}/{source.name}.parquet"


def _bought(sketched: Sketched, human: Purchases, place: str) -> list[LedgerPart]:
    """Describe the bought rows of each source.

    Args:
        sketched: result of `sketch`.
        human: human documents that the run has written.
        place: name of the folder in the ledger.
    """
    return [
        LedgerPart(
            source=source.name,
            file=_ledger_file(place, source),
            fields=Fields(**source.model_dump(include=set(Fields.model_fields) - {"id_field"})),
            amount=human.bought(number),
        )
        for number, source in enumerate(sketched.config.sources)
        if human.bought(number).documents
    ]


def _columns(sketched: Sketched, source: int) -> pa.Schema:
    """Return the columns in which a source has values, as they are in the source.

    A column that is null in all rows has no type, and must not get that of other sources.

    Args:
        sketched: result of `sketch`.
        source: number of the source.
    """
    reports = [report for report in sketched.reports(source) if report.rows]
    schema = unite(report.arrow_schema() for report in reports)
    filled = {field.name for field in schema if is_json(field) or not pa.types.is_null(field.type)}
    fields = {original_name(field): field for field in settle([schema])}
    names = [original_name(f) for f in sketched.union if f.name != sketched.text_out]
    return pa.schema(
        json_field(name) if is_json(fields[name]) else pa.field(name, fields[name].type)
        for name in names
        if name in filled
    )


def _archived(selected: Selected, lineage: RunLineage, place: str) -> list[ArchivedSource]:
    """Archive the run's own synthetic sources for later generations.

    Args:
        selected: result of `select`.
        lineage: lineage of the run.
        place: name of the folder in the archive.
    """
    sketched, ranking = selected.sketched, selected.ranking
    supply = {source.name: source.held for source in ranking.sources}
    archived = []
    for number, source in enumerate(sketched.config.sources):
        if not lineage.is_new(source) or supply[source.name].documents == 0:
            continue
        columns = {
            piece.file: piece.columns
            for unit in sketched.sketches.units
            if unit.source == number
            for piece in unit.pieces
        }
        paths = sorted(columns)
        name = f"archive/{place}/{source.name}.ngrams"
        files.write_bytes(lineage.path(name), files.read_as(ranking.ngrams(source.name), bytes))
        archived.append(
            ArchivedSource(
                source=source.model_copy(
                    update={
                        "files": [pattern_of(files.absolute_path(p), columns[p]) for p in paths],
                        "removed_by": None,
                    }
                ),
                identities={absolute_path(path): sketched.identities[path] for path in paths},
                amount=supply[source.name],
                ngrams=name,
            )
        )
    return archived


def _delete_others(folder: str, state: Lineage) -> None:
    """Delete the files of a killed run, or of an earlier state of this run."""
    named = {
        name
        for generation in state.generations
        for name in (
            *(part.file for part in generation.bought),
            *(source.ngrams for source in generation.sources),
            *(path for path in (generation.used, generation.ngrams) if path is not None),
        )
    }
    paths = [
        path
        for kind in ("ledger", "archive")
        for path in files.list_files(files.join(folder, f"{kind}/*/*"))
    ]
    inside = files.join(folder, "")
    files.delete_files([path for path in paths if path.removeprefix(inside) not in named])

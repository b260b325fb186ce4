"""Generations: a finished run's place in its lineage, and its commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import artifact
from outcross.pipeline.inputs.lineage import LINEAGE, USED, RunLineage, read_lineage
from outcross.pipeline.stages.context import RunError
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.rank import amount, count_documents
from outcross.pipeline.stages.select import Selected
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.columns import LEDGER_COLUMN, is_json, original_name, settle, unite, unsettled
from outcross.schemas.lineage import (
    ArchivedSource,
    Generation,
    LedgerPart,
    Lineage,
    LineageReport,
)
from outcross.schemas.sources import Fields, Source
from outcross.transforms.base import files
from outcross.transforms.base.files import absolute_path
from outcross.transforms.inputs.input_files import pattern_of
from outcross.transforms.reference.reference import copy_reference

NOTES = pa.struct(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("generation", pa.string(), nullable=False),
        pa.field("fingerprint_hi", pa.uint64(), nullable=False),
        pa.field("fingerprint_lo", pa.uint64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)
"""Type of the notes that the ledger adds to a row."""


def lineage_report(selected: Selected) -> LineageReport | None:
    """Describe a run's place in its lineage; return None without a lineage."""
    lineage, tokens = selected.context.lineage, selected.sketched.tokens
    if lineage is None:
        return None
    reached = selected.planned.plan.reached
    fresh, reused = _human(selected)
    return LineageReport(
        generation=lineage.name,
        number=lineage.number,
        fresh=amount(fresh, tokens),
        reused=amount(reused, tokens),
        planned_fresh_tokens=reached.human_tokens - reached.ledger_tokens,
        planned_reused_tokens=reached.ledger_tokens,
        ledger=lineage.before.ledger,
        ranking=list(selected.ranking.sources),
    )


def _human(selected: Selected) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return bool[n] twice: written human documents that are fresh, and those of the ledger."""
    written = (selected.copies > 0) & selected.sketched.of_role("human")
    ledger = selected.ranking.ledger
    return written & ~ledger, written & ledger


def commit(selected: Selected, tokens: int) -> None:
    """Append a finished run to its lineage.

    Its files are written first. They are part of the lineage once lineage.json names them.

    Args:
        selected: result of `select`, whose data/ is written.
        tokens: tokens that the run has written.

    Raises:
        RunError: when another run was committed meanwhile.
    """
    config, sketched, clustered = selected.config, selected.sketched, selected.clustered
    lineage = selected.context.lineage
    if lineage is None:
        return
    done = artifact(config.out, "commit", select=selected.artifact.key)
    place = f"{lineage.name}-{done.key[:8]}"
    for kind in ("ledger", "archive"):
        files.make_folder(lineage.path(f"{kind}/{place}"))
    fresh, reused = _human(selected)
    bought = _write_bought(selected.deduplicated, lineage, fresh, place)
    ngrams = used = None
    if fresh.any():
        ngrams = f"ledger/{place}/bought.ngrams"
        count_documents(sketched, done, fresh, lineage.path(ngrams))
    if reused.any():
        used = f"ledger/{place}/{USED}"
        hi, lo = (half[reused] for half in sketched.fingerprints)
        order = np.lexsort((lo, hi))
        table = pa.table({"fingerprint_hi": hi[order], "fingerprint_lo": lo[order]})
        files.write_table(lineage.path(used), table)
    generation = Generation(
        name=lineage.name,
        out=absolute_path(config.out),
        seed=config.seed,
        reference=clustered.reference.fingerprint(),
        tokens=tokens,
        fresh=amount(fresh, sketched.tokens),
        reused=amount(reused, sketched.tokens),
        bought=bought,
        used=used,
        ngrams=ngrams,
        sources=_archived(selected, lineage, place),
        ranking=list(selected.ranking.sources),
    )
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
    state = Lineage(generations=[*lineage.before.generations, generation])
    text = state.model_dump_json(indent=2) + "\n"
    files.write_bytes(lineage.path(LINEAGE), text.encode())
    _delete_others(lineage.folder, state)


def _write_bought(
    deduplicated: Deduplicated, lineage: RunLineage, fresh: NDArray[np.bool_], place: str
) -> list[LedgerPart]:
    """Copy the bought rows from data/ into the ledger, a file for each source.

    Args:
        deduplicated: result of `deduplicate`.
        lineage: lineage of the run.
        fresh: bool[n], documents that were bought.
        place: name of the folder in the ledger.
    """
    sketched, config = deduplicated.sketched, deduplicated.config
    parts = []
    shards = files.list_files(files.join(config.out, "data", "*.parquet"))
    for source in config.sources:
        bought = fresh & sketched.of_sources(source.name)
        if not bought.any():
            continue
        name = f"ledger/{place}/{source.name}.parquet"
        notes = _notes(deduplicated, lineage.name, source, np.flatnonzero(bought))
        copied = copy_rows(
            shards, source.name, _columns(sketched, source), notes, lineage.path(name)
        )
        if copied != len(notes):
            raise RunError(
                f"lineage: of {len(notes):,} documents of source {source.name!r} that were bought, "
                f"{copied:,} stand in data/; did it change? Run again, and the lineage is as it was"
            )
        parts.append(
            LedgerPart(
                source=source.name,
                file=name,
                fields=Fields(**source.model_dump(include=set(Fields.model_fields) - {"id_field"})),
                amount=amount(bought, sketched.tokens),
            )
        )
    return parts


def _notes(
    deduplicated: Deduplicated, generation: str, source: Source, documents: NDArray[np.int64]
) -> pa.Table:
    """Return the notes of documents for the ledger, and as `key` their ids in data/.

    Args:
        deduplicated: result of `deduplicate`.
        generation: name of the generation.
        source: source of the documents.
        documents: int64[m], ascending numbers of documents.
    """
    sketched = deduplicated.sketched
    key = pa.array(deduplicated.ids(documents), pa.string())
    # The same id may come again from another file of the same name, or another source.
    prefix = f"{generation}/{source.name}/"
    bare = pc.replace_substring_regex(key, f"^{source.name.replace('.', '[.]')}/", "")
    hi, lo = (half[documents] for half in sketched.fingerprints)
    return pa.table(
        {
            "key": key,
            "id": pc.binary_join_element_wise(prefix, bare, ""),
            "generation": pa.repeat(generation, len(documents)),
            "fingerprint_hi": hi,
            "fingerprint_lo": lo,
            "tokens": sketched.tokens[documents],
        }
    )


def _columns(sketched: Sketched, source: Source) -> dict[str, pa.Field]:
    """Return the columns in which a source has values: the original fields by names in data/.

    A column that is null in all rows has no type, and must not get that of other sources.
    """
    number = [source.name for source in sketched.config.sources].index(source.name)
    reports = [report for report in sketched.reports(number) if report.rows]
    schema = unite(report.arrow_schema() for report in reports)
    filled = {field.name for field in schema if is_json(field) or not pa.types.is_null(field.type)}
    fields = {original_name(field): field for field in settle([schema])}
    return {
        field.name: fields[original_name(field)].with_name(original_name(field))
        for field in sketched.union
        if original_name(field) in filled and field.name != sketched.text_out
    }


def copy_rows(
    shards: Sequence[str], source: str, columns: Mapping[str, pa.Field], notes: pa.Table, path: str
) -> int:
    """Copy the first copies of a source's rows from data/, each with its note.

    Args:
        shards: files of data/.
        source: name of the source.
        columns: original fields of the source, by their names in data/.
        notes: notes of its documents.
        path: path of the copy.

    Returns:
        The number of copied rows.
    """
    writer: pq.ParquetWriter | None = None
    copied = 0

    def write(sink: Any) -> None:
        nonlocal writer, copied
        for shard in shards:
            with files.open_input(shard) as stream:
                data = pq.ParquetFile(stream)
                for number in range(data.num_row_groups):
                    rows = data.read_row_group(number)
                    facts = rows["outcross"].combine_chunks()
                    first = pc.and_(
                        pc.equal(facts.field("source"), source), pc.equal(facts.field("copy"), 1)
                    )
                    if not pc.any(first).as_py():
                        continue
                    ids = facts.field("id").filter(first)
                    noted = notes.take(pc.index_in(ids, value_set=notes["key"].combine_chunks()))
                    struct = pa.StructArray.from_arrays(
                        [noted[field.name].combine_chunks() for field in NOTES],
                        fields=list(NOTES),
                    )
                    copies = unsettled(rows.select(list(columns)).filter(first), columns)
                    copies = copies.append_column(
                        pa.field(LEDGER_COLUMN, NOTES, nullable=False), struct
                    )
                    if writer is None:
                        writer = pq.ParquetWriter(sink, copies.schema, compression="zstd")
                    writer.write_table(copies)
                    copied += len(copies)
        if writer is not None:
            writer.close()

    files.write_whole(path, write)
    return copied


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
        files.write_bytes(lineage.path(name), files.read_bytes(ranking.ngrams[source.name]))
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
    patterns = [f"{kind}/*/{name}" for kind in ("ledger", "archive") for name in ("*", ".*.tmp")]
    paths = [
        path
        for pattern in (*patterns, f".{LINEAGE}.*.tmp")
        for path in files.list_files(files.join(folder, pattern))
    ]
    inside = files.join(folder, "")
    files.delete_files([path for path in paths if path.removeprefix(inside) not in named])

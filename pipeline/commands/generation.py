"""A finished run as a generation of its lineage: what it says of itself, and its commit."""

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
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context, RunError
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.rank import Ranking, amount, count_documents
from outcross.pipeline.stages.select import Selected
from outcross.pipeline.stages.sketch import Sketched
from outcross.schemas.columns import LEDGER_COLUMN, is_json, original_name, settle, unite, unsettled
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
from outcross.transforms.inputs.input_files import pattern_of
from outcross.transforms.reference.reference import copy_reference
from outcross.transforms.sketches.aligned import load_aligned
from outcross.transforms.sketches.identity import ids_of

NOTES = pa.struct(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("generation", pa.string(), nullable=False),
        pa.field("fingerprint_hi", pa.uint64(), nullable=False),
        pa.field("fingerprint_lo", pa.uint64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)
"""What the ledger notes of a row beside its own columns."""


def lineage_report(
    context: Context, sketched: Sketched, ranking: Ranking, planned: Planned, selected: Selected
) -> LineageReport | None:
    """A run's place in its lineage; None where it has none."""
    lineage = context.lineage
    if lineage is None:
        return None
    reached = planned.plan.reached
    fresh, reused = (_human(sketched, lineage, selected, old) for old in (False, True))
    return LineageReport(
        generation=lineage.name,
        number=lineage.number,
        fresh=amount(fresh, sketched.tokens),
        reused=amount(reused, sketched.tokens),
        planned_fresh_tokens=reached.human_tokens - reached.ledger_tokens,
        planned_reused_tokens=reached.ledger_tokens,
        ledger=lineage.before.ledger,
        ranking=list(ranking.sources),
    )


def _human(
    sketched: Sketched, lineage: RunLineage, selected: Selected, old: bool
) -> NDArray[np.bool_]:
    """Human documents that were written, of the ledger or not."""
    of_ledger = sketched.of_sources(*lineage.ledger)
    written = (selected.copies > 0) & sketched.of_role("human")
    return np.asarray(written & (of_ledger if old else ~of_ledger))


def commit(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    clustered: Clustered,
    ranking: Ranking,
    selected: Selected,
    tokens: int,
) -> None:
    """Appends a finished run to its lineage.

    All its files are written first; that lineage.json names them makes them part of the lineage.

    Args:
        context, sketched, deduplicated, clustered, ranking, selected: of the run, whose data/ is
            written.
        tokens: that it has written.

    Raises:
        RunError: when another run was committed meanwhile.
    """
    lineage = context.lineage
    if lineage is None:
        return
    done = artifact(context.config.out, "commit", select=selected.artifact.key)
    place = f"{lineage.name}-{done.key[:8]}"
    for kind in ("ledger", "archive"):
        files.make_folder(lineage.path(f"{kind}/{place}"))
    fresh, reused = (_human(sketched, lineage, selected, old) for old in (False, True))
    bought = _write_bought(context, sketched, deduplicated, lineage, fresh, place)
    ngrams = used = None
    if fresh.any():
        ngrams = f"ledger/{place}/bought.ngrams"
        count_documents(context, sketched, done, fresh, lineage.path(ngrams))
    if reused.any():
        used = f"ledger/{place}/{USED}"
        hi, lo = (half[reused] for half in sketched.fingerprints)
        order = np.lexsort((lo, hi))
        table = pa.table({"fingerprint_hi": hi[order], "fingerprint_lo": lo[order]})
        files.write_table(lineage.path(used), table)
    generation = Generation(
        name=lineage.name,
        out=files.absolute_path(context.config.out),
        seed=context.config.seed,
        reference=clustered.reference.fingerprint(),
        tokens=tokens,
        fresh=amount(fresh, sketched.tokens),
        reused=amount(reused, sketched.tokens),
        bought=bought,
        used=used,
        ngrams=ngrams,
        sources=_archived(context, sketched, lineage, ranking, place),
        ranking=list(ranking.sources),
    )
    if read_lineage(lineage.folder) != lineage.state:
        raise RunError(
            f"lineage: {lineage.folder} has changed during the run; the result in "
            f"{context.config.out} is whole, but no generation of the lineage. Run again, so that "
            "it builds on what is there now"
        )
    shared = files.exists(files.join(lineage.reference, "reference.json"))
    first = not (shared and lineage.before.generations)
    if first and clustered.reference.human:  # else a later one that has human text makes it
        files.make_folder(lineage.reference)
        copy_reference(clustered.reference_folder, lineage.reference)
    state = Lineage(generations=[*lineage.before.generations, generation])
    text = state.model_dump_json(indent=2) + "\n"
    files.write_bytes(lineage.path(LINEAGE), text.encode())
    _forget_others(lineage.folder, state)


def _write_bought(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    lineage: RunLineage,
    fresh: NDArray[np.bool_],
    place: str,
) -> list[LedgerPart]:
    """Copies the rows that were bought from data/ into the ledger, a file for each source."""
    parts = []
    shards = files.list_files(files.join(context.config.out, "data", "*.parquet"))
    for source in context.config.sources:
        own = fresh & sketched.of_sources(source.name)
        if not own.any():
            continue
        name = f"ledger/{place}/{source.name}.parquet"
        notes = _notes(sketched, deduplicated, lineage.name, source, np.flatnonzero(own))
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
                amount=amount(own, sketched.tokens),
            )
        )
    return parts


def _notes(
    sketched: Sketched,
    deduplicated: Deduplicated,
    generation: str,
    source: Source,
    documents: NDArray[np.int64],
) -> pa.Table:
    """What the ledger notes of documents, and the `key` that they have in data/."""
    sources = sketched.context.config.sources
    (repeated,) = load_aligned(deduplicated.folder, sketched.sketches, ["repeated_id"])
    key = ids_of(sketched.sketches, sources, documents, repeated).combine_chunks()
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
    """The columns that a source has values in: by their names in data/, what they were.

    What is null in all rows has no type, and must not be given one for the rows of others.
    """
    config = sketched.context.config
    own = unite(
        sketched.sketches.reports[unit.index].arrow_schema()
        for unit in sketched.sketches.units
        if config.sources[unit.source].name == source.name
        and sketched.sketches.reports[unit.index].rows
    )
    there = {field.name for field in own if is_json(field) or not pa.types.is_null(field.type)}
    was = {original_name(field): field.with_name(original_name(field)) for field in settle([own])}
    return {
        field.name: was[original_name(field)]
        for field in sketched.union
        if original_name(field) in there and field.name != sketched.text_out
    }


def copy_rows(
    shards: Sequence[str], source: str, columns: Mapping[str, pa.Field], notes: pa.Table, path: str
) -> int:
    """Copies the first copies of a source's rows from data/, each with its note; says how many.

    Args:
        shards: files of data/.
        source: name of the source.
        columns: of the source.
        notes: of its documents.
        path: of the copy.
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
                    told = rows["outcross"].combine_chunks()
                    own = pc.and_(
                        pc.equal(told.field("source"), source), pc.equal(told.field("copy"), 1)
                    )
                    if not pc.any(own).as_py():
                        continue
                    ids = told.field("id").filter(own)
                    found = notes.take(pc.index_in(ids, value_set=notes["key"].combine_chunks()))
                    struct = pa.StructArray.from_arrays(
                        [found[field.name].combine_chunks() for field in NOTES],
                        fields=list(NOTES),
                    )
                    taken = unsettled(rows.select(list(columns)).filter(own), columns)
                    taken = taken.append_column(
                        pa.field(LEDGER_COLUMN, NOTES, nullable=False), struct
                    )
                    if writer is None:
                        writer = pq.ParquetWriter(sink, taken.schema, compression="zstd")
                    writer.write_table(taken)
                    copied += len(taken)
        if writer is not None:
            writer.close()

    files.write_whole(path, write)
    return copied


def _archived(
    context: Context, sketched: Sketched, lineage: RunLineage, ranking: Ranking, place: str
) -> list[ArchivedSource]:
    """The run's own synthetic sources, as later generations will find them."""
    held: dict[str, Amount] = {one.name: one.held for one in ranking.sources}
    found = []
    for number, source in enumerate(context.config.sources):
        if not lineage.is_new(source) or held[source.name].documents == 0:
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
        found.append(
            ArchivedSource(
                source=source.model_copy(
                    update={
                        "files": [pattern_of(files.absolute_path(p), columns[p]) for p in paths],
                        "removed_by": None,
                    }
                ),
                identities={files.absolute_path(path): sketched.identities[path] for path in paths},
                amount=held[source.name],
                ngrams=name,
            )
        )
    return found


def _forget_others(folder: str, state: Lineage) -> None:
    """Deletes what a killed run, or an earlier state of this one, has left."""
    named = {
        name
        for one in state.generations
        for name in (
            *(part.file for part in one.bought),
            *(source.ngrams for source in one.sources),
            *(path for path in (one.used, one.ngrams) if path is not None),
        )
    }
    patterns = [f"{kind}/*/{name}" for kind in ("ledger", "archive") for name in ("*", ".*.tmp")]
    found = [
        path
        for pattern in (*patterns, f".{LINEAGE}.*.tmp")
        for path in files.list_files(files.join(folder, pattern))
    ]
    inside = files.join(folder, "")
    files.delete_files([path for path in found if path.removeprefix(inside) not in named])

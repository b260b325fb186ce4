"""Stage `deduplicate`: who repeats whom, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.artifacts import Artifact, artifact
from pipeline.context import Context
from pipeline.stages.sketch import Sketched
from pipeline.stages.write import write_shards
from transforms import files
from transforms.aligned import load_aligned, save_aligned
from transforms.deduplicate import (
    RULES,
    STAGES,
    GroupBands,
    Order,
    Verdicts,
    decide,
    exact_repeats,
    part_waves,
    total_order,
)
from transforms.hashing import seeded_hash
from transforms.identity import file_names, ids_of, repeated_ids
from transforms.layouts import RemovedLayout, removals
from transforms.minhash import lsh_parameters
from transforms.shards import count_shards
from transforms.sketch import Sketches
from transforms.units import unit_file


@dataclass
class Deduplicated:
    """After `deduplicate`: who is kept."""

    artifact: Artifact
    verdicts: Verdicts
    removed_shards: int

    @property
    def folder(self) -> str:
        """Of the row-aligned verdicts."""
        return self.artifact.path("verdicts")


def deduplicate(context: Context, sketched: Sketched) -> Deduplicated:
    """Settles who repeats whom, and what `write_removed` will say of it."""
    config, sketches = context.config, sketched.sketches
    done = artifact(
        config.out,
        "deduplicate",
        sketch=sketched.artifact.key,
        files=file_names(sketches.units),  # they stand in ids
        sources=[[s.name, s.role, s.priority] for s in config.sources],
        threshold=config.near_threshold,
        shard_mb=config.shard_mb,
        seed=config.seed,
    )
    folder = done.subfolder("verdicts")
    if done.finished:
        context.progress.skipped("deduplicate")
    else:
        with context.progress.stage("deduplicate", documents=len(sketches)):
            order = total_order(sketches, config.sources)
            verdicts = _verdicts(context, done, sketches, order)
            repeated = repeated_ids(sketches, config.sources)
            columns: dict[str, NDArray[Any]] = {
                "partner": verdicts.partner,
                "stage": verdicts.stage,
                "similarity": verdicts.similarity,
                "open": verdicts.open,
                "rank": order.rank,
                "repeated_id": repeated,
            }
            save_aligned(folder, sketches, columns)
            shards = _save_removals(context, done, sketched, order, verdicts, repeated)
        done.finish({"counts": verdicts.counts, "removed_shards": shards})
    partner, stage, similarity, still_open, repeated = load_aligned(
        folder, sketches, ["partner", "stage", "similarity", "open", "repeated_id"]
    )
    if repeated.any():
        context.warn(
            f"{int(repeated.sum()):,} documents have an id that another one of their source has "
            "too; their place in the file is added to it"
        )
    stats = done.stats()
    return Deduplicated(
        done,
        Verdicts(partner, stage, similarity, still_open, stats["counts"]),
        stats["removed_shards"],
    )


def _verdicts(context: Context, done: Artifact, sketches: Sketches, order: Order) -> Verdicts:
    config = context.config
    first = exact_repeats(order)
    distinct = first == order.rank
    ranks = done.subfolder("ranks")
    for unit, part in sketches.per_unit(np.where(distinct, order.rank, -1)):
        files.write_array(unit_file(ranks, unit.index, "npy"), part)
    bands, rows = lsh_parameters(config.near_threshold, config.num_perm)
    groups = done.subfolder("groups")
    units = [unit for unit in sketches.units if sketches.reports[unit.index].rows]
    memory = context.memory if context.local else 1 << 60
    for parts in part_waves(int(distinct.sum()), bands, memory):
        context.over_units(
            units,
            lambda p, parts=parts: (
                p  # type: ignore[misc]
                | GroupBands(sketches.folder, ranks, groups, bands, rows, parts)
            ),
        )
    paths = files.list_files(files.join(groups, "part-*.npy"))
    return decide(sketches, order, first, paths, config.near_threshold, config.num_perm)


def _save_removals(
    context: Context,
    done: Artifact,
    sketched: Sketched,
    order: Order,
    verdicts: Verdicts,
    repeated: NDArray[np.bool_],
) -> int:
    """For each unit, what is written of its removed rows; returns the number of shards."""
    config, sketches = context.config, sketched.sketches
    folder = done.subfolder("removals")
    removed = np.flatnonzero(~verdicts.kept)
    shards = count_shards(int(sketches.numbers("size")[removed].sum()), config.shard_mb)
    if len(removed) == 0:
        return shards
    named = np.unique(np.concatenate([removed, verdicts.partner[removed]]))
    ids = ids_of(sketches, config.sources, named, repeated).combine_chunks()
    source_of = np.repeat(
        [config.sources[unit.source].name for unit in sketches.units], np.diff(sketches.offsets)
    )
    hi, lo = sketched.fingerprints
    # With the rank, so that many repeats of one text don't all meet in one shard.
    mixed = lo[removed] + order.rank[removed].astype(np.uint64)
    hashed = seeded_hash(hi[removed], mixed, config.seed, "removed")
    for unit, rows, places in sketches.rows_of(removed):
        here = removed[places]
        partner = verdicts.partner[here]
        columns = removals(
            ids=ids.take(pa.array(np.searchsorted(named, here))),
            source=config.sources[sketches.units[unit].source].name,
            kept_ids=ids.take(pa.array(np.searchsorted(named, partner))),
            kept_sources=pa.array(source_of[partner]),
            stage=[STAGES[int(stage)] for stage in verdicts.stage[here]],
            rule=[RULES[int(stage)] for stage in verdicts.stage[here]],
            similarity=verdicts.similarity[here],
        )
        columns |= {
            "row": rows,
            "shard": (hashed[places] % np.uint64(shards)).astype(np.int64),
            "key": hashed[places],
            "rank": order.rank[here],
        }
        files.write_table(unit_file(folder, unit, "parquet"), pa.table(columns))
    return shards


def write_removed(context: Context, sketched: Sketched, done: Deduplicated) -> list[Any]:
    """Writes removed/ and returns the shards' reports."""
    layout = RemovedLayout(sketched.removed_union, done.artifact.path("removals"))
    units = sketched.units("synthetic", "human", "reference", "exclude")
    return write_shards(context, layout, "removed", done.removed_shards, done.artifact, units)

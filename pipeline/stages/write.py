"""Stage `write`: the chosen rows, untouched, in their shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.artifacts import MANIFEST, WORK, Artifact
from pipeline.context import Context
from schemas.documents import Unit
from transforms import files
from transforms.shards import (
    Layout,
    WriteShards,
    shard_name,
    shard_report,
    write_shard,
)


def write_shards(
    context: Context,
    layout: Layout,
    folder: str,
    shards: int,
    done: Artifact,
    units: Sequence[Unit],
    text_out: str | None = None,
) -> list[Any]:
    """Writes a set of shards, those that are not there yet, and returns their reports.

    Args:
        context: of the run.
        layout: of the shards.
        folder: name of the folder in the output.
        shards: how many.
        done: artifact that the shards' reports belong to.
        units: that rows come from.
        text_out: column that gets the judged text, if there is to be one.
    """
    config = context.config
    target = files.join(config.out, folder)
    files.make_folder(target)
    reports = done.subfolder(f"{folder}-shards")
    _forget_other_runs(context, folder, target, done.key)
    missing = [
        number
        for number in range(shards)
        if not files.exists(shard_report(reports, number))
        or not files.exists(files.join(target, shard_name(layout.name, number, shards)))
    ]
    if missing:
        with (
            context.progress.stage(f"write {folder}", size=sum(unit.bytes for unit in units)),
            context.spill() as spill,
        ):
            context.over_units(
                units,
                lambda p: (
                    p
                    | WriteShards(
                        config.sources, layout, target, reports, missing, shards, text_out, spill
                    )
                ),
            )
    else:
        context.progress.skipped(f"write {folder}")
    for number in missing:  # a hash may send no row to a shard
        if not files.exists(shard_report(reports, number)):
            write_shard(layout, *layout.nothing(), number, shards, target, reports)
    return [files.read_json(shard_report(reports, number)) for number in range(shards)]


def _forget_other_runs(context: Context, folder: str, target: str, key: str) -> None:
    """Deletes shards that an earlier run with other settings left under the same names.

    The key of what stands in the folder is noted beside it before the first shard is written, so
    that a killed run goes on with its own shards, and no other's. What has lost its shards is no
    finished run any more.
    """
    out = context.config.out
    note = files.join(out, WORK, f"{folder}.key")
    if files.exists(note) and files.read_bytes(note).decode() == key:
        return
    files.delete_files(files.list_files(files.join(out, MANIFEST)))
    earlier = files.list_files(files.join(target, "*.parquet"))
    if earlier:
        context.progress.say(f"note: {folder}/ of a run with other settings is replaced")
    files.delete_files(earlier)
    files.write_bytes(note, key.encode())

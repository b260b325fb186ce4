"""Stage `write`: the chosen rows, untouched, in their shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outcross.pipeline.engine.artifacts import MANIFEST, WORK, Artifact
from outcross.pipeline.stages.context import Context
from outcross.schemas.documents import Unit
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.writing.shards import (
    Layout,
    ShardSet,
    is_shard,
    shard_name,
    shard_report,
    write_shard,
)
from outcross.transforms.writing.write_shards import WriteShards

FOLDERS = {"data": "train", "removed": "removed"}
"""The folders of shards, and what their shards are called."""


@dataclass(frozen=True)
class Output:
    """A folder of the result, made of shards.

    Attributes:
        folder: its name.
        layout: of the shards.
        shards: how many.
        row_group: rows of a Parquet row group.
        done: artifact that the shards' reports belong to.
        text_out: column that gets the judged text, if there is to be one.
    """

    folder: str
    layout: Layout
    shards: int
    row_group: int
    done: Artifact
    text_out: str | None = None


def check_folders(out: str) -> None:
    """Refuse a file that a loader would read with the shards, and that no run wrote.

    Args:
        out: the output directory.

    Raises:
        ConfigError: naming the file.
    """
    for folder, name in FOLDERS.items():
        for path in files.list_files(files.join(out, folder, "*.parquet")):
            if not is_shard(path, name):
                raise ConfigError(
                    f"out: {path} is not of a run, and whoever reads {folder}/ would read it too; "
                    "move it to another folder, or choose another out"
                )


def write_shards(
    context: Context, outputs: Sequence[Output], units: Sequence[Unit]
) -> list[list[Any]]:
    """Writes the shards that are not there yet, and returns the reports of all, by output.

    Args:
        context: of the run.
        outputs: to write; the units are read once for all of them.
        units: that rows come from.
    """
    sets = [_shard_set(context, output) for output in outputs]
    missing = [one for one in sets if one.numbers]
    if missing:
        size = sum(unit.bytes for unit in units)
        with context.progress.stage("write", size=size), context.spill() as spill:
            context.over_units(
                units,
                lambda p: p | WriteShards(context.config.sources, missing, spill),
                reading=True,
            )
    else:
        context.progress.skipped("write")
    for one in missing:
        for number in one.numbers:  # a hash may send no row to a shard
            if not files.exists(shard_report(one.reports, number)):
                write_shard(one, [one.layout.no_rows()], number)
    return [
        [files.read_json(shard_report(one.reports, number)) for number in range(one.shards)]
        for one in sets
    ]


def _shard_set(context: Context, output: Output) -> ShardSet:
    """The shards of an output, of which those that are not there are to be written."""
    target = files.join(context.config.out, output.folder)
    files.make_folder(target)
    reports = output.done.subfolder(f"{output.folder}-shards")
    _forget_other_runs(context, output.folder, target, output.done.key)
    names = [shard_name(output.layout.name, n, output.shards) for n in range(output.shards)]
    missing = [
        number
        for number, name in enumerate(names)
        if not files.exists(shard_report(reports, number))
        or not files.exists(files.join(target, name))
    ]
    return ShardSet(
        output.layout,
        target,
        reports,
        missing,
        output.shards,
        output.row_group,
        output.text_out,
    )


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
    every = files.list_files(files.join(target, "*.parquet"))
    earlier = [path for path in every if is_shard(path, FOLDERS[folder])]
    if earlier:
        context.progress.say(f"note: {folder}/ of a run with other settings is replaced")
    files.delete_files(earlier)
    files.write_bytes(note, key.encode())

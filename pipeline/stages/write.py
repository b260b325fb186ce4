"""Stage `write`: copy the chosen rows and the removed rows into the shards of data/ and removed/.

The users' columns are copied as they are.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from outcross.pipeline.engine.artifacts import EXPORT, MANIFEST, TOKENS, WORK, Artifact, artifact
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.count import Counted
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.selected import Kept, Selected
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.config import Config
from outcross.schemas.sources import WRITABLE
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.damage import DamagedError
from outcross.transforms.base.visible import visible_name
from outcross.transforms.writing.layouts import Folders, KeptLayout, RemovedLayout
from outcross.transforms.writing.shards import (
    Layout,
    ShardSet,
    changed_shards,
    count_shards,
    is_shard,
    read_report,
    row_group,
    shard_report,
    write_shard,
)
from outcross.transforms.writing.write_shards import WriteShards

FOLDERS = {"data": "train", "removed": "removed"}
"""Folders of shards, and the names of their shards."""

_NOTED = 5
"""Damaged shards of a folder that are named."""

SelectionT = TypeVar("SelectionT", Selected, Kept)


@dataclass(frozen=True)
class Written(Generic[SelectionT]):
    """Files of data/ and removed/; result of `write`.

    Attributes:
        selected: documents of data/.
        counted: result of `count` for them.
        files: reports of the shards of data/.
        removed: reports of the shards of removed/.
    """

    selected: SelectionT
    counted: Counted
    files: Sequence[Mapping[str, Any]]
    removed: Sequence[Mapping[str, Any]]

    @property
    def clustered(self: Written[Selected]) -> Clustered:
        """Result of `cluster`."""
        return self.selected.clustered

    @property
    def deduplicated(self) -> Deduplicated:
        """Result of `deduplicate`."""
        return self.selected.deduplicated

    @property
    def sketched(self) -> Sketched:
        """Result of `sketch`."""
        return self.selected.sketched

    @property
    def context(self) -> Context:
        """Context of the run."""
        return self.selected.context

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.selected.config


@dataclass(frozen=True)
class _Output:
    """Folder of shards that is to be written.

    Attributes:
        folder: name of the folder.
        layout: layout of the shards.
        shards: number of shards.
        row_group: rows of a Parquet row group.
        done: artifact that keeps the shards' reports.
        text_out: column that gets the judged text; None for no such column.
    """

    folder: str
    layout: Layout
    shards: int
    row_group: int
    done: Artifact
    text_out: str | None = None


class Branch(Protocol):
    """Work of another stage over the same units, which can share the pipeline of `write`.

    Attributes:
        finished: True if an earlier run has done it.
    """

    @property
    def finished(self) -> bool: ...  # noqa: D102

    def transform(self, spill: str | None) -> Any:
        """Return the transform of lanes of units, with the folder of rows on their way."""
        ...

    def finish(self) -> None:
        """Note that the work is done."""


def write(
    selected: SelectionT, counted: Counted, branches: Sequence[Branch] = ()
) -> Written[SelectionT]:
    """Write removed/ and data/, but for shards that are there as they were written.

    Args:
        selected: documents of data/.
        counted: result of `count` for them.
        branches: work that is done in the same pipeline, unless nothing is to be written.
    """
    context, config, sketched = selected.context, selected.config, selected.sketched
    outputs = [_removed_output(selected, counted), _data_output(selected, counted)]
    sets = [_shard_set(context, output) for output in outputs]
    missing = [shards for shards in sets if shards.numbers]
    if missing:
        units = sketched.all_units(*WRITABLE, "reference", "exclude")
        unfinished = [branch for branch in branches if not branch.finished]
        size = sum(unit.bytes for unit in units)
        with context.progress.stage("write", size=size), context.spill() as spill:
            transforms: list[Any] = [WriteShards(config.sources, missing, spill)]
            transforms += [branch.transform(spill) for branch in unfinished]
            context.over_units(
                units, lambda lanes: [lanes | work for work in transforms], reading=True
            )
        for branch in unfinished:
            branch.finish()
    else:
        context.progress.skipped("write")
    for shards in missing:
        for number in shards.numbers:  # a hash may send no row to a shard
            if not files.exists(shard_report(shards.reports, number)):
                write_shard(shards, [shards.layout.no_rows()], number)
    removed, data = (
        [read_report(shards.reports, number) for number in range(shards.shards)] for shards in sets
    )
    return Written(selected, counted, data, removed)


def check_folders(out: str) -> None:
    """Refuse a file that a loader would read with the shards, and that no run wrote.

    Args:
        out: output directory.

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


def _data_output(selected: Selected | Kept, counted: Counted) -> _Output:
    sketched, config = selected.sketched, selected.config
    stated = {s.name: s.provenance for s in config.sources if s.provenance is not None}
    keys = {"provenance": stated} if stated else {}
    done = artifact(
        config.out, "write", select=selected.artifact.key, text_out=sketched.text_out, **keys
    )
    layout = KeptLayout(
        union=sketched.union,
        sources=config.sources,
        places=sketched.sketches.places,
        folders=Folders(
            sketches=sketched.sketches.folder,
            verdicts=selected.deduplicated.folder,
            assignments=selected.assignments,
            selection=selected.folder,
        ),
        shards=data_shards(selected, counted),
        seed=config.seed,
        weighted=config.copies == "weights",
        replaced=frozenset(sketched.sketches.replaced),
    )
    sums = counted.totals.sources
    rows = row_group(int(sums.selected_size.sum()), int(sums.selected_pieces.sum()))
    return _Output("data", layout, layout.shards, rows, done, sketched.text_out)


def data_shards(selected: Selected | Kept, counted: Counted) -> int:
    """Return the number of shards of data/."""
    if isinstance(selected, Selected):
        return max(1, min(selected.planned.plan.shards, counted.rows))
    size = int(counted.totals.sources.selected_size.sum())
    return count_shards(size, selected.config.shard_mb, counted.rows)


def _removed_output(selected: Selected | Kept, counted: Counted) -> _Output:
    deduplicated, sums = selected.deduplicated, counted.totals.sources
    done = deduplicated.artifact
    shards = deduplicated.removed_shards
    layout = RemovedLayout(deduplicated.sketched.removed_union, done.path("removals"), shards)
    rows = row_group(int(sums.removed_size.sum()), int(sums.removed.sum()))
    return _Output("removed", layout, shards, rows, done)


def _shard_set(context: Context, output: _Output) -> ShardSet:
    """Return the shards of an output, of which the missing ones are to be written."""
    target = files.join(context.config.out, output.folder)
    files.make_folder(target)
    reports = output.done.subfolder(f"{output.folder}-shards")
    _delete_other_shards(context, output)
    return ShardSet(
        output.layout,
        target,
        reports,
        _unfinished(context, output, target, reports),
        output.shards,
        output.row_group,
        output.text_out,
    )


def _unfinished(context: Context, output: _Output, target: str, reports: str) -> list[int]:
    """Return the numbers of shards that are not written, or not as they were written.

    Args:
        context: context of the run, which notes the damaged ones.
        output: output of the shards.
        target: path of the shards' folder.
        reports: folder of the shards' reports.
    """
    numbers = range(output.shards)
    written = {
        n: read_report(reports, n) for n in numbers if files.exists(shard_report(reports, n))
    }
    changed = changed_shards(target, list(written.values()), context.config.workers)
    for path, fault in list(changed.items())[:_NOTED]:
        context.progress.say(f"note: {visible_name(path)} {fault}; it is made again")
    if len(changed) > _NOTED:
        more = len(changed) - _NOTED
        context.progress.say(f"note: {more:,} more shards of {output.folder}/ are made again")
    return [
        n for n in numbers if n not in written or files.join(target, written[n]["file"]) in changed
    ]


def _delete_other_shards(context: Context, output: _Output) -> None:
    """Delete the shards that an earlier run with other settings left under the same names.

    The key of the shards is noted in the work folder before the first shard is written. So a run
    that was killed goes on with its own shards, and never with those of another run. A result
    without its shards is no longer finished, so its manifest is deleted too.
    """
    out, key = context.config.out, output.done.key
    note = files.join(out, WORK, f"{output.folder}.key")
    if files.exists(note) and files.read_bytes(note).decode() == key:
        return
    files.delete_files(files.list_files(files.join(out, MANIFEST)))
    paths = files.list_files(files.join(out, output.folder, "*.parquet"))
    earlier = [path for path in paths if is_shard(path, FOLDERS[output.folder])]
    if earlier:
        context.progress.say(f"note: {output.folder}/ of a run with other settings is replaced")
        if output.folder == "data":
            _note_old_export(context)
    files.delete_files(earlier)
    files.write_bytes(note, key.encode())


def _note_old_export(context: Context) -> None:
    """Print a note if the run's folder holds tokens of the earlier data/."""
    out = context.config.out
    folder = files.join(out, EXPORT)
    if not files.exists(files.join(folder, TOKENS)):
        return
    options = []
    with suppress(DamagedError, LookupError, TypeError):  # the note is worth no more than a note
        options = ["--format", str(files.read_json(files.join(folder, TOKENS))["format"])]
        configuration = files.read_json(files.join(folder, MANIFEST))["configuration"]
        options += ["--tokenizer", str(configuration["tokenizer"])]
        options += ["--seed", str(seed)] if (seed := configuration.get("seed")) else []
    command = shlex.join(["outcross", "export", out, *options])
    context.progress.say(
        f"note: {folder} holds tokens of the earlier data/; export again after this run: "
        f"`{command}`"
    )

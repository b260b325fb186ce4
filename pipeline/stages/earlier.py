"""Earlier runs as an index: what they have written, from the sketches that they left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import MANIFEST, check_manifest, read_manifest
from outcross.pipeline.stages.sketch import saved_units
from outcross.schemas.config import Config, parse
from outcross.schemas.sources import Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.dedup.rules import Party
from outcross.transforms.reference.pool import pool_sketches
from outcross.transforms.sketches.aligned import load_aligned
from outcross.transforms.sketches.identity import ids_of
from outcross.transforms.sketches.store import Sketches


class Index(Protocol):
    """Texts beside a run's own: what repeats one of them is removed."""

    @property
    def name(self) -> str:
        """Stands before its sources' names in removed/."""
        ...

    @property
    def identity(self) -> list[str]:
        """What it holds depends on this alone."""
        ...

    @property
    def sources(self) -> list[Source]: ...

    @property
    def parties(self) -> list[Party]: ...

    @property
    def sketches(self) -> Sketches: ...

    def written(self) -> NDArray[np.bool_]:
        """bool[n], which of its documents take part."""
        ...

    def ids(self, documents: NDArray[np.int64]) -> pa.ChunkedArray:
        """Ids of ascending documents."""
        ...


@dataclass(frozen=True)
class ReferencePool:
    """The human text that a yardstick keeps to compare with.

    Attributes:
        folder: of the yardstick.
    """

    folder: str
    name: ClassVar[str] = "reference"

    @property
    def identity(self) -> list[str]:
        return [
            self.name,
            files.read_json(files.join(self.folder, "reference.json"))["fingerprint"],
        ]

    @property
    def sources(self) -> list[Source]:
        return [Source(name="yardstick", role="human", files=[self.folder])]

    @property
    def parties(self) -> list[Party]:
        return [Party(source, self.name) for source in self.sources]

    @cached_property
    def sketches(self) -> Sketches:
        return pool_sketches(self.folder)

    def written(self) -> NDArray[np.bool_]:
        return np.ones(len(self.sketches), bool)

    def ids(self, documents: NDArray[np.int64]) -> pa.ChunkedArray:
        names = [f"yardstick#{document}" for document in documents.tolist()]
        return pa.chunked_array([names], pa.string())


@dataclass(frozen=True)
class EarlierRun:
    """A finished run, as a later one sees it.

    Attributes:
        out: its output directory.
        manifest: its manifest.json.
    """

    out: str
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """The last part of its directory, so that removed/ holds no path of a machine."""
        return files.absolute_path(self.out).rpartition("/")[2]

    @property
    def identity(self) -> list[str]:
        """What it has written depends on this alone."""
        return [self.name, *self.manifest["work"].values()]

    @cached_property
    def config(self) -> Config:
        return parse(self.manifest["configuration"])

    @property
    def sources(self) -> list[Source]:
        return self.config.sources

    @property
    def parties(self) -> list[Party]:
        return [Party(source, self.name) for source in self.sources]

    def path(self, what: str) -> str:
        """The folder of its "sketch", its "verdicts" or its "selection"."""
        return files.join(self.out, self.manifest["work"][what])

    @cached_property
    def sketches(self) -> Sketches:
        folder = self.path("sketch")
        return Sketches(files.join(folder, "units"), saved_units(folder))

    def written(self) -> NDArray[np.bool_]:
        """bool[n], which of its documents stand in its data/."""
        (copies,) = load_aligned(self.path("selection"), self.sketches, ["copies"])
        return np.asarray(copies > 0)

    def ids(self, documents: NDArray[np.int64]) -> pa.ChunkedArray:
        """Ids of ascending documents, as its data/ has them."""
        (repeated,) = load_aligned(self.path("verdicts"), self.sketches, ["repeated_id"])
        return ids_of(self.sketches, self.sources, documents, repeated)


def earlier_runs(config: Config) -> list[EarlierRun]:
    """The runs that a configuration names in `against`.

    Raises:
        ConfigError: when one is not finished, has lost its work directory, was made with other
            shingles, or is the run itself.
    """
    runs = [_earlier_run(out, config) for out in config.against]
    for run in runs:
        same = [other.out for other in runs if other.name == run.name]
        if len(same) > 1:
            raise ConfigError(
                f"against: {' and '.join(same)} end in the same name {run.name!r}, by which "
                "removed/ calls them; rename one"
            )
    return runs


def _earlier_run(out: str, config: Config) -> EarlierRun:
    if files.absolute_path(out) == files.absolute_path(config.out):
        raise ConfigError(
            f"against: {out} is out itself, whose result this run replaces; choose another out"
        )
    path = files.join(out, MANIFEST)
    if not files.exists(path):
        raise ConfigError(
            f"against: {out} holds no {MANIFEST}; give the output directory of a finished run"
        )
    manifest = read_manifest(out)
    if manifest is None:
        raise ConfigError(
            f"against: {path} is not of an outcross run; give the output directory of a finished "
            "run"
        )
    if "work" not in manifest:
        raise ConfigError(
            f"against: {out} holds what `outcross {manifest.get('kind')}` has made, which writes "
            "no data; give the output directory of a run"
        )
    data = files.join(out, "data", "*.parquet")
    check_manifest("against", out, manifest, f"; or give its data by `--exclude '{data}'` instead")
    run = EarlierRun(out, manifest)
    for key in ("ngram", "num_perm"):
        one, other = getattr(run.config, key), getattr(config, key)
        if one != other:
            raise ConfigError(
                f"against: {out} was made with {key} = {one}, this run has {other}; use the same, "
                "or give its data/ as a source of role exclude"
            )
    for what in manifest["work"]:
        if not files.exists(run.path(what)):
            raise ConfigError(
                f"against: {out} has lost {manifest['work'][what]}, the index that it left; run it "
                "again, or give its data/ as a source of role exclude"
            )
    return run

"""Indices of texts whose repeats are removed: earlier runs and the pool of a reference."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

from outcross.pipeline.engine.artifacts import (
    MANIFEST,
    check_manifest,
    read_manifest,
    run_configuration,
    work_folder,
)
from outcross.pipeline.stages.sketched import saved_units
from outcross.schemas.config import Config
from outcross.schemas.sources import Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.damage import DamagedError
from outcross.transforms.base.files import absolute_path
from outcross.transforms.dedup.corpus import Named
from outcross.transforms.dedup.rules import Party
from outcross.transforms.encoders.load import load_model
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.pool import pool_sketches
from outcross.transforms.sketches.store import Sketches


class Index(Protocol):
    """Further texts: a document of the run that repeats one of them is removed."""

    @property
    def name(self) -> str:
        """Name before its sources' names in removed/."""
        ...

    @property
    def identity(self) -> list[str]:
        """Identity of its contents, as strings."""
        ...

    @property
    def sources(self) -> list[Source]:
        """List of the sources of its documents."""
        ...

    @property
    def parties(self) -> list[Party]:
        """List of the sources as parties of deduplication."""
        ...

    @property
    def sketches(self) -> Sketches:
        """Store of the sketches of its n documents."""
        ...

    def written(self, unit: int) -> str | None:
        """Return the file with the `copies` of a unit's documents.

        Documents without a copy do not participate. None if all participate.
        """
        ...

    def named(self, unit: int) -> Named:
        """Return the names of a unit's documents."""
        ...


@dataclass(frozen=True)
class ReferencePool:
    """Human documents that a reference keeps to compare with.

    Attributes:
        folder: folder of the reference.
    """

    folder: str
    name: ClassVar[str] = "reference"

    @property
    def identity(self) -> list[str]:
        """Identity of its contents, as strings."""
        path = files.join(self.folder, "reference.json")
        return [self.name, files.read_as(path, lambda data: json.loads(data)["fingerprint"])]

    @property
    def sources(self) -> list[Source]:
        """Source that stands for all documents of the pool."""
        return [Source(name="yardstick", role="human", files=[self.folder])]

    @property
    def parties(self) -> list[Party]:
        """List of the sources as parties of deduplication."""
        return [Party(source, self.name) for source in self.sources]

    @cached_property
    def sketches(self) -> Sketches:
        """Store of the pool's sketches."""
        return pool_sketches(self.folder)

    def written(self, unit: int) -> str | None:
        """Return None: all documents participate."""
        return None

    def named(self, unit: int) -> Named:
        """Return the names of the documents, which are their numbers in the pool."""
        return Named(self.sources[0].name)


@dataclass(frozen=True)
class EarlierRun:
    """A finished run, as a later run sees it.

    Attributes:
        out: output directory.
        manifest: contents of manifest.json.
    """

    out: str
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of its folder without the path, so that removed/ holds no path of a machine."""
        return absolute_path(self.out).rpartition("/")[2]

    @property
    def identity(self) -> list[str]:
        """Identity of the documents that it has written, as strings."""
        return [self.name, *self.manifest["work"].values()]

    @cached_property
    def config(self) -> Config:
        """Configuration of the run."""
        return run_configuration(self.out, self.manifest)

    @property
    def sources(self) -> list[Source]:
        """List of the run's sources."""
        return self.config.sources

    @property
    def parties(self) -> list[Party]:
        """List of the sources as parties of deduplication."""
        return [Party(source, self.name) for source in self.sources]

    def path(self, name: str) -> str:
        """Return a folder of its work: "sketch", "verdicts" or "selection"."""
        return work_folder(self.out, self.manifest, name)

    @cached_property
    def sketches(self) -> Sketches:
        """Store of the sketches of its documents."""
        folder = self.path("sketch")
        return Sketches(files.join(folder, "units"), saved_units(folder))

    def written(self, unit: int) -> str | None:
        """Return the file with the `copies` that stand in its data/."""
        return unit_file(self.path("selection"), unit, "parquet")

    def named(self, unit: int) -> Named:
        """Return the names of a unit's documents, as its data/ has them."""
        sketches = self.sketches
        source = self.sources[sketches.units[unit].source].name
        repeated = unit_file(self.path("verdicts"), unit, "parquet")
        return Named(source, sketches.places[unit], repeated)


def earlier_runs(config: Config) -> list[EarlierRun]:
    """Return the runs that a configuration names in `against`.

    Raises:
        ConfigError: when a run is not finished, has lost its work directory, was made with other
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
    """Return a run that can be an index of the run with this configuration."""
    if absolute_path(out) == absolute_path(config.out):
        raise ConfigError(
            f"against: {out} is out itself, whose result this run replaces; choose another out"
        )
    path = files.join(out, MANIFEST)
    if not files.exists(path):
        raise ConfigError(
            f"against: {out} holds no {MANIFEST}; give the output directory of a finished run"
        )
    try:
        manifest = read_manifest(out)
    except DamagedError as error:
        raise ConfigError(f"against: {error}") from None
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
        earlier, current = getattr(run.config, key), getattr(config, key)
        if earlier != current:
            raise ConfigError(
                f"against: {out} was made with {key} = {earlier}, this run has {current}; use the "
                "same, or give its data/ as a source of role exclude"
            )
    for name, folder in manifest["work"].items():
        if not files.exists(run.path(name)):
            raise ConfigError(
                f"against: {out} has lost {folder}, the index that it left; run it "
                "again, or give its data/ as a source of role exclude"
            )
    if config.semantic_threshold is not None:
        _check_embeddings(run, config)
    return run


def _check_embeddings(run: EarlierRun, config: Config) -> None:
    """Check that the embeddings of a run can be compared with those of this run."""
    current = load_model(config.embedder).fingerprint
    reports = run.sketches.reports
    # `dedup` makes embeddings only where it compares them, and then counts the words.
    lacking = any(report.tokens for report in reports) and not any(r.words for r in reports)
    if not lacking and run.manifest.get("embedder") == current:
        return
    earlier = "no embeddings" if lacking else f"embedder = {run.config.embedder or 'absent'}"
    raise ConfigError(
        f"against: {run.out} was made with {earlier}, and semantic_threshold compares embeddings "
        f"of one embedder, here {config.embedder}; run it again with it, leave out "
        "semantic_threshold, or give its data/ as a source of role exclude"
    )

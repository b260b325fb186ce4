"""The lineage of a training loop, as a run finds it: what earlier runs have bought and left.

What a lineage is stands in lineage.json alone, so writing that file whole is what commits a run
(`outcross.pipeline.commands.generation`); a killed one leaves the lineage as it was.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from outcross.pipeline.engine.artifacts import WORK
from outcross.pipeline.engine.locks import lock_file
from outcross.pipeline.inputs.plans import read_plan
from outcross.schemas.columns import LEDGER_COLUMN
from outcross.schemas.config import DEFAULT_SYNTHETIC, Config, ConfigError, Fields, Source, readable
from outcross.schemas.formats import FORMAT, check_json, versions
from outcross.schemas.lineage import LEDGER, ArchivedSource, Lineage
from outcross.transforms.base import files
from outcross.transforms.inputs.input_files import input_files
from outcross.transforms.inputs.seals import identify_all
from outcross.transforms.reference.reference import load_reference
from outcross.transforms.selection.distance import DISTANCE_BUCKETS, distances, folded, take_nearest
from outcross.transforms.text.embed import load_default
from outcross.transforms.text.ngrams import Tables

LINEAGE = "lineage.json"
USED = "used.parquet"
"""Name of a generation's file of the ledger's documents that it has written again."""
_REFERENCE = "reference"
_LOCK = "lock"


@dataclass(frozen=True)
class RunLineage:
    """A lineage as one of its runs finds it.

    Attributes:
        folder: of the lineage.
        name: of the run in it.
        state: the lineage as it is.
        before: as it was before this run, where the run stands in it already.
        asked: the run's configuration, with what its plan asks for if it was given one.
        own: names of the sources that the run itself was given.
        ledger: names of the sources that hold the ledger.
        archived: by the names of their sources, what earlier generations had to choose from.
        warnings: what has to be said about it.
    """

    folder: str
    name: str
    state: Lineage
    before: Lineage
    asked: Config
    own: frozenset[str]
    ledger: frozenset[str]
    archived: dict[str, ArchivedSource]
    warnings: list[str]

    @property
    def number(self) -> int:
        """Of the run, from 1."""
        return len(self.before.generations) + 1

    @property
    def reference(self) -> str:
        """Folder of the yardstick that all runs share."""
        return self.path(_REFERENCE)

    def path(self, name: str) -> str:
        return files.join(self.folder, name)

    def tables(self, name: str) -> Tables:
        """The hashed n-gram counts in a file below the lineage."""
        return _tables(self.folder, name)

    def bought(self) -> Tables:
        """Hashed n-gram counts of the ledger."""
        return _bought(self.folder, self.before)

    def is_new(self, source: Source) -> bool:
        """Whether a source holds synthetic text of this generation."""
        return source.role == "synthetic" and source.name in self.own


def _tables(folder: str, name: str) -> Tables:
    path = files.join(folder, name)
    try:
        return Tables.from_bytes(files.read_bytes(path))
    except (OSError, ValueError, IndexError) as error:
        raise damaged(path, error) from None


def _bought(folder: str, state: Lineage) -> Tables:
    names = [one.ngrams for one in state.generations if one.ngrams is not None]
    found = (_tables(folder, name) for name in names)
    return reduce(Tables.merge, found, Tables.empty(DISTANCE_BUCKETS))


def damaged(path: str, error: Exception) -> ConfigError:
    """What to say of a file that lineage.json names and that can't be read."""
    why = "is not there" if isinstance(error, FileNotFoundError) else f"can't be read: {error}"
    return ConfigError(f"lineage: {path} {why}; bring it back from a copy of the lineage")


def read_lineage(folder: str) -> Lineage:
    """What lineage.json says; a lineage without generations where there is none yet.

    Raises:
        ConfigError: when the folder holds something else, or the file can't be read.
    """
    path = files.join(folder, LINEAGE)
    if files.exists(path):
        text = files.read_bytes(path)
        needed = versions(Lineage.model_fields[FORMAT].default)
        check_json("lineage", path, text, needed, _begin_anew(folder))
        try:
            return Lineage.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError(f"lineage: {path}: {readable(error, 'lineage')}") from None
    if files.is_local(folder) and files.exists(folder):
        if not Path(folder).is_dir():
            raise ConfigError(f"lineage: {folder} is a file; a directory is expected")
        # What a killed first run may leave, its own directory included.
        ours = {_LOCK, _REFERENCE, "ledger", "archive"}
        found = {
            entry.name
            for entry in Path(folder).iterdir()
            if not (entry / WORK).is_dir() and not entry.name.startswith(f".{LINEAGE}.")
        }
        if found - ours:
            raise ConfigError(
                f"lineage: {folder} holds files and no {LINEAGE}; choose an empty directory"
            )
    return Lineage()


def _begin_anew(folder: str) -> str:
    """Return the command that begins a lineage with the texts that another one has bought."""
    bought = files.list_files(files.join(folder, "ledger", "*", "*.parquet"))
    names = {path.rpartition("/")[2] for path in bought} - {USED}
    texts = " ".join(
        f"--human {shlex.quote(files.join(folder, 'ledger', '*', name))}" for name in sorted(names)
    )
    if not texts:
        return "it has bought no text, so begin another one in an empty directory"
    return (
        "begin another one with the texts that it has bought: "
        f"`outcross run {texts} --id-field {LEDGER_COLUMN}.id --human-share 1 --lineage NEW "
        "--out FIRST`, with the `--text-field` that lineage.json names where it is not `text`"
    )


@contextmanager
def lock_lineage(folder: str) -> Iterator[None]:
    """Keep a second run off the same lineage.

    Raises:
        ConfigError: when another run is at work on it, or the folder is something else.
    """
    if not files.is_local(folder):  # object stores have no locks; the commit looks again
        yield
        return
    read_lineage(folder)  # a folder of something else is left as it is
    files.make_folder(folder)
    message = (
        f"lineage: another run is at work on {folder}; wait for it, as each generation builds on "
        "the one before"
    )
    with lock_file(files.join(folder, _LOCK), message):
        yield


def whole(path: str) -> str:
    """A path by which the same file has the same name, wherever the command is typed."""
    return os.path.abspath(path) if files.is_local(path) else path.rstrip("/")


def within_lineage(config: Config) -> tuple[Config, RunLineage]:
    """A run's configuration with what its lineage adds: the ledger, earlier candidates, the
    yardstick.

    Args:
        config: with a lineage.

    Raises:
        ConfigError: when the lineage can't be read, or the run can't stand in it.
    """
    assert config.lineage is not None
    folder, warnings = config.lineage, list[str]()
    state = read_lineage(folder)
    name = whole(config.out).rpartition("/")[2]
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):  # sources and ids begin with it
        raise ConfigError(
            f"out: its last part, {name!r}, names the generation, and must begin with a letter or "
            "digit and hold letters, digits and _.- only; choose another directory"
        )
    asked = _as_planned(config)
    before = _before(state, name, config.out)
    reference = config.reference
    shared = files.join(folder, _REFERENCE)
    if before.generations and files.exists(files.join(shared, "reference.json")):
        reference = shared if reference is None else reference
        used, its_own = (
            load_reference(path, load_default().fingerprint).fingerprint()
            for path in (reference, shared)
        )
        if used != its_own:
            raise ConfigError(
                f"reference: {reference} is another yardstick than the lineage's, on which figures "
                "and distances could not be compared with those of earlier generations; leave it "
                "out, or begin a lineage with it"
            )
    if not before.generations and reference is None and not _has_reference(config):
        warnings.append(
            "lineage: its yardstick is made of text that the loop itself learns from, so what "
            "models keep of rare words looks better than it is; make one of other human text by "
            "`outcross reference build`, and give it as the reference"
        )
    ledger = _ledger_sources(folder, before, config)
    archived = {}
    if config.archive > 0 and before.generations:
        archived = _nearest_archived(folder, before, asked, reference, warnings)
    names = [source.name for source in ledger]
    own = [_beside_ledger(source, names) for source in config.sources]
    sources = [*own, *ledger, *(one.source for one in archived.values())]
    _check_names(sources)
    expanded = config.model_copy(update={"sources": sources, "reference": reference})
    return expanded, RunLineage(
        folder=folder,
        name=name,
        state=state,
        before=before,
        asked=asked,
        own=frozenset(source.name for source in config.sources),
        ledger=frozenset(source.name for source in ledger),
        archived=archived,
        warnings=warnings,
    )


def _has_reference(config: Config) -> bool:
    return any(source.role == "reference" for source in config.sources)


def _as_planned(config: Config) -> Config:
    """A configuration with what its plan asks for: on that depends what there is to choose from."""
    if config.plan is None:
        return config
    asked = read_plan(config.plan).asked
    keys = ("tokens", "human_share", "human_tokens", "fresh_human_tokens")
    told = {key: getattr(asked, key) for key in keys}
    return config.model_copy(update={k: v for k, v in told.items() if v is not None})


def _beside_ledger(source: Source, ledger: list[str]) -> Source:
    """A source of the run, of which nothing is bought that the ledger has."""
    if source.role != "human" or source.removed_by is None:
        return source
    return source.model_copy(update={"removed_by": [*source.removed_by, *ledger]})


def _before(state: Lineage, name: str, out: str) -> Lineage:
    """The generations that a run builds on: all, or those before it if it is done again."""
    names = [generation.name for generation in state.generations]
    if name not in names:
        return state
    place = names.index(name)
    known = state.generations[place].out
    if known != whole(out):
        raise ConfigError(
            f"out: the lineage has a generation {name!r} already, of {known}; choose another name "
            "for the directory"
        )
    if place + 1 < len(names):
        raise ConfigError(
            f"out: {name!r} is generation {place + 1} of the lineage, and {names[place + 1]!r} "
            "builds on it; choose another directory, and a generation of its own"
        )
    return state.model_copy(update={"generations": state.generations[:place]})


def _ledger_sources(folder: str, before: Lineage, config: Config) -> list[Source]:
    """The ledger as human sources, one for each way in which rows have their parts."""
    by_fields: dict[Fields, list[str]] = {}
    for generation in before.generations:
        for part in generation.bought:
            path = glob.escape(whole(files.join(folder, part.file)))
            by_fields.setdefault(part.fields, []).append(path)
    # Of a fresh text and one that was bought already the latter is kept: nobody buys it twice.
    first = 1 + max(source.priority for source in config.sources)
    return [
        Source(
            name=LEDGER if number == 0 else f"{LEDGER}-{number + 1}",
            role="human",
            files=paths,
            priority=first,
            **{**fields.model_dump(), "id_field": f"{LEDGER_COLUMN}.id"},
        )
        for number, (fields, paths) in enumerate(by_fields.items())
    ]


def _nearest_archived(
    folder: str, before: Lineage, config: Config, reference: str | None, warnings: list[str]
) -> dict[str, ArchivedSource]:
    """The sources of earlier generations that may be among the nearest, whatever is new.

    So that the others aren't read at all.
    """
    found: dict[str, ArchivedSource] = {}
    given = _own_files(config)
    for generation in before.generations:
        for one in generation.sources:
            name = f"{generation.name}.{one.source.name}"
            if (gone := _gone(one, config.workers)) is not None:
                warnings.append(
                    f"archive: {name}: {gone} is not what it was any more, or not there; the "
                    "source is left out"
                )
            elif not one.identities.keys() <= given:  # or it would count twice, and hold nothing
                given |= one.identities.keys()
                found[name] = one.model_copy(
                    update={"source": one.source.model_copy(update={"name": name})}
                )
    mix = expected_mix(config, float(config.fresh_human_tokens or 0), before.ledger.tokens)
    if mix is None or reference is None:
        return found
    far = distances(
        [_tables(folder, one.ngrams) for one in found.values()],
        _bought(folder, before),
        folded(load_reference(reference, load_default().fingerprint).ngrams),
        mix.human_share,
    )
    taken = take_nearest(
        far,
        [one.amount.tokens for one in found.values()],
        config.archive * mix.tokens,
        config.archive_source * mix.tokens,
    )
    return {name: one for (name, one), some in zip(found.items(), taken, strict=True) if some > 0}


def _gone(archived: ArchivedSource, workers: int | None) -> str | None:
    """A file that is not what it was."""
    there = [path for path in archived.identities if files.exists(path)]
    identities = identify_all(there, workers)
    for path, identity in archived.identities.items():
        if path not in identities or identities[path].name != identity:
            return path
    return None


def _own_files(config: Config) -> set[str]:
    """Files that the run itself was given as synthetic text."""
    return {
        whole(file.path)
        for source in config.sources
        if source.role == "synthetic"
        for file in input_files(source).files
    }


class Mix(NamedTuple):
    """Tokens that a run will write, as far as can be said before its budget is solved."""

    synthetic: float
    human: float

    @property
    def tokens(self) -> float:
        return self.synthetic + self.human

    @property
    def human_share(self) -> float:
        return self.human / max(self.tokens, 1.0)


def expected_mix(
    config: Config, fresh: float, ledger: float, own: float | None = None
) -> Mix | None:
    """What a run will write; None if it can't be said yet.

    Args:
        config: of the run.
        fresh, ledger: human tokens there are to buy, and that were bought.
        own: synthetic tokens of its own sources after deduplication, where they are known.
    """
    if config.fresh_human_tokens is not None:
        fresh = min(fresh, float(config.fresh_human_tokens))
    share, held = config.human_share, fresh + ledger
    if config.tokens is not None:
        asked = config.human_tokens
        human = min(share * config.tokens if asked is None else float(asked), held)
        return Mix(config.tokens - human, human)
    if own is None:
        return None
    synthetic = DEFAULT_SYNTHETIC * own
    if config.human_tokens is not None:
        return Mix(synthetic, min(float(config.human_tokens), held))
    if share == 1:
        return Mix(0.0, held)
    return Mix(synthetic, min(synthetic * share / (1 - share), held))


def _check_names(sources: Sequence[Source]) -> None:
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"sources: the name {name!r} is taken by the lineage; choose another one"
            )

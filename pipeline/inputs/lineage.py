"""Lineage of a training loop: the ledger and the archive that earlier generations left to a run.

The state of a lineage is lineage.json alone. So a run commits by writing that file
(`outcross.pipeline.commands.generation`), and a killed run leaves the lineage unchanged.
"""

from __future__ import annotations

import glob
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from outcross.pipeline.engine.artifacts import WORK
from outcross.pipeline.engine.locks import check_writable, lock
from outcross.pipeline.inputs.plans import read_plan
from outcross.pipeline.inputs.tokenizer import Given, check_counts
from outcross.schemas.columns import LEDGER_COLUMN
from outcross.schemas.config import DEFAULT_SYNTHETIC, Config
from outcross.schemas.formats import FORMAT, check_json, versions
from outcross.schemas.lineage import LEDGER, ArchivedSource, Lineage
from outcross.schemas.sources import Fields, Source
from outcross.schemas.user_input import ConfigError, readable
from outcross.transforms.base import files
from outcross.transforms.base.damage import LINEAGE_CURE, DamagedError, MissingError
from outcross.transforms.base.visible import visible_name
from outcross.transforms.inputs.input_files import input_files
from outcross.transforms.inputs.seals import identify_all
from outcross.transforms.reference.reference import load_reference
from outcross.transforms.selection.distance import DISTANCE_BUCKETS, distances, folded, take_nearest
from outcross.transforms.text.ngrams import Tables

LINEAGE = "lineage.json"
USED = "used.parquet"
"""File of a generation that lists the ledger's documents which it wrote again."""
_REFERENCE = "reference"
_LOCK = "lock"
_FOLDERS = ("ledger", "archive", _REFERENCE)


@dataclass(frozen=True)
class RunLineage:
    """Lineage of a run, with the sources that it adds to the run.

    Attributes:
        folder: folder of the lineage.
        name: name of the run's generation.
        state: present state of the lineage.
        before: state without this run's generation, in case the run is repeated.
        asked: configuration of the run, with the amounts of its plan if it has one.
        run_sources: names of the run's own sources.
        ledger: names of the sources that hold the ledger.
        archived: candidates of earlier generations, by the names of their sources.
        warnings: warnings for the user.
    """

    folder: str
    name: str
    state: Lineage
    before: Lineage
    asked: Config
    run_sources: frozenset[str]
    ledger: frozenset[str]
    archived: dict[str, ArchivedSource]
    warnings: list[str]

    @property
    def number(self) -> int:
        """Number of the run's generation, from 1."""
        return len(self.before.generations) + 1

    @property
    def reference(self) -> str:
        """Folder of the reference that all runs share."""
        return self.path(_REFERENCE)

    def path(self, name: str) -> str:
        """Return a path below the lineage."""
        return files.join(self.folder, name)

    def tables(self, name: str) -> Tables:
        """Return the hashed n-gram counts in a file below the lineage."""
        return _tables(self.folder, name)

    def bought(self) -> Tables:
        """Return the hashed n-gram counts of the ledger."""
        return _bought(self.folder, self.before)

    def is_new(self, source: Source) -> bool:
        """Return whether a source holds synthetic text of this generation."""
        return source.role == "synthetic" and source.name in self.run_sources


def _tables(folder: str, name: str) -> Tables:
    path = files.join(folder, name)
    return files.read_as(path, Tables.from_bytes, LINEAGE_CURE)


def _bought(folder: str, state: Lineage) -> Tables:
    names = [bought.ngrams for bought in state.generations if bought.ngrams is not None]
    tables = (_tables(folder, name) for name in names)
    return reduce(Tables.merge, tables, Tables.empty(DISTANCE_BUCKETS))


def _check_files(folder: str, state: Lineage) -> None:
    """Refuse a lineage whose ledger is gone, or whose lists of reused texts can't be read."""
    for generation in state.generations:
        for part in generation.bought:
            path = files.join(folder, part.file)
            if not files.exists(path):
                raise MissingError(f"{visible_name(path)} is gone; {LINEAGE_CURE}")
        if generation.used is not None:
            with files.open_parquet(files.join(folder, generation.used), LINEAGE_CURE):
                pass


def read_lineage(folder: str) -> Lineage:
    """Return the state in lineage.json; a lineage without generations if there is no such file.

    Args:
        folder: folder of the lineage.

    Raises:
        ConfigError: the folder holds other files.
        DamagedError: lineage.json can't be read.
    """
    path = files.join(folder, LINEAGE)
    if files.exists(path):
        text = files.read_bytes(path)
        needed = versions(Lineage.model_fields[FORMAT].default)
        check_json("lineage", path, text, needed, _begin_anew(folder))
        try:
            return Lineage.model_validate_json(text)
        except ValidationError as error:
            fault = readable(error, "lineage").split("\n")[0]
            raise DamagedError(
                f"lineage: {path}: {fault}; {LINEAGE_CURE}, or {_begin_anew(folder)}"
            ) from None
    if files.is_local(folder) and files.exists(folder):
        if not Path(folder).is_dir():
            raise ConfigError(f"lineage: {folder} is a file; a directory is expected")
        # A killed first run may leave these, and its output directory.
        known = {_LOCK, *_FOLDERS}
        names = {
            entry.name
            for entry in Path(folder).iterdir()
            if not (entry / WORK).is_dir() and not entry.name.startswith(f".{LINEAGE}.")
        }
        if names - known:
            raise ConfigError(
                f"lineage: {folder} holds files and no {LINEAGE}; choose an empty directory"
            )
    return Lineage()


def _begin_anew(folder: str) -> str:
    """Return advice with a command that begins a new lineage with the ledger's texts."""
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
def lock_lineage(folder: str, say: Callable[[str], None] = print) -> Iterator[Callable[[], None]]:
    """Keep a second run off a lineage while the body of the `with` statement runs.

    Args:
        folder: folder of the lineage.
        say: function that prints a line, where the wait for a left lock takes seconds.

    Yields:
        A function that raises LostLockError if the lock is lost.

    Raises:
        ConfigError: another run is at work on it, or the folder holds other files.
    """
    check_writable("lineage", folder)
    read_lineage(folder)  # a folder with other files gets no lock
    files.make_folder(folder)
    busy = f"lineage: another run is at work on {folder}"
    advice = "wait for it, as each generation builds on the one before"
    with lock(files.join(folder, _LOCK), busy, advice, say) as confirm:
        _delete_leftovers(folder)
        try:
            yield confirm
        finally:
            _delete_leftovers(folder)  # workers of a stopped commit don't end what they write


def _delete_leftovers(folder: str) -> None:
    """Delete incomplete files of a lineage; output directories in it are those of other commands.

    Args:
        folder: folder of the lineage, which this process has locked.
    """
    for name in _FOLDERS:
        files.delete_leftovers(files.join(folder, name))
    if files.is_local(folder):
        files.delete_files(files.list_files(files.join(folder, f".{LINEAGE}.*.tmp")))


def within_lineage(config: Config, tokenizer: Given | None = None) -> tuple[Config, RunLineage]:
    """Add the ledger, earlier candidates and the reference of a lineage to a configuration.

    Args:
        config: configuration that names a lineage.
        tokenizer: tokenizer of the run; None where tokens are words.

    Returns:
        The configuration with the additional sources, and the lineage.

    Raises:
        ConfigError: the lineage can't be read, or doesn't accept the run.
    """
    assert config.lineage is not None
    folder, warnings = config.lineage, list[str]()
    state = read_lineage(folder)
    name = files.absolute_path(config.out).rpartition("/")[2]
    if not re.fullmatch(
        r"[A-Za-z0-9][A-Za-z0-9_.-]*", name
    ):  # names of sources and ids begin with it
        raise ConfigError(
            f"out: its last part, {name!r}, names the generation, and must begin with a letter or "
            "digit and hold letters, digits and _.- only; choose another directory"
        )
    asked = _as_planned(config)
    before = _before(state, name, config.out)
    if before.generations:
        given = None if tokenizer is None else tokenizer.tokenizer
        check_counts("lineage", folder, state.tokenizer, given)
    reference = config.reference
    shared = files.join(folder, _REFERENCE)
    if before.generations and files.exists(files.join(shared, "reference.json")):
        reference = shared if reference is None else reference
        used, expected = (
            load_reference(path, key=config.embedder).fingerprint() for path in (reference, shared)
        )
        if used != expected:
            raise ConfigError(
                f"reference: {reference} is not the reference of the lineage, so figures and "
                "distances could not be compared with those of earlier generations; leave "
                "`reference` out, or begin a new lineage with it"
            )
    if not before.generations and reference is None and not _has_reference(config):
        warnings.append(
            "lineage: its reference is made from text that the loop itself learns from, so models "
            "seem to keep more rare words than they do; make a reference from other human text by "
            "`outcross reference build`, and set `reference`"
        )
    _check_files(folder, before)
    ledger = _ledger_sources(folder, before, config)
    archived = {}
    if config.archive > 0 and before.generations:
        archived = _nearest_archived(folder, before, asked, reference, warnings)
    names = [source.name for source in ledger]
    own_sources = [_without_ledger(source, names) for source in config.sources]
    sources = [*own_sources, *ledger, *(candidates.source for candidates in archived.values())]
    _check_names(sources)
    expanded = config.model_copy(update={"sources": sources, "reference": reference})
    return expanded, RunLineage(
        folder=folder,
        name=name,
        state=state,
        before=before,
        asked=asked,
        run_sources=frozenset(source.name for source in config.sources),
        ledger=frozenset(source.name for source in ledger),
        archived=archived,
        warnings=warnings,
    )


def _has_reference(config: Config) -> bool:
    return any(source.role == "reference" for source in config.sources)


def _as_planned(config: Config) -> Config:
    """Return a configuration with the amounts of its plan, which decide on the candidates."""
    if config.plan is None:
        return config
    asked = read_plan(config.plan).asked
    keys = ("tokens", "human_share", "human_tokens", "fresh_human_tokens")
    amounts = {key: getattr(asked, key) for key in keys}
    return config.model_copy(update={k: v for k, v in amounts.items() if v is not None})


def _without_ledger(source: Source, ledger: list[str]) -> Source:
    """Return a source from which the ledger removes its documents, so that none is bought twice."""
    if source.role != "human" or source.removed_by is None:
        return source
    return source.model_copy(update={"removed_by": [*source.removed_by, *ledger]})


def _before(state: Lineage, name: str, out: str) -> Lineage:
    """Return the state that a run builds on: without its own generation if it is repeated."""
    names = [generation.name for generation in state.generations]
    if name not in names:
        return state
    place = names.index(name)
    known = state.generations[place].out
    if known != files.absolute_path(out):
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
    """Return the ledger as human sources, one for each configuration of fields."""
    by_fields: dict[Fields, list[str]] = {}
    for generation in before.generations:
        for part in generation.bought:
            path = glob.escape(files.absolute_path(files.join(folder, part.file)))
            by_fields.setdefault(part.fields, []).append(path)
    # A text that was bought already is kept instead of its fresh copy, so none is bought twice.
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
    """Return the sources of earlier generations that can be among the nearest to the reference.

    Only these are read, whatever the distance of the new sources.
    """
    archived: dict[str, ArchivedSource] = {}
    known = _synthetic_files(config)
    for generation in before.generations:
        for candidates in generation.sources:
            name = f"{generation.name}.{candidates.source.name}"
            if (path := _changed_file(candidates, config.workers)) is not None:
                warnings.append(
                    f"archive: {name}: {visible_name(path)} has changed or is missing; the source "
                    "is left out"
                )
            elif not candidates.identities.keys() <= known:  # else all its documents are repeats
                known |= candidates.identities.keys()
                source = candidates.source.model_copy(update={"name": name})
                archived[name] = candidates.model_copy(update={"source": source})
    mix = expected_mix(config, float(config.fresh_human_tokens or 0), before.ledger.tokens)
    if mix is None or reference is None:
        return archived
    far = distances(
        [_tables(folder, candidates.ngrams) for candidates in archived.values()],
        _bought(folder, before),
        folded(load_reference(reference, key=config.embedder).ngrams),
        mix.human_share,
    )
    taken = take_nearest(
        far,
        [candidates.amount.tokens for candidates in archived.values()],
        config.archive * mix.tokens,
        config.archive_source * mix.tokens,
    )
    shares = dict(zip(archived, taken, strict=True))
    return {name: candidates for name, candidates in archived.items() if shares[name] > 0}


def _changed_file(archived: ArchivedSource, workers: int | None) -> str | None:
    """Return the first file of a source that has changed or is missing, None if there is none."""
    present = [path for path in archived.identities if files.exists(path)]
    identities = identify_all(present, workers)
    for path, identity in archived.identities.items():
        if path not in identities or identities[path].name != identity:
            return path
    return None


def _synthetic_files(config: Config) -> set[str]:
    """Return the files of the run's own synthetic sources."""
    return {
        files.absolute_path(file.path)
        for source in config.sources
        if source.role == "synthetic"
        for file in input_files(source).files
    }


class Mix(NamedTuple):
    """Tokens that a run is expected to write, before its budget is solved."""

    synthetic: float
    human: float

    @property
    def tokens(self) -> float:
        """Expected tokens, synthetic and human."""
        return self.synthetic + self.human

    @property
    def human_share(self) -> float:
        """Expected share of human tokens."""
        return self.human / max(self.tokens, 1.0)


def expected_mix(
    config: Config, fresh: float, ledger: float, new: float | None = None
) -> Mix | None:
    """Return the tokens that a run is expected to write, None while they are unknown.

    Args:
        config: configuration of the run.
        fresh: human tokens that can be bought.
        ledger: human tokens of the ledger.
        new: synthetic tokens of the run's own sources after deduplication, if they are known.
    """
    if config.fresh_human_tokens is not None:
        fresh = min(fresh, float(config.fresh_human_tokens))
    share, supply = config.human_share, fresh + ledger
    if config.tokens is not None:
        asked = config.human_tokens
        human = min(share * config.tokens if asked is None else float(asked), supply)
        return Mix(config.tokens - human, human)
    if new is None:
        return None
    synthetic = DEFAULT_SYNTHETIC * new
    if config.human_tokens is not None:
        return Mix(synthetic, min(float(config.human_tokens), supply))
    if share == 1:
        return Mix(0.0, supply)
    return Mix(synthetic, min(synthetic * share / (1 - share), supply))


def _check_names(sources: Sequence[Source]) -> None:
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"sources: the name {name!r} is taken by the lineage; choose another one"
            )

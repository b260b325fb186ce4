"""Stage `sketch`: read, validate, and keep of each document what decisions need."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import MANIFEST, Artifact, artifact
from outcross.pipeline.stages.context import Context
from outcross.schemas.budget import OTHERS
from outcross.schemas.columns import LEDGER_COLUMN, OTHER_KEYS, is_json, settle, unite
from outcross.schemas.config import Config
from outcross.schemas.documents import Piece, Unit
from outcross.schemas.plan import SourceTexts
from outcross.schemas.sources import WRITABLE, Role, Source
from outcross.schemas.supertypes import MAX_FIELDS
from outcross.schemas.text_field import TEXT_OUT, listed, paths_of
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_from
from outcross.transforms.inputs.input_files import warnings_of_files
from outcross.transforms.inputs.places import Places
from outcross.transforms.inputs.seals import Identity, digests_of, identify_all, seal_units
from outcross.transforms.reading.lookup import first_columns
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.rows.damage import Damage
from outcross.transforms.rows.open_keys import is_open, named_columns, narrow_schema
from outcross.transforms.rows.text_fields import is_composed
from outcross.transforms.sketches.sketch_documents import SketchDocuments
from outcross.transforms.sketches.store import Sketches, UnitReport
from outcross.transforms.text.embed import load_default
from outcross.transforms.text.known import Known, warning

_DIGESTS = "digests"
"""Name of an artifact's file with the hashes of the blocks of the input's files."""
_LEAST_UNIT, _LARGEST_UNIT, _UNITS = 8 << 20, 256 << 20, 256


@dataclass
class Sketched:
    """After `sketch`: what is in the sources.

    Attributes:
        union, removed_union: schemas of the users' columns in data/ and in removed/.
        text_out: the union's last column, which gets the judged texts; None for no such column.
        identities: size and hash of each file, by its path.
    """

    artifact: Artifact
    sketches: Sketches
    union: pa.Schema
    removed_union: pa.Schema
    context: Context
    identities: dict[str, str]
    text_out: str | None

    def of_role(self, *roles: Role) -> NDArray[np.bool_]:
        """Which documents are of sources with these roles."""
        return self._of(lambda source: source.role in roles)

    def of_sources(self, *names: str) -> NDArray[np.bool_]:
        """Which documents are of sources with these names."""
        return self._of(lambda source: source.name in names)

    def _of(self, holds: Callable[[Source], bool]) -> NDArray[np.bool_]:
        sources = self.context.config.sources
        chosen = [holds(sources[unit.source]) for unit in self.sketches.units]
        return np.repeat(np.array(chosen, bool), np.diff(self.sketches.offsets))

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        return self.sketches.numbers("tokens")

    @cached_property
    def fingerprints(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        hi = self.sketches.numbers("fingerprint_hi")
        return hi, self.sketches.numbers("fingerprint_lo")

    def known(self, *roles: Role) -> dict[str, Known]:
        """How many words the embedder knows of each source with these roles, by its name."""
        return {
            source.name: Known.total(
                Known(report.words, report.known)
                for unit in self.sketches.units
                if unit.source == number
                for report in (self.sketches.reports[unit.index],)
            )
            for number, source in enumerate(self.context.config.sources)
            if source.role in roles
        }

    def domains(self, names: Sequence[str]) -> NDArray[np.int16]:
        """Each document's number among domains; that of '*' for all others, -1 without it.

        Args:
            names: of the domains.
        """
        others = names.index(OTHERS) if OTHERS in names else -1
        found = np.full(len(self.sketches), others, np.int16)
        number = {name: place for place, name in enumerate(names)}
        if number.keys() <= {OTHERS}:
            return found
        for unit, part in self.sketches.per_unit(found):
            if self.sketches.reports[unit.index].named.get("domain", 0):
                column = self.sketches.table(unit.index, ["domain"]).column(0)
                encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
                values = encoded.dictionary.to_pylist()
                own = np.array([number.get(value, others) for value in values], np.int16)
                part[:] = own[encoded.indices.to_numpy()]
        return found

    def units(self, *roles: Role) -> list[Unit]:
        """The units of sources with these roles that have valid rows."""
        sources = self.context.config.sources
        return [
            unit
            for unit in self.sketches.units
            if sources[unit.source].role in roles and self.sketches.reports[unit.index].rows
        ]


def plan_input(config: Config) -> tuple[list[Unit], dict[str, Identity]]:
    """The units of the input, and the identity of each of its files by its path.

    All bytes of the files are read.

    Raises:
        ConfigError: when a glob matches nothing, or a file is of no known kind.
    """
    units = plan_units(config.sources, _LEAST_UNIT)
    total = sum(unit.bytes for unit in units)
    if total > _LEAST_UNIT * _UNITS:
        units = plan_units(config.sources, min(total // _UNITS, _LARGEST_UNIT))
    paths = sorted({piece.file for unit in units for piece in unit.pieces})
    return units, identify_all(paths, config.workers)


def saved_units(folder: str) -> list[Unit]:
    """The units of a finished sketch, sealed as they were.

    Args:
        folder: of the artifact, wherever it is now.
    """
    stats = files.read_json(files.join(folder, MANIFEST))["stats"]
    return [unit_from(unit, files.join(folder, _DIGESTS)) for unit in stats["units"]]


def sketch(
    context: Context, units: list[Unit], identities: dict[str, Identity], embedded: bool
) -> Sketched:
    """Reads, validates and sketches all sources.

    Args:
        context: of the run.
        units, identities: from `plan_input`.
        embedded: whether embeddings are made, for the stages after `deduplicate`.
    """
    config = context.config
    reading = ["files", "priority", "role", "name", "removed_by"]
    decides = {
        "sources": [
            source.model_dump(mode="json", exclude={*reading}) for source in config.sources
        ],
        "units": [[unit.source, [_content(p, identities) for p in unit.pieces]] for unit in units],
        "ngram": config.ngram,
        "num_perm": config.num_perm,
    }
    done = artifact(config.out, "sketch", embedder=load_default().fingerprint, **decides)
    if not embedded and not done.finished:  # sketches with embeddings do as well
        done = artifact(config.out, "sketch", embedder=None, **decides)
    folder = done.subfolder("units")
    units = seal_units(units, identities, done.path(_DIGESTS))
    if done.finished:
        context.progress.skipped("sketch")
    else:
        if digests := digests_of(identities):
            files.write_bytes(done.path(_DIGESTS), digests)
        size = sum(unit.bytes for unit in units)
        with context.progress.stage("sketch", size=size):
            work = SketchDocuments(config.sources, folder, config.ngram, config.num_perm, embedded)
            context.over_units(units, lambda p: p | work, reading=True)
    # Sketches are taken again by content: the files may have other names than before.
    named = [asdict(unit) for unit in seal_units(units, identities, _DIGESTS)]
    stats = json.loads(json.dumps({"units": named}))
    if not done.finished or done.stats() != stats:
        done.finish(stats)
    sketches = Sketches(folder, units)
    kept, removed, text_out = _unions(config, sketches)
    if OTHER_KEYS in removed.names:
        context.warn(
            f"there are more than {MAX_FIELDS:,} different keys: those that not every row of a "
            f"source has are one column {OTHER_KEYS!r}, text holding JSON"
        )
    mixed = [field.name for field in kept if is_json(field) and field.name != OTHER_KEYS]
    if mixed:
        context.warn(
            f"columns {', '.join(map(repr, mixed))} hold values of types that don't go together; "
            "they are written as text holding JSON: a string gets quotes, 1.0 becomes 1, members "
            "of objects that are null are left out, NaN and infinities stand as Python's json "
            "writes them"
        )
    names = {path: identity.name for path, identity in identities.items()}
    return Sketched(done, sketches, kept, removed, context, names, text_out)


def _content(piece: Piece, identities: Mapping[str, Identity]) -> list[Any]:
    """Return what a piece's rows depend on, wherever its file lies."""
    return [piece.kind, piece.start, piece.stop, piece.columns, identities[piece.file].name]


def _columns_there(sketched: Sketched) -> Iterator[str]:
    """What columns sources have in which no row had a text."""
    sources = sketched.context.config.sources
    for number, source in enumerate(sources):
        own = [unit for unit in sketched.sketches.units if unit.source == number]
        rows = sum(sketched.sketches.reports[unit.index].rows for unit in own)
        if own and rows == 0:
            names = next(filter(None, map(first_columns, own[0].pieces)), [])
            if names:
                shown = ", ".join(map(repr, names[:20]))
                yield (
                    f"\n  source {source.name!r} has no text in {listed(source.text_field)}; its "
                    f"first row has {shown}"
                )


def _unions(config: Config, sketches: Sketches) -> tuple[pa.Schema, pa.Schema, str | None]:
    """Return the schemas of all shards and of all removed rows, and the column of judged texts."""
    by_source: dict[int, list[pa.Schema]] = {number: [] for number in range(len(config.sources))}
    for unit in sketches.units:
        report = sketches.reports[unit.index]
        if report.rows:
            by_source[unit.source].append(report.arrow_schema())
    united = {number: unite(schemas) for number, schemas in by_source.items()}
    # A table of many columns is no open set: its columns are the same for all rows.
    objects = {
        unit.source
        for unit in sketches.units
        if any(piece.kind in ("jsonl", "json") for piece in unit.pieces)
    }
    for number, schema in united.items():
        if number in objects and is_open(schema.names):
            reports = _reports(sketches, number)
            everywhere = set.intersection(*(set(r.everywhere) for r in reports if r.rows))
            united[number] = narrow_schema(
                schema, everywhere, named_columns(config.sources[number])
            )
    writable = [n for n, source in enumerate(config.sources) if source.role in WRITABLE]
    kept = settle([united[number] for number in writable])
    removed = settle(list(united.values()))
    text_out = _text_out(config, united)
    if text_out is None:
        return kept, removed, None
    if text_out in removed.names:
        raise ConfigError(
            f"text_out: the sources have a column {text_out!r} already, where the judged texts "
            "would stand; choose another name (text_out: null for no such column)"
        )
    return kept.append(pa.field(text_out, pa.string())), removed, text_out


def _text_out(config: Config, united: dict[int, pa.Schema]) -> str | None:
    """Return the column of judged texts: the one asked for, or one where no column has them all.

    Args:
        config: of the run.
        united: by source, the schema of its rows.
    """
    if "text_out" in config.model_fields_set:
        return config.text_out
    written = [n for n, source in enumerate(config.sources) if source.role in WRITABLE]
    fields = {(config.sources[n].text_field, config.sources[n].roles) for n in written}
    composed = any(is_composed(united[n], config.sources[n]) for n in written)
    return TEXT_OUT if composed or len(fields) > 1 else None


def judged_and_carried(sketched: Sketched) -> list[SourceTexts]:
    """Return what is judged and what is carried of the sources that may be written."""
    sketches, texts = sketched.sketches, []
    for number, source in enumerate(sketched.context.config.sources):
        if source.role not in WRITABLE:
            continue
        names = {
            name
            for unit in sketches.units
            if unit.source == number and sketches.reports[unit.index].rows
            for name in sketches.reports[unit.index].arrow_schema().names
        }
        texts.append(source_texts(source, sorted(names - {LEDGER_COLUMN})))
    return texts


def source_texts(source: Source, names: Sequence[str]) -> SourceTexts:
    """Return what is judged and what is carried of a source.

    Args:
        source: of the run.
        names: of its columns.
    """
    judged = paths_of(source.text_field)
    return SourceTexts(
        source=source.name,
        judged=judged,
        roles=None if source.roles is None else list(source.roles),
        carried=[name for name in names if name not in judged],
    )


def _reports(sketches: Sketches, source: int) -> list[UnitReport]:
    return [sketches.reports[unit.index] for unit in sketches.units if unit.source == source]


def warn_of_sources(sketched: Sketched) -> None:
    """Say where a configured name finds nothing: it may be misspelt."""
    context = sketched.context
    for number, source in enumerate(context.config.sources):
        reports = _reports(sketched.sketches, number)
        if rejected := sum(r.rejected for r in reports):
            reasons: Counter[str] = Counter()
            for report in reports:
                reasons.update(report.reasons)
            why, often = reasons.most_common(1)[0]
            others = len(reasons) - 1
            more = f", and {others:,} other reason{'s'[: others - 1]}" if others else ""
            context.warn(
                f"source {source.name!r}: {rejected:,} rows or files could not be read, {often:,} "
                f"of them as: {why}{more}; all of them stand in rejects/"
            )
        for line in warnings_of_files(source):
            context.warn(line)
        rows = sum(r.rows for r in reports)
        for name in ("id", "domain", "generation", "prompt"):
            column = getattr(source, f"{name}_field")
            # An option names a column for all sources; an evaluation set need not have it. Nor
            # need the column that a run has put beside the users' own.
            named = column is not None and not column.startswith(("outcross.", LEDGER_COLUMN))
            expected = named and (source.role != "exclude" or name == "id")
            if expected and rows and not sum(r.named.get(name, 0) for r in reports):
                context.warn(
                    f"source {source.name!r}: {name}_field {column!r} has no value in any of its "
                    f"{rows:,} rows; is the name right?"
                )


def warnings_of_known(sketched: Sketched) -> list[str]:
    """Return what is said of the sources that the embedder can't read."""
    known = sketched.known(*WRITABLE, "reference")
    return [warning(name, words) for name, words in known.items() if not words.enough]


def check_prompts(sketched: Sketched) -> None:
    """Answers can't be compared by their prompts where there are none.

    Raises:
        ConfigError: naming the columns in which nothing was found.
    """
    config, reports = sketched.context.config, sketched.sketches.reports
    if config.max_same_answers is not None and not sum(r.named.get("prompt", 0) for r in reports):
        fields = sorted({s.prompt_field for s in config.sources if s.prompt_field is not None})
        raise ConfigError(
            f"max_same_answers: no row has a prompt in {', '.join(map(repr, fields))}; is the "
            "prompt_field right?"
        )


def too_many_rejects(sketched: Sketched) -> str | None:
    """What to say when too much could not be read: broken files, then the commonest reasons."""
    config, reports = sketched.context.config, sketched.sketches.reports
    places = sketched.sketches.places
    damaged = [(part, places[report.unit]) for report in reports for part in report.damaged]
    broken = [part for part in damaged if part[0]["broken"]]
    if broken and config.on_broken_file == "stop":
        files_ = "1 file is" if len(broken) == 1 else f"{len(broken):,} files are"
        return (
            f"{files_} broken, so that nobody knows what is lost:\n{_parts(broken)}\nGet anew or "
            "leave out what is named; or say --on-broken-file reject, to go on with the rest."
        )
    read, rejected = sum(r.read for r in reports), sum(r.rejected for r in reports)
    size, lost = sum(unit.bytes for unit in sketched.sketches.units), sum(r.lost for r in reports)
    limit = config.max_reject_share
    if rejected <= limit * read and lost <= limit * size:
        return None
    reasons: Counter[str] = Counter()
    for unit, report in zip(sketched.sketches.units, reports, strict=True):
        name = config.sources[unit.source].name
        reasons.update({f"{name}: {why}": often for why, often in report.reasons.items()})
    top = "\n".join(f"  {often:>8,} × {reason}" for reason, often in reasons.most_common(5))
    top += "".join(_columns_there(sketched))
    if len(reasons) > 5:
        top += f"\n  and {len(reasons) - 5:,} other reasons"
    if damaged:
        top = f"{_parts(sorted(damaged, key=lambda part: -part[0]['lost']))}\n{top}"
    return (
        f"{rejected:,} of {read:,} rows ({rejected / max(1, read):.1%}) and {lost:,} of {size:,} "
        f"bytes ({lost / max(1, size):.1%}) could not be read, more than "
        f"max_reject_share = {limit:.1%}:\n{top}\nMend the input, or raise --max-reject-share."
    )


def _parts(damaged: Sequence[tuple[Damage, Places]]) -> str:
    """Return files that can't be read, or parts of them, a line each.

    Args:
        damaged: with where the rows of its unit stand.
    """
    lines = []
    for part, places in damaged[:5]:
        place = places.place_of(part["kind"], part["number"], part["piece"])
        rows = f", {part['rows']:,} rows" if part["rows"] > 1 else ""
        lines.append(f"  {files.printable(part['file'])}, {place}{rows}: {part['reason']}")
    if len(damaged) > 5:
        lines.append(f"  and {len(damaged) - 5:,} more")
    return "\n".join(lines)


def missing_of_ledger(sketched: Sketched) -> str | None:
    """What to say when not all of the ledger can be read: it would never be missed."""
    lineage, sources = sketched.context.lineage, sketched.context.config.sources
    if lineage is None:
        return None
    units, reports = sketched.sketches.units, sketched.sketches.reports
    there = sum(
        report.rows
        for unit, report in zip(units, reports, strict=True)
        if sources[unit.source].name in lineage.ledger
    )
    bought = lineage.before.ledger.documents
    if there == bought:
        return None
    return (
        f"lineage: of {bought:,} documents that were bought, the ledger in {lineage.folder} holds "
        f"{there:,} that can be read; bring its files back from a copy of the lineage"
    )

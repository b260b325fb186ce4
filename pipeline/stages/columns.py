"""Columns of data/ and removed/, and which of a source's columns are judged or carried."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.columns import LEDGER_COLUMN, is_json, settle, unite
from outcross.schemas.config import Config
from outcross.schemas.plan import SourceTexts
from outcross.schemas.sources import WRITABLE, Source
from outcross.schemas.supertypes import is_text
from outcross.schemas.text_field import TEXT_OUT, paths_of
from outcross.schemas.user_input import ConfigError
from outcross.transforms.rows.open_keys import is_open, named_columns, narrow_schema
from outcross.transforms.rows.text_fields import is_composed
from outcross.transforms.sketches.store import Sketches


def union_columns(config: Config, sketches: Sketches) -> tuple[pa.Schema, pa.Schema, str | None]:
    """Unite the columns of all sources.

    Args:
        config: configuration of the run.
        sketches: sketches of the run.

    Returns:
        The schemas of data/ and of removed/, and the column of judged texts if there is one.

    Raises:
        ConfigError: when a source has a column with the name of the judged texts' column, or
            `pieces` and texts that are more than one string.
    """
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
            reports = [sketches.reports[u.index] for u in sketches.units if u.source == number]
            everywhere = set.intersection(*(set(r.everywhere) for r in reports if r.rows))
            united[number] = narrow_schema(
                schema, everywhere, named_columns(config.sources[number])
            )
    _check_pieces(config, united)
    writable = [n for n, source in enumerate(config.sources) if source.role in WRITABLE]
    union = settle([united[number] for number in writable])
    removed_union = settle(list(united.values()))
    text_out = _text_out(config, united)
    if text_out is None:
        return union, removed_union, None
    if text_out in removed_union.names:
        raise ConfigError(
            f"text_out: the sources have a column {text_out!r} already, where the judged texts "
            "would stand; choose another name (text_out: null for no such column)"
        )
    return union.append(pa.field(text_out, pa.string())), removed_union, text_out


def _check_pieces(config: Config, united: dict[int, pa.Schema]) -> None:
    """Refuse `pieces` of a source whose column of the text holds other values than strings.

    Args:
        config: configuration of the run.
        united: schema of each source's rows, by the source's number.
    """
    for number, source in enumerate(config.sources):
        if source.pieces is None:
            continue
        place = united[number].get_field_index(str(source.text_field))
        if place < 0:  # no row is valid, so there is nothing to cut
            continue
        field = united[number].field(place)
        if is_json(field) or not is_text(field.type):
            shown = "JSON" if is_json(field) else str(field.type)
            raise ConfigError(
                f"pieces: the column {source.text_field!r} of {source.name!r} holds {shown:.80}, "
                "and only plain text is cut into pieces; leave pieces out"
            )


def _text_out(config: Config, united: dict[int, pa.Schema]) -> str | None:
    """Return the column of judged texts: the requested one, or one where no column has them all.

    Args:
        config: configuration of the run.
        united: schema of each source's rows, by the source's number.
    """
    if "text_out" in config.model_fields_set:
        return config.text_out
    written = [n for n, source in enumerate(config.sources) if source.role in WRITABLE]
    fields = {(config.sources[n].text_field, config.sources[n].roles) for n in written}
    composed = any(is_composed(united[n], config.sources[n]) for n in written)
    return TEXT_OUT if composed or len(fields) > 1 else None


def judged_and_carried(sketched: Sketched) -> list[SourceTexts]:
    """Return the judged and the carried columns of each source that may be written."""
    texts = []
    for number, source in enumerate(sketched.config.sources):
        if source.role not in WRITABLE:
            continue
        names = {
            name
            for report in sketched.reports(number)
            if report.rows
            for name in report.arrow_schema().names
        }
        texts.append(source_texts(source, sorted(names - {LEDGER_COLUMN})))
    return texts


def source_texts(source: Source, names: Sequence[str]) -> SourceTexts:
    """Return the judged and the carried columns of a source.

    Args:
        source: source of the run.
        names: names of its columns.
    """
    judged = paths_of(source.text_field)
    return SourceTexts(
        source=source.name,
        judged=judged,
        roles=None if source.roles is None else list(source.roles),
        carried=[name for name in names if name not in judged],
    )

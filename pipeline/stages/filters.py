"""Filters of sources: warnings of keys that fit no row, refusal of empty sources."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.sources import Source
from outcross.schemas.user_input import ConfigError
from outcross.schemas.where import Clause, Scalar, clauses, cure_of, shown
from outcross.transforms.reading.lookup import first_columns
from outcross.transforms.rows.filters import Met

_OF_A_RUN = {"outcross.role", "outcross.source", "outcross.copy"}


def check_filters(sketched: Sketched) -> None:
    """Warn of each key and value of a `where` that fits no row.

    Raises:
        ConfigError: when a filter leaves out all rows of a source, or asks for a truth value of a
            column of texts.
    """
    context = sketched.context
    for number, source in enumerate(context.config.sources):
        reports = sketched.reports(number)
        parts = [[Met.of(met) for met in report.met] for report in reports if report.met]
        if not parts or set(source.where) <= _OF_A_RUN:
            continue
        totals = (Met.total(column) for column in zip(*parts, strict=True))
        by_path = dict(zip(source.where, totals, strict=True))
        for path, met in by_path.items():
            _refuse_truths(source, path, met)
        filtered = sum(report.filtered for report in reports)
        if filtered and not sum(report.read for report in reports):
            raise ConfigError(_left_empty(sketched, number, by_path, filtered))
        for path, met in by_path.items():
            for finding in _unmatched(source, path, met):
                context.warn(f"source {source.name!r}: where: {finding}")


def check_synthetic(sketched: Sketched) -> None:
    """Make sure that a run of synthetic sources has synthetic text.

    Raises:
        ConfigError: when all their rows were filtered or rejected.
    """
    sources = sketched.config.sources
    gone = []
    for number, source in enumerate(sources):
        if source.role != "synthetic":
            continue
        reports = sketched.reports(number)
        if sum(report.rows for report in reports) or set(source.where) & _OF_A_RUN:
            return
        filtered = sum(report.filtered for report in reports)
        rejected = sum(report.rejected for report in reports)
        gone.append(f"{source.name!r} has {filtered:,} filtered and {rejected:,} rejected rows")
    if gone:
        raise ConfigError(
            f"sources: no synthetic row is left: {'; '.join(gone)}, and no others. All that could "
            "be written is human; mend the sources, or give human ones only"
        )


def _hits(source: Source, path: str, met: Met) -> list[tuple[Clause, Scalar | None, int]]:
    """Return the values of a key's condition, each with its clause and the rows that it fits."""
    pairs = [(clause, value) for clause in clauses(source.where[path]) for value in clause.values]
    return [(*pair, rows) for pair, rows in zip(pairs, met.hits, strict=True)]


def _refuse_truths(source: Source, path: str, met: Met) -> None:
    """Refuse a truth value for a column of texts: YAML made it from a word such as `yes`."""
    for _, value, rows in _hits(source, path, met):
        texts = "a string" in met.kinds and "a boolean" not in met.kinds
        if isinstance(value, bool) and not rows and texts:
            raise ConfigError(
                f"source {source.name!r}: where: {path}: found {value}, a truth value, "
                f"and the column holds texts{_seen(met)}; {cure_of(value)}"
            )


def _left_empty(sketched: Sketched, number: int, by_path: dict[str, Met], filtered: int) -> str:
    """Explain why a source's filter leaves out all of its rows."""
    source = sketched.config.sources[number]
    lines = []
    for path, met in by_path.items():
        if met.kept:
            lines.append(f"{path} fits {met.kept:,} rows, none of which the other keys keep")
        elif met.there == 0:
            lines.append(f"no row has a value in {path!r}{_columns(sketched, number, path)}")
        else:
            asked = ", ".join(
                f"{'not ' if clause.operator == 'not' else ''}{shown(clause, value)}"
                for clause, value, _ in _hits(source, path, met)
            )
            lines.append(f"{path}: no row is {asked}{_seen(met)}")
    return (
        f"source {source.name!r}: where leaves out all {filtered:,} rows: {'; '.join(lines)}. "
        "Mend the filter, or leave out the source"
    )


def _seen(met: Met) -> str:
    return f"; its values: {', '.join(met.values)}" if met.values else f" ({', '.join(met.kinds)})"


def _columns(sketched: Sketched, number: int, path: str) -> str:
    """List the columns of a source's first row, and the one that may have been meant."""
    units = [unit for unit in sketched.sketches.units if unit.source == number]
    names = first_columns(units[0].pieces[0])
    near = difflib.get_close_matches(path, names, n=1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    return f"{meant}; its first row has {', '.join(map(repr, names[:20]))}" if names else meant


def _unmatched(source: Source, path: str, met: Met) -> Iterator[str]:
    """Describe a key that fits no row, or each of its values that fits none."""
    kinds = f" ({path!r} holds {' and '.join(met.kinds)})" if met.kinds else ""
    for clause, value, rows in _hits(source, path, met):
        if rows:
            continue
        if met.there == 0 and value is not None:
            yield f"no row has a value in {path!r}; is the name right?"
            return
        condition = "is null or missing" if value is None else f"is {shown(clause, value)}"
        excluded = ", so that `not` leaves nothing out" if clause.operator == "not" else ""
        yield f"{path}: no row {condition}{excluded}{kinds}"

"""Checks of the sources once they are read: rejects, names without values, missing texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import pyarrow as pa

from outcross.pipeline.engine.artifacts import MANIFEST, WORK
from outcross.pipeline.stages.context import RunError
from outcross.pipeline.stages.filters import check_filters, check_synthetic
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.columns import LEDGER_COLUMN
from outcross.schemas.documents import REJECTS
from outcross.schemas.sources import WRITABLE
from outcross.schemas.text_field import TEXT_OUT, listed
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.visible import visible_name
from outcross.transforms.inputs.footers import without_numbers
from outcross.transforms.inputs.input_files import warnings_of_files
from outcross.transforms.inputs.places import Places
from outcross.transforms.reading.lookup import first_columns
from outcross.transforms.rows.damage import Damage
from outcross.transforms.text.known import warning
from outcross.transforms.writing.shards import read_back


def check_sources(sketched: Sketched) -> None:
    """Make sure that the sources hold the texts that the run needs.

    Raises:
        ConfigError: when there is no text, or a name in the configuration finds nothing.
        RunError: when too many rows, or any of the ledger's, could not be read.
    """
    _warn_of_sources(sketched)
    check_filters(sketched)
    if (message := _ledger_gap(sketched)) is not None:
        raise RunError(message)
    if (message := _too_many_rejects(sketched)) is not None:
        # An earlier result in the same folder keeps its own rejects.
        out = sketched.config.out
        finished = files.exists(files.join(out, MANIFEST))
        path = write_rejects(sketched, files.join(out, WORK) if finished else out)
        raise RunError(f"{message}\nAll that could not be read is in {path}.")
    if len(sketched.sketches) == 0:
        raise ConfigError("sources: there is no row with a text in any of them")
    check_synthetic(sketched)
    _check_prompts(sketched)


def write_rejects(sketched: Sketched, out: str) -> str:
    """Write rejects/ below a folder, and read it back.

    Args:
        sketched: result of `sketch`.
        out: folder.

    Returns:
        The path of the file.
    """
    files.make_folder(files.join(out, "rejects"))
    path = files.join(out, "rejects", "rejects.parquet")
    tables = sketched.sketches.rejects(sketched.config.sources)
    if not sketched.config.texts:
        tables = map(_without_raw, tables)
    rows = 0

    def counted() -> Iterator[pa.Table]:
        nonlocal rows
        for table in chain([REJECTS.empty_table()], tables):
            rows += table.num_rows
            yield table

    files.write_tables(path, counted())
    read_back(path, rows)
    return path


def _without_raw(table: pa.Table) -> pa.Table:
    """Return rejects without the bytes of their rows."""
    raw = table.schema.get_field_index("raw")
    return table.set_column(raw, table.schema.field(raw), pa.nulls(len(table), pa.binary()))


def warnings_of_known(sketched: Sketched) -> list[str]:
    """Return a warning for each source in a language that the embedder can't read."""
    known = sketched.known(*WRITABLE, "reference")
    return [warning(name, words) for name, words in known.items() if not words.enough]


def _warn_of_sources(sketched: Sketched) -> None:
    """Warn of rejected rows, and of names in the configuration that may be misspelt."""
    context = sketched.context
    for number, source in enumerate(context.config.sources):
        reports = sketched.reports(number)
        if rejected := sum(r.rejected for r in reports):
            reasons = _by_words([report.reasons for report in reports])
            why, often = reasons.most_common(1)[0]
            others = len(reasons) - 1
            more = f", and {others:,} other reason{'s'[: others - 1]}" if others else ""
            context.warn(
                f"source {source.name!r}: rows or files that could not be read: {rejected:,}, "
                f"{often:,} of them as: {why}{more}; all of them stand in rejects/"
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


def _check_prompts(sketched: Sketched) -> None:
    """Refuse `max_same_answers` where no row has a prompt.

    Raises:
        ConfigError: naming the columns without values.
    """
    config, reports = sketched.config, sketched.sketches.reports
    if config.max_same_answers is not None and not sum(r.named.get("prompt", 0) for r in reports):
        fields = sorted({s.prompt_field for s in config.sources if s.prompt_field is not None})
        raise ConfigError(
            f"max_same_answers: no row has a prompt in {', '.join(map(repr, fields))}; is the "
            "prompt_field right?"
        )


def _too_many_rejects(sketched: Sketched) -> str | None:
    """Return an error message if too much could not be read, else None.

    The message lists broken files, then the commonest reasons.
    """
    config, reports = sketched.config, sketched.sketches.reports
    places = sketched.sketches.places
    damaged = [(part, places[report.unit]) for report in reports for part in report.damaged]
    broken = [part for part in damaged if part[0]["broken"]]
    if broken and config.on_broken_file == "stop":
        files_ = "1 file is" if len(broken) == 1 else f"{len(broken):,} files are"
        return (
            f"{files_} broken, so nobody knows which rows are lost:\n{_parts(broken)}\nGet these "
            "files again or leave them out; or use --on-broken-file reject, to go on without the "
            "lost rows."
        )
    read, rejected = sum(r.read for r in reports), sum(r.rejected for r in reports)
    size, lost = sum(unit.bytes for unit in sketched.sketches.units), sum(r.lost for r in reports)
    limit = config.max_reject_share
    if rejected <= limit * read and lost <= limit * size:
        return None
    reasons: Counter[str] = Counter()
    for number, source in enumerate(config.sources):
        by_words = _by_words([report.reasons for report in sketched.reports(number)])
        reasons.update({f"{source.name}: {why}": often for why, often in by_words.items()})
    top = "\n".join(f"  {often:>8,} × {reason}" for reason, often in reasons.most_common(5))
    empty = list(_columns_of_empty(sketched))
    top += "".join(line for line, _ in empty)
    if len(reasons) > 5:
        top += f"\n  and {len(reasons) - 5:,} other reasons"
    if damaged:
        top = f"{_parts(sorted(damaged, key=lambda part: -part[0]['lost']))}\n{top}"
    remedy = "Mend the input"
    if empty:
        judged = any(TEXT_OUT in names for _, names in empty)
        remedy = (
            f"A run has put the judged text into the column {TEXT_OUT}: name it with text_field "
            f"(--text-field {TEXT_OUT})"
            if judged
            else "Name the column of the text with text_field (--text-field)"
        )
    return (
        f"{rejected:,} of {read:,} rows ({rejected / max(1, read):.1%}) and {lost:,} of {size:,} "
        f"bytes ({lost / max(1, size):.1%}) could not be read, more than "
        f"max_reject_share = {limit:.1%}:\n{top}\n{remedy}, or raise --max-reject-share."
    )


def _by_words(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Add up reasons of rejects, and join those of many files that differ in numbers only."""
    groups: dict[str, Counter[str]] = {}
    for part in counts:
        for reason, often in part.items():
            groups.setdefault(without_numbers(reason), Counter())[reason] += often
    return Counter(
        {
            words if len(reasons) > 1 else next(iter(reasons)): reasons.total()
            for words, reasons in groups.items()
        }
    )


def _columns_of_empty(sketched: Sketched) -> Iterator[tuple[str, list[str]]]:
    """Yield a line about each source in which no row had a text, and the columns of its rows."""
    for number, source in enumerate(sketched.config.sources):
        units = [unit for unit in sketched.sketches.units if unit.source == number]
        rows = sum(report.rows for report in sketched.reports(number))
        if units and rows == 0:
            names = next(filter(None, map(first_columns, units[0].pieces)), [])
            if names:
                shown = ", ".join(map(repr, names[:20]))
                yield (
                    f"\n  source {source.name!r} has no text in {listed(source.text_field)}; its "
                    f"first row has {shown}",
                    names,
                )


def _parts(damaged: Sequence[tuple[Damage, Places]]) -> str:
    """List files that can't be read, or parts of them, a line each.

    Args:
        damaged: damaged parts, each with the places of its unit's rows.
    """
    lines = []
    for part, places in damaged[:5]:
        place = places.place_of(part["kind"], part["number"], part["piece"])
        rows = f", {part['rows']:,} rows" if part["rows"] > 1 else ""
        lines.append(f"  {visible_name(part['file'])}, {place}{rows}: {part['reason']}")
    if len(damaged) > 5:
        lines.append(f"  and {len(damaged) - 5:,} more")
    return "\n".join(lines)


def _ledger_gap(sketched: Sketched) -> str | None:
    """Return an error message if not all of the ledger can be read: nobody would miss it."""
    lineage = sketched.context.lineage
    if lineage is None:
        return None
    readable = sum(
        report.rows
        for number, source in enumerate(sketched.config.sources)
        if source.name in lineage.ledger
        for report in sketched.reports(number)
    )
    bought = lineage.before.ledger.documents
    if readable == bought:
        return None
    places = sketched.sketches.places
    damaged = [
        (part, places[report.unit])
        for number, source in enumerate(sketched.config.sources)
        if source.name in lineage.ledger
        for report in sketched.reports(number)
        for part in report.damaged
    ]
    named = f":\n{_parts(damaged)}\nBring" if damaged else "; bring"
    return (
        f"lineage: of {bought:,} documents that were bought, the ledger in {lineage.folder} holds "
        f"{readable:,} that can be read{named} its files back from a copy of the lineage"
    )

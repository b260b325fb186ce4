"""A first configuration for some files, guessed from their first rows."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import yaml

from outcross.pipeline.commands.commented_config import commented_config, one_line
from outcross.pipeline.commands.first_rows import first_columns_of
from outcross.pipeline.commands.guess_fields import guess_fields
from outcross.pipeline.engine.locks import another_place, check_writable
from outcross.schemas.config import parse
from outcross.schemas.documents import Piece
from outcross.schemas.guess import FieldGuess, FieldGuesses, InitResult, SourceGuess
from outcross.schemas.sources import Format, Role, Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.inputs.compressed import BrokenError
from outcross.transforms.inputs.content import content
from outcross.transforms.inputs.input_files import STANDARD_INPUT
from outcross.transforms.inputs.magic import format_of
from outcross.transforms.reading.pieces import plan_units

OUT = "curated"
"""Output directory that a first configuration names."""

_MARKDOWN = re.compile(r"\.(md|markdown)(\.|$)", re.IGNORECASE)
_FEWEST_LINES = 10  # of a text file whose lines may be documents


class RoleFiles(NamedTuple):
    """A file, glob or folder, and its role."""

    role: Role
    pattern: str


def inputs_of(roles: Mapping[str, Sequence[str] | None]) -> list[RoleFiles]:
    """Return the files of each role, one by one."""
    return [
        RoleFiles(cast(Role, role), pattern)
        for role, patterns in roles.items()
        for pattern in patterns or ()
    ]


def init(
    inputs: Sequence[RoleFiles], path: str, force: bool = False, file_format: str | None = None
) -> InitResult:
    """Write a commented configuration for some files. It is written whole or not at all.

    Args:
        inputs: the files, each of which becomes a source.
        path: path of the configuration.
        force: replace a file that is there.
        file_format: format of all files; if None, by their names.

    Raises:
        ConfigError: when a file can't be read, holds no text, or the configuration can't be
            written or exists.
    """
    _check_out(path, force)
    names: list[str] = []
    sources = []
    for role, pattern in inputs:
        names.append(_source_name(pattern, role, names))
        sources.append(_guess_source(names[-1], role, pattern, _checked_format(file_format)))
    text = commented_config(path, OUT, sources)
    parse(yaml.safe_load(text))
    with another_place("out"):
        files.make_folder(os.path.dirname(path) or ".")
        files.write_bytes(path, text.encode())
    return InitResult(file=path, out=OUT, sources=sources)


def _check_out(path: str, force: bool) -> None:
    """Check that a configuration can be written.

    Raises:
        ConfigError: when the path is empty, a folder, inside a file, or an existing file.
    """
    if not path:
        raise ConfigError(f"out: found {path!r}; name a file, such as config.yaml")
    name = one_line(path)
    is_local = files.is_local(path)
    if path.endswith("/") or (is_local and os.path.isdir(path)):
        inside = files.join(name, "config.yaml")
        raise ConfigError(f"out: {name!r} is a folder; name a file, such as {inside!r}")
    for folder in Path(path).parents if is_local else ():
        if folder.exists() and not folder.is_dir():
            raise ConfigError(
                f"out: {name!r} can't be written, because {one_line(str(folder))!r} is a file; "
                "choose another --out"
            )
    check_writable("out", os.path.dirname(path) or ".")
    if files.exists(path) and not force:
        raise ConfigError(f"out: {name} exists already; choose another --out, or give --force")


def _checked_format(name: str | None) -> Format | None:
    if name is not None and name not in get_args(Format):
        raise ConfigError(f"format: found {name!r}; choose {', '.join(get_args(Format))}")
    return cast("Format | None", name)


def _source_name(pattern: str, role: Role, taken: Collection[str]) -> str:
    """Return a name for a source: that of its file if possible, else its role."""
    stem = os.path.basename(pattern.rstrip("/")).partition(".")[0]
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_") or role
    number = 1
    while (unique := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return unique


def _guess_source(name: str, role: Role, pattern: str, chosen: Format | None) -> SourceGuess:
    """Guess the format and the fields of a source.

    Raises:
        ConfigError: when no file has rows, the first that has some can't be read, or none of its
            columns holds text.
    """
    if not pattern:
        raise ConfigError(f"{role}: found {pattern!r}; name a file, a glob or a folder")
    if pattern == STANDARD_INPUT:
        raise ConfigError("init: standard input can be read only once; name files")
    source = Source(name=name, role=role, files=[pattern], format=chosen)
    piece, columns = _first_with_rows(source)
    kind, reason = _guess_format(piece, chosen)
    if kind.startswith("text-"):
        text = FieldGuess(value="text", reason="plain text has no columns", alternatives=[])
        fields = FieldGuesses(
            text_field=text, roles=None, id_field=None, prompt_field=None, domain_field=None
        )
    else:
        fields = guess_fields(columns)
    if fields.text_field is None:
        raise ConfigError(
            f"init: {one_line(piece.file)!r}: none of its columns holds text that can be judged "
            f"({', '.join(map(repr, list(columns)[:20]))}); give a file that has such a column"
        )
    return SourceGuess(
        name=name,
        role=role,
        files=[pattern],
        format=kind,
        format_reason=reason,
        format_needed=chosen is not None or kind != piece.kind,
        rows=len(next(iter(columns.values()))),
        columns=list(columns),
        fields=fields,
    )


def _first_with_rows(source: Source) -> tuple[Piece, dict[str, list[Any]]]:
    """Return the first file of a source that has rows, and its columns.

    Raises:
        ConfigError: when a file before it can't be read, or no file has rows.
    """
    pieces = [piece for unit in plan_units([source], unit_bytes=1 << 62) for piece in unit.pieces]
    for piece in [piece for piece in pieces if piece.bytes] or pieces[:1]:
        if piece.kind.startswith("text-"):
            return piece, {"text": []}
        columns = first_columns_of(piece, source)
        if columns is not None:
            return piece, columns
    if len(pieces) == 1:
        raise ConfigError(
            f"init: {one_line(pieces[0].file)!r} has no rows; give a file that has some"
        )
    raise ConfigError(
        f"init: {one_line(source.files[0])!r}: none of its {len(pieces):,} files has rows; give a "
        "file that has some"
    )


def _guess_format(piece: Piece, chosen: Format | None) -> tuple[Format, str]:
    """Return how a file is read, and why."""
    if chosen is not None:
        return chosen, "as --format says"
    if piece.kind != "text-file" or format_of(piece.file) != "text-file":
        return piece.kind, "by the names of the files"
    if _MARKDOWN.search(piece.file) or not _has_lines(piece):
        return "text-file", "each file is a document; where each line is one: text-lines"
    return (
        "text-lines",
        "the file has many lines and no blank one; if it is one document: text-file",
    )


def _has_lines(piece: Piece) -> bool:
    """Return whether a text file begins with many lines and no blank one."""
    try:
        head, _ = next(content(piece), (b"", 0))
    except (OSError, BrokenError) as error:
        raise ConfigError(f"init: {one_line(piece.file)!r} can't be read: {error}") from None
    lines = head.split(b"\n")[:-1]
    return len(lines) >= _FEWEST_LINES and all(line.strip() for line in lines)

"""Resolve the names, globs and folders of a source to its files.

A name that exists is taken literally, with its brackets. Links are followed, and no file is read
twice. Names that begin with a dot or an underscore are hidden: globs and folders leave them out
unless they are named. All other files that are left out are counted for a warning.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from outcross.schemas.sources import Format, Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.files import as_utf8, is_local, real_path
from outcross.transforms.base.store_errors import reaching
from outcross.transforms.base.stores import file_system
from outcross.transforms.base.visible import visible_name
from outcross.transforms.inputs.magic import ending_of, endings, format_of

STANDARD_INPUT = "-"

_NOTES = re.compile(r"(readme|license|licence|changelog|notice|requirements)(\.|$)", re.IGNORECASE)
_TEXTS: tuple[Format, ...] = ("text-lines", "text-file")
_STARS = re.compile(r"[*?]")
_GLOB = re.compile(r"[*?\[]")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class InputFile:
    """A file of a source.

    Attributes:
        path: path of the file.
        size: bytes.
        kind: its format.
        columns: names and values of folders such as lang=en/, below the folder that was named.
    """

    path: str
    size: int
    kind: Format
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """Files that a glob or a folder leaves out for one reason.

    Attributes:
        why: the reason.
        files: number of files.
        example: path of the first.
    """

    why: str
    files: int
    example: str


@dataclass(frozen=True)
class InputFiles:
    """Files of a source.

    Attributes:
        files: files that are read, by path.
        left_out: files that are not read, by reason.
    """

    files: list[InputFile]
    left_out: list[LeftOut]


@dataclass(frozen=True)
class _Match:
    """A file that matches a pattern.

    Attributes:
        path: path of the file.
        size: bytes.
        below: folders between the pattern's fixed part and the file.
        hidden: True if only its literal name matches it.
        listed: True if a folder was named and lists it.
    """

    path: str
    size: int
    below: tuple[str, ...]
    hidden: bool = False
    listed: bool = False


def input_files(source: Source) -> InputFiles:
    """Return the files of a source, and the files that its globs and folders leave out.

    Raises:
        ConfigError: a name or glob matches nothing, a link leads nowhere, or a format is unknown.
    """
    chosen: dict[str, InputFile] = {}
    why: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for pattern in source.files:
        where = f"source {source.name!r}: files: {as_utf8(pattern)!r}"
        if pattern == STANDARD_INPUT:
            kind = source.format or "jsonl"
            chosen.setdefault(pattern, InputFile(pattern, 0, kind))
            continue
        named, matches = _matches(pattern, where)
        readable, unread = _sort_out(matches, named, source.format, where)
        for match, reason in unread:
            why[reason] += 1
            examples.setdefault(reason, match.path)
        if not readable:
            raise ConfigError(_nothing(where, matches, named, source.format))
        for match, kind in readable:
            if is_local(match.path):
                _check_file(match.path, where)
            key = real_path(match.path)
            file = InputFile(match.path, match.size, kind, _partitions(match.below))
            before = chosen.get(key)
            if before is None or file.path < before.path:
                chosen[key] = file
    read = {file.path for file in chosen.values()}
    left_out = [
        LeftOut(reason, count, examples[reason])
        for reason, count in sorted(why.items())
        if examples[reason] not in read
    ]
    return InputFiles(sorted(chosen.values(), key=lambda file: file.path), left_out)


def pattern_of(path: str, columns: Sequence[tuple[str, str]]) -> str:
    """Return a pattern that matches one file and gives it the columns of its folders.

    Args:
        path: path of an existing file.
        columns: names and values, as in `InputFile.columns`.
    """
    names = {name for name, _ in columns}
    parts = []
    for part in glob.escape(path).split("/"):
        name, mark, value = part.partition("=")
        # No folder has this literal name with brackets, so the folder counts as matched.
        parts.append(f"{name}[=]{value}" if mark and unquote(name) in names else part)
    return "/".join(parts)


def warnings_of_files(source: Source) -> Iterator[str]:
    """Yield warnings about files that are left out, and about text files read as documents."""
    inputs = input_files(source)
    if inputs.left_out:
        parts = (
            f"{skipped.files:,} {skipped.why} ({visible_name(skipped.example)})"
            for skipped in inputs.left_out
        )
        yield (
            f"source {source.name!r}: files are left out: {', '.join(parts)}; to read them, give "
            "their names, or --format"
        )
    texts = [file for file in inputs.files if file.kind == "text-file"]
    if texts and source.format is None:
        yield (
            f"source {source.name!r}: each of {len(texts):,} text files is one document, such as "
            f"{visible_name(texts[0].path)}; where a line is one, say format: text-lines"
        )


def _check_file(path: str, where: str) -> None:
    if not os.path.exists(path):
        raise ConfigError(
            f"{where} has {as_utf8(path)!r}, a link to {as_utf8(os.readlink(path))!r}, which "
            "doesn't exist; get the file (`git annex get`, `dvc pull`, download again), or delete "
            "the link"
        )
    if not os.path.isfile(path):
        raise ConfigError(
            f"{where}: {as_utf8(path)!r} is a pipe or a device, which can't be read twice; pipe "
            "it into standard input, and name it -"
        )


def _nothing(where: str, matches: Sequence[_Match], named: bool, asked: Format | None) -> str:
    if not matches:
        return f"{where} matches no file"
    path = as_utf8(matches[0].path)
    if named:
        return f"{where}: the name tells no format; expected {endings()}, or say --format"
    purpose = "to read" if asked is None else f"to read as {asked}"
    return (
        f"{where} has nothing {purpose} among {len(matches):,} files such as {path!r}; expected "
        f"{endings()}, or say --format"
    )


def _sort_out(
    matches: Sequence[_Match], named: bool, asked: Format | None, where: str
) -> tuple[list[tuple[_Match, Format]], list[tuple[_Match, str]]]:
    """Return the files that are read, with their formats, and the rest, with reasons.

    Text files next to files of rows are often notes, and so are .json files in a folder. A literal
    name or a requested format leaves no doubt.

    Raises:
        ConfigError: a folder has .json files and texts, and nothing says which are the data.
    """
    kinds = [(match, format_of(match.path)) for match in matches]
    if named:
        formats = [(match, asked or kind) for match, kind in kinds]
        return [(match, kind) for match, kind in formats if kind is not None], []
    doubts = [_doubt(match, kind, asked) for match, kind in kinds]
    least = min((doubt for doubt in doubts if doubt is not None), default=None)
    if least == 1 and 2 in doubts:
        raise ConfigError(
            f"{where} has {doubts.count(1):,} .json files and {doubts.count(2):,} texts, such as "
            f"{as_utf8(matches[doubts.index(1)].path)!r} and "
            f"{as_utf8(matches[doubts.index(2)].path)!r}; say "
            "--format json or --format text-file, or name the files by a glob"
        )
    read: list[tuple[_Match, Format]] = []
    unread: list[tuple[_Match, str]] = []
    for (match, kind), doubt in zip(kinds, doubts, strict=True):
        chosen = asked or kind
        if doubt is not None and doubt == least and chosen is not None:
            read.append((match, chosen))
        elif not match.hidden:
            unread.append((match, _class_of(match.path, kind)))
        elif kind is not None:
            unread.append((match, "hidden"))
    return read, unread


def _doubt(match: _Match, kind: Format | None, asked: Format | None) -> int | None:
    """Return 0 for certain data, more for files that are data only without those, None for none."""
    name = os.path.basename(match.path)
    if match.hidden or _NOTES.match(name):
        return None
    if asked is not None:
        alike = kind is None or kind == asked or (kind in _TEXTS and asked in _TEXTS)
        return 0 if alike else None
    if kind is None:
        return None
    if kind in _TEXTS:
        return 2
    return 1 if match.listed and kind == "json" and not ending_of(name) else 0


def _class_of(path: str, kind: Format | None) -> str:
    name = os.path.basename(path)
    _, ending = os.path.splitext(name)
    if _NOTES.match(name):
        return "notes, by their names"
    if kind is None:
        return ending or "without an ending"
    return f"{ending} beside others"


def _hidden(name: str) -> bool:
    return name.startswith((".", "_"))


def _partitions(folders: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the columns of folder names such as lang=en, as Hive and Spark write them."""
    pairs = (folder.partition("=") for folder in folders)
    columns = ((unquote(name), unquote(value)) for name, mark, value in pairs if mark and name)
    return tuple((as_utf8(name), as_utf8(value)) for name, value in columns if value != _NO_VALUE)


def _matches(pattern: str, where: str) -> tuple[bool, list[_Match]]:
    """Return whether a pattern is the name of a file, and the files that match it."""
    if not is_local(pattern):
        return _remote(pattern)
    path = os.path.abspath(pattern)  # ./a and a are the same file
    if os.path.isdir(path):
        return False, sorted(_walk(path, (), ()), key=lambda match: match.path)
    if os.path.lexists(path):
        return True, [_match(path, ())]
    if not _GLOB.search(pattern):
        raise ConfigError(f"{where} matches no file")
    fixed, parts = _fixed_part(path)
    matches: dict[str, _Match] = {}
    for match in _glob(fixed, parts, (), ()):
        matches.setdefault(match.path, match)
    return False, sorted(matches.values(), key=lambda match: match.path)


def _fixed_part(path: str) -> tuple[str, list[str]]:
    """Return the longest leading folder of a glob that exists literally, and the parts below it.

    Brackets may belong to a name; stars and question marks belong to the glob.
    """
    parts = path.split("/")
    used = 1
    while used < len(parts) - 1 and not _STARS.search(parts[used]):
        if not os.path.isdir("/".join(parts[: used + 1])):
            break
        used += 1
    return "/".join(parts[:used]) or "/", parts[used:]


def _match(path: str, below: tuple[str, ...], hidden: bool = False, listed: bool = False) -> _Match:
    try:
        size = os.stat(path).st_size
    except OSError:  # a broken link; it is an error if the file is to be read
        size = 0
    return _Match(path, size, below, hidden, listed)


def _entries(folder: str, above: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Yield the names in a folder and whether they are folders; nothing in a loop of links."""
    if os.path.realpath(folder) in above:
        return
    for name in sorted(os.listdir(folder)):
        yield name, os.path.isdir(os.path.join(folder, name))


def _walk(folder: str, below: tuple[str, ...], above: tuple[str, ...]) -> Iterator[_Match]:
    """Yield all files below a folder, without entering hidden folders."""
    chain = (*above, os.path.realpath(folder))
    for name, is_folder in _entries(folder, above):
        path = os.path.join(folder, name)
        if not is_folder:
            yield _match(path, below, _hidden(name), listed=True)
        elif not _hidden(name):
            yield from _walk(path, (*below, name), chain)


def _glob(
    folder: str, parts: Sequence[str], below: tuple[str, ...], above: tuple[str, ...]
) -> Iterator[_Match]:
    """Yield the files that match a glob below a folder; ** matches folders at any depth."""
    part, rest = parts[0], parts[1:]
    chain = (*above, os.path.realpath(folder))
    if part == "**":
        yield from _glob(folder, rest or ["*"], below, above)
    for name, is_folder in _entries(folder, above):
        path = os.path.join(folder, name)
        if part == "**":
            if is_folder and not _hidden(name):
                yield from _glob(path, parts, (*below, name), chain)
            continue
        if name != part and not fnmatch.fnmatchcase(name, part):
            continue
        if _hidden(name) and not _hidden(part):
            continue
        asked = name == part or _hidden(part)
        inner = below if asked else (*below, name)
        if rest:
            if is_folder:
                yield from _glob(path, rest, inner, chain)
        elif is_folder:
            yield from _walk(path, inner, chain)
        else:
            yield _match(path, below)


def _remote(pattern: str) -> tuple[bool, list[_Match]]:
    """Return the matches in another file system: a file, those of a glob, or a folder's files."""
    systems = file_system(pattern)
    for asked in (pattern, f"{pattern.rstrip('/')}/**"):
        with reaching(pattern):
            entries = systems.match([asked])[0].metadata_list
        if entries:
            break
    fixed = re.split(r"[*?\[]", asked)[0].rpartition("/")[0]
    matches = []
    for entry in entries:
        *below, name = entry.path[len(fixed) :].strip("/").split("/")
        hidden = any(map(_hidden, (*below, name))) and not _hidden(pattern.rpartition("/")[2])
        size, listed = entry.size_in_bytes, asked != pattern
        matches.append(_Match(entry.path, size, tuple(below), hidden, listed))
    named = [match.path for match in matches] == [pattern]
    return named, sorted(matches, key=lambda match: match.path)

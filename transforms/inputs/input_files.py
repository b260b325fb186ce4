"""Which files a source has: names, globs and folders, resolved by one set of rules.

A name that exists is itself, brackets and all. Links are followed, and no file is read twice.
What begins with a dot or an underscore is hidden: globs and folders leave it out unless it is
named. What else is left out is told.
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
from outcross.transforms.base.files import beam_filesystems, is_local, shown
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
        path: as it was named or found.
        size: bytes.
        kind: how it is read.
        columns: names and values that the folders between the named one and the file have, as in
            lang=en/.
    """

    path: str
    size: int
    kind: Format
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """Files that a glob or a folder leaves out.

    Attributes:
        why: what they have in common.
        files: how many.
        example: path of the first.
    """

    why: str
    files: int
    example: str


@dataclass(frozen=True)
class InputFiles:
    """What a source has.

    Attributes:
        files: what is read, by path.
        left_out: what is not.
    """

    files: list[InputFile]
    left_out: list[LeftOut]


@dataclass(frozen=True)
class _Match:
    """A file that a pattern finds.

    Attributes:
        path: of the file.
        size: bytes.
        below: folders between the pattern's fixed part and the file.
        hidden: whether only its own name would find it.
        listed: whether it is only listed by a folder that was named.
    """

    path: str
    size: int
    below: tuple[str, ...]
    hidden: bool = False
    listed: bool = False


def input_files(source: Source) -> InputFiles:
    """Return which files a source has, and what its globs and folders leave out.

    Raises:
        ConfigError: when a name or glob matches nothing, a link leads nowhere, or a format is
            unknown.
    """
    chosen: dict[str, InputFile] = {}
    why: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for pattern in source.files:
        where = f"source {source.name!r}: files: {shown(pattern)!r}"
        if pattern == STANDARD_INPUT:
            kind = source.format or "jsonl"
            chosen.setdefault(pattern, InputFile(pattern, 0, kind))
            continue
        named, found = _found(pattern, where)
        readable, others = _sorted_out(found, named, source.format, where)
        for match, reason in others:
            why[reason] += 1
            examples.setdefault(reason, match.path)
        if not readable:
            raise ConfigError(_nothing(where, found, named, source.format))
        for match, kind in readable:
            if is_local(match.path):
                _check_there(match.path, where)
            key = os.path.realpath(match.path) if is_local(match.path) else match.path
            file = InputFile(match.path, match.size, kind, _partitions(match.below))
            before = chosen.get(key)
            if before is None or file.path < before.path:
                chosen[key] = file
    read = {file.path for file in chosen.values()}
    left = [
        LeftOut(reason, often, examples[reason])
        for reason, often in sorted(why.items())
        if examples[reason] not in read
    ]
    return InputFiles(sorted(chosen.values(), key=lambda file: file.path), left)


def pattern_of(path: str, columns: Sequence[tuple[str, str]]) -> str:
    """Return a pattern that finds one file, with the columns that its folders name.

    Args:
        path: of the file, which is there.
        columns: as an `InputFile` has them.
    """
    names = {name for name, _ in columns}
    parts = []
    for part in glob.escape(path).split("/"):
        name, mark, value = part.partition("=")
        # What stands in brackets is no name that is there, so the folder counts as found.
        parts.append(f"{name}[=]{value}" if mark and unquote(name) in names else part)
    return "/".join(parts)


def warnings_of_files(source: Source) -> Iterator[str]:
    """Yield what a user has to know of a source's files: what is left out, and how text is read."""
    found = input_files(source)
    if found.left_out:
        parts = (f"{left.files:,} {left.why} ({shown(left.example)})" for left in found.left_out)
        yield (
            f"source {source.name!r}: files are left out: {', '.join(parts)}; to read them, give "
            "their names, or --format"
        )
    texts = [file for file in found.files if file.kind == "text-file"]
    if texts and source.format is None:
        yield (
            f"source {source.name!r}: each of {len(texts):,} text files is one document, such as "
            f"{shown(texts[0].path)}; where a line is one, say format: text-lines"
        )


def _check_there(path: str, where: str) -> None:
    if not os.path.exists(path):
        raise ConfigError(
            f"{where} has {shown(path)!r}, a link to {shown(os.readlink(path))!r}, which is not "
            "there; get the file (`git annex get`, `dvc pull`, download again), or delete the link"
        )
    if not os.path.isfile(path):
        raise ConfigError(
            f"{where}: {shown(path)!r} is a pipe or a device, which can't be read twice; pipe it "
            "into standard input, and name that -"
        )


def _nothing(where: str, found: Sequence[_Match], named: bool, asked: Format | None) -> str:
    if not found:
        return f"{where} matches no file"
    path = shown(found[0].path)
    if named:
        return f"{where}: the name tells no format; expected {endings()}, or say --format"
    what = "to read" if asked is None else f"to read as {asked}"
    return (
        f"{where} has nothing {what} among {len(found):,} files such as {path!r}; expected "
        f"{endings()}, or say --format"
    )


def _sorted_out(
    found: Sequence[_Match], named: bool, asked: Format | None, where: str
) -> tuple[list[tuple[_Match, Format]], list[tuple[_Match, str]]]:
    """Return the files that are read, with their formats, and the others, with why not.

    Beside rows, texts are as often notes, and so are .json files in a folder. A name that stands
    there by itself, or a format that is asked for, leaves no doubt.

    Raises:
        ConfigError: when a folder has .json files and texts, and nothing says which are the data.
    """
    kinds = [(match, format_of(match.path)) for match in found]
    if named:
        formats = [(match, asked or kind) for match, kind in kinds]
        return [(match, kind) for match, kind in formats if kind is not None], []
    ranks = [_rank(match, kind, asked) for match, kind in kinds]
    best = min((rank for rank in ranks if rank is not None), default=None)
    if best == 1 and 2 in ranks:
        raise ConfigError(
            f"{where} has {ranks.count(1):,} .json files and {ranks.count(2):,} texts, such as "
            f"{shown(found[ranks.index(1)].path)!r} and {shown(found[ranks.index(2)].path)!r}; say "
            "--format json or --format text-file, or name the files by a glob"
        )
    read: list[tuple[_Match, Format]] = []
    others: list[tuple[_Match, str]] = []
    for (match, kind), rank in zip(kinds, ranks, strict=True):
        chosen = asked or kind
        if rank is not None and rank == best and chosen is not None:
            read.append((match, chosen))
        elif not match.hidden:
            others.append((match, _class_of(match.path, kind)))
        elif kind is not None:
            others.append((match, "hidden"))
    return read, others


def _rank(match: _Match, kind: Format | None, asked: Format | None) -> int | None:
    """Return 0 for what is surely data, more for what is so only where nothing else is."""
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
    """Return the columns that folders name, as Hive and Spark have them."""
    pairs = (folder.partition("=") for folder in folders)
    columns = ((unquote(name), unquote(value)) for name, mark, value in pairs if mark and name)
    return tuple((shown(name), shown(value)) for name, value in columns if value != _NO_VALUE)


def _found(pattern: str, where: str) -> tuple[bool, list[_Match]]:
    """Return whether a pattern names one file, and the files that it finds."""
    if not is_local(pattern):
        return _remote(pattern, where)
    path = os.path.abspath(pattern)  # ./a and a are one file
    if os.path.isdir(path):
        return False, sorted(_walk(path, (), ()), key=lambda match: match.path)
    if os.path.lexists(path):
        return True, [_match(path, ())]
    if not _GLOB.search(pattern):
        raise ConfigError(f"{where} matches no file")
    fixed, parts = _fixed_part(path)
    found: dict[str, _Match] = {}
    for match in _glob(fixed, parts, (), ()):
        found.setdefault(match.path, match)
    return False, sorted(found.values(), key=lambda match: match.path)


def _fixed_part(path: str) -> tuple[str, list[str]]:
    """Return the folder of a glob that is there under its very name, and what stands below it.

    Brackets may be of a name; stars and question marks are of the glob.
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
    except OSError:  # a link to nothing, which is an error where it would be read
        size = 0
    return _Match(path, size, below, hidden, listed)


def _entries(folder: str, above: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Yield names in a folder and whether they are folders, unless it stands above itself."""
    if os.path.realpath(folder) in above:
        return
    for name in sorted(os.listdir(folder)):
        yield name, os.path.isdir(os.path.join(folder, name))


def _walk(folder: str, below: tuple[str, ...], above: tuple[str, ...]) -> Iterator[_Match]:
    """Yield all files below a folder; what hidden folders hold is not even looked at."""
    here = (*above, os.path.realpath(folder))
    for name, is_folder in _entries(folder, above):
        path = os.path.join(folder, name)
        if not is_folder:
            yield _match(path, below, _hidden(name), listed=True)
        elif not _hidden(name):
            yield from _walk(path, (*below, name), here)


def _glob(
    folder: str, parts: Sequence[str], below: tuple[str, ...], above: tuple[str, ...]
) -> Iterator[_Match]:
    """Yield the files that match a glob below a folder; ** is the folder and all below it."""
    part, rest = parts[0], parts[1:]
    here = (*above, os.path.realpath(folder))
    if part == "**":
        yield from _glob(folder, rest or ["*"], below, above)
    for name, is_folder in _entries(folder, above):
        path = os.path.join(folder, name)
        if part == "**":
            if is_folder and not _hidden(name):
                yield from _glob(path, parts, (*below, name), here)
            continue
        if name != part and not fnmatch.fnmatchcase(name, part):
            continue
        if _hidden(name) and not _hidden(part):
            continue
        asked = name == part or _hidden(part)
        inner = below if asked else (*below, name)
        if rest:
            if is_folder:
                yield from _glob(path, rest, inner, here)
        elif is_folder:
            yield from _walk(path, inner, here)
        else:
            yield _match(path, below)


def _remote(pattern: str, where: str) -> tuple[bool, list[_Match]]:
    """Return what another file system has: the file, what a glob matches, or a folder's files."""
    systems = beam_filesystems(pattern)
    for asked in (pattern, f"{pattern.rstrip('/')}/**"):
        try:
            entries = systems.match([asked])[0].metadata_list
        except OSError as error:  # what Beam raises is one
            raise ConfigError(f"{where}: the file system can't be asked: {error}") from None
        if entries:
            break
    fixed = re.split(r"[*?\[]", asked)[0].rpartition("/")[0]
    found = []
    for entry in entries:
        *below, name = entry.path[len(fixed) :].strip("/").split("/")
        hidden = any(map(_hidden, (*below, name))) and not _hidden(pattern.rpartition("/")[2])
        size, listed = entry.size_in_bytes, asked != pattern
        found.append(_Match(entry.path, size, tuple(below), hidden, listed))
    named = [match.path for match in found] == [pattern]
    return named, sorted(found, key=lambda match: match.path)

"""Reports of earlier runs and audits, found by their paths and called by short names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence

from pydantic import ValidationError

from outcross.schemas.formats import FORMAT, check_versions
from outcross.schemas.report import Report
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files

NAME = "report.json"


def read_reports(paths: Sequence[str]) -> list[tuple[str, Report]]:
    """The reports that stand at some places.

    Args:
        paths: each a report.json, an output directory that holds one, or a folder of such
            directories, one or two levels down: those in natural order, gen2 before gen10.

    Returns:
        Path and contents of each report, in the order of `paths`.

    Raises:
        ConfigError: when there is no report at a path, a report stands there twice, or a file is
            no report, or one of another format.
    """
    found = [file for path in paths for file in _find(path)]
    places: dict[str, str] = {}
    for file in found:
        place = _place(file)
        if place in places:
            raise ConfigError(
                f"{file}: is the same report as {places[place]}; name each generation once"
            )
        places[place] = file
    return [(file, _read(file)) for file in found]


def _place(path: str) -> str:
    return os.path.realpath(path) if files.is_local(path) else path


def _find(path: str) -> list[str]:
    if path.endswith(".json") or (files.is_local(path) and os.path.isfile(path)):
        return [path]
    if files.exists(files.join(path, NAME)):
        return [files.join(path, NAME)]
    above = files.list_files(files.join(path, "*", NAME))
    folders = {file.removesuffix(NAME) for file in above}
    below = files.list_files(files.join(path, "*", "*", NAME))
    # What lies inside an output directory is no generation of its own.
    found = above + [file for file in below if f"{file.rsplit('/', 2)[0]}/" not in folders]
    if not found:
        raise ConfigError(
            f"{path}: no {NAME} was found there, nor one or two folders below; name a {NAME}, the "
            "output directory of `run` or `audit`, or a folder that holds such directories"
        )
    # A link such as `latest` is another name of a generation, not another generation.
    own = {_place(file) for file in found if not _is_link(path, file)}
    found = [file for file in found if not _is_link(path, file) or _place(file) not in own]
    lines = {file.rsplit("/", 2)[0] for file in found}
    if len(lines) > 1 and all(sum(f.startswith(f"{one}/") for f in found) > 1 for one in lines):
        raise ConfigError(
            f"{path}: the reports lie in several folders, each with generations of its own: "
            f"{', '.join(sorted(line.rpartition('/')[2] for line in lines))}; name one of them"
        )
    return sorted(found, key=natural)


def _is_link(folder: str, file: str) -> bool:
    return _place(file) != _place(folder.rstrip("/") or "/") + file[len(folder.rstrip("/")) :]


def natural(path: str) -> tuple[list[list[str | int]], str]:
    """A key that puts numbers in names into their order: gen2 before gen10."""
    parts = [re.split(r"(\d+)", part.casefold()) for part in path.split("/")]
    return [[int(p) if n % 2 else p for n, p in enumerate(part)] for part in parts], path


def _read(path: str) -> Report:
    try:
        value = files.read_json(path)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path}: is no {NAME}, for it is not JSON: {error}") from None
    if not isinstance(value, dict) or "conservation" not in value:
        raise ConfigError(
            f"{path}: is no {NAME}: it has no conservation; `run` and `audit` write such files"
        )
    known = Report.model_fields[FORMAT].default
    folder = path.rpartition("/")[0] or "."
    check_versions(
        "report",
        path,
        value,
        {FORMAT: known},
        f"make it anew by its command, or measure what it has written: `outcross audit {folder} "
        "--reference DIR --out NEW`, and compare that",
    )
    try:
        return Report.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path}: is no valid report of format {known}: {key}: {first['msg']}"
        ) from None


def names_of(paths: Sequence[str]) -> list[str]:
    """The folders of reports, with as many of the folders above as make them differ."""
    whole = [os.path.abspath(path) if files.is_local(path) else path for path in paths]
    parts = [path.removesuffix(f"/{NAME}").split("/") for path in whole]
    depths = [1] * len(parts)
    while True:
        names = ["/".join(own[-depth:]) for own, depth in zip(parts, depths, strict=True)]
        short = [
            n for n, name in enumerate(names) if names.count(name) > 1 and depths[n] < len(parts[n])
        ]
        if not short:
            return names
        for n in short:
            depths[n] += 1

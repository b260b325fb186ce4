"""Find the reports of earlier runs and audits, and give them short names."""

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
    """Return the reports at some paths.

    Args:
        paths: each a report.json, an output directory with one, or a folder of such directories,
            one or two levels down. A folder's reports are in natural order, gen2 before gen10.

    Returns:
        Path and report, in the order of `paths`.

    Raises:
        ConfigError: a path has no report, a report occurs twice, or a file is no report or one
            of another version.
    """
    reports = [file for path in paths for file in _find(path)]
    places: dict[str, str] = {}
    for file in reports:
        place = files.real_path(file)
        if place in places:
            raise ConfigError(
                f"{file}: is the same report as {places[place]}; name each generation once"
            )
        places[place] = file
    return [(file, _read(file)) for file in reports]


def _find(path: str) -> list[str]:
    if path.endswith(".json") or (files.is_local(path) and os.path.isfile(path)):
        return [path]
    if files.exists(files.join(path, NAME)):
        return [files.join(path, NAME)]
    above = files.list_files(files.join(path, "*", NAME))
    folders = {file.removesuffix(NAME) for file in above}
    below = files.list_files(files.join(path, "*", "*", NAME))
    # Reports inside an output directory are no generations of their own.
    reports = above + [file for file in below if f"{file.rsplit('/', 2)[0]}/" not in folders]
    if not reports:
        raise ConfigError(
            f"{path}: no {NAME} was found there, nor one or two folders below; name a {NAME}, the "
            "output directory of `run` or `audit`, or a folder that holds such directories"
        )
    # A link such as `latest` is a second name of a generation.
    targets = {files.real_path(file) for file in reports if not _is_link(path, file)}
    reports = [
        file for file in reports if not _is_link(path, file) or files.real_path(file) not in targets
    ]
    lines = {file.rsplit("/", 2)[0] for file in reports}
    if len(lines) > 1 and all(
        sum(file.startswith(f"{line}/") for file in reports) > 1 for line in lines
    ):
        raise ConfigError(
            f"{path}: the reports lie in several folders, each with generations of its own: "
            f"{', '.join(sorted(line.rpartition('/')[2] for line in lines))}; name one of them"
        )
    return sorted(reports, key=natural)


def _is_link(folder: str, file: str) -> bool:
    folder = folder.rstrip("/")
    return files.real_path(file) != files.real_path(folder or "/") + file[len(folder) :]


def natural(path: str) -> tuple[list[list[str | int]], str]:
    """Return a sort key that orders numbers in names by value: gen2 before gen10."""
    parts = [re.split(r"(\d+)", part.casefold()) for part in path.split("/")]
    return [[int(p) if n % 2 else p for n, p in enumerate(part)] for part in parts], path


def _read(path: str) -> Report:
    try:
        value = json.loads(files.read_bytes(path))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path}: is no {NAME}, as it is not JSON: {error}") from None
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
    """Return the folder names of reports, with parent folders where names would be equal.

    Args:
        paths: paths of the reports.
    """
    folders = [files.absolute_path(path).removesuffix(f"/{NAME}") for path in paths]
    parts = [folder.split("/") for folder in folders]
    depths = [1] * len(parts)
    while True:
        names = ["/".join(part[-depth:]) for part, depth in zip(parts, depths, strict=True)]
        short = [
            n for n, name in enumerate(names) if names.count(name) > 1 and depths[n] < len(parts[n])
        ]
        if not short:
            return names
        for n in short:
            depths[n] += 1

"""Versions of stored files, and the check of these versions.

A stored file names the version of its format. If it depends on how texts become words, it names
the version of that as well. Files without a version are older than all that have one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from outcross.schemas.documents import TEXT_VERSION
from outcross.schemas.user_input import ConfigError

FORMAT, TEXT = "format_version", "text_version"


def versions(version: int) -> dict[str, int]:
    """Return the versions that a stored file names if it depends on texts.

    Args:
        version: version of the file's format.
    """
    return {FORMAT: version, TEXT: TEXT_VERSION}


def check_versions(
    key: str, path: str, stored: Mapping[str, Any], needed: Mapping[str, int], remedy: str
) -> None:
    """Refuse a stored file that another version of outcross has written.

    Args:
        key: key of the request that names the file.
        path: path of the file.
        stored: versions that the file names, by their keys.
        needed: versions that can be read, by their keys.
        remedy: command that makes the file again.

    Raises:
        ConfigError: naming the path, the versions found, the versions needed, and the remedy.
    """
    other = [name for name, version in needed.items() if stored.get(name) != version]
    if not other:
        return
    writer = "an older outcross" if FORMAT in stored else "an older outcross or another program"
    install = ""
    if any(_number(stored.get(name)) > needed[name] for name in other):
        writer, install = "a newer outcross", "install that version, or "
    has = " and ".join(
        f"{name} {stored[name]}" if name in stored else f"no {name}" for name in other
    )
    wanted = " and ".join(f"{name} {needed[name]}" for name in other)
    raise ConfigError(
        f"{key}: {path} was written by {writer}: it has {has}, and {wanted} is needed; "
        f"{install}{remedy}"
    )


def check_json(key: str, path: str, text: bytes, needed: Mapping[str, int], remedy: str) -> None:
    """Refuse the text of a JSON file that another version of outcross has written.

    A text that is no JSON object passes: the file's model reports it. Arguments and errors are
    those of `check_versions`.
    """
    try:
        stored = json.loads(text)
    except ValueError:
        return
    if isinstance(stored, dict):
        check_versions(key, path, stored, needed, remedy)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else -1

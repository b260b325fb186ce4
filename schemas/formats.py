"""Versions of what is stored and read back, and the one check of them.

A stored file says by which format it was written and, where it depends on what a text is, by which
definition of texts. A file without a version is older than all that have one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from outcross.schemas.documents import TEXT_VERSION
from outcross.schemas.user_input import ConfigError

FORMAT, TEXT = "format_version", "text_version"


def versions(version: int) -> dict[str, int]:
    """Return what a stored file that depends on texts says of itself.

    Args:
        version: of the file's format.
    """
    return {FORMAT: version, TEXT: TEXT_VERSION}


def check_versions(
    key: str, path: str, stored: Mapping[str, Any], needed: Mapping[str, int], remedy: str
) -> None:
    """Refuse a stored file that another version has written.

    Args:
        key: of the request that names the file.
        path: of the file.
        stored: what the file says.
        needed: the versions that can be read, by their keys.
        remedy: the command that makes the file anew.

    Raises:
        ConfigError: naming the path, the versions in it, those that are needed, and the remedy.
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
    """Refuse the text of a JSON file that another version has written.

    What is no JSON object is left to the file's model, which says why. Arguments and errors are
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

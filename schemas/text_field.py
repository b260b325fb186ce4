"""Values of `text_field` and `roles`: a path, several paths, or a template around them."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Any

from pydantic import BeforeValidator

JOINT = "\n\n"
"""Separator of the fields of a list, and of the turns of a conversation."""

TEXT_OUT = "text_judged"
"""Column of judged texts if text_out is absent and no column of the sources holds them."""


def _checked_text_field(value: Any) -> Any:
    """Return a text field in its stored form: a path, or a tuple of several paths.

    Raises:
        ValueError: naming the value found and the remedy.
    """
    if isinstance(value, dict):
        raise ValueError(
            f"found {value!r:.80}; put a template in quotes, such as '{{instruction}} {{output}}'"
        )
    paths = list(value) if isinstance(value, list | tuple) else [value]
    if not paths:
        raise ValueError("names no column; give a name, a dotted path, or a list of them")
    for path in paths:
        if not isinstance(path, str) or not path:
            raise ValueError(f"found {path!r:.80}; a name or a dotted path is expected")
        if len(paths) > 1 and is_template(path):
            raise ValueError(f"{path!r:.80} is a template, which stands alone and not in a list")
    if len(set(paths)) < len(paths):
        raise ValueError(f"{paths!r:.120} names a column twice; give each once")
    if is_template(paths[0]):
        segments(paths[0])
    return paths[0] if len(paths) == 1 else tuple(paths)


def _checked_roles(value: Any) -> Any:
    """Return roles in their stored form; a single role needs no list."""
    roles = [value] if isinstance(value, str) else value
    if isinstance(roles, list | tuple) and (not roles or "" in roles):
        raise ValueError(f"found {value!r:.80}; name roles such as assistant, or leave it out")
    return roles


TextField = Annotated[str | tuple[str, ...], BeforeValidator(_checked_text_field)]
Roles = Annotated[tuple[str, ...], BeforeValidator(_checked_roles)]


def is_template(text_field: str) -> bool:
    """Return whether a string is a template and not a path: templates hold braces."""
    return "{" in text_field or "}" in text_field


def segments(template: str) -> list[tuple[str, str | None]]:
    """Split a template into literal texts, each with the path that follows it, if one does.

    Raises:
        ValueError: if braces don't match, or hold more than a name or a dotted path.
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(
            f"template {template!r:.120}: {str(error).lower()}; a brace that is text is doubled"
        ) from None
    cut: list[tuple[str, str | None]] = []
    for text, path, form, conversion in parts:
        if path == "" or form or conversion:
            raise ValueError(
                f"template {template!r:.120}: braces hold a name or a dotted path, nothing else"
            )
        cut.append((text, path))
    if all(path is None for _, path in cut):
        raise ValueError(f"template {template!r:.120}: names no column, as in '{{instruction}}'")
    return cut


def paths_of(text_field: str | tuple[str, ...]) -> list[str]:
    """Return the names and dotted paths of a text field, each once, in their order."""
    if isinstance(text_field, tuple):
        return list(text_field)
    if not is_template(text_field):
        return [text_field]
    return list(dict.fromkeys(path for _, path in segments(text_field) if path is not None))


def listed(text_field: str | tuple[str, ...]) -> str:
    """Return the names and paths of a text field in quotes."""
    return ", ".join(map(repr, paths_of(text_field)))

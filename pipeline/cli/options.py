"""Options of the command line, made from the models that describe them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

JSON_HELP = "print the result as JSON"
AsJson = Annotated[bool, typer.Option("--json", help=JSON_HELP)]

ROLES = ("synthetic", "human", "exclude")
"""Roles of sources that have an option of their own."""

TRAINING_ROLES = ROLES[:2]
"""Roles of sources that a corpus is made of."""

_METAVARS = {
    **{"against": "DIR", "text_field": "FIELD", "human_text_field": "FIELD", "roles": "ROLE"},
    "languages": "CODE",
}
"""Placeholders of options that may be repeated and take no glob."""


def how_to_name_files(roles: Sequence[str]) -> str:
    """Return what to do where a file or glob has no option.

    Args:
        roles: roles whose options the command has; one or more.
    """
    options = " or ".join(f"--{role}" for role in roles)
    return (
        f"put {options} before each file or glob, and quote a glob ('s*.jsonl'), or the shell "
        "turns it into several names"
    )


def option(name: str, field: FieldInfo) -> inspect.Parameter:
    """Return a model's field as an option.

    Args:
        name: name of the field.
        field: the field, with its description and default.
    """
    spelling = "--" + name.replace("_", "-")
    default = field.get_default(call_default_factory=True)
    default = None if field.is_required() or default == [] else default
    kind = _annotation(field)
    text = _help(field, default)
    if kind == list[str] | None:
        return _parameter(name, kind, spelling, f"{text}; may be repeated", _metavar(name))
    if kind == bool | None:
        return _parameter(name, kind, f"{spelling}/--no-{spelling[2:]}", _help(field, None))
    return _parameter(name, kind, spelling, text)


def files_option(role: str) -> inspect.Parameter:
    """Return the option that names the files of a role."""
    text = f"files of role {role}; may be repeated"
    return _parameter(role, list[str] | None, f"--{role}", text, "GLOB")


def flag(name: str, text: str) -> inspect.Parameter:
    """Return an option without a value; `as_json` is spelled `--json`.

    Args:
        name: name of the parameter.
        text: help of the option.
    """
    spelling = f"--{name.removeprefix('as_').replace('_', '-')}"
    return _parameter(name, bool, spelling, text, default=False)


def positional(name: str, kind: Any, metavar: str, text: str | None, **default: Any) -> Any:
    """Return a positional parameter; it is required unless `default` is given."""
    return inspect.Parameter(
        name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        annotation=Annotated[kind, typer.Argument(metavar=metavar, help=text)],
        **default,
    )


def _parameter(
    name: str, kind: Any, spelling: str, text: str, metavar: str | None = None, default: Any = None
) -> inspect.Parameter:
    info = typer.Option(spelling, metavar=metavar, help=text, show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )


def _metavar(name: str) -> str:
    return _METAVARS.get(name, "GLOB")


def _annotation(field: FieldInfo) -> Any:
    """Return a type that typer knows; it is always optional, so that YAML can give the value."""
    kind = field.annotation
    arguments = [argument for argument in get_args(kind) if argument is not type(None)]
    if get_origin(kind) is Literal:
        return str | None
    if any(get_origin(part) in (list, tuple) for part in (kind, *arguments)):
        return list[str] | None
    if len(arguments) == 1:
        kind = arguments[0]
    return kind | None if isinstance(kind, type) else str | None


def _help(field: FieldInfo, default: Any) -> str:
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    text = field.description or ""
    if choices:
        text += f" ({' | '.join(map(str, choices))})"
    return text if default is None else f"{text} (default: {default})"

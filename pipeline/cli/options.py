"""Options of the command line, made from the models that describe them."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

_METAVARS = {"against": "DIR", "text_field": "FIELD", "human_text_field": "FIELD", "roles": "ROLE"}
"""Placeholders of options that may stand several times and take no glob."""


def _annotation(field: FieldInfo) -> Any:
    """An option's type: what typer knows, and always optional, so that YAML can give it."""
    kind = field.annotation
    arguments = [argument for argument in get_args(kind) if argument is not type(None)]
    if get_origin(kind) is Literal:
        return str | None
    if any(get_origin(one) in (list, tuple) for one in (kind, *arguments)):
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


def option(name: str, field: FieldInfo) -> inspect.Parameter:
    """A model's field as an option."""
    spelling = "--" + name.replace("_", "-")
    default = field.get_default(call_default_factory=True)
    default = None if field.is_required() or default == [] else default
    kind = _annotation(field)
    text = _help(field, default)
    told = typer.Option(spelling, help=text, show_default=False)
    if kind == list[str] | None:
        text = f"{text}; may stand several times"
        told = typer.Option(
            spelling, metavar=_METAVARS.get(name, "GLOB"), help=text, show_default=False
        )
    if kind == bool | None:
        told = typer.Option(
            f"{spelling}/--no-{spelling[2:]}", help=_help(field, None), show_default=False
        )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, told]
    )


def flag(name: str, spelling: str, text: str) -> inspect.Parameter:
    """An option that is there or not."""
    told = typer.Option(spelling, help=text, show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, told]
    )

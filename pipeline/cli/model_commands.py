"""Commands whose options are the fields of a model: no option is described twice."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from outcross.pipeline.cli.lazy import Function
from outcross.pipeline.cli.options import (
    JSON_HELP,
    ROLES,
    TRAINING_ROLES,
    files_option,
    flag,
    how_to_name_files,
    option,
    positional,
)
from outcross.pipeline.cli.session import Session
from outcross.pipeline.terminal.voice import voice_options
from outcross.schemas.budget import MaxCopies
from outcross.schemas.config import PLAN_KEYS, Config, parse
from outcross.schemas.sources import Fields
from outcross.schemas.user_input import ConfigError, load_yaml, readable
from outcross.transforms.inputs.magic import format_of

RequestT = TypeVar("RequestT", bound=BaseModel)

BUDGET_KEYS = PLAN_KEYS | {
    *("plan", "reference", "select", "rounds", "gates", "gate"),
    *("lineage", "archive", "archive_source"),
}
"""Keys without an effect on deduplication."""

_JSON = {"as_json": JSON_HELP}


def corpus_command(
    action: Callable[[Config, dict[str, bool], Session], None],
    without: Collection[str] = (),
    flags: Mapping[str, str] | None = None,
) -> Function:
    """Return the function of a command whose options are the configuration's keys.

    Args:
        action: does the work, given the configuration and the flags by name.
        without: keys that the command has no use for.
        flags: the command's own flags, with their help.
    """
    flags = {**_JSON, **(flags or {})}

    def command(ctx: typer.Context, **options: Any) -> None:
        session: Session = ctx.obj
        values = {name: options.pop(name, False) for name in flags}
        session.open_voice(options, quiet=values["as_json"])
        action(config_of(options), values, session)

    return _with_parameters(command, _corpus_parameters(without, flags))


def request_command(
    model: type[RequestT],
    action: Callable[[RequestT, bool, Session], None],
    argument: str | None = None,
) -> Function:
    """Return the function of a command whose options are a model's fields.

    Args:
        model: model of the request.
        action: does the work, given the request and True for JSON.
        argument: the field that is given without an option, if one is.
    """

    def command(ctx: typer.Context, **options: Any) -> None:
        session: Session = ctx.obj
        as_json = options.pop("as_json")
        session.open_voice(options, quiet=as_json)
        given = {name: value for name, value in options.items() if value is not None}
        try:
            request = model.model_validate(given)
        except ValidationError as error:
            raise ConfigError(readable(error, model=model)) from None
        action(request, as_json, session)

    return _with_parameters(command, _request_parameters(model, argument))


def _with_parameters(command: Function, parameters: list[inspect.Parameter]) -> Function:
    """Give a function the signature that typer reads options from."""
    context = inspect.Parameter(
        "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    every = [context, *parameters]
    command.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in every}
    return command


def _corpus_parameters(
    without: Collection[str], flags: Mapping[str, str]
) -> list[inspect.Parameter]:
    """Return the configuration's keys as options, except some keys, with flags and their help."""
    configuration = positional(
        "configuration",
        str | None,
        "CONFIG.yaml",
        "a configuration; options override it",
        default=None,
    )
    parameters = [configuration, *map(files_option, ROLES)]
    parameters += [option(name, field) for name, field in Fields.model_fields.items()]
    for name, field in Config.model_fields.items():
        if name in without:
            continue
        if name == "max_copies":
            parameters += [
                option(f"max_copies_{role}", caps) for role, caps in MaxCopies.model_fields.items()
            ]
        elif name not in ("sources", "domains"):
            parameters.append(option(name, field))
    parameters += [flag(name, text) for name, text in flags.items()]
    return parameters + voice_options()


def _request_parameters(model: type[BaseModel], argument: str | None) -> list[inspect.Parameter]:
    """Return a model's fields as options: its own before those that it inherits."""
    parameters = []
    if argument is not None:
        field = model.model_fields[argument]
        kind = str if field.annotation is str else list[str]
        parameters.append(positional(argument, kind, "PATH", field.description))
    names = [name for name in model.model_fields if name != argument]
    names.sort(key=lambda name: name not in model.__annotations__)
    parameters += [option(name, model.model_fields[name]) for name in names]
    parameters += [flag(name, text) for name, text in _JSON.items()]
    return parameters + voice_options()


def config_of(options: Mapping[str, Any]) -> Config:
    """Return the configuration that a YAML file and options give; options win.

    Args:
        options: values by the names of the parameters; None where an option is absent.

    Raises:
        ConfigError: naming the key, what was found and what would be right.
    """
    given = {name: value for name, value in options.items() if value is not None}
    values = _values_of(given.pop("configuration", None))
    fields = {name: given.pop(name) for name in Fields.model_fields if name in given}
    caps = {
        role: given.pop(f"max_copies_{role}")
        for role in MaxCopies.model_fields
        if f"max_copies_{role}" in given
    }
    roles = {role: given.pop(role) for role in ROLES if role in given}
    _add_sources(values, roles, fields)
    if caps:
        values["max_copies"] = {**_caps_of(values), **caps}
    for key, alternative in (("human_tokens", "human_share"), ("human_share", "human_tokens")):
        if key in given:  # two ways to ask for the same thing: the option's holds
            values.pop(alternative, None)
    values.update(given)
    if "out" not in values:
        raise ConfigError("out: missing; name a directory for the result with --out")
    return parse(values)


def _values_of(path: str | None) -> dict[str, Any]:
    """Return the values of a YAML file; none without a path."""
    if path is None:
        return {}
    if format_of(path) is not None:
        raise ConfigError(
            f"{path}: holds data, and a CONFIG.yaml is expected here; "
            f"{how_to_name_files(TRAINING_ROLES)}"
        )
    return load_yaml(path)


def _add_sources(
    values: dict[str, Any], roles: Mapping[str, list[str]], fields: Mapping[str, Any]
) -> None:
    """Add a source for each role that options name, and give all sources the options' fields."""
    sources = values.setdefault("sources", [])
    if not isinstance(sources, list):
        raise ConfigError(f"sources: found {sources!r:.80}; a list of sources is expected")
    for role, globs in roles.items():
        sources.append({"name": role, "role": role, "files": globs})
    if not sources:
        raise ConfigError(
            "sources: none given; name a CONFIG.yaml that has some, or use --synthetic and --human"
        )
    for source in sources:
        if isinstance(source, dict):
            source.update(fields)


def _caps_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the caps of a YAML file by role."""
    caps = values.get("max_copies") or {}
    if isinstance(caps, int):
        return dict.fromkeys(MaxCopies.model_fields, caps)
    if not isinstance(caps, dict):
        raise ConfigError(f"max_copies: found {caps!r:.80}; a cap for each role is expected")
    return caps

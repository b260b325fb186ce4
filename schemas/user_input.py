"""Base of the models that users write, their YAML files, and readable errors."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, cast, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from outcross.schemas.base import Strict


class ConfigError(ValueError):
    """An invalid or impossible request; the message names key and remedy (exit code 2)."""


class Model(Strict):
    """A model that users write. Unknown keys are errors, so no misspelt option is ignored."""

    model_config = ConfigDict(allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_number_is_true(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse truth values for other types: YAML reads `yes`, `on` and `no` as such."""
        field = cls.model_fields[str(info.field_name)]
        if isinstance(value, bool) and field.annotation is not bool:
            raise ValueError(f"found {value}; true and false are not allowed here")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _text_is_a_list_of_itself(cls, value: Any, info: ValidationInfo) -> Any:
        """Accept `files: one.jsonl` where a list of texts is expected."""
        kind = cls.model_fields[str(info.field_name)].annotation
        lists = [kind, *get_args(kind)]
        return [value] if isinstance(value, str) and list[str] in lists else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        for field in handler.resolve_ref_schema(schema)["properties"].values():
            forms = field.get("anyOf", [field])
            if any(form.get("items") == {"type": "string"} for form in forms):
                accept_short_form(field, {"type": "string"})
        return schema


def accept_short_form(field: JsonSchemaValue, form: JsonSchemaValue) -> None:
    """Add a short form to the forms that a field's JSON schema allows.

    Args:
        field: JSON schema of the field, which is changed.
        form: JSON schema of the short form.
    """
    keys = ("$ref", "allOf", "type", "items", "minItems")
    forms = field.pop("anyOf", None) or [{key: field.pop(key) for key in keys if key in field}]
    field["anyOf"] = [form, *(other for other in forms if other != form)]


class _Loader(yaml.SafeLoader):
    """Loader of YAML that refuses repeated keys, of which one would be ignored."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                place = node.value[number][0].start_mark
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} appears twice", place
                )
        return cast(dict[Any, Any], super().construct_mapping(node, deep))


def load_yaml(path: str) -> dict[str, Any]:
    """Read the values of a YAML configuration file without validating them.

    Raises:
        ConfigError: if the file can't be read, or is no YAML mapping.
    """
    try:
        values = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: can't be read as YAML: {error}") from None
    if values is None:
        raise ConfigError(f"{path}: is empty; a mapping of keys is expected")
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds {type(values).__name__}; a mapping of keys is expected")
    return values


def readable(
    error: ValidationError,
    schema: str = "config",
    model: type[BaseModel] | None = None,
    values: Any = None,
) -> str:
    """Describe a validation error, one line per key, with the value found and the remedy.

    Args:
        error: validation error of a model.
        schema: name by which `outcross schema` shows the model.
        model: model whose keys are suggested for a misspelt key.
        values: values that were validated; items of a list are called by their `name`.
    """
    lines = []
    for problem in error.errors():
        key = _place(problem["loc"], values)
        value = "" if problem["type"] == "missing" else f" (found {problem['input']!r:.120})"
        if problem["type"] == "value_error":
            value = ""
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] in _EXPECTED:
            message = _EXPECTED[problem["type"]]
        if problem["type"] == "literal_error":
            message = _literals(problem["ctx"]["expected"], problem["input"])
        if problem["type"] == "extra_forbidden":
            near = _nearest(model, problem["loc"])
            meant = f"; did you mean {near}? " if near else "; "
            message = f"there is no such key{meant}`outcross schema {schema}` lists all keys"
            value = "" if problem["input"] is None else value
        lines.append(f"{key}: {message}{value}" if key else message)
    return "\n".join(lines)


_EXPECTED = {
    "model_type": "must be a mapping of keys, such as {key: value}",
    "dict_type": "must be a mapping of keys, such as {key: value}",
    "int_parsing": "must be a valid integer, in digits such as 1000000",
    "int_from_float": "must be a valid integer, without decimals",
    "float_parsing": "must be a number, such as 0.2",
}
"""Messages by type of a validation error."""


def _place(place: tuple[int | str, ...], values: Any) -> str:
    """Write the path of a key, where an item of a list is called by its name."""
    parts = []
    for part in place:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            values = None
        name = values.get("name") if isinstance(part, int) and isinstance(values, dict) else None
        if part != "[key]":  # it stands for the key itself
            parts.append(name if isinstance(name, str) and name else str(part))
    return ".".join(parts)


def _literals(expected: str, found: Any) -> str:
    """Say which values are allowed, and which of them is most similar to the one found."""
    near = difflib.get_close_matches(str(found), re.findall(r"'([^']*)'", expected), n=1)
    return f"must be {expected}" + (f"; did you mean {near[0]}?" if near else "")


def _nearest(model: type[BaseModel] | None, place: tuple[int | str, ...]) -> str | None:
    """Return the key that is most similar to an unknown key, if one is similar.

    Args:
        model: outermost model.
        place: path of the unknown key in that model.
    """
    for part in place[:-1]:
        if model is None:
            return None
        if part in model.model_fields:
            model = _model_in(model.model_fields[str(part)].annotation)
    if model is None:
        return None
    return next(iter(difflib.get_close_matches(str(place[-1]), model.model_fields, n=1)), None)


def _model_in(kind: Any) -> type[BaseModel] | None:
    """Return the model within an annotation, such as the model of a list's items."""
    if isinstance(kind, type) and get_origin(kind) is None:
        return kind if issubclass(kind, BaseModel) else None
    return next(filter(None, map(_model_in, get_args(kind))), None)

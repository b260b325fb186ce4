"""Read plan.json, and compare it with a request."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from outcross.pipeline.inputs.tokenizer import check_counts
from outcross.schemas.config import PLAN_KEYS, Config, repeat_caps, tokenizer_of
from outcross.schemas.formats import FORMAT, check_json
from outcross.schemas.plan import Plan
from outcross.schemas.user_input import ConfigError, readable
from outcross.transforms.base import files


def read_plan(path: str) -> Plan:
    """Return the plan in a file.

    Raises:
        ConfigError: the file is no plan, or one of another version.
    """
    try:
        text = files.read_bytes(path)
    except OSError as error:
        raise ConfigError(
            f"plan: {path} can't be read ({error.strerror or error}); give the plan.json that "
            "`outcross plan` wrote"
        ) from None
    remedy = "make it anew: `outcross plan` with the configuration of this run"
    check_json("plan", path, text, {FORMAT: Plan.model_fields[FORMAT].default}, remedy)
    try:
        return Plan.from_json(text)
    except ValidationError as error:
        raise ConfigError(f"plan: {path}: {readable(error, 'plan')}; {remedy}") from None


def with_plan(config: Config) -> Config:
    """Return a configuration with the settings that its plan brings.

    The set of keys that the user has given stays the same, so that the manifest repeats the
    request.

    Args:
        config: configuration of the run; without a plan it is returned as it is.

    Raises:
        ConfigError: when the file holds no plan.
    """
    if config.plan is None:
        return config
    asked = read_plan(config.plan).asked
    keys = ("off_support", "long_documents", "copies", "max_copies", "max_kl", "entropy_floor")
    settings: dict[str, Any] = {key: getattr(asked, key) for key in (*keys, "domains")}
    fields = dict(config) | settings
    return Config.model_construct(_fields_set=config.model_fields_set, **fields)


def check_asked(config: Config, path: str) -> None:
    """Refuse a plan that was made for another request.

    Args:
        config: configuration of the run; keys that it doesn't set come from the plan.
        path: path of the plan.

    Raises:
        ConfigError: a key differs; the message names it and both values.
    """
    check_counts("plan", path, read_plan(path).tokenizer, tokenizer_of(config))
    keys = {*PLAN_KEYS & config.model_fields_set} - {"best_effort"}  # no amount of the plan
    request = config.model_dump(mode="json", include=keys)
    if "max_copies" in request:
        request["max_copies"] = repeat_caps(config).model_dump()
    planned = read_plan(path).asked.model_dump(mode="json", include=keys)
    for key in sorted(keys):
        if request[key] != planned[key]:
            raise ConfigError(
                f"plan: {path} was asked for {key} = {planned[key]}, and this run for "
                f"{request[key]}; make the plan again with `outcross plan`, or leave out {key}"
            )

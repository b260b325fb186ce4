"""Reading plan.json."""

from __future__ import annotations

from pydantic import ValidationError

from schemas.config import ConfigError, readable
from schemas.plan import Plan
from transforms import files


def read_plan(path: str) -> Plan:
    """A plan that was made before.

    Raises:
        ConfigError: when it is none.
    """
    try:
        return Plan.from_json(files.read_bytes(path))
    except ValidationError as error:
        raise ConfigError(f"plan: {path}: {readable(error, 'plan')}") from None

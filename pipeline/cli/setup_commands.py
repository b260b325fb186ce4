"""Commands for the time before the first run: `schema`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer


def add_setup_commands(app: typer.Typer) -> None:
    """Add the commands to an app."""
    app.command()(schema)


def schema(
    what: Annotated[
        str,
        typer.Argument(metavar="config|plan|report|gates|compare|lineage", help="which schema"),
    ],
) -> None:
    """Print the JSON Schema of a file that outcross reads or writes."""
    from outcross.pipeline.terminal.streams import print_json
    from outcross.schemas.config import Config, ConfigError
    from outcross.schemas.gates import Gates
    from outcross.schemas.lineage import Lineage
    from outcross.schemas.plan import Plan
    from outcross.schemas.report import Comparison, Report

    models: dict[str, Any] = {
        "config": Config,
        "plan": Plan,
        "report": Report,
        "gates": Gates,
        "compare": Comparison,
        "lineage": Lineage,
    }
    if what not in models:
        raise ConfigError(f"schema: there is no schema {what!r}; choose {', '.join(models)}")
    print_json(json.dumps(models[what].model_json_schema(), indent=2, ensure_ascii=False))

"""Results of stages with changes in one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

# The field of each result that holds the result before it.
BEFORE = {
    "Measured": "corpus",
    "Written": "selected",
    "Selected": "planned",
    "Planned": "ranking",
    "Ranking": "clustered",
    "Clustered": "deduplicated",
    "Deduplicated": "sketched",
    "Sketched": "context",
}


def changed(result: Any, stage: type, **changes: Any) -> Any:
    """Return a result in which the result of an earlier stage has other fields.

    Args:
        result: result of a stage.
        stage: class of the result to change: this one, or one before it.
        changes: new values of its fields.
    """
    if isinstance(result, stage):
        return replace(result, **changes)
    before = BEFORE[type(result).__name__]
    return replace(result, **{before: changed(getattr(result, before), stage, **changes)})

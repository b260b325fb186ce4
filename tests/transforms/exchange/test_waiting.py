"""Side inputs make steps wait for one another, and carry nothing that a step reads."""

from __future__ import annotations

import re
from pathlib import Path

import outcross

SIDE_INPUT = re.compile(r"\bAs(Iter|List|Singleton|Dict|MultiMap)\b")


def test_every_side_input_is_made_where_steps_wait() -> None:
    """Engines limit their size: Dataflow to 1 GB. `make dataflow` measures those of a run."""
    root = Path(outcross.__file__).parent
    files = [path for room in ("transforms", "pipeline") for path in (root / room).rglob("*.py")]
    makers = [path for path in files if SIDE_INPUT.search(path.read_text())]
    assert [path.relative_to(root).as_posix() for path in makers] == [
        "transforms/exchange/per_unit.py"
    ]

"""Rooms import downwards only, and what computes loads without Beam."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Floors from the ground up: a room imports rooms that stand before it, and itself.
FLOORS = [
    "schemas",
    "transforms.base",
    "transforms.inputs",
    "transforms.rows",
    "transforms.exchange",
    "transforms.reading",
    "transforms.text",
    "transforms.encoders",
    "transforms.estimators",
    "transforms.sketches",
    "transforms.dedup",
    "transforms.reference",
    "transforms.budget",
    "transforms.selection",
    "transforms.writing",
    "transforms.measuring",
    "pipeline.engine",
    "pipeline.terminal",
    "pipeline.inputs",
    "pipeline.stages",
    "pipeline.page",
    "pipeline.commands",
    "pipeline.cli",
]

# Files that may load Beam: its transforms, and its file system for the hub.
WITH_BEAM = {
    "transforms.base.hub",
    "transforms.dedup.deduplicate_documents",
    "transforms.exchange.exchange",
    "transforms.exchange.lanes",
    "transforms.exchange.per_unit",
    "transforms.exchange.step",
    "transforms.exchange.sums",
    "transforms.measuring.measure_diversity",
    "transforms.sketches.look_up_texts",
    "transforms.reference.assign_clusters",
    "transforms.reference.make_reference",
    "transforms.selection.fill_quotas",
    "transforms.selection.rounds",
    "transforms.selection.score_candidates",
    "transforms.sketches.sketch_documents",
    "transforms.writing.write_shards",
}


@functools.cache
def modules() -> dict[str, Path]:
    """Return every module of the product by its name below `outcross`."""
    paths = [
        path
        for folder in ("schemas", "transforms", "pipeline")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    ]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}


def imports(path: Path) -> Iterator[str]:
    """Return the names of product modules that a file imports, at any place."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("outcross."):
            for alias in node.names:
                yield f"{node.module}.{alias.name}".removeprefix("outcross.")


def floor(module: str) -> int:
    """Return the number of the floor that a module stands on."""
    return next(i for i, room in enumerate(FLOORS) if f"{module}.".startswith(f"{room}."))


def test_every_module_stands_in_a_room() -> None:
    rooms = {name: floor(name) for name in modules()}
    assert set(rooms.values()) == set(range(len(FLOORS)))


def test_imports_point_down() -> None:
    upward = [
        f"{name} imports {target}"
        for name, path in modules().items()
        for target in imports(path)
        if floor(target) > floor(name)
    ]
    assert upward == []


def test_product_files_import_by_the_full_name() -> None:
    short = [
        f"{path}: {node.module}"
        for path in modules().values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[0] in ("schemas", "transforms", "pipeline")
    ]
    assert short == []


def test_what_computes_loads_without_beam() -> None:
    names = [name for name in modules() if name.startswith("transforms.") and name not in WITH_BEAM]
    rooms = {name.rpartition(".")[0] for name in names}
    assert rooms == {room for room in FLOORS if room.startswith("transforms.")}
    code = "import importlib, sys\n" + "".join(
        f"importlib.import_module('outcross.{name}')\n"
        f"assert 'apache_beam' not in sys.modules, {name!r}\n"
        for name in names
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr

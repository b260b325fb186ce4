"""The driver holds nothing that grows with documents: it can't load a column of all units."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from outcross.transforms.sketches.store import Sketches
from tests.test_rooms import modules

LOADERS = {"numbers", "matrix", "words", "per_unit"}
"""Methods of `Sketches` that tests replace by functions of their own."""

ALIGNED = {"load_aligned", "save_aligned", "load_columns", "save_columns"}
"""Functions for row-aligned columns over all documents; tests have their own."""

CALLS = {
    "load_unit",
    "read_table",
    "unit_file",
    "rows_of",
    "open_parquet",
    "row_groups",
    "ParquetFile",
    "ParquetDataset",
    "read_row_group",
    "read_row_groups",
    "iter_batches",
}
METHODS = {"table", "sketch"}
"""Calls, and methods of sketches, that read rows or find the files that hold them."""

READERS = {
    # The driver between stages: the texts and ids of some documents that a report shows.
    # `rows_of` names their units, and a list holds 20 removals, or a text for each cluster.
    "pipeline.stages.deduplicate.Deduplicated.ids": {"rows_of", "load_unit", "table"},
    "pipeline.stages.reporting.removals.most_repeated": {"rows_of"},
    "pipeline.stages.texts.TextLookup.transform": {"rows_of", "unit_file"},
    "pipeline.stages.texts.TextLookup.texts": {"rows_of", "unit_file", "read_table"},
    # One file, of the 20 removals that are least similar.
    "pipeline.stages.removal_sums.RemovalSums._least": {"read_table"},
    "pipeline.inputs.lineage._check_files": {"open_parquet"},  # footers, of each generation
    # Work that is sent to workers; each call is for one unit, or for its path alone.
    "pipeline.stages.planning.draw.HumanRows.rows": {"load_unit", "sketch"},
    "pipeline.stages.earlier.EarlierRun.written": {"unit_file"},
    "pipeline.stages.earlier.EarlierRun.named": {"unit_file"},
    # Commands that look into a finished run. They read one shard, unit, group of rows or batch
    # at a time, and keep the rows that were asked for.
    "pipeline.stages.texts.texts_in_data": {"read_table"},
    "pipeline.stages.texts.documents_of_sources": {"table"},
    "pipeline.commands.explain._written": {"read_table"},
    "pipeline.commands.lineage._read": {"open_parquet", "iter_batches"},
    "pipeline.commands.removed_rows.removed_shards": {"read_table"},
    "pipeline.commands.requests._words": {"read_table"},  # a row for each cluster
    "pipeline.commands.seeds.seeds_in_data": {"read_row_group"},
    "pipeline.commands.seeds._human_rows": {"open_parquet", "ParquetFile", "read_row_group"},
    "pipeline.commands.restore._chosen_sources": {"read_table"},
    "pipeline.commands.restore._removed": {"row_groups"},
    "pipeline.commands.export._written": {"unit_file"},  # results of parts, which have no rows
}
"""Functions of pipeline/ that read rows, and the calls that they do it by."""


def functions(node: ast.AST, inside: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield each function and method by its full name, and all other code by the module's."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from functions(child, f"{inside}.{child.name}")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{inside}.{child.name}", child
        elif not isinstance(child, ast.Import | ast.ImportFrom):
            yield inside, child


def readers(node: ast.AST) -> set[str]:
    """Return the names of the calls that read rows, called or handed on in a piece of code."""
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & CALLS
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and part.attr in CALLS:
            found.add(part.attr)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
            arrow = isinstance(part.func.value, ast.Name) and part.func.value.id == "pa"
            if part.func.attr in METHODS and not arrow:
                found.add(part.func.attr)
    return found


def of_product(*rooms: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield the modules of some rooms by their names."""
    for name, path in modules().items():
        if f"{name}.".startswith(rooms):
            yield name, ast.parse(Path(path).read_text())


def test_sketches_have_no_loader_of_all_documents() -> None:
    assert LOADERS & set(dir(Sketches)) == set()


def test_no_function_loads_a_row_aligned_column_of_all_units() -> None:
    named = [
        f"{name}: {word}"
        for name, tree in of_product("schemas.", "transforms.", "pipeline.")
        for node in ast.walk(tree)
        for word in (getattr(node, "name", None), getattr(node, "id", None))
        if word in ALIGNED
    ]
    assert named == []


def test_the_driver_reads_rows_only_where_it_is_listed() -> None:
    found: dict[str, set[str]] = {}
    for name, tree in of_product("pipeline."):
        for function, node in functions(tree, name):
            if readers(node):
                found[function] = found.get(function, set()) | readers(node)
    assert found == READERS


LOOPS = {
    "transforms.sketches.store.Sketches.rejects",  # yields the rejected rows of a unit at a time
    "transforms.writing.ledger._row_groups_of",  # a worker's; yields a group of rows at a time
    "pipeline.stages.texts.documents_of_sources",  # `explain`; yields the wanted rows of a unit
    "pipeline.stages.texts.TextLookup.texts",  # units with a text that the report shows
}
"""Functions that loop over units or paths and read rows, each with its reason."""


def test_no_other_loop_over_units_reads_their_rows() -> None:
    """Check loops and comprehensions over `units` or `paths`, wherever they stand."""
    loops = {
        function
        for name, tree in of_product("transforms.", "pipeline.")
        for function, node in functions(tree, name)
        for loop in ast.walk(node)
        if isinstance(loop, ast.For | ast.comprehension) and of_units(loop.iter)
        for body in [node if isinstance(loop, ast.comprehension) else loop]
        if readers(body) - {"unit_file"}
    }
    assert loops == LOOPS


def of_units(values: ast.AST) -> bool:
    """Return whether a loop runs over all units or their files."""
    return any(
        getattr(node, "attr", getattr(node, "id", None)) in {"units", "paths"}
        for node in ast.walk(values)
    )

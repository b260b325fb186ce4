"""Hidden modules can't be imported, and others can."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from outcross.pipeline.engine.hiding import hidden

ROOT = Path(__file__).parents[3]


def test_a_hidden_module_comes_back() -> None:
    sys.modules.pop("this", None)
    sys.modules.pop("antigravity", None)
    with hidden(["antigravity"]), pytest.raises(ModuleNotFoundError, match="antigravity"):
        import_module("antigravity")
    assert "antigravity" not in sys.modules
    assert import_module("colorsys").rgb_to_hls(0, 0, 0) == (0.0, 0.0, 0.0)


def test_the_command_line_imports_no_connectors_and_a_program_has_all_of_them() -> None:
    script = """
import sys
from outcross.pipeline.engine.engines import load_beam
beam = load_beam(connectors={connectors})
assert beam.Create and beam.io.ReadFromText
print(*sorted({{"pandas", "bson", "apache_beam.io.gcp.bigquery"}} & set(sys.modules)))
"""
    for connectors, loaded in ((False, ""), (True, "apache_beam.io.gcp.bigquery bson pandas")):
        code = script.format(connectors=connectors)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, loaded, "")

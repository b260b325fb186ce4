"""Artifacts of stages are found by a key of all their inputs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.pipeline.engine import artifacts
from outcross.pipeline.engine.artifacts import artifact
from outcross.schemas import formats

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
_PARTS = st.dictionaries(st.sampled_from("abcd"), _VALUES, max_size=4)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return str(tmp_path_factory.mktemp("out"))


def _canonical(value):
    """Return a value that is equal for equal JSON: 1 differs from true, but keys have no order."""
    if isinstance(value, dict):
        return frozenset((key, _canonical(member)) for key, member in value.items())
    if isinstance(value, list):
        return tuple(_canonical(element) for element in value)
    return type(value).__name__, value


@given(_PARTS, _PARTS)
def test_the_key_is_that_of_the_parts_and_of_nothing_else(out, parts, changed):
    first, second = artifact(out, "plan", **parts), artifact(out, "plan", **changed)
    assert (first.key == second.key) == (_canonical(parts) == _canonical(changed))
    backwards = dict(reversed(list(parts.items())))
    assert artifact(out, "plan", **backwards) == first
    assert artifact(out, "select", **parts).key != first.key


@pytest.mark.parametrize(
    ("module", "name"), [(artifacts, "FORMAT_VERSION"), (formats, "TEXT_VERSION")]
)
def test_another_format_has_another_key(out, monkeypatch, module, name):
    before = artifact(out, "plan", a=1).key
    monkeypatch.setattr(module, name, getattr(module, name) + 1)
    assert artifact(out, "plan", a=1).key != before


def test_the_key_does_not_know_where_it_lies(tmp_path):
    """Compare the keys of two directories, as an output directory may be moved."""
    assert (
        artifact(str(tmp_path / "a"), "plan", a=1).key == artifact(str(tmp_path), "plan", a=1).key
    )


def test_a_stage_is_finished_once_it_says_so(tmp_path):
    sketch = artifact(str(tmp_path), "sketch", seed=1)
    assert Path(sketch.folder).parent == tmp_path / ".outcross"
    Path(sketch.subfolder("units"), "unit-000000.json").write_text("{}")
    assert not sketch.finished
    assert not artifact(str(tmp_path), "sketch", seed=1).finished
    sketch.finish({"counts": {"a": 2}})
    again = artifact(str(tmp_path), "sketch", seed=1)
    assert again.finished
    assert again.stats() == {"counts": {"a": 2}}
    assert not artifact(str(tmp_path), "sketch", seed=2).finished
    assert Path(again.path("units", "unit-000000.json")).exists()

"""Folders of a stopped command, and memory between its pipelines."""

import os
from pathlib import Path

import apache_beam as beam

from outcross.pipeline.engine.artifacts import WORK
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.stages import context as stages_context
from outcross.pipeline.stages.context import Context
from outcross.schemas.config import parse
from outcross.schemas.documents import Unit


def test_a_thread_that_still_writes_does_not_hide_why_a_command_stops(tmp_path, monkeypatch):
    source = {"name": "s", "role": "synthetic", "files": [str(tmp_path / "a.jsonl")]}
    config = parse({"out": str(tmp_path), "sources": [source]})
    (tmp_path / WORK).mkdir()
    remove = os.rmdir

    def write_meanwhile(path, **keys):
        if str(path).endswith("ngrams-3"):
            (folder / "part").write_text("of a thread that goes on")
        remove(path, **keys)

    context = Context(config, progress=StageProgress(quiet=True))
    spilling = context.spill()
    folder = Path(spilling.__enter__(), "ngrams-3")
    folder.mkdir()
    monkeypatch.setattr(os, "rmdir", write_meanwhile)
    assert not spilling.__exit__(RuntimeError, RuntimeError("stopped"), None)
    monkeypatch.undo()
    with context.spill() as another:  # the next command deletes what was left
        assert [path.name for path in (tmp_path / WORK).glob("spill-*")] == [
            os.path.basename(another)
        ]


def test_freed_memory_is_given_back_after_each_pipeline(tmp_path, monkeypatch):
    source = {"name": "s", "role": "synthetic", "files": [str(tmp_path / "a.jsonl")]}
    config = parse({"out": str(tmp_path), "sources": [source], "workers": 1})
    context = Context(config, progress=StageProgress(quiet=True))
    given_back = []

    def give_back():
        given_back.append(len(context.pipelines))

    monkeypatch.setattr(stages_context, "give_back_freed_memory", give_back)
    (tmp_path / WORK).mkdir()
    for _ in range(2):
        context.over_units([Unit(0, 0, ())], lambda lanes: lanes | beam.Map(len))
    assert given_back == [1, 2]

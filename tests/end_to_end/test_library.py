"""`import outcross`, as in the README."""

from __future__ import annotations

import subprocess
import sys

import pytest

import outcross
from tests.end_to_end.conftest import run
from tests.support.promises import promised_bytes


def test_a_run_from_python_is_the_run_of_the_command(corpus, tmp_path, capfd):
    sources = {"gpt": "synthetic", "people": "human"}
    config = outcross.Config(
        out=str(tmp_path / "out"),
        sources=[
            outcross.Source(
                name=role,
                role=role,
                files=[str(corpus.folder / f"{name}.jsonl")],
                text_field="messages.1.content" if name == "gpt" else "text",
                id_field="id",
            )
            for name, role in sources.items()
        ],
        tokens=8000,
        rounds=2,
        max_copies=outcross.MaxCopies(synthetic=1, human=1),
    )
    planned = outcross.plan(config)
    assert not (tmp_path / "out" / "data").exists()
    result = outcross.run(config)
    assert capfd.readouterr().out == ""
    assert result.report.figures("write").effective_clusters > 1
    assert result.plan == planned
    with pytest.raises(KeyError, match="'nobody'"):
        result.report.figures("write", "nobody")
    again = tmp_path / "again"
    (tmp_path / "config.yaml").write_text(
        config.model_copy(update={"out": str(again)}).model_dump_json(exclude_unset=True)
    )
    command = run(tmp_path / "config.yaml", out=again)
    assert promised_bytes(again) == promised_bytes(tmp_path / "out")
    assert command.report == result.report.model_dump(mode="json")
    kept = outcross.dedup(config)
    assert kept.plan is None
    assert kept.report.conservation[0].kept == result.report.conservation[0].kept


def test_wrong_requests_raise_before_anything_is_made(tmp_path):
    with pytest.raises(ValueError, match="seed"):
        outcross.Config(
            out=str(tmp_path / "out"),
            seed=-1,
            sources=[outcross.Source(name="a", role="synthetic", files=["a.jsonl"])],
        )
    missing = outcross.Config(
        out=str(tmp_path / "out"),
        sources=[
            outcross.Source(name="a", role="synthetic", files=[str(tmp_path / "none-*.jsonl")])
        ],
    )
    with pytest.raises(outcross.ConfigError, match="matches no file"):
        outcross.run(missing)
    assert not (tmp_path / "out").exists()


def test_importing_says_nothing():
    done = subprocess.run(
        [sys.executable, "-c", "import outcross"], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_every_public_name_is_there():
    assert all(hasattr(outcross, name) for name in outcross.__all__)

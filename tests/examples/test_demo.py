"""The demo is the first thing that a newcomer runs: it has to end, and to show what it claims."""

import json
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import demo

from tests.support.commands import call_program
from tests.support.human_texts import human_paragraphs


def test_it_starts_as_a_program() -> None:
    line = [sys.executable, demo.__file__, "--help"]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
    assert "where all is written" in done.stdout


def test_demo_widens_what_the_generator_has_narrowed_and_more_than_a_naive_mix(
    tmp_path: Path,
) -> None:
    with patch.object(demo, "human_paragraphs", lambda: human_paragraphs()[::2]):
        done = call_program(demo.main, "demo.py", "--work", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "How much of human text is left?" in done.stdout
    assert "report.html" in done.stdout.splitlines()[-2]
    closed = [
        [int(percent) for percent in gap]
        for gap in re.findall(r"(\d+)% → (\d+)%", done.stdout.split("How much of human")[1])
    ]
    assert len(closed) == 6
    for naive, curated in closed:
        assert curated > naive > 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    stages = {stage["name"]: stage["roles"] for stage in report["stages"]}
    before, after = stages["read"]["synthetic"], stages["write"]["all"]
    assert after["effective_clusters"] > 1.3 * before["effective_clusters"]
    assert after["kl_to_reference"] < 0.2 * before["kl_to_reference"]
    assert after["tail_mass"] > before["tail_mass"]
    assert report["achieved"]["most_copies"] == 1

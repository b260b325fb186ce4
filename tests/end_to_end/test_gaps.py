"""A reference that lacks a topic of the human text is named; one that has it is not."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.conftest import run, write_rows
from tests.support.commands import outcross

TOPICS = [
    "river water fish boat stone bridge bank flood rain cloud storm wave sea harbour sail",
    "bread flour oven butter sugar salt egg milk cheese kitchen knife spoon plate soup onion",
    "music song piano violin chord rhythm dance stage singer guitar drum concert opera voice",
    "court judge law lawyer jury trial crime prison police evidence witness sentence appeal",
]
LITTLE = " of a kind that the reference has little of ("
WARNING = re.compile(
    r"warning: reference: ([\d.]+)% of the human text of (\w+) is" + re.escape(LITTLE)
)
ADVICE = "outcross reference build --human FILES --out FOLDER"


def texts(number: int, topics: list[str], draw: random.Random) -> list[str]:
    words = [topic.split() for topic in topics]
    return [
        " ".join(draw.choices(draw.choice(words), k=draw.randint(12, 60))) for _ in range(number)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write human text of four topics, text of three of them, and synthetic text."""
    target, draw = tmp_path_factory.mktemp("gaps"), random.Random(5)
    for name, rows in {
        "three": texts(600, TOPICS[:3], draw),
        "four": texts(600, TOPICS, draw),
        "more": texts(600, TOPICS, draw),
        "synthetic": texts(300, TOPICS, draw),
        "later": texts(300, TOPICS, draw),
        "known": texts(1500, TOPICS[:3], draw),
        "law": texts(150, TOPICS[3:], draw),
        **{f"topic{number}": texts(150, [topic], draw) for number, topic in enumerate(TOPICS)},
    }.items():
        write_rows(target / f"{name}.jsonl", [{"text": text} for text in rows])
    for name in ("three", "more"):
        built = ["--human", target / f"{name}.jsonl", "--out", target / f"reference-{name}"]
        outcross("reference", "build", *built)
    return target


def config(folder: Path, out: Path, roles: dict[str, str], **keys: Any) -> Path:
    sources = [
        {"name": name, "role": role, "files": [str(folder / f"{name}.jsonl")]}
        for name, role in roles.items()
    ]
    path = out.parent / f"{out.name}.yaml"
    path.write_text(yaml.safe_dump({"out": str(out), "sources": sources, "rounds": 1, **keys}))
    return path


def warnings(*arguments: object) -> list[str]:
    """Return the warnings of `outcross plan` about gaps."""
    done = outcross("plan", *arguments)
    return [line for line in done.stderr.splitlines() if LITTLE in line]


def test_a_missing_topic_is_named_everywhere(folder: Path, tmp_path: Path) -> None:
    roles = {"synthetic": "synthetic", "four": "human"}
    path = config(folder, tmp_path / "out", roles, reference=str(folder / "reference-three"))
    done = run(path, out=tmp_path / "out")
    (line,) = [line for line in done.stderr.splitlines() if LITTLE in line]
    share, source = WARNING.match(line).groups()
    assert 15 < float(share) < 35
    assert source == "four"
    assert ADVICE in line
    assert "The nearest that the reference has: cluster" in line
    known = {word for topic in TOPICS[:3] for word in topic.split()}
    named = line.partition("nearest that")[2].partition("If you want")[0]
    assert known & set(named.replace(",", " ").replace("(", " ").replace(")", " ").split())
    message = line.removeprefix("warning: ")
    assert message in done.report["verdict"]["warnings"]
    assert message in done.plan["warnings"]
    assert line in done.stdout
    assert LITTLE in (done.out / "report.html").read_text()
    assert warnings(path) == [line]
    assert len(warnings(path, "--no-texts")) == 1
    silent = warnings(path, "--no-texts", "--out", tmp_path / "silent")
    assert len(silent) == 1
    assert not known & set(silent[0].split())


def test_a_reference_among_the_sources_is_looked_at_as_well(folder: Path, tmp_path: Path) -> None:
    roles = {"synthetic": "synthetic", "four": "human", "three": "reference"}
    assert len(warnings(config(folder, tmp_path / "out", roles))) == 1


@pytest.mark.parametrize("kind", ["itself", "file", "role"])
def test_a_reference_of_such_text_is_not_named(folder: Path, tmp_path: Path, kind: str) -> None:
    roles = {"synthetic": "synthetic", "four": "human"}
    keys = {"reference": str(folder / "reference-more")} if kind == "file" else {}
    if kind == "role":
        roles["more"] = "reference"
    assert warnings(config(folder, tmp_path / "out", roles, **keys)) == []


def test_text_that_the_reference_has_hides_none_that_it_lacks(folder: Path, tmp_path: Path) -> None:
    roles = {"synthetic": "synthetic", "known": "human", "law": "human"}
    path = config(folder, tmp_path / "out", roles, reference=str(folder / "reference-three"))
    (line,) = warnings(path)
    share, source = WARNING.match(line).groups()
    assert (source, "% of all human text of the run)" in line) == ("law", True)
    assert float(share) > 50


def test_sources_of_a_topic_each_are_not_named(folder: Path, tmp_path: Path) -> None:
    roles = {"synthetic": "synthetic"} | {f"topic{number}": "human" for number in range(4)}
    path = config(folder, tmp_path / "out", roles, reference=str(folder / "reference-more"))
    assert warnings(path) == []


def test_bought_text_and_the_ledger_are_looked_at_apart(folder: Path, tmp_path: Path) -> None:
    keys = {"lineage": str(tmp_path / "lineage"), "reference": str(folder / "reference-three")}
    first = {"synthetic": "synthetic", "four": "human"}
    second = {"later": "synthetic", "three": "human"}
    outcross("run", config(folder, tmp_path / "first", first, **keys))
    (line,) = warnings(config(folder, tmp_path / "second", second, **keys))
    assert WARNING.match(line)[2] == "ledger"
    ledger = json.loads((tmp_path / "lineage/lineage.json").read_text())["generations"][0]["fresh"]
    tokens = int(line.partition(LITTLE)[2].partition(" ")[0].replace(",", ""))
    assert f"{tokens / ledger['tokens']:.1%}" == f"{WARNING.match(line)[1]}%"
    assert "leave it out" not in line

"""`outcross requests` on a corpus whose generator has lost a subject."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import outcross as product
from outcross.schemas.plan import Plan
from outcross.schemas.requests import RequestLine
from tests.end_to_end.conftest import Run, run, write_rows
from tests.support.commands import outcross

MARKER = "zqreference"
SUBJECTS = {
    "sea": "sail harbour tide anchor mast reef keel buoy deck rudder captain storm gull wave",
    "kitchen": "flour butter oven dough sugar yeast pastry whisk simmer garlic onion broth salt",
    "law": "court judge verdict appeal statute clause witness plaintiff counsel trial tort writ",
    "music": "violin chord tempo melody quartet rhythm soprano concert tune choir octave fugue",
    "garden": "soil seed prune tulip hedge compost orchard bloom root lawn weed spade petal moss",
    "space": "orbit planet comet telescope rocket galaxy lunar solar nebula astronaut crater star",
}
LOST = "law"
TOKENS = 6000


def texts(subject: str, number: int, seed: str) -> list[str]:
    draw = random.Random(f"{subject} {seed}")
    words = SUBJECTS[subject].split()
    return [
        " ".join(draw.choice(words) + draw.choice(["", "s", "ed"]) for _ in range(30))
        for _ in range(number)
    ]


@dataclass(frozen=True)
class Files:
    """Files of the sources, and how each run reads them."""

    folder: Path

    def config(self, out: Path, **keys: Any) -> Path:
        sources = [
            {"name": "gpt", "role": "synthetic", "prompt_field": "prompt"},
            {"name": "people", "role": "human"},
            {"name": "kept", "role": "reference"},
        ]
        for source in sources:
            source |= {"files": [str(self.folder / f"{source['name']}.jsonl")], "id_field": "id"}
        values = {"out": str(out), "sources": sources, "tokens": TOKENS, "human_share": 0.2}
        values |= {"best_effort": True, "workers": 1, "rounds": 1}
        path = out.parent / f"{out.name}.yaml"
        path.write_text(yaml.safe_dump(values | keys))
        return path


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Files:
    folder = tmp_path_factory.mktemp("requests")
    human = [text for subject in SUBJECTS for text in texts(subject, 40, "people")]
    kept = [f"{MARKER} {text}" for subject in SUBJECTS for text in texts(subject, 60, "kept")]
    made = [text for subject in SUBJECTS if subject != LOST for text in texts(subject, 70, "g")]
    random.Random(0).shuffle(made)
    rows = [
        {"id": f"g{number}", "text": text, "prompt": f"prompt {number % 50}"}
        for number, text in enumerate(made)
    ]
    rows += [{"id": f"same{n}", "text": made[0], "prompt": "Say it again"} for n in range(12)]
    for row in rows:
        row["kind"] = ("prose", "maths")[len(row["text"]) % 2]
    write_rows(folder / "gpt.jsonl", rows)
    for name, parts in (("people", human), ("kept", kept)):
        lines = [
            {"id": f"{name[0]}{n}", "text": text, "kind": ("prose", "maths")[n % 2]}
            for n, text in enumerate(parts)
        ]
        write_rows(folder / f"{name}.jsonl", lines)
    return Files(folder)


@pytest.fixture(scope="module")
def finished(sources, tmp_path_factory) -> Run:
    out = tmp_path_factory.mktemp("finished") / "out"
    return run(sources.config(out), out=out)


def requested(out: Path, *options: Any) -> list[dict[str, Any]]:
    """Return the lines that the command writes to stdout; each is valid."""
    lines = outcross("requests", out, "-o", "-", *options).stdout.splitlines()
    for line in lines:
        RequestLine.model_validate_json(line)
    return [json.loads(line) for line in lines]


def of_kind(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == kind]


def subject_of(line: dict[str, Any]) -> set[str]:
    """Return the subjects of a line's seeds."""
    first = [seed["text"].split()[0].removesuffix("ed").removesuffix("s") for seed in line["seeds"]]
    return {s for word in first for s, words in SUBJECTS.items() if word in words}


def test_a_lost_subject_is_asked_for_with_human_texts_of_it(finished) -> None:
    clusters = of_kind(requested(finished.out), "cluster")
    assert clusters
    asked = sorted((line["tokens"] for line in clusters), reverse=True)
    assert [line["tokens"] for line in clusters] == asked
    assert {subject for line in clusters for subject in subject_of(line)} == {LOST}
    people = {
        (row["outcross"]["source"], row["outcross"]["id"]): row
        for row in finished.data
        if row["outcross"]["role"] == "human"
    }
    for line in clusters:
        assert line["available"] < line["wanted"]
        assert line["tokens"] == pytest.approx(line["wanted"] - line["available"], abs=1)
        assert 1 <= len(line["seeds"]) <= 3
        assert line["words"]
        for seed in line["seeds"]:
            row = people[seed["source"], seed["id"]]
            assert row["outcross"]["cluster"] == line["cluster"]
            assert seed["text"] == row["text"]
            assert f"> {seed['text']}" in line["prompt"]


def test_no_text_of_the_reference_is_shown(finished) -> None:
    assert any(MARKER in line["text"] for line in finished.plan["starved"])
    lines = requested(finished.out, "--tokens", 10_000, "--seeds", 50)
    assert MARKER not in json.dumps(lines)
    assert {seed["source"] for line in of_kind(lines, "cluster") for seed in line["seeds"]} == {
        "people"
    }


def test_a_plan_alone_gives_words_and_no_seeds(sources, tmp_path) -> None:
    out = tmp_path / "out"
    outcross("plan", sources.config(out))
    done = outcross("requests", out, "-o", tmp_path / "r.jsonl", "--json")
    summary = json.loads(done.stdout)
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert summary["clusters"] == len(lines) > 0
    assert summary["tokens"] == sum(line["tokens"] for line in lines)
    assert "`outcross run`" in summary["warnings"][0]
    assert all(line["words"] and not line["seeds"] and line["prompt"] for line in lines)
    assert MARKER not in json.dumps(lines)


def test_python_gives_the_lines_of_the_command(finished) -> None:
    result = product.requests(str(finished.out), tokens=5000, seeds=1)
    lines = requested(finished.out, "--tokens", 5000, "--seeds", 1)
    for few in (1, 7, 4999):
        assert product.requests(str(finished.out), tokens=few, seeds=0).tokens == few
    assert [json.loads(line) for line in result.lines()] == lines


def test_prompts_that_have_collapsed_have_lines_of_their_own(finished) -> None:
    (line,) = of_kind(requested(finished.out), "prompt")
    assert (line["source"], line["collapsed"]["prompt"]) == ("gpt", "Say it again")
    assert line["collapsed"]["distinct"] == 1


def test_wanted_candidates_are_spread_as_the_target_and_more_where_there_are_few(finished) -> None:
    plain = of_kind(requested(finished.out, "--tokens", 20_000), "cluster")
    assert sum(line["tokens"] for line in plain) == pytest.approx(20_000, abs=len(plain))
    wanted = sum(line["wanted"] for line in plain)
    for line in plain:
        assert line["tokens"] == pytest.approx(20_000 * line["wanted"] / wanted, abs=1)
    besides = of_kind(requested(finished.out, "--tokens", 20_000, "--unasked", 20_000), "cluster")
    lost = {line["cluster"]: line["tokens"] for line in plain if not line["available"]}
    assert lost
    more = {line["cluster"]: line["tokens"] for line in besides}
    assert all(more[cluster] > tokens for cluster, tokens in lost.items())


def test_workers_change_nothing_and_the_file_is_replaced_whole(sources, finished, tmp_path) -> None:
    out, path = tmp_path / "out", tmp_path / "requests.jsonl"
    run(sources.config(out), out=out)
    outcross("requests", out, "-o", path, "--tokens", 9)
    outcross("requests", out, "-o", path)
    first = path.read_bytes()
    outcross("requests", finished.out, "-o", path)
    assert path.read_bytes() == first
    assert first.startswith(b'{"kind":"cluster"')
    assert [entry.name for entry in tmp_path.iterdir() if "requests" in entry.name] == [path.name]


def test_texts_are_cut_and_work_that_is_cleaned_is_not_needed(finished) -> None:
    before = requested(finished.out, "--characters", 40)
    assert {len(seed["text"]) for line in before for seed in line.get("seeds", [])} <= {*range(41)}
    outcross("clean", finished.out, "--all")
    assert requested(finished.out, "--characters", 40) == before


def test_a_generator_that_lacks_nothing_is_not_asked(sources, tmp_path) -> None:
    out = tmp_path / "out"
    config = sources.config(out, tokens=1500)
    values = yaml.safe_load(config.read_text())
    values["sources"][0]["files"] = [str(sources.folder / "wide.jsonl")]
    del values["sources"][0]["prompt_field"]
    wide = [text for subject in SUBJECTS for text in texts(subject, 60, "wide")]
    lines = [{"id": str(number), "text": text} for number, text in enumerate(wide)]
    write_rows(sources.folder / "wide.jsonl", lines)
    config.write_text(yaml.safe_dump(values | {"texts": False}))
    run(config, out=out)
    done = outcross("requests", out, "-o", tmp_path / "r.jsonl")
    assert "no cluster lacks synthetic text" in done.stdout
    assert (tmp_path / "r.jsonl").read_bytes() == b""
    silent = outcross("requests", out, "-o", "-", "--tokens", 900)
    assert "texts: false" in silent.stderr
    assert {
        (line["prompt"], *line["seeds"]) for line in map(json.loads, silent.stdout.splitlines())
    }


def test_a_domain_that_converges_may_lack_what_it_lacks(sources, tmp_path) -> None:
    out = tmp_path / "out"
    config = sources.config(out, domains={"maths": {"kind": "converge", "share": 0.4}})
    values = yaml.safe_load(config.read_text())
    for source in values["sources"]:
        source["domain_field"] = "kind"
    config.write_text(yaml.safe_dump(values))
    done = run(config, out=out)
    starved = of_kind(requested(out), "cluster")
    assert {line["domain"] for line in starved} == {"*"}
    everywhere = of_kind(requested(out, "--tokens", 10_000), "cluster")
    assert {line["domain"] for line in everywhere} == {"*", "maths"}
    assert sum(line["target"] for line in everywhere) == pytest.approx(1)
    kinds = {row["id"]: row["kind"] for row in done.data}
    for line in everywhere:
        kind = "maths" if line["domain"] == "maths" else "prose"
        assert {kinds[seed["id"]] for seed in line["seeds"]} <= {kind}


def test_texts_of_the_ledger_are_seeds(sources, tmp_path) -> None:
    shared = {"lineage": str(tmp_path / "lineage")}
    first = sources.config(tmp_path / "g0", human_share=1.0, tokens=4000, **shared)
    values = yaml.safe_load(first.read_text())
    del values["sources"][0]
    first.write_text(yaml.safe_dump(values))
    run(first, out=tmp_path / "g0")
    second = sources.config(tmp_path / "g1", human_share=0.3, fresh_human_tokens=0, **shared)
    run(second, out=tmp_path / "g1")
    lines = of_kind(requested(tmp_path / "g1"), "cluster")
    seeds = [seed for line in lines for seed in line["seeds"]]
    assert seeds
    assert all(seed["source"] == "ledger" and seed["id"].startswith("g0/") for seed in seeds)
    assert MARKER not in json.dumps(lines)


def test_what_can_not_be_asked_is_refused(finished, tmp_path) -> None:
    def refused(*arguments: Any) -> str:
        return outcross("requests", *arguments, code=2).stderr

    (tmp_path / "empty").mkdir()
    assert "holds no plan.json" in refused(tmp_path / "empty")
    assert "unasked only works with tokens" in refused(finished.out, "--unasked", 5)
    assert "tokens: found 0" in refused(finished.out, "--tokens", 0)
    assert "choose one" in refused(finished.out, "-o", "-", "--json")
    assert "can't be written" in refused(finished.out, "-o", tmp_path / "none" / "r.jsonl")
    plan = json.loads((finished.out / "plan.json").read_text())
    plan["reached"] |= {"kl": None, "reference_entropy": None}
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "plan.json").write_bytes(Plan.model_validate(plan).to_json())
    assert "without human text to compare with" in refused(alone)

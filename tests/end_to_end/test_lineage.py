"""Three generations of one loop: what was bought is used again, and earlier candidates stand by."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from outcross.schemas.lineage import LineageSummary
from tests.end_to_end.conftest import Run, bare, run, write_rows
from tests.support.commands import outcross
from tests.support.promises import promised_bytes
from tests.support.stops import stopped_at

TOKENS, SHARE, FRESH = 6000, 0.4, 900
ASKED = {"tokens": TOKENS, "human_share": SHARE, "fresh_human_tokens": FRESH}
SETTINGS = {"archive": 3.5, "archive_source": 1.5, "rounds": 1, "workers": 1}
SETTINGS |= {"shard_mb": 1, "text_out": "judged"}
NAMES = ["g1", "g2", "g3"]


@dataclass(frozen=True)
class Loop:
    """Generations in a folder: their sources' files, and where their results and lineage are.

    Attributes:
        folder: of the results.
        files: for each generation, of its sources, by their names.
        people: for each generation, its human rows by the ids that a ledger gives them.
    """

    folder: Path
    files: dict[str, dict[str, Path]]
    people: dict[str, dict[str, dict[str, Any]]]

    @property
    def lineage(self) -> Path:
        return self.folder / "lineage"

    def config(self, name: str, **keys: Any) -> Path:
        """Write a YAML file of a generation."""
        given = self.files[name]
        gpt = {
            "text_field": "messages.1.content",
            "id_field": "id",
            "where": {"verified": True},
            "domain_field": "kind",
        }
        people = {"domain_field": "kind"}
        if name != "g3":  # whose rows have none
            people["id_field"] = "id"
        sources = [
            {"name": "gpt", "role": "synthetic", "files": [str(given["gpt"])], **gpt},
            {"name": "people", "role": "human", "files": [str(given["people"])], **people},
        ]
        values = {"out": str(self.folder / name), "lineage": str(self.lineage), "sources": sources}
        path = self.folder / f"{name}.yaml"
        path.write_text(
            yaml.safe_dump(values | SETTINGS | ({} if "plan" in keys else ASKED) | keys)
        )
        return path

    def at(self, folder: Path, generations: int) -> Loop:
        """Copy the loop, as it was after so many generations."""
        shutil.copytree(self.lineage, folder / "lineage")
        copied = Loop(folder, self.files, self.people)
        path = copied.lineage / "lineage.json"
        state = json.loads(path.read_text())
        later = state["generations"][generations:]
        state["generations"] = state["generations"][:generations]
        path.write_text(json.dumps(state, indent=2) + "\n")
        for generation in later:
            for place in copied.lineage.glob(f"*/{generation['name']}-*"):
                shutil.rmtree(place)
        return copied

    def lineage_files(self) -> dict[str, bytes]:
        """Return the files of the lineage, without the places of its generations' results."""
        files = {path: path.read_bytes() for path in self.lineage.rglob("*") if path.is_file()}
        return {
            str(path.relative_to(self.lineage)): re.sub(rb'"out": ".*/', b'"out": "', data)
            for path, data in files.items()
            if path.name != "lock"
        }


@pytest.fixture(scope="module")
def loop(corpus, base, tmp_path_factory) -> Loop:
    """Take the people of the second generation from a run's data/, its column included."""
    folder = tmp_path_factory.mktemp("loop")
    table = pq.read_table(base.out / "data")
    earlier = table.filter(
        pa.array(
            [o["source"] == "people" and o["copy"] == 1 for o in table["outcross"].to_pylist()]
        )
    )
    seen = set(earlier["id"].to_pylist())
    unseen = [row for row in corpus.rows["people"] if row["id"] not in seen]
    first = [row | {"none": None, "deep": {"no": None, "n": [1, None]}} for row in unseen[::2]]
    last = [
        {("words" if key == "year" else key): value for key, value in row.items() if key != "id"}
        for row in unseen[1::2]
    ]
    gpt = corpus.rows["gpt"]
    files: dict[str, dict[str, Path]] = {}
    people: dict[str, dict[str, dict[str, Any]]] = {}
    for number, (name, rows) in enumerate(
        zip(NAMES, (first, earlier.to_pylist(), last), strict=True)
    ):
        ending = ("jsonl", "parquet", "jsonl.gz")[number]
        people_file = folder / f"people-{name}.{'parquet' if number == 1 else 'jsonl'}"
        if number == 1:
            pq.write_table(earlier, people_file)
        else:
            write_rows(people_file, rows)
        candidates = write_rows(
            folder / f"gpt-{name}.{ending}", gpt[number * 200 : number * 200 + 200]
        )
        files[name] = {"people": people_file, "gpt": candidates}
        people[name] = {
            f"{name}/people/" + (row["id"] if number < 2 else f"{people_file.name}#{place}"): row
            for place, row in enumerate(rows)
        }
    return Loop(folder, files, people)


@pytest.fixture(scope="module")
def generations(loop) -> dict[str, Run]:
    return {name: run(loop.config(name), out=loop.folder / name) for name in NAMES}


def _ledger(done: Run) -> list[dict[str, Any]]:
    return [row for row in done.data if row["outcross"]["source"].startswith("ledger")]


def test_nothing_is_lost_and_what_is_asked_is_met(generations):
    ledger_tokens = 0
    for number, done in enumerate(generations.values()):
        for line in done.report["conservation"]:
            assert line["read"] == line["kept"] + line["removed"] + line["rejected"]
            assert line["kept"] == line["written"] + sum(line["not_selected"].values())
            written = [row for row in done.data if row["outcross"]["source"] == line["source"]]
            assert len(written) == line["written"] + line["copies"]
        human = [row["outcross"] for row in done.data if row["outcross"]["role"] == "human"]
        assert {row["of"] for row in human} == {1}
        assert len({row["id"] for row in human}) == len(human)
        fresh = sum(row["tokens"] for row in human if row["source"] == "people")
        again = sum(row["tokens"] for row in human) - fresh
        half = done.report["achieved"]["longest_document"] / 2
        assert abs(fresh - FRESH) <= half
        assert abs(fresh + again - min(SHARE * TOKENS, FRESH + ledger_tokens)) <= 2 * half
        assert abs(done.report["achieved"]["tokens"] - TOKENS) <= 2 * half
        place = done.report["lineage"]
        assert (place["generation"], place["number"]) == (NAMES[number], number + 1)
        assert place["fresh"]["tokens"] == fresh
        assert place["reused"]["tokens"] == again
        assert place["planned_fresh_tokens"] == pytest.approx(fresh)
        assert place["planned_reused_tokens"] == pytest.approx(again)
        assert place["planned_reused_tokens"] == done.plan["reached"]["ledger_tokens"]
        for figures in (done.plan["reached"], *done.plan["frontier"], done.report["achieved"]):
            assert (figures["lasting_error"] is None) == (ledger_tokens > 0)
        assert done.plan["generation"] == number + 1
        card = (done.out / "README.md").read_text()
        assert f"Generation {number + 1} of a lineage: {fresh:,} tokens of human text" in card
        assert f"and {again:,} come from the `ledger`" in card
        assert place["ledger"]["tokens"] == ledger_tokens
        ledger_tokens += fresh


def test_columns_come_out_of_the_ledger_as_they_went_in(loop, generations):
    originals = {name: row for rows in loop.people.values() for name, row in rows.items()}
    seen: dict[str, int] = dict.fromkeys(NAMES, 0)
    for done in list(generations.values())[1:]:
        ledger = _ledger(done)
        assert len(ledger) == done.report["lineage"]["reused"]["documents"] > 0
        for row in ledger:
            provenance = row["outcross"]
            assert row["judged"] == row["text"]
            original = dict(originals[provenance["id"]])
            if "outcross" in original:
                original["outcross_earlier"] = original.pop("outcross")
                assert original["outcross_earlier"]["id"] == original["id"]
            columns = {k: v for k, v in row.items() if k not in ("outcross", "judged")}
            assert bare(columns) == bare(original)
            assert provenance["domain"] == original["kind"]
            seen[provenance["id"].split("/")[0]] += 1
    assert seen["g1"] > 0
    assert seen["g2"] > 0
    schema = pq.read_schema(min(generations["g3"].out.glob("data/*.parquet")))
    assert "outcross_ledger" not in schema.names


def test_a_document_keeps_its_id(loop, generations):
    """Give a fresh document its own id, and later one with its generation and source."""
    texts: dict[str, set[str]] = {}
    for name, done in generations.items():
        for row in done.data:
            provenance = row["outcross"]
            if provenance["source"] == "people":
                texts.setdefault(row["judged"], set()).add(
                    f"{name}/people/{_bare_id(provenance['id'])}"
                )
            elif provenance["role"] == "human":
                texts[row["judged"]].add(provenance["id"])  # it was bought before
    assert all(len(ids) == 1 for ids in texts.values())
    every = {name for rows in loop.people.values() for name in rows}
    assert {name for ids in texts.values() for name in ids} <= every


def _bare_id(name: str) -> str:
    return name.removeprefix("people/")


def test_earlier_candidates_stand_beside_the_new(loop, generations):
    names = [["gpt"], ["g1.gpt", "gpt"], ["g1.gpt", "g2.gpt", "gpt"]]
    for done, expected in zip(generations.values(), names, strict=True):
        ranking = done.report["lineage"]["ranking"]
        assert sorted(source["name"] for source in ranking) == expected
        far = [source["distance"] for source in ranking]
        assert far == sorted(far)
        for source in ranking:
            line = done.conservation(source["name"])
            assert line["kept"] == source["held"]["documents"]
            beyond = line["not_selected"].get("archive", 0)
            assert line["kept"] - beyond == source["candidates"]["documents"]
    written = {row["outcross"]["source"] for row in generations["g3"].data}
    assert {"g1.gpt", "g2.gpt", "gpt"} <= written


def test_show_adds_up(loop, generations):
    shown_json = outcross("lineage", "show", loop.lineage, "--json")
    summary = LineageSummary.model_validate_json(shown_json.stdout)
    assert [generation.name for generation in summary.generations] == NAMES
    assert [line.generation for line in summary.ledger] == NAMES
    uses = dict.fromkeys(NAMES, 0)
    again: dict[str, int] = {}
    for done in generations.values():
        for row in _ledger(done):
            uses[row["outcross"]["id"].split("/")[0]] += 1
            again[row["outcross"]["id"]] = row["outcross"]["tokens"]
    for line, generation in zip(summary.ledger, summary.generations, strict=True):
        assert line.bought == generation.fresh == line.used + line.left
        assert sum((part.amount.tokens for part in generation.bought), 0) == generation.fresh.tokens
        assert line.uses == uses[generation.name]
        reused = [
            tokens for name, tokens in again.items() if name.startswith(f"{generation.name}/")
        ]
        assert (line.used.documents, line.used.tokens) == (len(reused), sum(reused))
        report = generations[generation.name].report
        assert generation.tokens == report["achieved"]["tokens"]
        place = report["lineage"]
        assert generation.reused.model_dump() == place["reused"]
        assert [ranked.model_dump() for ranked in generation.ranking] == place["ranking"]
    assert summary.ledger[-1].uses == 0
    shown = outcross("lineage", "show", loop.lineage).stdout
    # Headings are folded in a narrow terminal.
    assert {"never", "again", "uses", "new", "chosen"} <= set(shown.split())
    rows = [line.split() for line in shown.splitlines()]
    for line in summary.ledger:
        amounts = (line.bought, line.used, line.left)
        counts = [amount.tokens for amount in amounts]
        counts += [line.bought.documents, line.used.documents, line.uses]
        assert [line.generation, *(f"{count:,}" for count in counts)] in rows
    for generation in summary.generations:
        counts = [str(len(generation.sources)), str(len(generation.ranking))]
        assert any(row[:1] == [generation.name] and row[-2:] == counts for row in rows)
    for ranked in summary.generations[-1].ranking:
        assert f"{ranked.distance:.4f}" in shown
    refused = outcross("lineage", "show", loop.folder, code=2)
    assert "holds no lineage.json" in refused.stderr


@pytest.fixture(scope="module")
def after_two(loop, generations, tmp_path_factory):
    """Return a function that copies the loop after two generations."""

    def copied() -> Loop:
        return loop.at(tmp_path_factory.mktemp("copied"), 2)

    return copied


@pytest.mark.parametrize(
    "point",
    [
        "/g3/data/",  # in the middle of a shard
        # The result is whole and the ledger's files are written, but the lineage has no generation.
        "/lineage/lineage.json",
    ],
)
def test_a_stopped_run_leaves_the_ledger_as_it_was_and_goes_on(generations, loop, after_two, point):
    other = after_two()
    before = other.lineage_files()
    config = other.config("g3")
    with stopped_at(point):
        stopped = outcross("run", config, code=1)
    assert "stopped by the test" in stopped.stderr
    assert (other.folder / "g3" / "manifest.json").exists() == (point != "/g3/data/")
    after = other.lineage_files()
    assert {name: after[name] for name in before} == before
    if point == "/lineage/lineage.json":
        assert after.keys() > before.keys()
    done = run(other.config("g3", workers=3), out=other.folder / "g3")
    # A stop and more workers: nothing of it shows, but for a hidden file that was not finished.
    written = promised_bytes(done.out)
    finished = {name: data for name, data in written.items() if "/." not in name}
    assert finished == promised_bytes(generations["g3"].out)
    assert other.lineage_files() == loop.lineage_files()


def test_a_plan_changes_nothing_and_is_carried_out(generations, loop, after_two):
    other = after_two()
    before = other.lineage_files()
    planned = json.loads(outcross("plan", other.config("g3"), "--json").stdout)
    assert other.lineage_files() == before
    path = other.folder / "g3" / "plan.json"
    done = run(other.config("g3", plan=str(path)), out=other.folder / "g3")
    assert done.plan == planned
    assert promised_bytes(done.out) == promised_bytes(generations["g3"].out)
    # A generation later the same plan is one for something else.
    kept = other.folder / "kept.json"
    shutil.copy(path, kept)
    refused = outcross(
        "run",
        other.config("g3", plan=str(kept), out=str(other.folder / "g4")),
        code=2,
    )
    assert "was made for other documents" in refused.stderr


def test_others_read_what_a_generation_has_left(generations, loop, tmp_path):
    last = generations["g3"]
    audited = outcross("audit", last.out, "--out", tmp_path / "audit", "--json", code=None)
    assert json.loads(audited.stdout)["kind"] == "audit"
    explained = json.loads(outcross("explain", last.out, "--least-similar", 3, "--json").stdout)
    assert {line["source"] for line in explained["sources"]} >= {
        "ledger",
        "g1.gpt",
        "gpt",
        "people",
    }
    # What it has written, of the ledger and the archive too, is not written again.
    files = [loop.files[name] for name in NAMES]
    values = {
        "out": str(tmp_path / "out"),
        "text_out": "judged",  # the files come from a run, with its own text_judged
        "against": [str(last.out)],
        "sources": [
            {
                "name": name,
                "role": role,
                "files": [str(generation_files[name]) for generation_files in files],
                "text_field": field,
            }
            for name, role, field in (
                ("gpt", "synthetic", "messages.1.content"),
                ("people", "human", "text"),
            )
        ],
    }
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump(values))
    done = outcross("dedup", config)
    assert done.stderr
    written = {row["judged"] for row in last.data}
    remaining = Run(tmp_path / "out", done.stdout, done.stderr).data
    texts = {row["text"] or row["messages"][1]["content"] for row in remaining}
    assert texts
    assert not texts & written


def test_dedup_does_without_it(generations, loop, tmp_path):
    before = loop.lineage_files()
    config = loop.config("g3", out=str(tmp_path / "out"))
    outcross("dedup", config)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [line["source"] for line in report["conservation"]] == ["gpt", "people"]
    assert report["lineage"] is None
    assert loop.lineage_files() == before
    refused = outcross("dedup", config, "--lineage", loop.lineage, code=2)
    assert "--lineage" in refused.stderr


def test_what_is_gone_of_the_archive_is_left_out(generations, loop, after_two):
    other = after_two()
    gone = other.folder / "gone.jsonl"
    path = other.lineage / "lineage.json"
    path.write_text(path.read_text().replace(str(loop.files["g1"]["gpt"]), str(gone)))
    done = run(other.config("g3"), out=other.folder / "g3")
    warning = f"archive: g1.gpt: {gone} has changed or is missing"
    assert warning in "".join(done.stderr.split("\n"))
    assert [w for w in done.report["verdict"]["warnings"] if w.startswith(warning)]
    ranking = done.report["lineage"]["ranking"]
    assert sorted(source["name"] for source in ranking) == ["g2.gpt", "gpt"]
    assert len(json.loads(path.read_text())["generations"]) == 3

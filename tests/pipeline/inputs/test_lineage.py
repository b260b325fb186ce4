"""Lineages: the sources that they add to a run, the requests they refuse, and their commits."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import sys
import uuid
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.pipeline.commands import generation
from outcross.pipeline.commands import lineage as lineage_command
from outcross.pipeline.commands.lineage import lineage_summary
from outcross.pipeline.commands.run import RunResult, plan, run
from outcross.pipeline.engine.engines import PipelineError
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.inputs.lineage import (
    RunLineage,
    expected_mix,
    lock_lineage,
    read_lineage,
    within_lineage,
)
from outcross.pipeline.stages import rank
from outcross.pipeline.stages.context import RunError
from outcross.schemas.config import Config, parse
from outcross.schemas.lineage import Lineage
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.damage import DamagedError
from tests.support.locks import losing_lock
from tests.support.units import units_of

TOPICS = [
    "river water fish boat stone bridge bank flood rain cloud storm wave sea harbour sail",
    "bread flour oven butter sugar salt egg milk cheese kitchen knife spoon plate soup onion",
    "music song piano violin chord rhythm dance stage singer guitar drum concert opera voice",
]


def texts(seed: int, often: int) -> list[str]:
    draw = random.Random(seed)
    lines = []
    for _ in range(often):
        words = draw.choice(TOPICS).split()
        lines.append(" ".join(draw.choice(words) for _ in range(draw.randint(10, 50))))
    return lines


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def text_rows(seed: int, often: int = 90, **columns: Any) -> list[dict[str, Any]]:
    return [{"text": text, **columns} for text in texts(seed, often)]


class Loop:
    """A folder with a lineage, and runs in it: one generation is a second or two."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lineage = folder, folder / "lineage"

    def config(
        self,
        out: str,
        people: Path | dict[str, Any] | None = None,
        gpt: Path | dict[str, Any] | None = None,
        **asked: Any,
    ) -> Config:
        sources = []
        for name, role, given in (("gpt", "synthetic", gpt), ("people", "human", people)):
            if given is not None:
                keys = given if isinstance(given, dict) else {"files": [str(given)]}
                sources.append({"name": name, "role": role, **keys})
        amounts = {"tokens": 1500, "human_share": 0.4, "fresh_human_tokens": 250}
        if "plan" in asked:
            amounts = {}
        if "human_tokens" in asked:
            del amounts["human_share"]
        values: dict[str, Any] = {
            "out": str(self.folder / out),
            "lineage": str(self.lineage),
            "workers": 1,
        }
        values |= {"select": "random", "archive": 3.5, "archive_source": 1.5}
        return parse({**values, "sources": sources, **amounts, **asked})

    def run(self, *sources: Any, **asked: Any) -> RunResult:
        return run(self.config(*sources, **asked), (), StageProgress(quiet=True))

    def within(self, *sources: Any, **asked: Any) -> tuple[Config, RunLineage]:
        return within_lineage(self.config(*sources, **asked))

    @property
    def state(self) -> Lineage:
        return read_lineage(str(self.lineage))

    def files(self) -> dict[str, bytes]:
        """Return the bytes of all files of the lineage except its lock."""
        paths = (path for path in self.lineage.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.lineage)): path.read_bytes()
            for path in paths
            if path.name != "lock"
        }

    def rows(self, out: str) -> list[dict[str, Any]]:
        return pq.read_table(self.folder / out / "data").to_pylist()


def promised(out: Path) -> dict[str, bytes]:
    paths = [*out.glob("data/*"), *out.glob("removed/*"), out / "plan.json"]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """Return a lineage of two generations; the first has its texts in a column named outcross."""
    loop = Loop(tmp_path_factory.mktemp("loop"))
    first = [{"outcross": {"t": text}, "n": n} for n, text in enumerate(texts(1, 60))]
    people = write(loop.folder / "h1.jsonl", first)
    gpt = write(loop.folder / "s1.jsonl", text_rows(2))
    loop.run("g1", {"files": [str(people)], "text_field": "outcross.t"}, gpt)
    (first,) = loop.state.generations
    loop.run(
        "g2",
        write(loop.folder / "h2.jsonl", text_rows(3, 60)),
        write(loop.folder / "s2.jsonl", text_rows(4)),
    )
    assert loop.state.generations[0] == first
    return loop


@pytest.fixture
def loop(two_runs: Loop, tmp_path: Path) -> Loop:
    """Return a copy of the lineage for a third generation."""
    shutil.copytree(two_runs.lineage, tmp_path / "lineage")
    return Loop(tmp_path)


@pytest.fixture(scope="module")
def third(two_runs: Loop) -> tuple[Path, Path]:
    """Return the human and the synthetic file of a third generation."""
    people = write(two_runs.folder / "h3.jsonl", text_rows(5, 60))
    return people, write(two_runs.folder / "s3.jsonl", text_rows(6))


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["lock"],
        ["lock", "ledger/x-1/y", "reference/reference.json"],
        ["lock", ".lineage.json.0a.tmp"],  # while it was written
        ["lock", "g1/.outcross/lock", "g1/data/some"],
    ],
)
def test_a_folder_that_a_killed_first_run_has_left_is_an_empty_lineage(
    tmp_path: Path, names: list[str]
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert read_lineage(str(tmp_path)) == Lineage()
    assert read_lineage(str(tmp_path / "not" / "there")) == Lineage()


def test_what_is_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("words")
    with pytest.raises(ConfigError, match=r"holds files and no lineage\.json; choose an empty"):
        read_lineage(str(tmp_path))
    with pytest.raises(ConfigError, match="holds files"), lock_lineage(str(tmp_path)):
        pass
    with pytest.raises(ConfigError, match=r"thesis\.txt is a file; a directory is expected"):
        read_lineage(str(tmp_path / "thesis.txt"))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def _versioned(members: bytes) -> bytes:
    return b'{"format_version": 2, "text_version": 2, ' + members + b"}"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b'{"generations": [', "Invalid JSON"),
        (b"[]", "must be a mapping of keys"),
        (b'{"format_version": 1}', "was written by an older outcross: it has format_version 1"),
        (b'{"format_version": 3, "text_version": 2}', "was written by a newer outcross: it has"),
        (b'{"format_version": 2}', "was written by an older outcross: it has no text_version"),
        (b'{"generations": [{}]}', "was written by an older outcross or another program"),
        (_versioned(b'"generations": [{}]'), "generations.0.name: Field required"),
        (_versioned(b'"name": "a page"'), "name: there is no such key; `outcross schema lineage`"),
    ],
)
def test_a_damaged_file_is_refused_and_left(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "lineage.json"
    path.write_bytes(data)
    kinds = (ConfigError, DamagedError)
    with pytest.raises(kinds, match=rf"(?s)lineage: .*lineage\.json:? {says}") as refused:
        read_lineage(str(tmp_path))
    wanted = "written by" if refused.type is ConfigError else "; bring it back from a copy"
    assert wanted in str(refused.value)
    assert path.read_bytes() == data


@pytest.mark.parametrize("cut", [None, 8, 9])
@pytest.mark.parametrize(
    "name", ["archive/*/gpt.ngrams", "ledger/*/bought.ngrams", "ledger/*/used.parquet"]
)
def test_a_damaged_file_is_named(
    loop: Loop, third: tuple[Path, Path], name: str, cut: int | None
) -> None:
    path = min(loop.lineage.glob(name))
    data = path.read_bytes()
    path.unlink()
    if cut is not None:
        path.write_bytes(data[:-cut])
    with pytest.raises(DamagedError, match=rf"{path} .*; bring it back from a copy"):
        loop.within("g3", *third)


@pytest.mark.parametrize("stop", [None, KeyboardInterrupt])
def test_no_incomplete_file_outlives_the_lock(tmp_path: Path, stop: Any) -> None:
    temporary = f"x.{uuid.uuid4().hex}.tmp"
    names = ["ledger/g1-0a", "archive/g1-0a", "reference", "reference/pool"]
    leftovers = [tmp_path / name / f".{temporary}" for name in names]
    leftovers.append(tmp_path / f".lineage.{temporary.replace('x', 'json', 1)}")
    other = tmp_path / "g1" / f".{temporary}"  # a command at work in its own directory
    (tmp_path / "g1" / ".outcross").mkdir(parents=True)

    def leave() -> None:
        for path in (*leftovers, other):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"half")

    leave()
    with pytest.raises(stop) if stop else nullcontext(), lock_lineage(str(tmp_path)):
        assert not any(path.exists() for path in leftovers)
        leave()
        if stop:
            raise stop
    assert not any(path.exists() for path in leftovers)
    assert other.exists()


def _end_of_fingerprints(data: bytes) -> int:
    group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
    columns = map(group.column, range(group.num_columns))
    column = next(c for c in columns if c.path_in_schema.endswith("fingerprint_hi"))
    return (column.dictionary_page_offset or column.data_page_offset) + column.total_compressed_size


@pytest.mark.parametrize("name", ["ledger/*/people.parquet", "ledger/*/used.parquet"])
@pytest.mark.parametrize("data", [None, b"PAR1", "flipped"])
def test_show_names_what_is_damaged(loop: Loop, name: str, data: bytes | str | None) -> None:
    path = min(loop.lineage.glob(name))
    whole = path.read_bytes()
    path.unlink()
    if data == "flipped":
        place = _end_of_fingerprints(whole) - 2
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    elif isinstance(data, bytes):
        path.write_bytes(data)
    with pytest.raises(DamagedError, match=rf"^{path} .*; bring it back from a copy"):
        lineage_summary(str(loop.lineage))


def test_the_ledger_is_a_source_for_each_way_in_which_rows_have_their_parts(
    two_runs: Loop, third: tuple[Path, Path]
) -> None:
    config, lineage = two_runs.within("g3", *third)
    by_name = {source.name: source for source in config.sources}
    assert list(by_name) == ["gpt", "people", "ledger", "ledger-2", "g1.gpt", "g2.gpt"]
    assert lineage.ledger == {"ledger", "ledger-2"}
    assert lineage.run_sources == {"gpt", "people"}
    assert lineage.number == 3
    assert config.reference == str(two_runs.lineage / "reference")
    # A source's rows are as it had them, whatever the run has called its columns.
    assert by_name["ledger"].text_field == "outcross.t"
    assert by_name["ledger-2"].text_field == "text"
    for name, number in (("ledger", 0), ("ledger-2", 1)):
        source = by_name[name]
        assert (source.role, source.priority, source.id_field) == ("human", 1, "outcross_ledger.id")
        (part,) = two_runs.state.generations[number].bought
        assert source.files == [str(two_runs.lineage / part.file)]
        assert pq.read_metadata(source.files[0]).num_rows == part.amount.documents
    names = pq.read_schema(by_name["ledger"].files[0]).names
    assert sorted(names) == ["n", "outcross", "outcross_ledger"]
    new = {name: lineage.is_new(source) for name, source in by_name.items()}
    assert [name for name, is_so in new.items() if is_so] == ["gpt"]


def test_columns_keep_their_names_over_the_generations(
    two_runs: Loop, loop: Loop, third: tuple[Path, Path]
) -> None:
    """Compare the first generation's human rows with their copies in later generations."""
    before = {row["n"]: row for row in two_runs.rows("g1") if row["outcross"]["source"] == "people"}
    again = [row for row in two_runs.rows("g2") if row["outcross"]["source"] == "ledger"]
    people = two_runs.folder / "h1.jsonl"
    result = loop.run("g3", {"files": [str(people)], "text_field": "outcross.t"}, third[1])
    later = [row for row in loop.rows("g3") if row["outcross"]["source"].startswith("ledger")]
    assert result.report.lineage is not None
    assert len(later) == result.report.lineage.reused.documents
    compared = 0
    for row in [*again, *later]:
        if row["n"] is not None:
            compared += 1
            first = before[row["n"]]
            assert row["outcross_earlier"] == first["outcross_earlier"]
            assert row["outcross"]["tokens"] == first["outcross"]["tokens"]
            assert row["outcross"]["id"] == f"g1/{first['outcross']['id']}"
    assert compared > len(again) > 0  # rows of both generations
    assert "outcross_earlier_earlier" not in later[0]
    # And whoever was in the ledger is not bought again.
    bought = {r["n"] for r in loop.rows("g3") if r["outcross"]["source"] == "people"}
    assert bought
    assert not bought & before.keys()


@pytest.fixture(scope="module")
def of_one_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loop, RunResult]:
    """Return a lineage of two generations that choose from one file, and the second's result.

    The human texts' column is named outcross, and the first ones have no value in another column.
    """
    loop = Loop(tmp_path_factory.mktemp("of-one-file"))
    gpt = write(loop.folder / "s.jsonl", text_rows(3, 60))
    for number, year in ((1, None), (2, 1999)):
        rows = [{"outcross": text, "year": year} for text in texts(30 + number, 60)]
        people = write(loop.folder / f"h{number}.jsonl", rows)
        result = loop.run(f"g{number}", {"files": [str(people)], "text_field": "outcross"}, gpt)
    return loop, result


def test_a_column_that_is_the_text_itself_may_be_called_outcross(
    of_one_file: tuple[Loop, RunResult],
) -> None:
    _, result = of_one_file
    assert result.report.lineage is not None
    assert result.report.lineage.reused.documents > 0


def test_a_column_without_values_does_not_spoil_a_later_one(
    of_one_file: tuple[Loop, RunResult],
) -> None:
    loop, result = of_one_file
    assert not [text for text in result.report.verdict.warnings if "go together" in text]
    schema = pq.read_schema(min((loop.folder / "g2" / "data").glob("*")))
    assert schema.field("year").type == pa.int64()


def test_rows_whose_columns_hold_json_come_out_of_the_ledger_as_they_went_in(
    tmp_path: Path,
) -> None:
    """Let two sources disagree on a column, so that it holds JSON, and texts are JSON strings."""
    loop = Loop(tmp_path)
    rows = [{"text": {"c": text}, "kind": 3} for text in texts(3, 60)]
    gpt = {"files": [str(write(tmp_path / "s.jsonl", rows))], "text_field": "text.c"}
    people = [{"text": text.replace(" ", "\n"), "kind": "maths"} for text in texts(1, 60)]
    for number in (1, 2):
        path = write(tmp_path / f"h{number}.jsonl", people[number::2])
        given = {"files": [str(path)], "domain_field": "kind"}
        loop.run(f"g{number}", given, gpt, text_out="judged")
    before = {row["judged"] for row in loop.rows("g1")}
    again = [row for row in loop.rows("g2") if row["outcross"]["source"] == "ledger"]
    assert again
    for row in again:
        assert row["judged"] in before
        assert row["text"] == json.dumps(row["judged"])
        assert row["outcross"]["domain"] == "maths"


def test_names_that_the_lineage_takes_are_refused(two_runs: Loop, third: tuple[Path, Path]) -> None:
    people = {"files": [str(third[0])]}
    for taken in ("ledger", "ledger-2", "g1.gpt"):
        with pytest.raises(ConfigError, match=f"the name '{taken}' is taken by the lineage"):
            two_runs.within("g3", {**people, "name": taken}, third[1])


@pytest.mark.parametrize("name", ["g 3", "-g3", ".g3", "größe", "g:3"])
def test_a_directory_whose_name_can_be_none_of_a_generation_is_refused(
    two_runs: Loop, third: tuple[Path, Path], name: str
) -> None:
    with pytest.raises(ConfigError, match=f"out: its last part, '{name}', names the generation"):
        two_runs.within(name, *third)


def test_a_source_that_only_its_own_may_repeat_buys_nothing_twice(tmp_path: Path) -> None:
    """Set `removed_by`, which can't name the ledger, as configurations don't know it."""
    loop = Loop(tmp_path)
    people = {
        "files": [str(write(tmp_path / "h.jsonl", text_rows(1, 30)))],
        "removed_by": ["people"],
    }
    gpt = {"files": [str(write(tmp_path / "s.jsonl", text_rows(2, 60)))], "removed_by": ["gpt"]}
    for number in (1, 2):
        result = loop.run(f"g{number}", people, gpt)
        config, _ = loop.within(f"g{number + 1}", people, gpt)
        assert config.sources[0].removed_by == ["gpt"]
    assert result.report.lineage is not None
    assert result.report.lineage.reused.documents > 0
    prints: list[Any] = []
    for path in loop.lineage.glob("ledger/*/people.parquet"):
        notes = pq.read_table(path)["outcross_ledger"].to_pylist()
        prints += [(note["fingerprint_hi"], note["fingerprint_lo"]) for note in notes]
    assert len(prints) == len(set(prints)) == loop.state.ledger.documents


def test_earlier_candidates_that_are_gone_or_changed_are_left_out_and_said(
    tmp_path: Path, third: tuple[Path, Path]
) -> None:
    loop = Loop(tmp_path)
    gpt = [write(tmp_path / f"s{n}.jsonl", text_rows(20 + n, 60)) for n in (1, 2)]
    loop.run("g1", write(tmp_path / "h1.jsonl", text_rows(30, 60)), gpt[0])
    loop.run("g2", write(tmp_path / "h2.jsonl", text_rows(31, 60)), gpt[1])
    gpt[0].unlink()
    gpt[1].write_text(gpt[1].read_text().replace("river", "rover"))
    config, lineage = loop.within("g3", *third)
    assert lineage.archived == {}
    assert [source.name for source in config.sources] == ["gpt", "people", "ledger"]
    assert [warning.split(":")[1].strip() for warning in lineage.warnings] == ["g1.gpt", "g2.gpt"]
    assert str(gpt[0]) in lineage.warnings[0]
    assert "left out" in lineage.warnings[1]


def test_files_that_the_run_is_given_itself_are_not_earlier_ones_as_well(
    two_runs: Loop, third: tuple[Path, Path]
) -> None:
    """Give a run the complete folder of all samples, as some loops do."""
    _, lineage = two_runs.within("g3", third[0], {"files": [str(two_runs.folder / "s[123].jsonl")]})
    assert lineage.archived == {}
    assert lineage.warnings == []
    path = os.path.relpath(two_runs.folder / "s1.jsonl")
    _, lineage = two_runs.within("g3", third[0], {"files": [path, str(third[1])]})
    assert list(lineage.archived) == ["g2.gpt"]
    assert two_runs.within("g3", *third, archive=0)[1].archived == {}


def test_files_that_two_generations_chose_from_are_there_once(
    of_one_file: tuple[Loop, RunResult], third: tuple[Path, Path]
) -> None:
    """Archive a file twice: its later documents are all repeats, and would keep others out."""
    _, lineage = of_one_file[0].within("g3", *third)
    assert list(lineage.archived) == ["g1.gpt"]


def test_only_as_many_earlier_candidates_are_read_as_there_will_be_use_for(
    two_runs: Loop, third: tuple[Path, Path]
) -> None:
    few = {"tokens": 100, "fresh_human_tokens": 0, "archive": 1, "archive_source": 1}
    _, lineage = two_runs.within("g3", *third, **few)
    assert len(lineage.archived) == 1
    _, lineage = two_runs.within("g3", *third, tokens=10_000)
    assert len(lineage.archived) == 2


def test_another_reference_is_refused(
    two_runs: Loop, of_one_file: tuple[Loop, RunResult], third: tuple[Path, Path]
) -> None:
    same = str(two_runs.folder / "g1" / "reference")
    config, lineage = two_runs.within("g3", *third, reference=same)
    assert (config.reference, lineage.warnings) == (same, [])
    other = str(of_one_file[0].folder / "g1" / "reference")
    with pytest.raises(ConfigError, match="is not the reference of the lineage"):
        two_runs.within("g3", *third, reference=other)


def test_a_run_that_is_done_again_gives_the_same_and_changes_nothing(two_runs: Loop) -> None:
    before, result = two_runs.files(), promised(two_runs.folder / "g2")
    people, gpt = two_runs.folder / "h2.jsonl", two_runs.folder / "s2.jsonl"
    assert two_runs.within("g2", people, gpt)[1].number == 2
    two_runs.run("g2", people, gpt)
    assert two_runs.files() == before
    assert promised(two_runs.folder / "g2") == result
    shutil.rmtree(two_runs.folder / "g2")  # nor if nothing of it was left
    two_runs.run("g2", people, gpt)
    assert two_runs.files() == before
    assert promised(two_runs.folder / "g2") == result


def test_with_another_request_the_last_generation_is_replaced(two_runs: Loop) -> None:
    people, gpt = two_runs.folder / "h2.jsonl", two_runs.folder / "s2.jsonl"
    before, first = two_runs.files(), two_runs.state.generations[0]
    two_runs.run("g2", people, gpt, fresh_human_tokens=100)
    after, (kept, replaced) = two_runs.files(), two_runs.state.generations
    assert kept == first
    assert replaced.fresh.tokens < 160
    named = {part.file for bought in (kept, replaced) for part in bought.bought}
    assert named <= after.keys()
    # No file of the replaced generation remains.
    assert len(after) == len(before)
    assert {n for n in after if n.startswith("archive/g2")} == {
        source.ngrams for source in replaced.sources
    }
    two_runs.run("g2", people, gpt)  # and back again
    assert two_runs.files() == before


def test_a_first_generation_that_is_replaced_takes_its_reference_along(
    tmp_path: Path, third: tuple[Path, Path]
) -> None:
    loop = Loop(tmp_path)
    for number in (1, 2):
        loop.run("g1", write(tmp_path / f"h{number}.jsonl", text_rows(number, 60)), third[1])
        assert loop.within("g2", *third)[1].warnings == []
    assert len(loop.state.generations) == 1


def test_what_others_build_on_is_not_done_again(two_runs: Loop, third: tuple[Path, Path]) -> None:
    before = two_runs.files()
    with pytest.raises(ConfigError, match="'g1' is generation 1 of the lineage, and 'g2' builds"):
        two_runs.run("g1", *third)
    assert two_runs.files() == before


def test_the_same_name_elsewhere_is_refused(two_runs: Loop, third: tuple[Path, Path]) -> None:
    for name in ("g1", "g2"):
        told_of = rf"has a generation '{name}' already, of {two_runs.folder / name}; choose another"
        with pytest.raises(ConfigError, match=told_of):
            two_runs.within(f"elsewhere/{name}", *third)
    assert not (two_runs.folder / "elsewhere").exists()
    # However the same directory is typed.
    config = two_runs.config("g2", *third)
    typed = config.model_copy(update={"out": os.path.relpath(config.out) + "/"})
    assert within_lineage(typed)[1].number == 2


def test_two_at_once_are_refused(two_runs: Loop, third: tuple[Path, Path]) -> None:
    lock = two_runs.lineage / "lock"
    code = (
        "import fcntl, sys\n"
        f"lock = open({str(lock)!r}, 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    before = two_runs.files()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        for command in (run, plan):
            with pytest.raises(ConfigError, match=r"another run is at work on .*; wait for it"):
                command(two_runs.config("g3", *third), (), StageProgress(quiet=True))
        with lock_lineage(str(two_runs.folder / "another")):  # another lineage is free
            pass
        assert not (two_runs.folder / "g3").exists()
        process.kill()
    assert two_runs.files() == before
    with lock_lineage(str(two_runs.lineage)):
        pass


def test_a_lineage_that_changed_during_the_run_stays_as_it_is(
    loop: Loop, third: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Change the lineage during a run, as stores without locks allow."""
    path = loop.lineage / "lineage.json"
    changed = json.loads(path.read_bytes())
    changed["generations"].append({**changed["generations"][-1], "name": "other", "out": "/other"})
    write_ledger = generation.write_ledger
    called = []

    def meanwhile(*arguments: Any) -> None:
        called.append(1)
        write_ledger(*arguments)
        path.write_text(json.dumps(changed))

    monkeypatch.setattr(generation, "write_ledger", meanwhile)
    with pytest.raises(RunError, match=r"has changed during the run; the result in .* is"):
        loop.run("g3", *third)
    assert called
    assert json.loads(path.read_bytes()) == changed
    assert (loop.folder / "g3" / "manifest.json").exists()


def test_a_run_whose_lock_was_taken_commits_no_generation(
    loop: Loop, third: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lose the lock of the lineage after the last pipeline, as a machine that slept does."""
    lost: list[bool] = []
    write_ledger = generation.write_ledger

    def meanwhile(*arguments: Any) -> None:
        write_ledger(*arguments)
        lost.append(True)

    monkeypatch.setattr("outcross.pipeline.inputs.lineage.lock", losing_lock(lost))
    monkeypatch.setattr(generation, "write_ledger", meanwhile)
    before = (loop.lineage / "lineage.json").read_bytes()
    with pytest.raises(RunError, match="the lock is lost"):
        loop.run("g3", *third)
    assert (loop.lineage / "lineage.json").read_bytes() == before


def test_a_first_run_that_was_overtaken_leaves_the_other_runs_reference(
    tmp_path: Path, two_runs: Loop, third: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop(tmp_path)
    write_ledger = generation.write_ledger

    def meanwhile(*arguments: Any) -> None:
        write_ledger(*arguments)
        shutil.copytree(two_runs.lineage, loop.lineage, dirs_exist_ok=True)

    monkeypatch.setattr(generation, "write_ledger", meanwhile)
    with pytest.raises(RunError, match="has changed during the run"):
        loop.run("first", *third)
    assert {name: loop.files()[name] for name in two_runs.files()} == two_runs.files()


def test_directories_may_lie_in_the_lineages_own_folder(
    tmp_path: Path, third: tuple[Path, Path]
) -> None:
    loop = Loop(tmp_path)
    with pytest.raises(ConfigError, match="human_tokens: there are"):
        loop.run("lineage/g1", *third, tokens=None, human_tokens=10**6)
    loop.run("lineage/g1", *third)
    assert [bought.name for bought in loop.state.generations] == ["g1"]


def test_a_plan_asks_for_what_it_was_asked_for(loop: Loop, third: tuple[Path, Path]) -> None:
    """Run a plan whose amounts decide on the candidates as well."""
    asked = {"tokens": 300, "human_share": 0.3, "fresh_human_tokens": 40}
    before = loop.files()
    planned = plan(loop.config("g3", *third, **asked), (), StageProgress(quiet=True))
    assert loop.files() == before
    path = loop.folder / "g3" / "plan.json"
    config = loop.config("g3", *third, plan=str(path))
    _, lineage = within_lineage(config)
    assert lineage.asked.tokens == 300
    assert lineage.asked.human_share == 0.3
    assert lineage.asked.fresh_human_tokens == 40
    result = run(config, (), StageProgress(quiet=True))
    assert result.plan == planned
    assert len(loop.state.generations) == 3
    again = Loop(loop.folder / "again")
    shutil.copytree(loop.lineage, again.lineage)
    state = loop.state.model_copy(update={"generations": loop.state.generations[:2]})
    (again.lineage / "lineage.json").write_text(state.model_dump_json())
    again.run("g3", *third, **asked)
    assert promised(again.folder / "g3") == promised(loop.folder / "g3")


@pytest.mark.parametrize(
    ("asked", "fresh", "ledger", "new", "mix"),
    [
        ({"tokens": 1000, "human_share": 0.4}, 300, 500, None, (600, 400)),
        ({"tokens": 1000, "human_share": 0.9}, 300, 500, None, (200, 800)),
        ({"tokens": 1000, "human_share": 0.9, "fresh_human_tokens": 50}, 300, 500, 9, (450, 550)),
        ({"tokens": 1000, "human_tokens": 100}, 300, 500, None, (900, 100)),
        ({"human_share": 0.5}, 300, 500, 300, (200, 200)),
        ({"human_share": 0.5}, 30, 50, 300, (200, 80)),
        ({"human_share": 1.0}, 30, 50, 300, (0, 80)),
        ({"human_tokens": 60}, 30, 50, 300, (200, 60)),
        ({"human_share": 0.5}, 30, 50, None, None),
    ],
)
def test_the_mix_that_is_expected(
    tmp_path: Path, asked: Any, fresh: float, ledger: float, new: float | None, mix: Any
) -> None:
    file = tmp_path / "a.jsonl"
    base = {"tokens": None, "fresh_human_tokens": None}
    config = Loop(tmp_path).config("g1", file, file, **{**base, **asked})
    expected = expected_mix(config, fresh, ledger, new)
    assert (None if expected is None else tuple(expected)) == (
        None if mix is None else pytest.approx(mix)
    )


def test_a_ledger_with_holes_stops_the_run(loop: Loop, third: tuple[Path, Path]) -> None:
    """Break a file of the ledger, so that a complete generation's text is missing."""
    path = min(loop.lineage.glob("ledger/g2-*/people.parquet"))
    path.write_bytes(path.read_bytes()[:-100])
    before = loop.files()
    with pytest.raises(RunError, match=r"of \d+ documents that were bought, .* that can be read"):
        loop.run("g3", *third, max_reject_share=1)
    assert loop.files() == before


def test_a_first_run_without_human_text_sets_no_reference(
    tmp_path: Path, third: tuple[Path, Path]
) -> None:
    loop = Loop(tmp_path)
    none = {"tokens": 500, "human_share": 0, "fresh_human_tokens": None}
    loop.run("g1", None, third[1], **none)
    assert not (loop.lineage / "reference").exists()
    result = loop.run("g2", *third)
    assert result.report.reference is not None
    assert result.report.reference.human
    assert {source.name for source in result.report.lineage.ranking} == {"gpt"}  # the same file
    assert (loop.lineage / "reference" / "reference.json").exists()


def test_a_clash_of_types_with_other_sources_does_not_reach_the_ledger(tmp_path: Path) -> None:
    """Let sources disagree on the types of ids and scores."""
    loop = Loop(tmp_path)
    tags = {"tags": ["a", None], "more": {"deep": 1}}
    people = [
        {"text": text, "uid": f"u{n}", "score": n, "half": n / 2, **tags}
        for n, text in enumerate(texts(1, 60))
    ]
    gpt = [
        {"text": text, "uid": n, "score": 0.5, "half": "x", "tags": 1, "more": {"other": "y"}}
        for n, text in enumerate(texts(2, 90))
    ]
    human = write(tmp_path / "h1.jsonl", people)
    loop.run("g1", human, write(tmp_path / "s1.jsonl", gpt))
    (part,) = loop.state.generations[0].bought
    kept = pq.read_table(loop.lineage / part.file)
    before = {row["uid"]: row for row in people}
    assert len(kept) > 5
    for row in kept.drop_columns("outcross_ledger").to_pylist():
        assert row == before[row["uid"]]
    assert kept.schema.field("score").type == pa.int64()
    assert kept.schema.field("half").type == pa.float64()
    # A later run without the clash has the columns as they were.
    fresh = write(tmp_path / "h2.jsonl", [{**row, "uid": row["uid"] + "b"} for row in people[::-1]])
    loop.run(
        "g2", fresh, write(tmp_path / "s2.jsonl", text_rows(3)), archive=0, fresh_human_tokens=0
    )
    again = [row for row in loop.rows("g2") if row["outcross"]["source"] == "ledger"]
    assert again
    for row in again:
        was = before[row["uid"]]
        assert all(row[name] == was[name] for name in ("text", "score", "half", "tags", "more"))


def test_new_text_that_is_not_chosen_from_is_said(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    people = [write(tmp_path / f"h{n}.jsonl", text_rows(n, 60)) for n in (1, 2)]
    good = write(tmp_path / "s1.jsonl", text_rows(3, 200))
    narrow = [{"text": " ".join(["river", "water", "fish"] * 6) + f" {n}"} for n in range(60)]
    bad = write(tmp_path / "s2.jsonl", narrow)
    loop.run("g1", people[0], good)
    asked = {"tokens": 900, "archive": 1.0, "archive_source": 5.0}
    result = loop.run("g2", people[1], bad, **asked)
    told_of = [w for w in result.report.verdict.warnings if "none of 'gpt' is chosen from" in w]
    assert len(told_of) == 1
    # With domains it may be all there is of one.
    given = {"files": [str(bad)], "domain_field": "kind"}
    result = loop.run("g2", people[1], given, domains={"maths": {}, "*": {}}, **asked)
    ranked = {source.name: source for source in result.report.lineage.ranking}
    assert ranked["gpt"].candidates == ranked["gpt"].held


def test_an_input_that_changed_before_the_commit_stops_it(
    loop: Loop, third: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, write_ledger = loop.files(), generation.write_ledger
    human = loop.folder / "changing.jsonl"
    shutil.copy(third[0], human)

    def changed(*arguments: Any) -> None:
        lines = human.read_text().splitlines()
        human.write_text("\n".join([*lines[1:], lines[0]]) + "\n")
        write_ledger(*arguments)

    monkeypatch.setattr(generation, "write_ledger", changed)
    with pytest.raises(PipelineError, match="changed"):
        loop.run("g3", human, third[1])
    assert loop.files()["lineage.json"] == before["lineage.json"]


def test_nothing_depends_on_the_number_of_partitions(
    two_runs: Loop, loop: Loop, third: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = lineage_summary(str(two_runs.lineage))
    assert sum(purchase.uses for purchase in summary.ledger) > 3
    monkeypatch.setattr(lineage_command, "PARTITION", 2)
    assert lineage_summary(str(two_runs.lineage)) == summary
    monkeypatch.setattr(generation, "PARTITION", 2)
    reused = loop.run("g3", *third).report.lineage.reused.documents
    assert reused > 3
    path = loop.lineage / str(loop.state.generations[-1].used)
    table = pq.read_table(path)
    fingerprints = [tuple(row.values()) for row in table.to_pylist()]
    assert fingerprints == sorted(set(fingerprints))
    assert len(fingerprints) == reused
    written = {row["outcross"]["id"] for row in loop.rows("g3") if is_ledger(row)}
    notes = [
        row["outcross_ledger"]
        for part in loop.lineage.glob("ledger/*/people.parquet")
        for row in pq.read_table(part).to_pylist()
    ]
    assert set(fingerprints) == {
        (note["fingerprint_hi"], note["fingerprint_lo"]) for note in notes if note["id"] in written
    }


def is_ledger(row: dict[str, Any]) -> bool:
    return str(row["outcross"]["source"]).startswith("ledger")


MOST = 9
"""Pipelines of a generation that buys nothing; the rotation adds none, and fresh text one."""


@pytest.fixture(scope="module")
def rotating(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """Return a lineage whose later generations write three fifths of the ledger each."""
    loop = Loop(tmp_path_factory.mktemp("rotating"))
    all_human = {"tokens": None, "human_share": 1, "fresh_human_tokens": 1000}
    loop.run("g1", write(loop.folder / "h1.jsonl", text_rows(1, 50)), None, **all_human)
    for number in (2, 3, 4):
        loop.run(*rotating_sources(loop, number), **rotating_amounts(number))
    return loop


def rotating_sources(loop: Loop, number: int) -> tuple[str, Path, Path]:
    people = write(loop.folder / f"h{number}.jsonl", text_rows(50 + number, 20))
    return f"g{number}", people, write(loop.folder / f"s{number}.jsonl", text_rows(90 + number))


def rotating_amounts(number: int) -> dict[str, Any]:
    """Return the amounts that a generation is asked for: the third one buys some text."""
    return {"archive": 0, "fresh_human_tokens": 100 if number == 3 else 0}


def test_what_was_written_longest_ago_is_written_first(rotating: Loop) -> None:
    last = {str(row["outcross"]["id"]): 1 for row in rotating.rows("g1")}
    last = {f"g1/{name}": number for name, number in last.items()}
    often = dict.fromkeys(last, 0)
    for number in (2, 3, 4):
        rows = rotating.rows(f"g{number}")
        drawn = {row["outcross"]["id"] for row in rows if is_ledger(row)}
        waiting = last.keys() - drawn
        assert drawn
        assert waiting
        assert max(last[name] for name in drawn) <= min(last[name] for name in waiting)
        # Each document is written once before any is written a second time, and so on.
        for name in drawn:
            last[name], often[name] = number, often.get(name, 0) + 1
        assert {often[name] for name in last if name.startswith("g1/")} <= {
            min(often.values()),
            min(often.values()) + 1,
        }
        bought = [row["outcross"] for row in rows if row["outcross"]["source"] == "people"]
        last |= {f"g{number}/{row['id']}": number for row in bought}
        assert bool(bought) == (number == 3)
        manifest = files.read_json(str(rotating.folder / f"g{number}" / "manifest.json"))
        assert manifest["pipelines"] <= MOST + (number == 3)
    assert min(often.values()) == 1
    assert [line.uses for line in lineage_summary(str(rotating.lineage)).ledger] == [
        sum(times for name, times in often.items() if name.startswith(f"{generation}/"))
        for generation in ("g1", "g3")
    ]


def test_a_repeated_generation_draws_the_same_in_any_units_and_ranges(
    rotating: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, result = contents(rotating), promised(rotating.folder / "g4")
    shutil.rmtree(rotating.folder / "g4")
    monkeypatch.setattr(rank, "PARTITION", 7)
    with units_of(2000):
        rotating.run(*rotating_sources(rotating, 4), **rotating_amounts(4))
    assert promised(rotating.folder / "g4") == result
    assert contents(rotating) == written


def contents(loop: Loop) -> set[bytes]:
    """Return the contents of the ledger's files, whose names hold the key of the work."""
    return {data for name, data in loop.files().items() if name.startswith("ledger/")}


def test_a_plan_is_for_what_earlier_generations_have_drawn(rotating: Loop) -> None:
    """Let the last generation draw other documents of the same ledger after the plan."""
    sources, amounts = rotating_sources(rotating, 5), rotating_amounts(5)
    plan(rotating.config(*sources, **amounts), (), StageProgress(quiet=True))
    path = shutil.copy(rotating.folder / "g5" / "plan.json", rotating.folder / "plan.json")
    rotating.run(*rotating_sources(rotating, 4), **rotating_amounts(4), seed=3)
    with pytest.raises(ConfigError, match="was made for other documents"):
        rotating.run(*sources, archive=0, plan=str(path))

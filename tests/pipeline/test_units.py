"""Runs over many small files, and over files that change: units and seals, as stages use them."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from outcross.pipeline.commands.audit import audit
from outcross.pipeline.commands.run import dedup, run
from outcross.pipeline.engine.engines import PipelineError
from outcross.pipeline.engine.progress import StageProgress
from outcross.schemas.audit import AuditRequest
from outcross.schemas.config import Config, parse
from tests.support.attic import Attic
from tests.support.units import units_of

WORDS = [f"w{number}" for number in range(900)]


def rows(seed: int, n: int) -> list[dict[str, Any]]:
    """Make documents of which a third repeats another, exactly or nearly; some have ids."""
    draw = random.Random(seed)
    texts: list[str] = []
    for _ in range(n):
        words = draw.choices(WORDS, k=draw.randint(5, 60))
        if texts and draw.random() < 0.3:
            words = draw.choice(texts).split()
            if draw.random() < 0.6:
                words[draw.randrange(len(words))] = draw.choice(WORDS)
        texts.append(" ".join(words))
    return [
        {"text": text, **({"id": f"d{n % 40}"} if n % 3 else {})} for n, text in enumerate(texts)
    ]


def write(path: Path, some: list[dict[str, Any]]) -> None:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(some), path, row_group_size=2)
        return
    data = "".join(json.dumps(row) + "\n" for row in some).encode()
    data = data[:-1] + b"\n{broken" if len(some) % 2 else data[:-1]  # ends without a newline
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}.get(path.suffix, bytes)
    path.write_bytes(pack(data))


def corpus(folder: Path, seed: int) -> list[dict[str, Any]]:
    """Write a corpus in some 40 small files and two larger ones, of all formats."""
    draw = random.Random(seed)
    sources = []
    for name, role in (("gpt", "synthetic"), ("people", "human")):
        (folder / name).mkdir(parents=True)
        remaining, number = rows(seed, 250), 0
        while remaining:
            size = 100 if number == 3 else draw.randint(1, 9)
            ending = draw.choice(["jsonl", "jsonl", "jsonl.gz", "jsonl.zst", "parquet"])
            ending = "jsonl" if number == 3 else ending
            write(folder / name / f"{number:03d}.{ending}", remaining[:size])
            remaining, number = remaining[size:], number + 1
        (folder / name / f"{number:03d}.jsonl").write_bytes(b"")
        files = [str(folder / name / "*")]
        sources.append({"name": name, "role": role, "files": files, "id_field": "id"})
    return sources


def config(out: Path, sources: list[dict[str, Any]], **keys: Any) -> Config:
    asked = {"out": str(out), "sources": sources, "max_reject_share": 0.5}
    return parse(asked | keys)


def result(out: Path) -> dict[str, Any]:
    """Return the bytes of data/ and removed/, and the rejects."""
    shards = [*out.glob("data/*"), *out.glob("removed/*")]
    contents: dict[str, Any] = {str(path.relative_to(out)): path.read_bytes() for path in shards}
    return contents | {"rejects": pq.read_table(out / "rejects").to_pylist()}


def units_of_run(out: Path) -> int:
    return len(list(out.glob(".outcross/sketch-*/units/unit-*.json")))


@pytest.mark.parametrize(("seed", "size"), [(1, 1 << 10), (2, 16 << 10)])
def test_no_decision_depends_on_what_makes_a_unit(tmp_path: Path, seed: int, size: int) -> None:
    sources = corpus(tmp_path / "in", seed)
    results, units = [], []
    for unit_bytes in (size, 64 << 20):
        out = tmp_path / f"{unit_bytes}" / "out"
        with units_of(unit_bytes):
            dedup(config(out, sources))
        results.append(result(out))
        units.append(units_of_run(out))
    assert units[0] > (40 if size < 1 << 12 else 4)
    assert units[1] == 2
    assert len(results[0]["rejects"]) > 5
    assert any(name.startswith("removed/") for name in results[0])
    assert results[0] == results[1]


def test_a_whole_run_gives_the_same_bytes_in_units_of_any_size(tmp_path: Path) -> None:
    sources = corpus(tmp_path / "in", 3)
    results = []
    for unit_bytes in (4 << 10, 64 << 20):
        out = tmp_path / f"{unit_bytes}" / "out"
        with units_of(unit_bytes):
            run(config(out, sources, tokens=6000, rounds=2))
        results.append(result(out) | {"plan": (out / "plan.json").read_bytes()})
    assert results[0] == results[1]


def test_work_files_do_not_grow_with_files(tmp_path: Path) -> None:
    documents = rows(1, 600)
    counts = {}
    for name, size in (("one", 600), ("many", 2)):
        (tmp_path / name).mkdir()
        for at in range(0, 600, size):
            lines = "".join(json.dumps(row) + "\n" for row in documents[at : at + size])
            (tmp_path / name / f"{at:04d}.jsonl").write_text(lines)
        out = tmp_path / f"{name}-out"
        source = {"name": "s", "role": "synthetic", "files": [str(tmp_path / name / "*")]}
        run(config(out, [source], tokens=4000, rounds=2))
        counts[name] = sum(path.is_file() for path in out.glob(".outcross/**/*"))
    assert counts["many"] == counts["one"] < 100


class Editing(StageProgress):
    """Edits a file, leaving its size, when a stage begins or has ended ("after sketch")."""

    def __init__(self, path: Path | StoredPath, moment: str) -> None:
        super().__init__(quiet=True)
        self.path, self.moment = path, moment

    @contextmanager
    def stage(self, name: str, documents: int = 0, size: int = 0) -> Iterator[None]:
        if name == self.moment:
            edit(self.path)
        with super().stage(name, documents, size):
            yield
        if f"after {name}" == self.moment:
            edit(self.path)


def edit(path: Path | StoredPath) -> None:
    """Put another word of the same length into the middle of the file."""
    data = path.read_bytes()
    at = data.index(b'"text": "w', len(data) // 2) + len(b'"text": "')
    path.write_bytes(data[:at] + (b"v" if data[at : at + 1] == b"w" else b"w") + data[at + 1 :])


def one_file(folder: Path, pad: str = "") -> tuple[Path, list[dict[str, Any]]]:
    path = folder / "s.jsonl"
    lines = (json.dumps({**row, "pad": pad} if pad else row) for row in rows(5, 300))
    path.write_text("".join(f"{line}\n" for line in lines))
    return path, [{"name": "s", "role": "synthetic", "files": [str(path)]}]


READERS = {
    "run": ["sketch", "cluster", "write"],
    "dedup": ["sketch", "write"],
    "audit": ["sketch", "cluster", "measure"],
    "lineage": ["sketch", "write"],
}
"""Moments after which each command still reads its input. It looks texts up while it writes."""


def command(name: str, out: Path, path: Path | StoredPath, progress: StageProgress) -> None:
    """Run a command over one file."""
    if name == "audit":
        audit(AuditRequest(paths=[str(path)], out=str(out)), progress=progress)
        return
    role = "human" if name == "lineage" else "synthetic"
    sources = [{"name": "s", "role": role, "files": [str(path)]}]
    if name == "dedup":
        dedup(config(out, sources), progress=progress)
        return
    keys = {"lineage": str(out.parent / "lineage")} if name == "lineage" else {"rounds": 1}
    run(config(out, sources, tokens=3000, **keys), progress=progress)


@pytest.mark.parametrize(
    ("name", "moment"), [(name, moment) for name in READERS for moment in READERS[name]]
)
def test_a_change_while_a_command_is_at_work_is_refused_by_name(
    tmp_path: Path, name: str, moment: str
) -> None:
    path, _ = one_file(tmp_path)
    out = tmp_path / "out"
    with pytest.raises(PipelineError, match=rf"^{path} has changed since the run began"):
        command(name, out, path, Editing(path, moment))
    assert not (out / "manifest.json").exists()


class Hashed(Attic):
    """A store that has a checksum of each file."""

    @classmethod
    def scheme(cls) -> str:
        return "hashed"

    def checksum(self, path: str) -> str:
        return f"{zlib.crc32(self.held[path]):08x}"


@dataclass(frozen=True)
class StoredPath:
    """A path of a store in memory, with the methods of `Path` that `edit` uses."""

    address: str

    def __str__(self) -> str:
        return self.address

    def read_bytes(self) -> bytes:
        return bytes(Attic.held[self.address])

    def write_bytes(self, data: bytes) -> int:
        Attic.held[self.address] = data
        return len(data)


@pytest.mark.parametrize("scheme", ["hashed", "attic"])
@pytest.mark.parametrize(
    ("name", "moment"), [("run", "write"), ("dedup", "sketch"), ("audit", "cluster")]
)
def test_a_stored_file_that_changes_at_the_same_size_is_refused_with_checksums_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, moment: str, scheme: str
) -> None:
    monkeypatch.setattr(Attic, "held", {})
    path = StoredPath(f"{scheme}://shelf/s.jsonl")
    path.write_bytes(one_file(tmp_path)[0].read_bytes())
    out = tmp_path / "out"
    with pytest.raises(PipelineError, match=rf"^{path} has changed since the run began"):
        command(name, out, path, Editing(path, moment))
    assert not (out / "manifest.json").exists()


def test_a_change_before_the_ledger_copies_its_rows_commits_no_generation(tmp_path: Path) -> None:
    path, _ = one_file(tmp_path)
    with pytest.raises(PipelineError, match=rf"^{path} has changed since the run began"):
        command("lineage", tmp_path / "out", path, Editing(path, "report"))
    assert not (tmp_path / "lineage" / "lineage.json").exists()
    command("lineage", tmp_path / "out", path, StageProgress(quiet=True))
    assert (tmp_path / "lineage" / "lineage.json").exists()


@pytest.mark.parametrize(
    ("name", "moment"), [("run", "report"), ("audit", "report"), ("dedup", "after write")]
)
def test_a_change_after_all_is_read_changes_nothing(tmp_path: Path, name: str, moment: str) -> None:
    path, _ = one_file(tmp_path)
    reports = []
    for folder, progress in (("a", StageProgress(quiet=True)), ("b", Editing(path, moment))):
        out = tmp_path / folder / "out"
        before = path.read_bytes()
        command(name, out, path, progress)
        reports.append((out / "report.json").read_bytes())
    assert path.read_bytes() != before
    assert reports[0] == reports[1]


def test_an_edit_of_the_same_size_between_runs_is_read_again(tmp_path: Path) -> None:
    """Edit the middle of a file of several blocks, where no sample would look."""
    path, sources = one_file(tmp_path, pad="p" * 16_000)
    assert path.stat().st_size > 4 << 20
    out = tmp_path / "out"
    dedup(config(out, sources))
    before = result(out)
    size = path.stat().st_size
    edit(path)
    assert path.stat().st_size == size
    dedup(config(out, sources))
    assert len(list(out.glob(".outcross/sketch-*/manifest.json"))) == 2
    fresh = tmp_path / "fresh" / "out"
    dedup(config(fresh, sources))
    assert result(out) == result(fresh) != before

"""A small corpus with planted repeats, and runs that tests share."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pyarrow.json
import pyarrow.parquet as pq
import pytest
import yaml
import zstandard

from tests.acceptance.tokens import shingles as runs
from tests.acceptance.tokens import tokens
from tests.support.commands import outcross
from tests.support.engines import JAR
from tests.support.human_texts import human_paragraphs
from tests.support.promises import promised_hashes
from tools.flink.cluster import FlinkCluster

THRESHOLD = 0.8
STANDARD_ERROR = (THRESHOLD * (1 - THRESHOLD) / 128) ** 0.5  # of a signature's estimate
STRICT = 200  # up to so many words all that carries meaning must agree
NEGATIONS = {"no", "not", "never", "none", "cannot", "without"}
ROLES = {"gpt": "synthetic", "people": "human", "tests": "exclude"}

Name = tuple[str, str]  # source and id


def words(text: str) -> list[str]:
    """Return the words of a text; underscores at their ends are none of theirs."""
    return [word for token in tokens(text) if (word := token.strip("_"))]


def plain(text: str) -> str:
    """Return what texts must share to be exact repeats: all but line ends and trailing blanks."""
    lines = re.split(r"\r\n|\r|\n", unicodedata.normalize("NFC", text))
    return "\n".join(line.rstrip(" \t") for line in lines).rstrip(" \t\n\v\f\r")


@cache
def items(text: str) -> Counter[str]:
    """Count some of what carries meaning beyond the words: numbers, code words, negations."""
    return Counter(
        word
        for word in re.findall(r"\w+", text)
        if re.search(r"\d|\w_\w|[^\W\d_][A-Z]", word) or word.lower() in NEGATIONS
    )


@cache
def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Return distinct runs of five words; all there are of a shorter text."""
    return runs(words(text) or [plain(text)])


def jaccard(a: str, b: str) -> float:
    left, right = shingles(a), shingles(b)
    return len(left & right) / len(left | right)


def containment(text: str, item: str) -> float:
    """Return the share of an evaluation text's distinct runs of eight words that a text holds."""
    runs_of_text, wanted = (
        {tuple(run[i : i + 8]) for i in range(len(run) - 7)} for run in (words(text), words(item))
    )
    return len(runs_of_text & wanted) / len(wanted)


def bare(value: Any) -> Any:
    """Return a row without nulls at any depth: a shard has the columns of all sources."""
    if isinstance(value, dict):
        members = {key: bare(member) for key, member in value.items()}
        return {key: member for key, member in members.items() if member not in (None, {})}
    return [bare(element) for element in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Corpus:
    """Rows by source; every row has an `id` that is unique in its source only.

    Attributes:
        folder: holds a file NAME.jsonl for each source.
        rows: as they were written.
    """

    folder: Path
    rows: dict[str, list[dict[str, Any]]]

    def text(self, source: str, row: dict[str, Any]) -> str:
        return row["messages"][1]["content"] if source == "gpt" else row["text"]

    def kept_by_filter(self, source: str) -> list[dict[str, Any]]:
        return [row for row in self.rows[source] if source != "gpt" or row["verified"]]

    @cached_property
    def texts(self) -> dict[Name, str]:
        """Return the texts of the rows that pass the filter, by source and id."""
        return {
            (source, row["id"]): self.text(source, row)
            for source in self.rows
            for row in self.kept_by_filter(source)
        }

    def config(self, out: Path, files: dict[str, list[Any]] | None = None, **keys: Any) -> Path:
        """Write a YAML file for a run over the corpus, or over the same rows in other files."""
        fields: dict[str, dict[str, Any]] = {
            "gpt": {
                "text_field": "messages.1.content",
                "where": {"verified": True},
                "domain_field": "kind",
                "generation_field": "meta.generation",
            },
            "people": {"domain_field": "kind"},
            "tests": {},
        }
        sources = [
            {
                "name": name,
                "role": role,
                "id_field": "id",
                "files": [str(f) for f in (files or {}).get(name, [self.folder / f"{name}.jsonl"])],
                **fields[name],
            }
            for name, role in ROLES.items()
        ]
        path = out.parent / f"{out.name}.yaml"
        path.write_text(
            yaml.safe_dump(
                {"out": str(out), "sources": sources, "shard_mb": 1, "rounds": 2, **keys}
            )
        )
        return path


@dataclass(frozen=True)
class Run:
    """Output of a run that has ended."""

    out: Path
    stdout: str
    stderr: str

    @cached_property
    def data(self) -> list[dict[str, Any]]:
        return pq.read_table(self.out / "data").to_pylist()

    @cached_property
    def removed(self) -> list[dict[str, Any]]:
        return pq.read_table(self.out / "removed").to_pylist()

    @cached_property
    def rejects(self) -> list[dict[str, Any]]:
        return pq.read_table(self.out / "rejects").to_pylist()

    @cached_property
    def report(self) -> Any:
        return json.loads((self.out / "report.json").read_text())

    @cached_property
    def plan(self) -> Any:
        return json.loads((self.out / "plan.json").read_text())

    @property
    def appearances(self) -> Counter[Name]:
        """Count the copies of each document in data/."""
        return Counter((row["outcross"]["source"], row["outcross"]["id"]) for row in self.data)

    @property
    def gone(self) -> dict[Name, Name]:
        """Kept document that each removed document repeats."""
        return {
            (row["source"], row["id"]): (row["kept_source"], row["kept_id"]) for row in self.removed
        }

    def conservation(self, source: str) -> dict[str, Any]:
        return next(line for line in self.report["conservation"] if line["source"] == source)


def run(*arguments: Any, out: Path, code: int = 0) -> Run:
    """Call `outcross run`."""
    done = outcross("run", *arguments, code=code)
    return Run(out, done.stdout, done.stderr)


def dedup(*arguments: Any, out: Path) -> Run:
    """Call `outcross dedup`."""
    done = outcross("dedup", *arguments)
    return Run(out, done.stdout, done.stderr)


def check_conservation(result: Run) -> None:
    """Check that no row of any source is lost."""
    for line in result.report["conservation"]:
        assert line["read"] == line["kept"] + line["removed"] + line["rejected"]
        assert line["kept"] == line["written"] + sum(line["not_selected"].values())
        assert line["removed"] == sum(row["source"] == line["source"] for row in result.removed)


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write JSONL, plain or compressed, or Parquet with the types that the JSONL has."""
    data = jsonl(rows)
    if path.suffix == ".parquet":
        pq.write_table(pyarrow.json.read_json(io.BytesIO(data)), path, row_group_size=100)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(data))
    elif path.suffix == ".zst":
        path.write_bytes(zstandard.compress(data))
    else:
        path.write_bytes(data)
    return path


def _edited(text: str, edits: int, draw: random.Random) -> str:
    """Return the text with so many of its plain words replaced."""
    parts = text.split()
    places = [n for n, part in enumerate(parts) if re.fullmatch("[a-z]{4,}", part)]
    for place in draw.sample(places, min(edits, len(places))):
        parts[place] = "".join(draw.choices("bdfgklmnprstv", k=9))
    return " ".join(parts)


def _plant(texts: list[str], often: int, draw: random.Random) -> list[str]:
    """Return repeats: exact ones, some of another form, and some with ever more other words."""
    planted: list[str] = []
    for number, text in enumerate(draw.sample(texts, often)):
        match number % 4:
            case 0:
                planted.append(unicodedata.normalize("NFD", text) + " \r\n")
            case 1:
                planted.append("> " + text.replace(" ", "  "))
            case 2:
                planted.append(_edited(text, 1 + number % 4, draw))
            case _:  # of the one before, so that chains come about
                planted.append(_edited(planted[-1], 1, draw))
    return planted


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Corpus:
    """Make 1,100 documents of Python's own documentation and some that are hardly any."""
    draw = random.Random(20_25)
    paragraphs = [p for p in human_paragraphs() if 40 <= len(p.text.split()) <= 250]
    chosen = draw.sample(paragraphs, 780)
    topics = {p.text: p.topic[:12] for p in chosen}
    human, synthetic = [p.text for p in chosen[:360]], [p.text for p in chosen[360:]]
    human += _plant(human, 30, draw)
    synthetic += _plant(synthetic, 120, draw) + _plant(human, 60, draw)
    synthetic += ["Yes.", "yes", "No", "?!", "…", "?!", "日本語のテキスト", "naïve naïve", "ﬁne"]
    excluded = _plant(human, 20, draw) + _plant(synthetic[:400], 25, draw) + ["A test of its own."]
    draw.shuffle(human)
    draw.shuffle(synthetic)

    def kind(text: str) -> str:
        return topics.get(text, "none")

    rows: dict[str, list[dict[str, Any]]] = {
        "gpt": [
            {
                "id": f"{number:05d}",
                "messages": [
                    {"role": "user", "content": f"Say {number % 50}"},
                    {"role": "assistant", "content": text},
                ],
                "meta": {"score": number / 8, "tags": ["a", "b"][: number % 3], "generation": 2},
                "kind": kind(text),
                "verified": number % 17 != 0,
                "notes": draw.randbytes(2500).hex(),  # so that there are several shards
            }
            for number, text in enumerate(synthetic)
        ],
        "people": [
            {
                "id": f"{number:05d}",
                "text": text,
                "meta": {"url": f"https://example.org/{number}", "tags": ["c"]},
                "kind": kind(text),
                "year": 1990 + number % 30,
            }
            for number, text in enumerate(human)
        ],
        "tests": [{"id": f"{n:05d}", "text": text} for n, text in enumerate(excluded)],
    }
    folder = tmp_path_factory.mktemp("corpus")
    for name, source_rows in rows.items():
        write_rows(folder / f"{name}.jsonl", source_rows)
    return Corpus(folder, rows)


@pytest.fixture(scope="session")
def base(corpus, tmp_path_factory) -> Run:
    """Make the run that the others are compared with."""
    out = tmp_path_factory.mktemp("base") / "out"
    result = run(corpus.config(out), out=out)
    assert len(result.report["shards"]) > 1
    return result


def config_with_lineage(corpus: Corpus, folder: Path, **keys: Any) -> Path:
    """Write a YAML file for a run into `folder/out` with a lineage in `folder/lineage`."""
    return corpus.config(folder / "out", lineage=str(folder / "lineage"), **keys)


@pytest.fixture(scope="session")
def lineage_hashes(corpus, tmp_path_factory) -> dict[str, str]:
    """Make the run with a lineage that those of other engines are compared with."""
    folder = tmp_path_factory.mktemp("expected")
    outcross("run", config_with_lineage(corpus, folder))
    return promised_hashes(folder / "out")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[FlinkCluster]:
    """Start a Flink cluster with two task managers, for the tests of engines."""
    with FlinkCluster(tmp_path_factory.mktemp("flink"), JAR) as cluster:
        yield cluster

"""A corpus that means harm: nothing is executed, nothing is lost, and all of it can be printed."""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import mlcroissant
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from outcross.transforms.base.visible import visible, visible_name
from tests.end_to_end.conftest import Run, check_conservation
from tests.support.commands import Done, outcross
from tests.support.human_texts import human_paragraphs

HARMFUL = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!--<b>bold</b>-->&lt;&amp;\"'`",
    "javascript:alert(1)",
    "\x1b[31m\x1b[2J\x1b]0;title\x07",
    "\x9b31m\x85\x7f\x08\x08",
    "\u202egnp.exe\u2066\u200f\u2028\u2029",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(1;2)",
    "-2+3",
    "../../../etc/passwd",
    "/etc/passwd",
    "C:\\windows\\x",
    "!!python/object/apply:os.system ['true']",
    "- a: &x [*x, *x]",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "'; DROP TABLE documents; --",
    "$(touch hacked) `touch hacked`",
    "[red]not red[/red] [/] :smile: [link=https://example.org]x[/link]",
    "two\nlines\r\nFORGED: a line of its own\n\noutcross: FORGED",
    "a\x00b",
    "%s %n %(name)s {0} {x!r}",
    'a,b;"c"\td',
    "𝕳ostile 👩‍👩‍👧 ﷽ ẗ̸̢",
    "x" * 5_000,
]
NAMES = [
    "plain.jsonl",
    "br[ack]ets{x}*?.jsonl",
    "spaces and  tabs\t.jsonl.gz",
    "100%25 %s %2F.csv",
    "ünïcødé 他走了.parquet",
    "two\nlines FORGED.jsonl",
    "<script>alert(1)</script>.jsonl",
    "\x1b[31mred\x1b[0m.jsonl",
    "=cmd|' .jsonl",
    "-rf.jsonl",
    "#hash?query=1&b.jsonl",
]
"""Names of files; one has a slash, and so a folder."""
SURROGATE = '{"id": "lone", "text": "half \\ud83d of a pair"}\n'
FORGED = re.compile(r"^(FORGED|outcross: FORGED)", re.MULTILINE)


def rows_of(prefix: str, texts: list[str]) -> list[dict[str, Any]]:
    """Return rows with harmful ids, domains, prompts, keys and texts; the last repeat the first."""
    rows = [
        {
            "id": f"{HARMFUL[n % len(HARMFUL)]}{prefix}{n}",
            "text": f"{HARMFUL[(n + 7) % len(HARMFUL)]} {text} {HARMFUL[(n + 3) % len(HARMFUL)]}",
            "domain": HARMFUL[n % 5 * 5],
            "prompt": HARMFUL[n % 7],
            "<b>\x1b[1mkey\n": "=1+1",
        }
        for n, text in enumerate(texts)
    ]
    for first, last in zip(rows[:3], rows[-3:], strict=True):
        last["text"] = first["text"]
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows in the format of the file's name."""
    lines = "".join(
        json.dumps(row, ensure_ascii=n % 2 == 0) + "\n" for n, row in enumerate(rows)
    ).encode()
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines))
    else:
        path.write_bytes(lines)


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    """Make rows for each file of both sources."""
    texts = [part.text for part in human_paragraphs() if 30 <= len(part.text.split()) <= 80]
    random.Random(1).shuffle(texts)
    size = 30
    return {
        f"{role}/{name}": rows_of(f"{role[0]}{n}-", texts[at : at + size])
        for role, start in (("human", 0), ("synthetic", size * len(NAMES)))
        for n, name in enumerate(NAMES)
        for at in (start + n * size,)
    }


@pytest.fixture(scope="module")
def folder(rows: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the files below a folder."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, written in rows.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, written)
    (folder / "synthetic" / "surrogate.jsonl").write_text(SURROGATE)
    return folder


def fields(folder: Path) -> list[object]:
    """Return the options that name files and columns."""
    options: list[object] = ["--human", folder / "human", "--synthetic", folder / "synthetic"]
    return [*options, "--id-field", "id", "--domain-field", "domain", "--prompt-field", "prompt"]


@pytest.fixture(scope="module")
def result(folder: Path) -> Run:
    """Run over the corpus, with all messages."""
    out = folder / "out"
    options = ["--best-effort", "--rounds", 1, "--verbose", "--log-file", folder / "log"]
    options += ["--out", out]
    done = printable(outcross("run", *fields(folder), *options, code=None))
    assert done.returncode in (0, 3)
    return Run(out, done.stdout, done.stderr)


def printable(done: Done) -> Done:
    """Check that nothing that a command prints steers the terminal or begins a line of its own."""
    for output in (done.stdout, done.stderr):
        assert visible(output) == output
        assert not FORGED.search(output), output
    return done


def ids(rows: dict[str, list[dict[str, Any]]]) -> set[str]:
    return {row["id"] for written in rows.values() for row in written}


def test_no_row_and_no_byte_of_an_id_is_lost(
    rows: dict[str, list[dict[str, Any]]], result: Run
) -> None:
    check_conservation(result)
    sketched = {
        name
        for path in result.out.glob(".outcross/sketch-*/units/unit-*[0-9].parquet")
        for name in pq.read_table(path, columns=["id"])["id"].to_pylist()
    }
    assert sketched == ids(rows)
    [reject] = result.rejects
    assert reject["file"] == "surrogate.jsonl"
    assert "not JSON" in reject["reason"]


def test_rows_are_written_as_they_were_read(
    rows: dict[str, list[dict[str, Any]]], result: Run
) -> None:
    by_id = {row["id"]: row for written in rows.values() for row in written}
    assert len(result.data) > 50
    for row in result.data:
        assert row["outcross"]["id"] == row["id"]
        assert row["outcross"]["domain"] == row["domain"]
        del row["outcross"]
        assert row == by_id[row["id"]]


class Tags(HTMLParser):
    """Elements of a page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def check_page(path: Path) -> None:
    """Check that a page has no element, handler or address of the corpus."""
    text = path.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    counts = Counter(tag for tag, _ in tags.found)
    scripts = [attributes for tag, attributes in tags.found if tag == "script"]
    assert [a for a in scripts if not a] == [{}]
    assert {a.get("type") for a in scripts} <= {None, "application/json", "text/plain"}
    assert not counts.keys() & {"img", "iframe", "object", "embed", "base", "form"}
    for _, attributes in tags.found:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("href", "src", "action"):
            assert not (attributes.get(name) or "").strip().lower().startswith("javascript")
    assert visible_name(text.replace("\n", "").replace("\t", "")) == text.replace("\n", "").replace(
        "\t", ""
    )


def test_the_page_shows_the_corpus_and_executes_nothing_of_it(result: Run) -> None:
    check_page(result.out / "report.html")
    assert "&lt;script&gt;alert(1)" in (result.out / "report.html").read_text()
    for path in ("report.json", "plan.json", "manifest.json"):
        json.loads((result.out / path).read_text())


def test_the_card_is_plain_markdown_and_yaml(result: Run) -> None:
    text = (result.out / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    assert isinstance(yaml.safe_load(front), dict)
    assert "<script" not in body
    assert not FORGED.search(text)
    assert visible(text) == text


def test_croissant_and_openlineage_name_what_was_read_and_written(
    result: Run, folder: Path
) -> None:
    described = mlcroissant.Dataset(str(result.out / "croissant.json"))
    assert not described.metadata.ctx.issues.errors
    row = next(iter(described.records("rows")))
    assert row["rows/id"].decode() in {row["id"] for row in result.data}
    event = json.loads((result.out / "openlineage.json").read_text())
    places = {dataset["name"]: dataset["inputFacets"] for dataset in event["inputs"]}
    alone = next(name for name in NAMES if "/" in name)  # the only file of its folder
    roles = ("human", "synthetic")
    assert places.keys() == {str(folder / role / name) for role in roles for name in (alone, "")}
    counted = places[str(folder / "human")]["inputStatistics"]
    assert counted["fileCount"] == len(NAMES) - 1
    assert [place["name"] for place in event["outputs"]] == [
        str(result.out / name) for name in ("data", "removed")
    ]


def test_the_log_holds_nothing_that_steers_a_terminal(result: Run, folder: Path) -> None:
    log = (folder / "log").read_text()
    assert visible(log) == log
    assert not FORGED.search(log)


def test_explain_finds_every_id_and_prints_it(
    rows: dict[str, list[dict[str, Any]]], result: Run
) -> None:
    printable(outcross("explain", result.out))
    written = rows[f"synthetic/{NAMES[0]}"] + rows[f"human/{NAMES[1]}"]
    for name in [row["id"] for row in written[: len(HARMFUL)]]:
        shown = printable(outcross("explain", result.out, "--", name))
        assert "synthetic: " in shown.stdout or "human: " in shown.stdout
    as_json = outcross("explain", result.out, "--json", "--", written[0]["id"])
    assert visible(as_json.stdout) == as_json.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--dry-run"],
        ["plan", "--shopping-list", "--best-effort"],
        ["init"],
    ],
    ids=lambda command: command[0],
)
def test_what_works_on_the_corpus_prints_it(
    folder: Path, tmp_path: Path, command: list[str]
) -> None:
    options = fields(folder) if command[0] != "init" else fields(folder)[:4]
    out = tmp_path / ("init.yaml" if command[0] == "init" else "out")
    done = printable(outcross(*command, *options, "--out", out))
    assert done.stdout


def test_an_audit_measures_and_prints_it(folder: Path, tmp_path: Path) -> None:
    options = ["--human", folder / "human", *fields(folder)[4:]]
    out = tmp_path / "audit"
    done = printable(outcross("audit", folder / "synthetic", *options, "--out", out, code=None))
    assert done.returncode in (0, 3)
    check_page(out / "report.html")


def test_requests_and_removed_rows_come_back_as_they_were(
    rows: dict[str, list[dict[str, Any]]], result: Run, tmp_path: Path
) -> None:
    printable(outcross("requests", result.out, "-o", tmp_path / "requests.jsonl", code=None))
    printable(outcross("restore", result.out, "-o", tmp_path / "restored.jsonl"))
    printable(outcross("clean", result.out, "--dry-run"))
    by_id = {row["id"]: row for written in rows.values() for row in written}
    restored = (tmp_path / "restored.jsonl").read_bytes().splitlines()
    assert len(restored) >= 3 * len(NAMES)
    for line in restored:
        row = json.loads(line)
        assert row == by_id[row["id"]]


def test_broken_files_are_named_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31mtwo\nFORGED.parquet"
    path.write_bytes(b"PAR1 no table" * 9)
    for arguments in (["dedup", "--synthetic", path], ["run", "--human", path], ["audit", path]):
        done = printable(outcross(*arguments, "--out", tmp_path / "out", code=None))
        assert done.returncode in (1, 2)
        assert r"\x1b[31mtwo\nFORGED.parquet" in done.stderr


def test_nothing_of_it_was_executed(result: Run, folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["human", "log", "out", "synthetic"]
    assert not Path("hacked").exists()

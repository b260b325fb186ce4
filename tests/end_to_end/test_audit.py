"""An audit says whether a corpus is as diverse as human text, in whatever files it lies."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from outcross.pipeline.commands.audit import audit
from outcross.pipeline.commands.compare import compare
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.inputs.reports import read_reports
from outcross.schemas.audit import AuditRequest
from outcross.schemas.comparison import Comparison
from outcross.schemas.report import Report
from outcross.schemas.user_input import ConfigError
from tests.end_to_end.conftest import run, write_rows
from tests.support.commands import outcross
from tests.support.human_texts import human_paragraphs
from tests.support.stops import stopped_at
from tests.support.units import units_of

ENDINGS = ["jsonl", "jsonl.gz", "parquet", "jsonl.zst"]
COMMONEST = "The answer is that it depends on what you would like to do with the list."
BROKEN = 2  # lines of the narrow corpus
TINY = 1 << 15  # bytes of a unit, of which the small corpora then have many


def _rows(texts: list[str], **columns: list[Any]) -> list[dict[str, Any]]:
    return [
        {"id": f"{n:05d}", "text": text, **{name: of[n] for name, of in columns.items()}}
        for n, text in enumerate(texts)
    ]


@dataclass(frozen=True)
class Corpora:
    """Files of texts.

    Attributes:
        human: what references are made of.
        other: as much human text of the same kind, some of it twice.
        collapsed: few texts, many times.
        narrow: many texts of few words, and some lines that are none.
        sums: two answers to each of some sums, nearly all the same, beside `other`'s documents;
            by domain and prompt.
    """

    folder: Path
    rows: dict[str, list[dict[str, Any]]]

    def __getattr__(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"


@pytest.fixture(scope="session")
def corpora(tmp_path_factory) -> Corpora:
    draw = random.Random(7)
    paragraphs = [p.text for p in human_paragraphs() if 16 <= len(p.text.split()) <= 250]
    chosen = draw.sample(paragraphs, 2900)
    human, other, few = chosen[:1600], chosen[1600:2800], chosen[2800:]
    common = [few[min(int(draw.expovariate(1 / 20)), 99)] for _ in range(900)]
    vocabulary = " ".join(few[:2]).split()[:60]
    sums = [f"{n} + {n} = {2 * n}, as is easily seen" for n in range(60) for _ in range(10)]
    draw.shuffle(common)
    rows = {
        "human": _rows(human),
        "other": _rows(other + other[:10]),
        "collapsed": _rows(common + [COMMONEST] * 300),
        "narrow": _rows([" ".join(draw.choices(vocabulary, k=40)) for _ in range(1200)]),
        "sums": _rows(
            other + sums,
            kind=["stories"] * len(other) + ["maths"] * len(sums),
            question=[None] * len(other) + [f"{n // 10} + {n // 10}?" for n in range(len(sums))],
        ),
    }
    folder = tmp_path_factory.mktemp("corpora")
    for name, corpus_rows in rows.items():
        write_rows(folder / f"{name}.jsonl", corpus_rows)
    with (folder / "narrow.jsonl").open("a") as file:
        file.write("not json\n" * BROKEN)
    return Corpora(folder, rows)


@pytest.fixture(scope="session")
def reference(corpora, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("reference") / "ref"
    built = outcross("reference", "build", "--human", corpora.human, "--out", out, "--json")
    assert json.loads(built.stdout) == {
        "out": str(out),
        "fingerprint": json.loads((out / "reference.json").read_text())["fingerprint"],
    }
    return out


@dataclass(frozen=True)
class Audit:
    """Output of an audit that has ended."""

    out: Path
    stdout: str
    stderr: str

    @property
    def report(self) -> Report:
        return Report.model_validate_json((self.out / "report.json").read_text())


def command(*arguments: Any, out: Path, code: int = 0) -> Audit:
    """Call `outcross audit`."""
    done = outcross("audit", *arguments, "--out", out, code=code)
    return Audit(out, done.stdout, done.stderr)


def audited(out: Path, *paths: Path, **asked: Any) -> Report:
    """Audit from Python."""
    asked = {"id_field": "id", "workers": 1, **asked}
    request = AuditRequest(paths=[str(path) for path in paths], out=str(out), **asked)
    report = audit(request, progress=StageProgress(quiet=True)).report
    assert Report.model_validate_json((out / "report.json").read_text()) == report
    return report


@pytest.fixture(scope="session")
def human_like(corpora, tmp_path_factory) -> Audit:
    """Audit human text against human text, as a user first does it."""
    out = tmp_path_factory.mktemp("human-like") / "audit"
    asked = [corpora.other, "--human", corpora.human, "--id-field", "id", "--workers", 1]
    return command(*asked, out=out)


def outcomes(report: Report) -> dict[str, str]:
    assert report.judged is not None
    return {measure.name: measure.outcome for measure in report.judged.measures}


def figures(report: Report) -> dict[str, Any]:
    """Return what does not depend on how a corpus lies in files.

    Of texts that came equally often, the first in the corpus is shown first.
    """
    values = report.model_dump(exclude={"shards"})
    values["deduplication"]["most_repeated"].sort(key=lambda text: (-text["times"], text["id"]))
    return values


def test_human_text_is_as_diverse_as_human_text(corpora, human_like):
    report = human_like.report
    assert report.kind == "audit"
    assert report.verdict.outcome in ("go", "warn")
    assert set(outcomes(report).values()) <= {"go", "warn", "noise", "shown", "too few"}
    assert report.judged.documents == report.figures("deduplicate").documents
    for measure in report.judged.measures:
        assert measure.against is not None or measure.outcome == "too few", measure.name
    assert outcomes(report)["near_duplicates"] == outcomes(report)["effective_clusters"] == "go"
    assert report.verdict.sentence in human_like.stdout
    for heading in ("against as much human text", "effective clusters", "what deduplication took"):
        assert heading in human_like.stdout
    (line,) = report.conservation
    assert (line.source, line.role) == ("corpus", "synthetic")
    assert line.holds()
    assert (line.read, line.removed, line.written) == (1210, 1210 - line.kept, 0)
    assert sum(line.not_selected.values()) == line.kept
    page = (human_like.out / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert (human_like.out / "manifest.json").exists()
    assert not (human_like.out / "data").exists()


def test_a_built_reference_and_other_files_and_workers_give_the_same(
    corpora, human_like, reference, tmp_path
):
    """Change the order, the files, the formats and the number of workers."""
    rows = corpora.rows["other"]
    mixed = random.Random(3).sample(rows, len(rows))
    folder = tmp_path / "split"
    folder.mkdir()
    for number, at in enumerate(range(0, len(mixed), 170)):
        write_rows(folder / f"{number}.{ENDINGS[number % 4]}", mixed[at : at + 170])
    again = audited(tmp_path / "again", folder, reference=str(reference), workers=3)
    expected = human_like.report
    assert figures(again) == figures(expected)
    assert len(expected.shards) == 1
    assert [shard.file for shard in again.shards] == sorted(p.name for p in folder.iterdir())
    for shard in again.shards:
        assert 150 < shard.rows == shard.figures.documents <= 170 or shard == again.shards[-1]
    assert sum(shard.rows for shard in again.shards) == expected.shards[0].rows
    assert sum(shard.figures.tokens for shard in again.shards) == expected.shards[0].figures.tokens
    assert sum(shard.bytes for shard in again.shards) == sum(
        path.stat().st_size for path in folder.iterdir()
    )


@pytest.fixture(scope="session")
def collapsed(corpora, reference, tmp_path_factory) -> Audit:
    out = tmp_path_factory.mktemp("collapsed") / "audit"
    asked = [corpora.collapsed, "--reference", reference, "--id-field", "id", "--json"]
    return command(*asked, out=out, code=3)


def test_few_texts_many_times_stop_and_the_commonest_is_shown(corpora, collapsed):
    report = collapsed.report
    assert report.verdict.outcome == "stop"
    assert outcomes(report)["near_duplicates"] == "stop"
    assert any(reason.startswith("stop: near duplicates") for reason in report.verdict.reasons)
    often = Counter(row["text"] for row in corpora.rows["collapsed"])
    assert often[COMMONEST] == max(often.values())
    first = report.deduplication.most_repeated[0]
    assert first.text == COMMONEST
    assert (first.source, first.times, first.exact) == ("corpus", often[COMMONEST], 300)
    assert corpora.rows["collapsed"][int(first.id)]["text"] == COMMONEST
    times = [text.times for text in report.deduplication.most_repeated]
    assert times == sorted(times, reverse=True)
    assert sum(report.conservation[0].not_selected.values()) <= len(often)
    assert COMMONEST in (collapsed.out / "report.html").read_text()


def test_json_is_the_report_and_nothing_else(collapsed):
    assert Report.model_validate_json(collapsed.stdout) == collapsed.report
    assert collapsed.stderr == ""


def test_the_references_own_text_is_no_corpus_to_judge(corpora, reference, tmp_path):
    report = audited(tmp_path / "own", corpora.human, reference=str(reference))
    assert report.verdict.outcome == "done"
    assert report.verdict.sentence.startswith("Done, not judged: no document is left that is new")
    assert report.judged.documents == 0
    (line,) = report.conservation
    (same,) = (n for why, n in line.not_selected.items() if why == "stands in the human reference")
    assert same == line.kept
    warning_start = f"{same:,} of {same:,} documents stand word for word in the reference"
    assert any(warning.startswith(warning_start) for warning in report.verdict.warnings)
    assert line.holds()
    (line_of_reference,) = report.deduplication.found
    assert (line_of_reference.kind, line_of_reference.name) == ("reference", "reference/yardstick")


def test_one_text_or_four_fifths_of_one_text_stops(corpora, reference, tmp_path):
    """Though hardly any documents are left to measure, and what is left may be diverse."""
    other = corpora.rows["other"]
    for name, different in (("one", []), ("four-fifths", other[:240])):
        once = [{"id": f"c{n}", "text": COMMONEST} for n in range(1200 - len(different))]
        path = write_rows(tmp_path / f"{name}.jsonl", different + once)
        asked = ["--reference", reference, "--id-field", "id", "--workers", 1]
        stopped = command(path, *asked, out=tmp_path / name, code=3)
        verdict = stopped.report.verdict
        assert verdict.outcome == "stop"
        (repeats,) = (m for m in stopped.report.judged.measures if m.name == "near_duplicates")
        assert (repeats.outcome, repeats.n) == ("stop", 1200)
        share = (1199 - len(different)) / 1200
        # Beside human text of this module, which hardly repeats itself.
        assert repeats.value == pytest.approx(share, abs=0.01)
        assert f"{repeats.value:.1%} of its documents repeat another one" in verdict.sentence
        assert verdict.sentence in stopped.stdout


@pytest.fixture(scope="session")
def thrice(corpora, reference, tmp_path_factory) -> Audit:
    """More texts than the reference has, each of them three times."""
    folder = tmp_path_factory.mktemp("thrice")
    rows = [row | {"id": f"{n}-{row['id']}"} for n in range(3) for row in corpora.rows["other"]]
    report = audited(
        folder / "audit", write_rows(folder / "a.jsonl", rows), reference=str(reference)
    )
    assert report.conservation[0].read > len(corpora.rows["human"]) * 2
    return Audit(folder / "audit", "", "")


def test_a_corpus_larger_than_its_reference_stops_for_its_repeats_alone(human_like, thrice):
    report, once = thrice.report, human_like.report
    assert report.verdict.outcome == "stop"
    assert [name for name, outcome in outcomes(report).items() if outcome == "stop"] == [
        "near_duplicates"
    ]
    (repeats,) = (m for m in report.judged.measures if m.name == "near_duplicates")
    assert repeats.n == report.conservation[0].read
    assert repeats.value == pytest.approx(2 / 3, abs=0.01)
    # What is left of it is what was left of it once, and is as diverse.
    assert report.judged.documents == once.judged.documents
    assert report.verdict.sentence.startswith(
        f"Stop: the corpus repeats itself: {repeats.value:.1%} of its documents"
    )


def test_a_handful_of_texts_is_not_judged_and_stops_where_gates_say_so(
    corpora, reference, tmp_path, capsys
):
    few = write_rows(tmp_path / "few.jsonl", corpora.rows["other"][:60])
    out = tmp_path / "out"
    report = audited(out, few, reference=str(reference))
    assert set(outcomes(report).values()) == {"too few"}
    assert report.verdict.outcome == "done"
    assert report.verdict.sentence.startswith(
        "Done, not judged: only 0 of 13 gates had enough text to judge"
    )
    gates = tmp_path / "gates.yaml"
    gates.write_text("too_few: stop\n")
    asked = {"paths": [str(few)], "reference": str(reference), "gates": str(gates), "workers": 1}
    request = AuditRequest(**asked, id_field="id", out=str(out))
    strict = audit(request, progress=StageProgress()).report
    assert strict.verdict.outcome == "stop"
    assert strict.verdict.reasons == ["stop: too little to judge, which these gates don't let pass"]
    assert strict.judged == report.judged
    # It is another request, whose result was there.
    note = f"note: the result of another request in {out} is replaced\n"
    assert capsys.readouterr().err.startswith(note)


def test_a_file_without_rows_is_a_shard_without_figures(corpora, reference, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    write_rows(folder / "a.jsonl", corpora.rows["other"][:300])
    write_rows(folder / "b.jsonl", [])
    write_rows(folder / "c.jsonl", corpora.rows["other"][300:600])
    report = audited(tmp_path / "out", folder, reference=str(reference))
    first, empty, last = report.shards
    assert (empty.file, empty.rows, empty.bytes, empty.human_share) == ("b.jsonl", 0, 0, None)
    assert empty.figures.documents == empty.figures.tokens == 0
    assert first.rows + last.rows == report.figures("deduplicate").documents


def test_each_file_has_a_near_duplicate_rate_of_its_own(corpora, reference, tmp_path):
    """One of identical answers, one that copies another file, and a clean one."""
    folder = tmp_path / "files"
    folder.mkdir()
    other = corpora.rows["other"][:200]
    once = [{"id": f"c{n}", "text": COMMONEST} for n in range(805)]
    again = [row | {"id": f"again-{row['id']}"} for row in other]
    write_rows(folder / "clean.jsonl", other)
    write_rows(folder / "copy.jsonl", again)
    write_rows(folder / "null.jsonl", once)
    report = audited(tmp_path / "out", folder, reference=str(reference))
    clean, copy, null = report.shards
    assert [shard.read for shard in report.shards] == [200, 200, 805]
    assert null.rows == null.figures.documents == 1
    assert null.figures.near_duplicates == 804
    assert null.figures.near_duplicate_rate == pytest.approx(804 / 805)
    # Two of the other texts may repeat each other, in a copy of them as well.
    assert clean.figures.near_duplicates == copy.figures.near_duplicates <= 4
    assert clean.rows + copy.rows == 200 - clean.figures.near_duplicates
    in_all = next(m for m in report.judged.measures if m.name == "near_duplicates")
    assert in_all.value > 1000 / 1205 - 0.01
    page = (tmp_path / "out" / "report.html").read_text()
    assert "99.9\u202f%" in page


def test_without_human_text_there_is_a_report_but_no_judgement(corpora, tmp_path):
    report = audited(tmp_path / "alone", corpora.collapsed)
    assert report.verdict.outcome == "done"
    assert "no human text to judge by" in report.verdict.sentence
    assert (report.judged, report.clusters) == (None, [])
    assert report.reference.human is False
    assert report.deduplication.most_repeated[0].text == COMMONEST


# Domains, prompts, gates.


@pytest.fixture(scope="session")
def sums(corpora, reference, tmp_path_factory) -> tuple[Report, Report]:
    """Audit one corpus with all domains open, and with sums that are meant to agree."""
    folder = tmp_path_factory.mktemp("sums")
    gates = folder / "gates.yaml"
    gates.write_text("domains: {maths: converge, math: converge}\n")
    fields = {"domain_field": "kind", "prompt_field": "question", "reference": str(reference)}
    return (
        audited(folder / "open", corpora.sums, **fields),
        audited(folder / "converge", corpora.sums, **fields, gates=str(gates)),
    )


def test_domains_that_are_meant_to_converge_are_measured_and_not_judged(corpora, sums):
    every, some = sums
    assert outcomes(every)["near_duplicates"] == "stop"
    assert every.verdict.outcome == "stop"
    assert some.verdict.outcome in ("go", "warn")
    assert [(domain.name, domain.kind) for domain in some.domains] == [
        ("stories", "open"),
        ("maths", "converge"),
    ]
    warning_expected = "gates: no document has the domain 'math'; there are 'maths', 'stories'"
    assert warning_expected in some.verdict.warnings
    assert not any("gates:" in warning for warning in every.verdict.warnings)
    assert {domain.kind for domain in every.domains} == {"open"}
    assert [d.figures for d in some.domains] == [d.figures for d in every.domains]
    stories, maths = (domain.figures.documents for domain in some.domains)
    assert some.judged.documents == stories
    assert every.judged.documents == stories + maths == some.figures("deduplicate").documents
    assert some.stages == every.stages  # what is shown of all stays


def test_a_corpus_of_nothing_but_convergence_is_not_judged(corpora, reference, tmp_path):
    gates = tmp_path / "gates.yaml"
    gates.write_text("domains: {'*': converge}\n")
    asked = {"reference": str(reference), "gates": str(gates)}
    report = audited(tmp_path / "out", corpora.collapsed, **asked)
    assert report.verdict.outcome == "done"
    assert report.judged.documents == 0
    assert report.figures("read").near_duplicates > 1000


def test_prompts_that_have_collapsed_are_named(corpora, sums):
    (line,) = sums[0].prompts
    asked = Counter(row["question"] for row in corpora.rows["sums"] if row["question"])
    assert (line.source, line.prompts, line.answers) == ("corpus", 60, 600)
    assert line.distinct_answers == 60
    assert line.sampling.collapsed_prompts == 60
    worst = line.sampling.collapsed[0]
    assert worst.answers == worst.commonest == asked[worst.prompt] == 10
    assert (worst.distinct, worst.same_chance) == (1, 1.0)
    n = int(worst.prompt.split()[0])
    assert worst.text == f"{n} + {n} = {2 * n}, as is easily seen"
    every, some = (report.verdict for report in sums)
    assert "60 of 60 prompts have collapsed." in every.sentence
    assert any(reason.startswith("warning: 60 of 60 prompts") for reason in every.reasons)
    # Where sums are meant to agree that is no loss.
    assert "prompts" not in some.sentence
    assert any(reason.startswith("noticed: 60 of 60 prompts") for reason in some.reasons)


def test_gates_with_an_unknown_key_are_refused(corpora, reference, tmp_path):
    path = tmp_path / "gates.yaml"
    path.write_text("distinct_33: {warn: 0.9, stop: 0.75}\n")
    asked = ["--reference", reference, "--gates", path]
    refused = command(corpora.other, *asked, out=tmp_path / "out", code=2)
    assert f"{path}: distinct_33: there is no such key" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "out").exists()


# What can't be read.


def test_a_text_field_that_is_not_there_fails_by_name(corpora, reference, tmp_path):
    asked = ["--reference", reference, "--text-field", "answer"]
    failed = command(corpora.other, *asked, out=tmp_path / "out", code=1)
    assert "corpus: text field 'answer' is missing" in failed.stderr
    assert "--max-reject-share" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "out" / "report.json").exists()
    rejects = pq.read_table(tmp_path / "out" / "rejects").to_pylist()
    assert len(rejects) == len(corpora.rows["other"])


def test_human_text_may_have_a_field_of_its_own(corpora, tmp_path):
    answers = [{"id": row["id"], "answer": row["text"]} for row in corpora.rows["other"][:300]]
    path = write_rows(tmp_path / "answers.jsonl", answers)
    asked = {"text_field": "answer", "human": [str(corpora.human)], "human_text_field": "text"}
    report = audited(tmp_path / "out", path, **asked)
    assert report.conservation[0].read == 300
    assert report.reference.documents > 1500


@pytest.fixture(scope="session")
def narrow(corpora, reference, tmp_path_factory) -> Audit:
    out = tmp_path_factory.mktemp("narrow") / "audit"
    audited(out, corpora.narrow, reference=str(reference))
    return Audit(out, "", "")


def test_few_words_stop_and_what_could_not_be_read_is_named(corpora, narrow):
    report = narrow.report
    assert report.verdict.outcome == "stop"
    outcome_of = outcomes(report)
    assert outcome_of["vocabulary"] == outcome_of["rare_words"] == "stop"
    assert outcome_of["near_duplicates"] == "go"
    assert report.conservation[0].rejected == BROKEN
    rejects = pq.read_table(narrow.out / "rejects").to_pylist()
    assert [(row["file"], row["place"], row["raw"]) for row in rejects] == [
        ("narrow.jsonl", f"line {1200 + n}", b"not json") for n in (1, 2)
    ]


def test_a_file_that_was_cut_off_is_warned_of(corpora, reference, tmp_path):
    """One of many rows, so that nothing stops; but what it held is missing."""
    folder = tmp_path / "parts"
    folder.mkdir()
    write_rows(folder / "a.jsonl.gz", corpora.rows["other"][:400])
    cut = write_rows(folder / "b.jsonl.gz", corpora.rows["other"][400:800])
    cut.write_bytes(cut.read_bytes()[:-20_000])
    asked = {"reference": str(reference), "on_broken_file": "reject"}
    report = audited(tmp_path / "out", folder, **asked)
    line = report.conservation[0]
    assert line.rejected == 1
    assert 400 < line.read < 800
    (message,) = (warning for warning in report.verdict.warnings if "could not be read" in warning)
    assert message.startswith(
        "source 'corpus': rows or files that could not be read: 1, 1 of them as: "
    )
    assert message.endswith("stand in rejects/")
    (reject,) = pq.read_table(tmp_path / "out" / "rejects").to_pylist()
    assert reject["file"] == "b.jsonl.gz"
    assert reject["reason"] in message
    assert message in (tmp_path / "out" / "report.html").read_text().replace("&#x27;", "'").replace(
        "&#39;", "'"
    )


def test_a_damaged_reference_is_refused_before_any_work(corpora, curated, reference, tmp_path):
    broken = tmp_path / "ref"
    shutil.copytree(reference, broken, ignore=shutil.ignore_patterns(".outcross"))
    arrays = broken / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-1000])
    refused = command(corpora.other, "--reference", broken, out=tmp_path / "out", code=2)
    assert f"reference: {broken} is damaged" in refused.stderr
    assert "Traceback" not in refused.stderr
    # A run's own reference, which nobody has named, is no other case.
    run_out = tmp_path / "run"
    shutil.copytree(curated.out, run_out, ignore=shutil.ignore_patterns(".outcross"))
    for damage in ("{", "[]"):
        (run_out / "reference" / "reference.json").write_text(damage)
        with pytest.raises(ConfigError, match=f"reference: {run_out}"):
            audit(AuditRequest(paths=[str(run_out)], out=str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


# What a run has written.


@pytest.fixture(scope="session")
def curated(corpora, tmp_path_factory):
    """Make a run whose gate lets it pass, with copies of documents."""
    out = tmp_path_factory.mktemp("curated") / "out"
    config = {
        "out": str(out),
        "tokens": 80_000,
        "rounds": 2,
        "human_share": 0.4,
        "max_copies": 2,
        "workers": 1,
        "sources": [
            {"name": "gpt", "role": "synthetic", "files": [str(corpora.other)]},
            {"name": "people", "role": "human", "files": [str(corpora.human)]},
        ],
    }
    path = out.parent / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return run(path, "--gate", out=out)


def _state(folder: Path) -> dict[Path, tuple[int, int]]:
    paths = [path for path in folder.rglob("*") if path.name != "lock"]
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}


@pytest.fixture(scope="session")
def of_run(curated, reference, tmp_path_factory) -> Audit:
    out = tmp_path_factory.mktemp("of-run") / "audit"
    before = _state(curated.out)
    audit_of_run = command(curated.out, "--reference", reference, "--workers", 1, out=out)
    assert _state(curated.out) == before  # the audited corpus is never written to
    return audit_of_run


def test_a_runs_output_is_read_by_its_roles_without_further_copies(curated, of_run):
    written = Counter(row["outcross"]["source"] for row in curated.data)
    firsts = Counter(n[0] for n in curated.appearances)
    assert written != firsts
    report = of_run.report
    assert [(line.source, line.role) for line in report.conservation] == [
        ("gpt", "synthetic"),
        ("people", "human"),
    ]
    for line in report.conservation:
        assert line.read == firsts[line.source]
        assert line.filtered == len(curated.data) - line.read  # the other source's, and copies
    assert set(report.stages[-1].roles) == {"synthetic", "human", "all"}
    assert [shard.file for shard in report.shards] == sorted(
        path.name for path in curated.out.glob("data/*")
    )
    assert report.judged is not None
    assert report.verdict.outcome in ("go", "warn")
    assert outcomes(report)["effective_clusters"] == "go"


def test_the_files_of_a_run_say_the_same_wherever_they_lie(curated, of_run, reference, tmp_path):
    asked = {"reference": str(reference), "id_field": None}
    report = audited(tmp_path / "files", curated.out / "data" / "*.parquet", **asked)
    assert [line.source for line in report.conservation] == ["synthetic", "human"]
    expected = of_run.report
    assert [line.read for line in report.conservation] == [
        line.read for line in expected.conservation
    ]
    assert report.judged == expected.judged
    assert report.stages == expected.stages
    assert report.verdict.outcome == expected.verdict.outcome


def test_a_runs_output_is_measured_on_the_reference_it_brings(curated, tmp_path, capsys):
    request = AuditRequest(paths=[str(curated.out)], out=str(tmp_path / "out"), workers=1)
    report = audit(request, progress=StageProgress()).report
    reference = curated.out / "reference"
    assert f"note: measured on the run's own reference, {reference}\n" in capsys.readouterr().err
    stored = json.loads((reference / "reference.json").read_text())
    assert (report.reference.human, report.reference.fingerprint) == (True, stored["fingerprint"])
    assert report.verdict.outcome in ("go", "warn")
    # Its human part is what the reference was made of, and is measured all the same.
    human = next(line for line in report.conservation if line.role == "human")
    assert (human.removed, human.not_selected["measured"]) == (0, human.kept)


def test_the_human_part_of_a_corpus_is_no_reference_for_it(curated, tmp_path):
    """Audit its files without its reference/: their human text is audited, too."""
    files = curated.out / "data" / "*.parquet"
    report = audited(tmp_path / "out", files, id_field=None)
    assert {line.role for line in report.conservation} == {"synthetic", "human"}
    assert report.verdict.outcome == "done"
    assert "no human text to judge by" in report.verdict.sentence
    assert (report.judged, report.clusters) == (None, [])
    assert report.reference.human is False
    assert (report.reference.tail_mass, report.reference.near_duplicate_rate) == (None, None)
    roles = [role for stage in report.stages for role in stage.roles.values()]
    roles += [shard.figures for shard in report.shards]
    assert len(roles) > 6
    for role in roles:
        assert (
            role.measures,
            role.tail_mass,
            role.off_support,
        ) == ([], None, None)


def test_human_text_that_a_run_wrote_is_meant_to_be_there(of_run):
    """Though the reference is made of it: it would be half of it that goes, by hash."""
    human = next(line for line in of_run.report.conservation if line.role == "human")
    assert human.removed == 0


def test_a_runs_gate_stops_it(corpora, curated, reference, tmp_path):
    assert curated.report["verdict"]["outcome"] in ("go", "warn")
    # How far a plan leads from human text is its own doing, so that is shown only.
    measures = {m["name"]: m["outcome"] for m in curated.report["judged"]["measures"]}
    assert measures["js"] == "shown"
    assert "near_duplicates" not in measures
    options = ["--synthetic", corpora.narrow, "--human", corpora.human, "--human-share", 0.05]
    options += ["--reference", reference, "--rounds", 1, "--out", tmp_path / "out"]
    stopped = run(*options, "--gate", out=tmp_path / "out", code=3)
    assert stopped.report["verdict"]["outcome"] == "stop"
    assert "Stop: " in stopped.stdout
    assert stopped.data  # what was made stays, for a person to look at


# Generations side by side.


def test_generations_that_keep_their_diversity_go_on(human_like, tmp_path):
    out = tmp_path / "out"
    other = tmp_path / "gen2"
    other.mkdir()
    (other / "report.json").write_bytes((human_like.out / "report.json").read_bytes())
    done = outcross("compare", human_like.out, other, "--out", out)
    comparison = Comparison.model_validate_json((out / "compare.json").read_text())
    assert comparison.verdict.outcome == "go"
    assert comparison.verdict.sentence in done.stdout
    assert comparison.alarms == []
    assert [generation.report for generation in comparison.generations] == [
        str(human_like.out / "report.json"),
        str(other / "report.json"),
    ]
    assert (out / "report.html").read_text().startswith("<!doctype html>")


def test_a_generation_that_has_lost_too_much_stops(human_like, narrow):
    stopped = outcross("compare", human_like.out, narrow.out, "--json", code=3)
    comparison = Comparison.model_validate_json(stopped.stdout)
    assert comparison.verdict.outcome == "stop"
    assert {"vocabulary", "rare_words"} <= {alarm.measure for alarm in comparison.alarms}


def test_a_generation_that_says_everything_three_times_stops(human_like, thrice):
    comparison = compare(read_reports([str(human_like.out), str(thrice.out)]))
    assert comparison.verdict.outcome == "stop"
    assert {alarm.measure for alarm in comparison.alarms} == {"near_duplicates"}
    (alarm,) = comparison.alarms
    assert alarm.fall == pytest.approx(2 / 3, abs=0.02)
    assert comparison.verdict.sentence.startswith(
        f"Stop: near duplicates rose by {100 * alarm.fall:.1f}"
    )


def test_an_audit_has_removed_nothing_that_could_be_explained(human_like):
    refused = outcross("explain", human_like.out, code=2)
    message = f"explain: {human_like.out} was made by an audit or `reference build`"
    assert message in refused.stderr
    assert "report.json has the commonest texts" in refused.stderr


def test_two_references_are_not_compared(human_like, narrow, tmp_path):
    report = narrow.report
    other = report.reference.model_copy(update={"fingerprint": "another"})
    path = tmp_path / "report.json"
    path.write_text(report.model_copy(update={"reference": other}).model_dump_json())
    refused = outcross("compare", human_like.out, path, "--out", tmp_path / "compared", code=2)
    assert "can't be compared" in refused.stderr
    assert "--reference" in refused.stderr
    assert not (tmp_path / "compared").exists()


# Again, and after a stop.


def test_an_audit_goes_on_where_it_was(corpora, human_like, tmp_path):
    rows = corpora.rows["other"]
    folder = tmp_path / "parts"
    folder.mkdir()
    for at in range(0, len(rows), 60):
        write_rows(folder / f"{at:05d}.jsonl", rows[at : at + 60])
    out = tmp_path / "out"
    asked = [folder, "--human", corpora.human, "--id-field", "id", "--workers", 1, "--out", out]

    def units() -> dict[Path, int]:
        paths = out.glob(".outcross/sketch-*/units/unit-*.json")
        return {path: path.stat().st_mtime_ns for path in paths}

    unit = rf"{out}/\.outcross/sketch-\w+/units/unit-"
    with units_of(TINY), stopped_at(unit, times=11):
        stopped = outcross("audit", *asked, code=1)
    assert "stopped by the test" in stopped.stderr
    finished = units()
    assert len(finished) >= 5
    assert not (out / "report.json").exists()
    with units_of(TINY):
        resumed = outcross("audit", *asked)
    assert len(units()) > len(finished)
    assert "cluster       done earlier, unchanged" in resumed.stderr  # of the reference
    after = units()
    assert {path: after[path] for path in finished} == finished
    report = Audit(out, "", "").report
    assert figures(report) == figures(human_like.report)
    # Once it is finished, nothing is done again.
    before = _state(out / ".outcross") | _state(out / "reference" / ".outcross")
    with units_of(TINY):
        outcross("audit", *asked)
    again = Audit(out, "", "").report
    assert _state(out / ".outcross") | _state(out / "reference" / ".outcross") == before
    assert again == report


def test_no_audit_has_written_to_a_corpus(corpora, human_like, collapsed, narrow, sums, of_run):
    for name, rows in corpora.rows.items():
        lines = (corpora.folder / f"{name}.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines[: len(rows)]] == rows
    assert {path.name for path in corpora.folder.iterdir()} == {f"{n}.jsonl" for n in corpora.rows}

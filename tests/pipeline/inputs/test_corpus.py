"""Sources of an audit: files, globs, folders and runs' outputs; and the requests it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.pipeline.commands.audit import audit, build_reference
from outcross.pipeline.inputs.corpus import corpus_sources
from outcross.schemas.audit import AuditRequest, ReferenceRequest
from outcross.schemas.config import Config
from outcross.schemas.documents import FORMAT_VERSION, OUTCROSS, OUTCROSS_TYPES
from outcross.schemas.formats import versions
from outcross.schemas.sources import Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.reading.pieces import plan_units

GPT = {"name": "gpt", "role": "synthetic", "files": ["x"], "text_field": "messages.1.content"}
PEOPLE = {"name": "people", "role": "human", "files": ["x"], "prompt_field": "question"}
TESTS = {"name": "tests", "role": "exclude", "files": ["x"]}


def sources(*paths: Any, **asked: Any) -> list[Source]:
    return corpus_sources(AuditRequest(paths=[str(path) for path in paths], **asked))


def curated(path: Path, kind: pa.DataType = OUTCROSS) -> Path:
    """Write a Parquet file with a column of the name and type that runs write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([("text", pa.string()), ("outcross", kind)])
    pq.write_table(schema.empty_table(), path)
    return path


def finished_run(out: Path, *configured: dict[str, Any], shards: int = 1) -> Path:
    """Write the files of a run's output directory that an audit reads."""
    for number in range(shards):
        curated(out / "data" / f"train-{number:05d}-of-{shards:05d}.parquet")
    configuration = {"out": str(out), "sources": configured}
    manifest = {**versions(FORMAT_VERSION), "configuration": configuration}
    (out / "manifest.json").write_text(json.dumps(manifest))
    return out


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "some words"}\n')
    return path


def test_a_file_is_one_source_that_is_read_as_asked(file):
    fields = {"text_field": "answer", "id_field": "id", "prompt_field": "q", "domain_field": "d"}
    assert sources(file, **fields) == [
        Source(name="corpus", role="synthetic", files=[str(file)], **fields)
    ]


def test_a_glob_stays_one(tmp_path, file):
    (source,) = sources(f"{tmp_path}/*.jsonl")
    assert source.files == [f"{tmp_path}/*.jsonl"]
    (source,) = sources(tmp_path / "none-*.jsonl")  # the reader will name it
    assert source.files == [str(tmp_path / "none-*.jsonl")]


def test_a_folder_is_its_data_files_at_any_depth_and_nothing_hidden(tmp_path):
    folder = tmp_path / "corpus (1) *"
    data = ["a.jsonl", "b.jsonl.gz", "c.ndjson.zst", "d.json.gz", "e.parquet", "f.pq", "G.JSONL"]
    data += ["deep/er/h.parquet"]
    ignored = ["README.md", "dataset_info.json", "notes.txt", ".cache/old.jsonl", "deep/.x.jsonl"]
    for name in (*data, *ignored):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    for path in (folder, f"{folder}/"):
        paths = {piece.file for unit in plan_units(sources(path)) for piece in unit.pieces}
        assert paths == {str(folder / name) for name in data}
    for name in data:  # an existing name is no glob
        (unit,) = plan_units(sources(folder / name))
        assert [piece.file for piece in unit.pieces] == [str(folder / name)]


def test_a_folder_without_data_is_refused(tmp_path):
    (tmp_path / "README.md").write_text("")
    with pytest.raises(ConfigError, match=rf"{tmp_path}' has nothing to read .*README.*\.jsonl"):
        plan_units(sources(tmp_path))


def test_a_run_is_read_as_it_was_configured(tmp_path):
    out = finished_run(tmp_path / "out", GPT, PEOPLE, TESTS, shards=2)
    with pytest.raises(ConfigError, match=r"text_field: .* was written by a run"):
        sources(out, text_field="other")
    corpus = sources(out)
    assert [(s.name, s.role, s.text_field, s.prompt_field) for s in corpus] == [
        ("gpt", "synthetic", "messages.1.content", None),
        ("people", "human", "text", "question"),
    ]
    for source in corpus:
        assert source.files == [str(out / "data" / "*.parquet")]
        # A source reads its own rows, and no further copies, which were planned.
        assert source.where == {"outcross.source": source.name, "outcross.copy": 1}
        assert (source.id_field, source.domain_field) == ("outcross.id", "outcross.domain")


def test_what_a_run_wrote_is_known_by_its_column_wherever_it_lies(tmp_path):
    path = curated(tmp_path / "elsewhere" / "part.parquet")
    for given_path in (path, path.parent, path.parent / "*.parquet"):
        corpus = sources(given_path, text_field="answer", id_field="mine", prompt_field="q")
        assert [(s.name, s.role) for s in corpus] == [("synthetic",) * 2, ("human",) * 2]
        for source in corpus:
            assert source.where == {"outcross.role": source.role, "outcross.copy": 1}
            assert (source.text_field, source.id_field) == ("answer", "outcross.id")
            assert (source.prompt_field, source.domain_field) == ("q", "outcross.domain")


@pytest.mark.parametrize("kind", OUTCROSS_TYPES)
def test_synthetic_text_gets_the_provenance_that_is_asked_for(tmp_path, file, kind):
    assert [s.provenance for s in sources(file, provenance="edited")] == ["edited"]
    path = curated(tmp_path / "elsewhere" / "part.parquet", kind)
    corpus = sources(path, provenance="edited")
    assert {s.role: s.provenance for s in corpus} == {"synthetic": "edited", "human": None}
    assert {s.provenance for s in sources(path, file)} == {None}


def test_a_run_says_itself_how_its_text_was_made(tmp_path):
    out = finished_run(tmp_path / "out", {**GPT, "provenance": "rephrased"}, PEOPLE)
    assert [s.provenance for s in sources(out)] == ["rephrased", None]
    with pytest.raises(ConfigError, match=r"provenance: .* was written by a run, which knows its"):
        sources(out, provenance="edited")


def test_a_column_of_another_type_or_no_parquet_at_all_is_nobodys_run(tmp_path):
    unlike = curated(tmp_path / "other.parquet", pa.string())
    broken = tmp_path / "broken.parquet"
    broken.write_text("this was never a table")
    for path in (unlike, broken):
        (source,) = sources(path)
        assert (source.name, source.where) == ("corpus", {})


@pytest.mark.parametrize("manifest", ["not json", "[1]", "{}", '{"configuration": {"out": 1}}'])
def test_somebody_elses_manifest_is_refused(tmp_path, manifest):
    out = finished_run(tmp_path / "out", GPT)
    (out / "manifest.json").write_text(manifest)
    with pytest.raises(ConfigError, match=r"(?s)is not of an outcross run .* give its data files"):
        sources(out)


def test_several_paths_of_one_kind_are_one_source(tmp_path, file):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "b.jsonl").write_text("")
    (source,) = sources(file, folder)
    assert source.files == [str(file), str(folder)]
    runs = [finished_run(tmp_path / name, GPT, PEOPLE) for name in ("one", "two")]
    corpus = sources(*runs)
    assert [source.name for source in corpus] == ["gpt", "people"]
    assert corpus[0].files == [str(run / "data" / "*.parquet") for run in runs]


def test_what_is_read_differently_stays_apart_under_its_own_name(tmp_path, file):
    first = finished_run(tmp_path / "one", GPT, PEOPLE)
    second = finished_run(tmp_path / "two", {**GPT, "text_field": "answer"}, PEOPLE)
    corpus = sources(first, file, second)
    assert [source.name for source in corpus] == ["gpt", "people", "corpus", "gpt-2"]
    # The filter still has the source's name in the second run.
    assert corpus[3].where["outcross.source"] == "gpt"
    assert corpus[3].text_field == "answer"


@settings(max_examples=25)
@given(
    st.lists(
        st.lists(st.sampled_from(["a", "a-2", "a-3", "b", "yardstick"]), unique=True), max_size=5
    )
)
def test_names_are_unique_whatever_runs_called_their_sources(tmp_path_factory, named):
    folder = tmp_path_factory.mktemp("runs")
    runs = [
        finished_run(
            folder / str(number),
            *({**GPT, "name": name, "text_field": f"t{number}"} for name in [*names, "z"]),
        )
        for number, names in enumerate(named)
    ]
    corpus = sources(folder / "x.jsonl", *runs)
    Config(out="out", sources=corpus)  # refuses repeated names
    assert [source.where.get("outcross.source") for source in corpus] == [
        None,
        *(name for names in named for name in [*names, "z"]),
    ]
    first = {}
    for source in corpus:
        first.setdefault(source.where.get("outcross.source"), source.name)
    usual = {before: name for before, name in first.items() if before not in (None, "yardstick")}
    assert all(before == name for before, name in usual.items())  # the first keeps its name
    # No source has the name of the reference's pool.
    assert "yardstick" not in [source.name for source in corpus]


# Refused before any work is done.


def test_a_file_that_two_paths_hold_is_refused_and_named(tmp_path, file):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.jsonl").symlink_to(file)
    for path in (f"{tmp_path}/*.jsonl", folder, str(file).replace("/a.", "/./a.")):
        with pytest.raises(ConfigError, match=r"hold the same file .*; give it once") as refused:
            sources(file, path)
        assert str(file) in str(refused.value)
        assert str(path) in str(refused.value)
    run = finished_run(tmp_path / "run", GPT, shards=2)
    for path in (run / "data", f"{run}/data/*-00001-*.parquet", f"{run}/"):
        with pytest.raises(ConfigError, match=r"hold the same file .*-of-00002\.parquet; give it"):
            sources(run, path)
    (tmp_path / "b.jsonl").write_text(file.read_text())  # the same text is another file
    assert sources(file, tmp_path / "b.jsonl")[0].files == [str(file), f"{tmp_path}/b.jsonl"]


def test_a_missing_corpus_is_named_before_a_reference_is_made(tmp_path, file):
    out = tmp_path / "out"
    for corpus, human, message in (
        (str(tmp_path / "none.jsonl"), str(file), r"'corpus': files: .*none\.jsonl"),
        (str(file), str(tmp_path / "none.jsonl"), r"'human': files: .*none\.jsonl"),
        (str(file), str(tmp_path / "notes.txt"), r"'human': files: "),
    ):
        with pytest.raises(ConfigError, match=message):
            audit(AuditRequest(paths=[corpus], human=[human], out=str(out)))
        assert not out.exists()


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ("distinct_33: {warn: 0.9, stop: 0.75}", r"distinct_33: there is no such key"),
        ("distinct_3: {warn: 0.7, stop: 0.75}", r"distinct_3: stop is 0\.75, above warn"),
        ("js: {warn: 0.05, stop: 0.02}", r"js: stop is 0\.02, below warn"),
        ("domains: {maths: closed}", r"domains\.maths: .*'open' or 'converge'"),
    ],
)
def test_gates_that_make_no_sense_are_refused(tmp_path, file, gates, message):
    path = tmp_path / "gates.yaml"
    path.write_text(gates)
    request = AuditRequest(paths=[str(file)], gates=str(path), out=str(tmp_path / "out"))
    with pytest.raises(ConfigError, match=rf"{path}: {message}"):
        audit(request)
    assert not (tmp_path / "out").exists()


def test_human_text_of_a_run_is_not_removed_by_a_reference_made_from_it(tmp_path, file):
    out = finished_run(tmp_path / "out", GPT, PEOPLE)
    by_role = {source.role: source for source in sources(out, file)}
    names = [source.name for source in sources(out, file)]
    assert by_role["human"].removed_by == names
    assert by_role["synthetic"].removed_by is None


def test_the_directory_of_a_run_keeps_its_own_report(tmp_path, file):
    out = finished_run(tmp_path / "out", GPT)
    (out / ".outcross").mkdir()
    before = (out / "manifest.json").read_bytes()
    for request in (
        lambda: audit(AuditRequest(paths=[str(file)], out=str(out))),
        lambda: audit(AuditRequest(paths=[str(file)], human=[str(file)], out=str(out))),
        lambda: build_reference(ReferenceRequest(human=[str(file)], out=str(out))),
    ):
        with pytest.raises(ConfigError, match=rf"out: {out} holds what `outcross run` has made"):
            request()
    assert (out / "manifest.json").read_bytes() == before
    assert sorted(path.name for path in out.iterdir()) == [".outcross", "data", "manifest.json"]


def test_a_corpus_below_out_is_refused(tmp_path, file):
    (tmp_path / ".outcross").mkdir()
    with pytest.raises(ConfigError, match=r"lies in out"):
        audit(AuditRequest(paths=[str(file)], human=[str(file)], out=str(tmp_path)))


def test_a_run_that_wrote_its_judged_texts_is_read_by_them(tmp_path: Path) -> None:
    out = finished_run(tmp_path / "out", {**GPT, "roles": ["assistant"]}, PEOPLE)
    assert next((s.text_field, s.roles) for s in sources(out)) == (
        "messages.1.content",
        ("assistant",),
    )
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, "text_out": "text_judged"}))
    assert {(s.text_field, s.roles) for s in sources(out)} == {("text_judged", None)}

"""Reports are found in files and folders, each once, and named after their folders."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.pipeline.commands.compare import compare
from outcross.pipeline.inputs.reports import names_of, read_reports
from outcross.schemas.gates import Gates
from outcross.schemas.report import Report
from outcross.schemas.user_input import ConfigError
from tests.support.generations import report


def save(path: Path, content: Report) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content.model_dump_json())
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not json", "not JSON"),
        ("[1, 2]", "is no report.json"),
        (json.dumps({"format_version": 1, "alarms": []}), "is no report.json"),
        (json.dumps({"format_version": 2, "conservation": []}), "format_version 3 is needed; make"),
        (json.dumps({"conservation": []}), "it has no format_version, and format_version 3 is"),
        (json.dumps({"format_version": 3, "conservation": []}), "no valid report of format 3"),
    ],
)
def test_a_file_that_is_no_report_of_this_format_is_refused(tmp_path, content, words):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(ConfigError, match=words) as refused:
        read_reports([str(tmp_path)])
    assert str(tmp_path / "report.json") in str(refused.value)


def test_a_place_without_a_report_is_refused(tmp_path):
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    save(tmp_path / "a" / "b" / "c" / "report.json", report())  # three levels down
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ConfigError, match=r"no report\.json was found there"):
            read_reports([str(path)])
    with pytest.raises(ConfigError, match=r"absent\.json: can't be read: No such file"):
        read_reports([str(tmp_path / "absent.json")])


def test_a_report_counts_once(tmp_path):
    save(tmp_path / "gen1" / "report.json", report())
    with pytest.raises(ConfigError, match="is the same report as"):
        read_reports([str(tmp_path / "gen1"), str(tmp_path / "gen1" / "report.json")])
    with pytest.raises(ConfigError, match="is the same report as"):
        read_reports([str(tmp_path), f"{tmp_path}/gen1/"])


def test_a_folder_is_read_in_natural_order(tmp_path):
    for number in (10, 2, 1):
        save(tmp_path / f"Gen{number}" / "report.json", report(1.0 / number))
    save(tmp_path / "gen9" / "out" / "report.json", report())
    save(tmp_path / "Gen2" / "audit" / "report.json", report())  # inside an output directory
    save(tmp_path / ".outcross" / "report.json", report())
    reports = read_reports([f"{tmp_path}/"])
    places = [os.path.relpath(path, tmp_path) for path, _ in reports]
    assert places == [f"{g}/report.json" for g in ("Gen1", "Gen2", "gen9/out", "Gen10")]
    assert reports[3][1] == report(0.1)
    assert [g.name for g in compare(reports, Gates()).generations] == [
        "Gen1",
        "Gen2",
        "out",
        "Gen10",
    ]


def test_several_lines_of_generations_are_not_read_as_one(tmp_path):
    for line in ("with-human", "without"):
        for number in (1, 2):
            save(tmp_path / line / f"gen{number}" / "report.json", report())
    with pytest.raises(ConfigError, match=r"lie in several folders.*: with-human, without; name"):
        read_reports([str(tmp_path)])
    assert len(read_reports([str(tmp_path / "without")])) == 2
    # A link to a line is no further one.
    (tmp_path / "with-human").rename(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    (tmp_path / "latest").symlink_to("without")
    reports = read_reports([str(tmp_path)])
    places = [os.path.relpath(path, tmp_path) for path, _ in reports]
    assert places == ["without/gen1/report.json", "without/gen2/report.json"]


def test_a_link_to_a_generation_is_no_further_one(tmp_path):
    for number in (1, 2):
        save(tmp_path / "loop" / f"gen{number}" / "report.json", report())
    (tmp_path / "loop" / "current").symlink_to("gen2")
    (tmp_path / "other").symlink_to("loop")
    for folder in ("loop", "other"):
        reports = read_reports([str(tmp_path / folder)])
        assert [Path(path).parent.name for path, _ in reports] == ["gen1", "gen2"]


def test_paths_may_be_files_and_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(Path("r1.json"), report())
    save(Path("r2.json"), report())
    save(Path("[x]*/out/report.json"), report())
    save(Path("y/out/report.json"), report())
    reports = read_reports(["r2.json", "[x]*", "y/out", "r1.json"])
    paths = ["r2.json", "[x]*/out/report.json", "y/out/report.json", "r1.json"]
    assert [path for path, _ in reports] == paths
    generations = compare(reports, Gates()).generations
    assert [g.name for g in generations] == ["r2.json", "[x]*/out", "y/out", "r1.json"]
    assert [g.report for g in generations] == paths


@given(
    st.lists(
        st.lists(st.sampled_from(["a", "b", "out"]), max_size=4),
        min_size=1,
        max_size=8,
        unique_by=tuple,
    )
)
def test_names_differ_and_are_no_longer_than_needed(folders):
    paths = ["/".join(["/base", *parts, "report.json"]) for parts in folders]
    names = names_of(paths)
    assert len(set(names)) == len(names)
    for path, name in zip(paths, names, strict=True):
        assert path.endswith(f"/{name}/report.json")
    if len({parts[-1] if parts else "base" for parts in folders}) == len(folders):
        assert all("/" not in name for name in names)

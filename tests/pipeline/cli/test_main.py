"""Options are made from the models, and errors name the key."""

from __future__ import annotations

import json
import re
import typing
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from outcross.pipeline.cli.main import main
from outcross.pipeline.cli.model_commands import config_of
from outcross.pipeline.stages.context import RunError
from outcross.schemas.budget import MaxCopies
from outcross.schemas.config import Config
from outcross.schemas.sources import Fields


@pytest.fixture
def files(tmp_path):
    """Write two small sources, which are only checked; return the options that name them."""
    for name in ("syn", "human"):
        (tmp_path / f"{name}.jsonl").write_text('{"text": "some words"}\n')
    return ["--synthetic", "syn.jsonl", "--human", "human.jsonl"]


@pytest.fixture
def requested(monkeypatch):
    """Return a list that receives the configuration of a command, which then stops."""
    configs = []

    def remember(config, beam_args=(), progress=None):
        configs.append(config)
        raise KeyboardInterrupt

    from outcross.pipeline.commands import run

    for name in ("run", "plan", "dedup"):
        monkeypatch.setattr(run, name, remember)
    return configs


def yaml_file(**values):
    Path("config.yaml").write_text(yaml.safe_dump(values))
    return "config.yaml"


JUDGING = ["gates", "gate"]
BUDGET = [
    "reference",
    "tokens",
    "human_share",
    "human_tokens",
    "fresh_human_tokens",
    "lineage",
    "archive",
    "archive_source",
    "alpha",
    "entropy_floor",
    "max_kl",
    "effective_ratio",
    "plan",
    "off_support",
    "long_documents",
    "copies",
    "select",
    "rounds",
    "best_effort",
    "max_copies_synthetic",
    "max_copies_human",
    *JUDGING,
]
SOURCES = [
    {"name": "gpt", "role": "synthetic", "files": ["syn.jsonl"], "text_field": "answer"},
    {"name": "people", "role": "human", "files": ["human.jsonl"], "where": {"verified": True}},
]


@pytest.mark.parametrize("command", ["run", "plan", "dedup"])
def test_help_has_every_key_with_its_meaning(outcross, command):
    code, stdout, _ = outcross(command, "--help")
    assert code == 0
    text = " ".join(stdout.replace("│", " ").split())
    keys = {**Fields.model_fields, **Config.model_fields}
    for name in ("sources", "max_copies", "domains"):
        assert f"--{name} " not in text
        del keys[name]
    keys |= {f"max_copies_{role}": field for role, field in MaxCopies.model_fields.items()}
    budget = ("--tokens", "--human-share", "--max-copies-human", "--rounds", "--best-effort")
    budget += ("--copies",)
    if command == "dedup":  # what does nothing there is not offered
        assert not any(option in text for option in budget)
        keys = {name: field for name, field in keys.items() if name not in BUDGET}
    if command != "run":  # which alone judges
        assert "--gate" not in text
        keys = {name: field for name, field in keys.items() if name not in JUDGING}
    if command == "plan":
        del keys["plan"]
    for name, field in keys.items():
        assert f"--{name.replace('_', '-')}" in text
        first = field.description.split(",")[0].split()[:3]
        assert " ".join(first) in text, name
        for choice in typing.get_args(field.annotation):
            if isinstance(choice, str):
                assert choice in text
    assert all(f"--{role}" in text for role in ("synthetic", "human", "exclude", "json"))
    assert ("--dry-run" in text) == (command == "run")


def test_options_reach_the_configuration_with_their_types(outcross, files, requested):
    options = ["--seed", 5, "--near-threshold", 0.7, "--best-effort", "--tokens", 900]
    options += [
        "--max-copies-human",
        3,
        "--off-support",
        "cap",
        "--text-field",
        "messages.1.content",
    ]
    code, _, stderr = outcross("run", *files, "--human", "syn*.jsonl", "--out", "out", *options)
    (config,) = requested
    assert code == 130
    assert "the same command goes on" in stderr
    assert config.seed == 5
    assert config.near_threshold == 0.7
    assert config.best_effort is True
    assert config.tokens == 900
    assert config.max_copies == MaxCopies(synthetic=1, human=3)
    assert config.off_support == "cap"
    assert [(s.name, s.role, s.files) for s in config.sources] == [
        ("synthetic", "synthetic", ["syn.jsonl"]),
        ("human", "human", ["human.jsonl", "syn*.jsonl"]),
    ]
    assert {s.text_field for s in config.sources} == {"messages.1.content"}


def test_options_override_yaml_and_leave_the_rest(outcross, requested):
    path = yaml_file(
        out="out", seed=1, alpha=0.5, best_effort=True, sources=SOURCES, max_copies={"human": 4}
    )
    outcross("plan", path, "--seed", 9, "--no-best-effort", "--max-copies-synthetic", 1)
    outcross("dedup", path, "--id-field", "id", "--exclude", "eval.jsonl", "--out", "elsewhere")
    first, second = requested
    assert (first.seed, first.alpha, first.best_effort) == (9, 0.5, False)
    assert first.max_copies == MaxCopies(synthetic=1, human=4)
    assert [source.text_field for source in first.sources] == ["answer", "text"]
    assert first.sources[1].where == {"verified": True}
    assert (second.seed, second.out) == (1, "elsewhere")
    assert [source.name for source in second.sources] == ["gpt", "people", "exclude"]
    assert {source.id_field for source in second.sources} == {"id"}


# Written to a YAML file beside the two sources; and the expected error.
WRONG_KEYS = {
    "unknown key": ({"alpah": 1}, ["alpah: there is no such key"]),
    "unknown key of a source": (
        {"sources": [{**SOURCES[0], "txt_field": "x"}]},
        ["sources.gpt.txt_field: there is no such key"],
    ),
    "wrong type": ({"seed": "many"}, ["seed: ", "'many'"]),
    "out of bounds": ({"human_share": 1.5}, ["human_share: ", "less than or equal to 1", "1.5"]),
    "no choice": ({"off_support": "lift"}, ["off_support: ", "'keep', 'cap' or 'drop'", "'lift'"]),
    "role": ({"sources": [{**SOURCES[0], "role": "robot"}]}, ["sources.gpt.role: ", "'robot'"]),
    "name twice": ({"sources": [SOURCES[0], SOURCES[0]]}, ["'gpt' is used twice"]),
    "no list": ({"sources": {"gpt": 1}}, ["sources: "]),
    "no sources": ({"sources": []}, ["sources: none given"]),
    "nothing to write": ({"sources": [{**SOURCES[0], "role": "exclude"}]}, ["nothing to write"]),
    "both": ({"human_share": 0.1, "human_tokens": 5}, ["human_tokens: ", "not both"]),
    "caps": ({"max_copies": {"robots": 2}}, ["max_copies.robots: there is no such key"]),
    "missing out": ({"out": None}, ["out: "]),
}


@pytest.mark.parametrize("case", WRONG_KEYS)
def test_a_wrong_key_is_named(outcross, files, case):
    values, expected = WRONG_KEYS[case]
    path = yaml_file(**{"out": "out", "sources": SOURCES, **values})
    code, stdout, stderr = outcross("run", path)
    assert (code, stdout) == (2, "")
    assert stderr.startswith("outcross: ")
    assert all(part in stderr for part in expected), stderr
    assert not Path("out").exists()


WRONG_OPTIONS = {
    "misspelt": (["--human-shar", 0.1], ["--human-shar", "--human-share"]),
    "wrong type": (["--seed", "x"], ["--seed", "integer"]),
    "no files": (["--exclude", "none-*.jsonl"], ["source 'exclude'", "'none-*.jsonl'", "no file"]),
    "extension": (["--exclude", "notes.doc"], ["source 'exclude'", "notes.doc", ".jsonl"]),
    "full directory": (["--out", "full"], ["out: full holds files"]),
    "a file": (["--out", "notes.txt"], ["out: notes.txt is a file"]),
    "reference": (["--reference", "full"], ["reference: full holds no reference.json"]),
    "beam's": (["--", "--runer", "Prism"], ["--runer", "--runner"]),
    "no copies": (["--max-copies-human", 0], ["max_copies.human: "]),
}


@pytest.mark.parametrize("case", WRONG_OPTIONS)
def test_a_wrong_option_is_named(outcross, files, case):
    Path("notes.txt").write_text("mine")
    Path("notes.doc").write_text("mine")
    Path("full").mkdir()
    Path("full", "notes.txt").write_text("mine")
    options, expected = WRONG_OPTIONS[case]
    flags = ["--out", "out", "--dry-run"]  # which finds all that a run finds before it works
    code, stdout, stderr = outcross("run", *files, *flags, *options)
    assert (code, stdout) == (2, "")
    assert all(part in stderr for part in expected), stderr
    assert "Traceback" not in stderr
    assert not Path("out").exists()
    assert Path("full", "notes.txt").read_text() == "mine"


def test_a_missing_key_or_file_is_named(outcross, files):
    for arguments, expected in [
        (["run", *files], "out: missing"),
        (["run", "--out", "out"], "sources: none given"),
        (["run", "nowhere.yaml", "--out", "out"], "nowhere.yaml"),
        (["explain", "nowhere"], "manifest.json"),
        (["schema", "run"], "config, plan, report, gates, compare"),
        (["explain", "nowhere", "--least-similar", 0], "--least-similar"),
    ]:
        code, stdout, stderr = outcross(*arguments)
        assert (code, stdout) == (2, ""), arguments
        assert expected in stderr


def test_a_file_that_is_no_yaml_mapping_is_refused(outcross):
    for text in ("- a\n- b\n", "a: [", "\x00"):
        Path("config.yaml").write_text(text)
        code, _, stderr = outcross("run", "config.yaml", "--out", "out")
        assert code == 2
        assert "config.yaml" in stderr


def test_caps_that_are_no_mapping_are_refused(outcross, files):
    path = yaml_file(out="out", sources=SOURCES, max_copies=[3])
    code, _, stderr = outcross("run", path, "--max-copies-human", 2)
    assert code == 2
    assert "max_copies: " in stderr


def test_the_schema_of_the_configuration_has_every_key(outcross):
    code, stdout, _ = outcross("schema", "config")
    assert code == 0
    assert set(json.loads(stdout)["properties"]) == set(Config.model_fields)


def test_an_out_that_can_not_be_written_is_refused(outcross, files):
    Path("file").write_text("")
    code, _, stderr = outcross("run", *files, "--out", "file/out")
    assert code == 2
    assert stderr.startswith("outcross: out: file/out can't be written: ")
    assert "file is a file; choose another directory" in stderr


def test_an_option_wins_over_the_other_way_to_ask_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("{out: o, human_share: 0.3, sources: [{name: a, role: human, files: [a]}]}")
    options = dict.fromkeys(Config.model_fields) | {"configuration": str(path)}
    del options["sources"], options["max_copies"], options["domains"]
    assert config_of(options | {"human_tokens": 5}).human_tokens == 5


def test_an_unknown_key_is_answered_with_the_nearest_one(outcross, files):
    for values, expected in [
        ({"human_shar": 0.1}, "human_shar: there is no such key; did you mean human_share?"),
        ({"sources": [{**SOURCES[0], "txt_field": "x"}]}, "did you mean text_field?"),
        ({"max_copies": {"humans": 2}}, "max_copies.humans: there is no such key; did you mean"),
        ({"domains": {"law": {"alpa": 1}}}, "did you mean alpha?"),
        ({"zebra": 1}, "zebra: there is no such key; `outcross schema config` lists all"),
    ]:
        code, _, stderr = outcross("run", yaml_file(**{"out": "out", "sources": SOURCES, **values}))
        assert code == 2
        assert expected in stderr


def test_a_string_is_a_list_of_itself_and_a_number_is_both_caps(outcross, files, requested):
    source = {"name": "gpt", "role": "synthetic", "files": "syn.jsonl", "removed_by": "gpt"}
    outcross("run", yaml_file(out="out", sources=[source], max_copies=1))
    outcross("run", "config.yaml", "--max-copies-human", 3)
    first, second = requested
    assert first.sources[0].files == ["syn.jsonl"]
    assert first.sources[0].removed_by == ["gpt"]
    assert first.max_copies == MaxCopies(synthetic=1, human=1)
    assert second.max_copies == MaxCopies(synthetic=1, human=3)


@pytest.mark.parametrize("files", [3, {"a": 1}, [["a"]]])
def test_files_that_are_no_strings_are_refused(outcross, files):
    source = {"name": "gpt", "role": "synthetic", "files": files}
    code, _, stderr = outcross("run", yaml_file(out="out", sources=[source]))
    assert code == 2
    assert "sources.gpt.files" in stderr


@pytest.mark.parametrize("cap", [True, 1.5, "two", 0])
def test_caps_of_both_roles_are_whole_numbers(outcross, cap):
    code, _, stderr = outcross("run", yaml_file(out="out", sources=SOURCES, max_copies=cap))
    assert code == 2
    assert "max_copies" in stderr


@pytest.mark.parametrize("command", [[], ["run"], ["reference", "build"], ["clean"], ["compare"]])
def test_help_has_a_short_name(outcross, command):
    code, short, _ = outcross(*command, "-h")
    assert code == 0
    assert short == outcross(*command, "--help")[1]
    assert "Usage" in short


def test_the_version_is_that_of_the_installation(outcross):
    import outcross as face

    code, stdout, _ = outcross("--version")
    assert (code, stdout) == (0, f"{face.__version__}\n")
    assert face.__version__ == metadata.version("outcross")


def test_messages_are_logged_too(outcross, files):
    log = Path("logs", "run.log")
    expected = "outcross: source 'exclude'"
    for options in (["--quiet"], ["--verbose"], ["--json"]):
        code, _, stderr = outcross(
            *("run", *files, "--out", "out", "--exclude", "no.jsonl"), *options, "--log-file", log
        )
        assert code == 2
        assert expected in stderr
        assert ("Traceback" in stderr) == (options == ["--verbose"])
    lines = log.read_text().splitlines()
    errors = [line for line in lines if " ERROR " in line]
    assert len(errors) == 3
    assert all("source 'exclude'" in line for line in errors)
    assert lines.count("Traceback (most recent call last):") == 3  # for whoever asks later


def test_a_quiet_and_verbose_voice_or_a_log_that_cannot_be_written_is_refused(outcross, files):
    code, _, stderr = outcross("run", *files, "--out", "out", "--quiet", "--verbose")
    assert code == 2
    assert stderr == "outcross: quiet: given together with verbose; leave one of them out\n"
    code, _, stderr = outcross("run", *files, "--out", "out", "--log-file", "syn.jsonl/log")
    assert code == 2
    assert stderr.startswith("outcross: log_file: syn.jsonl/log can't be written: ")


def test_a_quiet_command_prints_only_its_result(outcross, files, monkeypatch):
    def fail(config, beam_args=(), progress=None):
        with progress.stage("sketch"):
            pass
        raise RunError("too little")

    from outcross.pipeline.commands import run

    monkeypatch.setattr(run, "run", fail)
    for options, expected in [
        (["--quiet"], r"outcross: too little\n"),
        ([], r"sketch +0\.\d s\noutcross: too little\n"),
        (["--verbose"], r"sketch +begins\nsketch +0\.\d s\nTraceback(.|\n)*outcross: too little\n"),
    ]:
        code, stdout, stderr = outcross("run", *files, "--out", "out", *options)
        assert (code, stdout) == (1, "")
        assert re.fullmatch(expected, stderr)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has such a device")
@pytest.mark.parametrize("arguments", [["--version"], ["schema", "config"]])
def test_a_full_disk_under_stdout_is_named(arguments, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["outcross", *arguments])
    full = Path("/dev/full").open("w")  # noqa: SIM115, closing it fails as well
    monkeypatch.setattr("sys.stdout", full)
    with pytest.raises(SystemExit) as end:
        main()
    with suppress(OSError):
        full.close()
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("outcross: stdout: the result can't be written: No space left on dev")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError("libopenblas.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
    ],
)
def test_a_command_without_memory_says_what_to_do(error, files, monkeypatch, capsys):
    def fail(config, beam_args=(), progress=None):
        raise error

    from outcross.pipeline.commands import run

    monkeypatch.setattr(run, "dedup", fail)
    monkeypatch.setattr("sys.argv", ["outcross", "dedup", *files, "--out", "out"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith("outcross: out of memory: give fewer `workers`")

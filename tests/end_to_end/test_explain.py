"""`explain` says what was removed, in favour of what, and why; `schema` what the files hold."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from outcross.pipeline.commands.explain import explain_removals
from outcross.schemas.user_input import ConfigError
from tests.end_to_end.conftest import Run, plain, run
from tests.support.commands import outcross

DATA = Path(os.environ.get("OUTCROSS_DATA", Path(__file__).parents[3] / "shared" / "data"))
JOKES = DATA / "multisample" / "jokegpt.jsonl.gz"


@pytest.fixture(scope="module")
def explained(base):
    return json.loads(outcross("explain", base.out, "--least-similar", 12, "--json").stdout)


def test_the_least_similar_removals_come_with_both_texts(corpus, base, explained):
    close = explained["least_similar"]
    assert len(close) == 12
    # What holds an evaluation text may be as unlike it as it likes.
    repeats = [row for row in base.removed if row["stage"] != "contained"]
    every = sorted(row["similarity"] for row in repeats)
    assert [row["similarity"] for row in close] == pytest.approx(every[:12])
    for row in close:
        assert base.gone[row["source"], row["id"]] == (row["kept_source"], row["kept_id"])
        assert row["text"] == corpus.texts[row["source"], row["id"]]
        # Also of a partner that is in no file of the output: excluded, or not selected.
        assert row["kept_text"] == corpus.texts[row["kept_source"], row["kept_id"]]


def test_near_repeats_come_before_exact_ones_of_the_same_similarity(base):
    shown = outcross("explain", base.out, "--least-similar", 10_000, "--json").stdout
    rows = json.loads(shown)["least_similar"]
    order = [(row["similarity"], row["stage"] == "exact") for row in rows]
    assert order == sorted(order)
    assert {"exact", "near"} <= {row["stage"] for row in rows}


def test_the_counts_are_those_of_the_files(base, explained):
    for line in explained["sources"]:
        removed = [row for row in base.removed if row["source"] == line["source"]]
        assert line["exact"] == sum(row["stage"] == "exact" for row in removed)
        assert line["near"] == sum(row["stage"] == "near" for row in removed)
        assert line["contained"] == sum(row["stage"] == "contained" for row in removed)
        assert line["kept"] == base.conservation(line["source"])["kept"]
    often = [line["removed"] for line in explained["most_repeated"]]
    assert often == sorted(often, reverse=True)
    for line in explained["most_repeated"]:
        name = line["kept_source"], line["kept_id"]
        assert line["removed"] == sum(kept == name for kept in base.gone.values()) > 1


def test_people_read_the_same(base, explained):
    shown = outcross("explain", base.out, "--least-similar", 3)
    assert shown.stderr == ""
    for row in explained["least_similar"][:3]:
        assert f"{row['similarity']:.3f}  near, {row['rule']}" in " ".join(
            shown.stdout.replace(" \n", "\n").split("\n")
        )
        assert f"removed {row['id']} ({row['source']})" in shown.stdout
        assert " ".join(row["text"].split()[:5]) in shown.stdout
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())


def test_one_id_is_explained_in_every_source_that_has_it(base):
    row = next(row for row in base.removed if row["kept_source"] != row["source"])
    answer = outcross("explain", base.out, row["id"]).stdout
    assert f"{row['source']}: removed: {row['stage']}" in answer
    assert f"to {row['kept_id']} ({row['kept_source']})" in answer
    kept = outcross("explain", base.out, row["kept_id"]).stdout
    assert f"{row['kept_source']}: " in kept
    assert f"{row['id']} ({row['source']})" in kept


def test_what_was_written_and_what_was_not(corpus, base):
    written = base.data[0]["outcross"]
    answer = outcross("explain", base.out, written["id"]).stdout
    assert f"{written['source']}: written once, {written['tokens']} tokens" in answer
    seen = {*base.gone, *base.gone.values(), *base.appearances}
    unwritten = next(name for name in corpus.texts if name not in seen and name[0] == "people")
    answer = outcross("explain", base.out, unwritten[1]).stdout
    assert "people: kept, but not in data/" in answer
    nobody = outcross("explain", base.out, "nobody", code=2)
    assert "'nobody'" in nobody.stderr


def test_a_run_without_its_sources_is_still_explained(corpus, base, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(base.out, out, ignore=shutil.ignore_patterns(".outcross"))
    texts = [
        row["kept_text"]
        for row in json.loads(outcross("explain", out, "--json").stdout)["least_similar"]
    ]
    assert None in texts
    assert set(texts) - {None} <= set(corpus.texts.values())
    assert "the sources are not there" in outcross("explain", out).stdout


def test_a_run_is_explained_when_its_sources_have_changed(tmp_path):
    """Explain from the run's work; only texts need the files as they were."""
    draw = random.Random(1)
    for name in ("human", "synthetic"):
        texts = (" ".join(f"w{draw.randrange(3000)}" for _ in range(50)) for _ in range(400))
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    out, human = tmp_path / "out", tmp_path / "human.jsonl"
    options = ["--synthetic", tmp_path / "synthetic.jsonl", "--human", human, "--rounds", 1]
    run(*options, "--out", out, out=out)
    name = "human/human.jsonl#1"
    before = outcross("explain", out, name)
    assert before.stdout == "human: kept, but not in data/: the budget left it out\n"
    assert before.stderr == ""
    original = human.read_bytes()
    for changed in (original + b'{"text": "one more"}\n', original.replace(b"w", b"v"), None):
        human.unlink()
        if changed is not None:
            human.write_bytes(changed)
        after = outcross("explain", out, name)
        assert after.stdout == before.stdout
        assert f"note: {human} is not what it was when the run read it" in after.stderr
    assert "human.jsonl#400" in outcross("explain", out, "human/human.jsonl#400", code=2).stderr


def test_only_a_finished_run_can_be_explained(tmp_path):
    assert "manifest.json" in outcross("explain", tmp_path, code=2).stderr
    (tmp_path / "manifest.json").write_text('{"format_version": 1}')
    assert (
        "it has format_version 1 and no text_version"
        in outcross("explain", tmp_path, code=2).stderr
    )
    for somebody_elses in ("not json", "[1]", '{"name": "an extension"}'):
        (tmp_path / "manifest.json").write_text(somebody_elses)
        with pytest.raises(ConfigError, match=r"manifest\.json is not of an outcross run; give"):
            explain_removals(str(tmp_path), 3)


@pytest.mark.parametrize("name", ["config", "plan", "report"])
def test_the_schemas_describe_every_key(name):
    schema = json.loads(outcross("schema", name).stdout)
    TypeAdapter(dict).validate_python(schema)
    assert schema["type"] == "object"
    undescribed = [
        f"{model}.{key}"
        for model, of in {**schema["$defs"], name: schema}.items()
        for key, value in of.get("properties", {}).items()
        if "description" not in value
    ]
    assert undescribed == []


@pytest.mark.skipif(not JOKES.exists(), reason=f"{JOKES} is not there (OUTCROSS_DATA)")
def test_a_thousand_jokes_are_a_hundred_and_eighteen(tmp_path):
    with gzip.open(JOKES, "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    assert (len(texts), len({plain(text) for text in texts})) == (1011, 118)
    out = tmp_path / "out"
    result = run("--synthetic", JOKES, "--rounds", 1, "--out", out, out=out)
    line = result.conservation("synthetic")
    near = {plain(row["row"]["text"]) for row in result.removed if row["stage"] == "near"}
    assert line["read"] == 1011
    assert line["kept"] + len(near) == 118
    often = max(Counter(result.gone.values()).values())
    shown = outcross("explain", out).stdout
    assert "1,011" in shown
    assert f"stands for {often:,} removed documents" in shown


def test_texts_and_ids_from_untrusted_rows_are_not_markup(tmp_path):
    text = "[bold]not markup[/bold] \x1b[31m and no colour \u202e\x9b2J " + "word " * 30
    texts = [text, text + "more", "[/] something else entirely"]
    rows = [{"text": t, "id": f"[b]{n}\x1b[31m\x9b2J"} for n, t in enumerate(texts)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    done = outcross("dedup", "--synthetic", path, "--id-field", "id", "--out", out)
    result = Run(out, done.stdout, done.stderr)
    (removed,) = result.removed
    (reported,) = result.report["deduplication"]["least_similar"]
    assert reported["text"].isprintable()
    assert reported["kept_text"].isprintable()
    shown = outcross("explain", out).stdout
    about_one = outcross("explain", out, removed["kept_id"]).stdout
    assert "[bold]not markup[/bold]" in shown
    assert "removed [b]" in shown
    assert "stands for 1 removed document" in about_one
    assert not set("\x1b\x9b\u202e") & set(done.stdout + done.stderr + shown + about_one)

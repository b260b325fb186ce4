"""What goes and what stays: evaluation sets, earlier runs, prompts, templates and thresholds."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.conftest import (
    ROLES,
    Name,
    Run,
    check_conservation,
    containment,
    dedup,
    jaccard,
    run,
    write_rows,
)
from tests.support.commands import outcross

DRAW = random.Random(7)
SYLLABLES = [a + b for a in "bdfgklmnprstv" for b in ("a", "e", "i", "o", "u", "ar", "en")]


def prose(often: int) -> str:
    """Return so many words that no other text has in this order."""
    return " ".join("".join(DRAW.choices(SYLLABLES, k=3)) for _ in range(often))


def edited(text: str, *places: int) -> str:
    """Replace the words of a text at these places."""
    parts = text.split()
    for place in places:
        parts[place] = prose(1)
    return " ".join(parts)


def loud(text: str) -> str:
    """Return the same words in another form, which makes a near repeat of similarity 1."""
    return f"«{text.upper()}», "


def again(text: str) -> str:
    """Return the same text with other line ends, which makes an exact repeat."""
    return f"{text} \r\n"


def rows(texts: dict[str, str]) -> list[dict[str, Any]]:
    return [{"id": name, "text": text} for name, text in texts.items()]


def configured(folder: Path, out: Path, sources: list[dict[str, Any]], **keys: Any) -> Path:
    """Write a YAML file, and the `texts` of each source to a file of its own."""
    folder.mkdir(exist_ok=True)
    settled = []
    for source in sources:
        given = {key: value for key, value in source.items() if key != "texts"}
        texts = source["texts"]
        source_rows = rows(texts) if isinstance(texts, dict) else texts
        path = write_rows(folder / f"{source['name']}.jsonl", source_rows)
        settled.append({"id_field": "id", "files": [str(path)], **given})
    path = folder / f"{out.name}.yaml"
    path.write_text(yaml.safe_dump({"out": str(out), "sources": settled, **keys}))
    return path


def check_found(result: Run) -> None:
    """Check that the table of repeats of other corpora agrees with removed/."""
    for line in result.report["deduplication"]["found"]:
        removed = [row for row in result.removed if row["kept_source"] == line["name"]]
        assert line["found"] == len({row["kept_id"] for row in removed})
        counts = {
            (p["source"], s): p[s] for p in line["removed"] for s in ("exact", "near", "contained")
        }
        assert {key: often for key, often in counts.items() if often} == Counter(
            (row["source"], row["stage"]) for row in removed
        )


# Evaluation sets, and who may stand for whom

ITEMS = {f"q{number}": prose(60) for number in range(10)}
TESTS = ITEMS | {"again": again(ITEMS["q9"])} | {f"short{number}": prose(5) for number in range(3)}
PEOPLE = {f"h{number}": prose(80) for number in range(20)} | {
    "holds": prose(70) + loud(ITEMS["q6"]) + prose(70),
    "repeats": again(ITEMS["q7"]),
}
WEB = {f"w{number}": prose(80) for number in range(20)} | {
    "holds0": prose(100) + loud(ITEMS["q0"]) + prose(100),
    "holds1": loud(ITEMS["q1"]) + prose(100),
    "holds nearly all": prose(100) + edited(ITEMS["q2"], 59) + prose(30),
    "holds half": prose(100) + " ".join(ITEMS["q3"].split()[:35]) + prose(100),
    "other form": loud(ITEMS["q4"]),
    "near": edited(ITEMS["q5"], 20, 40),
    "repeats again": ITEMS["q9"],
    "repeats short": again(TESTS["short0"]),
    "other form of short": loud(TESTS["short2"]),
    "holds short": prose(50) + loud(TESTS["short1"]) + prose(50),
}
NOTES = {f"n{number}": prose(80) for number in range(5)} | {
    "of people": again(PEOPLE["h0"]),
    "other form of people": loud(PEOPLE["h2"]),
    "near people": edited(PEOPLE["h1"], 30),
    "of web": again(WEB["w0"]),
    "other form of web": loud(WEB["w2"]),
    "near web": edited(WEB["w1"], 30),
    "of itself": again(prose(80)),
    "of tests": prose(30) + ITEMS["q8"],
}
NOTES["of itself again"] = NOTES["of itself"].strip()
NOTES["other form of itself"] = loud(NOTES["of itself"])


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("cleaned")
    out = folder / "out"
    sources = [
        {"name": "web", "role": "synthetic", "texts": WEB, "priority": 1},
        {"name": "notes", "role": "synthetic", "texts": NOTES, "removed_by": ["people"]},
        {"name": "people", "role": "human", "texts": PEOPLE},
        {"name": "tests", "role": "exclude", "texts": TESTS},
    ]
    config = configured(folder, out, sources, containment=0.9, near_threshold=0.6)
    return dedup(config, out=out)


def test_evaluation_texts_are_found_inside_of_longer_ones_and_as_a_whole(cleaned):
    stages = {(row["source"], row["id"]): row["stage"] for row in cleaned.removed}
    pairs = {
        name: (kept[1], stages[name]) for name, kept in cleaned.gone.items() if kept[0] == "tests"
    }
    (ninth,) = {kept for name, (kept, _) in pairs.items() if name == ("web", "repeats again")}
    assert ninth in ("q9", "again")  # they are the same text
    assert pairs == {
        ("web", "holds0"): ("q0", "contained"),
        ("web", "holds1"): ("q1", "contained"),
        ("web", "holds nearly all"): ("q2", "contained"),
        ("web", "other form"): ("q4", "contained"),
        ("web", "near"): ("q5", "near"),
        ("web", "repeats again"): (ninth, "exact"),
        ("web", "repeats short"): ("short0", "exact"),
        ("web", "other form of short"): ("short2", "near"),
        ("people", "holds"): ("q6", "contained"),
        ("people", "repeats"): ("q7", "exact"),
        ("notes", "of tests"): ("q8", "contained"),
    }
    assert all(name[0] != "tests" for name in cleaned.gone)
    # Neither half of a text nor a few words of it in a longer one are the text.
    assert {("web", "holds half"), ("web", "holds short")} <= set(cleaned.appearances)


def test_similarities_to_evaluation_texts_are_the_true_ones(cleaned):
    texts = {"web": WEB, "people": PEOPLE, "notes": NOTES, "tests": TESTS}
    for row in cleaned.removed:
        text, kept = texts[row["source"]][row["id"]], texts[row["kept_source"]][row["kept_id"]]
        measure = containment if row["stage"] == "contained" else jaccard
        assert row["similarity"] == pytest.approx(measure(text, kept))


def test_what_was_found_again_agrees_with_what_was_removed(cleaned):
    check_conservation(cleaned)
    check_found(cleaned)
    (line,) = cleaned.report["deduplication"]["found"]
    assert (line["name"], line["kind"]) == ("tests", "exclude")
    assert line["documents"] == len(TESTS)
    assert line["whole_only"] == 3
    assert {row["outcross"]["source"] for row in cleaned.data} == {"web", "notes", "people"}
    totals = cleaned.report["deduplication"]
    assert Counter(row["stage"] for row in cleaned.removed) == {
        stage: totals[stage] for stage in ("exact", "near", "contained")
    }


def test_a_source_is_removed_by_those_that_it_names_alone(cleaned):
    gone = {name[1]: kept for name, kept in cleaned.gone.items() if name[0] == "notes"}
    assert gone.pop("of tests")[0] == "tests"
    assert gone == {
        "of people": ("people", "h0"),
        "near people": ("people", "h1"),
        "other form of people": ("people", "h2"),
    }
    assert all(kept[0] != "notes" for kept in cleaned.gone.values())


def test_the_tables_show_what_was_found(cleaned):
    explained = outcross("explain", cleaned.out).stdout
    for shown in (cleaned.stdout, explained):
        assert "repeats of evaluation sets and earlier runs" in shown
        (line,) = [
            line for line in shown.splitlines() if line.startswith("tests") and "web" in line
        ]
        assert line.split() == ["tests", "web", "14", "11", "3", "2", "2", "4"]


# Earlier runs


def _files(*folders: Path) -> dict[Path, tuple[bytes, int]]:
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


GPT = {f"g{number}": prose(120) for number in range(90)}
CHAIN = prose(120)
GPT |= {"a": CHAIN + " .", "b": edited(CHAIN, 20, 40)}
BOUGHT = {f"p{number}": prose(120) for number in range(40)}
EXTRA = {f"e{number}": prose(120) for number in range(20)}
HELD_OUT = {f"t{number}": prose(120) for number in range(3)}


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Run:
    """Make a run whose budget leaves out a good part of what was kept."""
    folder = tmp_path_factory.mktemp("first")
    out = folder / "run1"
    sources = [
        {"name": "gpt", "role": "synthetic", "texts": GPT, "priority_field": "rank"},
        {"name": "people", "role": "human", "texts": BOUGHT},
        {"name": "tests", "role": "exclude", "texts": HELD_OUT},
    ]
    result = run(configured(folder, out, sources, tokens=6000, rounds=2), out=out)
    assert result.gone == {("gpt", "b"): ("gpt", "a")}
    return result


@pytest.fixture(scope="module")
def second(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("second")
    path = write_rows(folder / "extra.jsonl", rows(EXTRA))
    out = folder / "run2"
    config = folder / "run2.yaml"
    source = {"name": "extra", "role": "synthetic", "files": [str(path)]}  # without ids of its own
    config.write_text(yaml.safe_dump({"out": f"{out}/", "sources": [source]}))
    return dedup(config, out=out)


@pytest.fixture(scope="module")
def third(first, second, tmp_path_factory) -> Run:
    """Deduplicate new documents, with repeats of all that the earlier runs have read."""
    folder = tmp_path_factory.mktemp("third")
    gpt = {
        name: (again(t), loud(t), edited(t, 60))[int(name[1:]) % 3]
        for name, t in GPT.items()
        if len(name) > 1
    }
    texts = {
        "gpt": gpt
        | {f"new{number}": prose(120) for number in range(30)}
        | {"of b": edited(GPT["b"], 70, 90)}
        | {f"of {name}": loud(text) for name, text in [*EXTRA.items(), *HELD_OUT.items()]},
        "people": {f"of {name}": loud(GPT[name]) for name in gpt}
        | {f"of {name}": edited(text, 60) for name, text in BOUGHT.items()},
    }
    assert jaccard(texts["gpt"]["of b"], GPT["b"]) > 0.8 > jaccard(texts["gpt"]["of b"], GPT["a"])
    before = _files(first.out, second.out)
    out = folder / "run3"
    sources = [
        # Human text would go before synthetic text of the same run does.
        {"name": "gpt", "role": "synthetic", "texts": texts["gpt"], "removed_by": ["gpt", "extra"]},
        {"name": "people", "role": "human", "texts": texts["people"]},
        {"name": "extra", "role": "synthetic", "texts": {"x": prose(90)}},
    ]
    config = configured(folder, out, sources)
    result = dedup(config, "--against", first.out, "--against", f"{second.out}/", out=out)
    assert _files(first.out, second.out) == before
    return result


def test_what_an_earlier_run_has_written_is_removed_and_nothing_else_it_has_read(first, third):
    written = {name for source, name in first.appearances if source == "gpt"}
    assert 20 < len(written) < len(GPT) - 20
    gone = {name: kept for (source, name), kept in third.gone.items() if source == "gpt"}
    numbered = {name: kept for name, kept in gone.items() if name.startswith("g")}
    assert numbered == {name: ("run1/gpt", name) for name in written if name != "a"}
    for row in third.removed:
        if row["source"] == "gpt" and row["id"] in numbered:
            stage = ("exact", "near", "near")[int(row["id"][1:]) % 3]
            assert row["stage"] == stage
            similarity = 1 if int(row["id"][1:]) % 3 < 2 else 111 / 121
            assert row["similarity"] == pytest.approx(similarity)
    assert not any(name.startswith("new") for name in gone)
    assert "of b" not in gone
    assert not any(name.startswith("of t") for name in gone)  # its evaluation set is not ours


def test_human_text_goes_in_favour_of_earlier_human_text_alone(first, third):
    written = {name for source, name in first.appearances if source == "people"}
    gone = {name: kept for (source, name), kept in third.gone.items() if source == "people"}
    assert gone == {f"of {name}": ("run1/people", name) for name in written}


def test_ids_are_those_that_the_earlier_runs_have_given(first, second, third):
    gone = {name: kept for (_, name), kept in third.gone.items() if name.startswith("of e")}
    assert gone == {
        f"of {name}": ("run2/extra", f"extra/extra.jsonl#{number}")
        for number, name in enumerate(EXTRA)
    }
    assert {("extra", kept) for _, kept in gone.values()} == set(second.appearances)
    ours = {f"run1/{source}": [] for source in ("gpt", "people")}
    for kept_source, kept in third.gone.values():
        if kept_source in ours:
            assert (kept_source.removeprefix("run1/"), kept) in first.appearances


def test_nothing_is_lost_beside_earlier_runs(third):
    check_conservation(third)
    check_found(third)
    lines = {line["name"]: line for line in third.report["deduplication"]["found"]}
    assert {line["kind"] for line in lines.values()} == {"earlier run"}
    assert lines["run2/extra"]["documents"] == lines["run2/extra"]["found"] == len(EXTRA)
    assert lines["run1/tests"]["documents"] == 0
    assert set(third.appearances) | set(third.gone) == {
        (line["source"], name)
        for line in third.report["conservation"]
        for name in _ids(third, line["source"])
    }


def _ids(result: Run, source: str) -> list[str]:
    path = result.out.parent / f"{source}.jsonl"
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_earlier_texts_are_shown_beside_what_they_have_removed(third):
    explained = json.loads(outcross("explain", third.out, "--json").stdout)
    near = [row for row in explained["least_similar"] if row["stage"] == "near"]
    assert near
    for row in near:
        assert jaccard(row["text"], row["kept_text"]) == pytest.approx(row["similarity"])
    shown = third.report["deduplication"]["least_similar"]
    assert all(row["kept_text"] for row in shown)
    assert {row["kept_source"] for row in shown} <= {"run1/gpt", "run1/people"}
    row = near[0]
    about = outcross("explain", third.out, row["kept_id"]).stdout
    assert f"{row['kept_source']}: written by an earlier run; stands for" in about
    assert f"{row['id']} ({row['source']})" in about


def test_a_run_against_one_that_was_against_another(second, third, tmp_path):
    """Compare with a run that left out what the first run had written."""
    texts = {name: loud(text) for name, text in EXTRA.items()}
    texts |= {f"{row['outcross']['source']} {row['id']}": loud(row["text"]) for row in third.data}
    before = _files(second.out, third.out)
    out = tmp_path / "run4"
    source = {"name": "gpt", "role": "synthetic", "texts": texts}
    result = dedup(configured(tmp_path, out, [source], against=[str(third.out)]), out=out)
    assert _files(second.out, third.out) == before
    assert {name for _, name in result.appearances} == set(EXTRA)
    assert {kept for kept, _ in result.gone.values()} == {"run3/gpt", "run3/people", "run3/extra"}
    check_conservation(result)
    check_found(result)


def test_a_run_that_can_not_be_an_index_is_refused(second, tmp_path):
    path = write_rows(tmp_path / "a.jsonl", rows({"a": prose(9)}))
    options = ["--synthetic", path, "--out", tmp_path / "out"]
    refused = outcross("dedup", *options, "--against", tmp_path / "nothing", code=2)
    assert f"against: {tmp_path}/nothing holds no manifest.json" in refused.stderr
    again = outcross(
        "dedup", "--synthetic", path, "--out", second.out, "--against", second.out, code=2
    )
    assert f"against: {second.out} is out itself" in again.stderr
    assert not (tmp_path / "out").exists()
    assert len(second.appearances) == len(EXTRA)


# Prompts


def test_so_many_near_identical_answers_to_one_prompt_are_kept(tmp_path):
    same, other, shared, leaked = (prose(200) for _ in range(4))
    answers = {
        "near": [edited(same, 30 * number) for number in range(5)],
        "exact": [other, again(other), loud(other), other],
        "like near": [edited(same, 17)],
        "apart": [prose(200) for _ in range(4)],
        "twice": [shared, loud(shared)],
        "leaked": [loud(leaked), edited(leaked, 100)],
    }
    texts = [
        {"id": f"{prompt} {number}", "asked": prompt, "text": text}
        for prompt, name in answers.items()
        for number, text in enumerate(name)
    ]
    out = tmp_path / "out"
    sources = [
        {
            "name": "gpt",
            "role": "synthetic",
            "texts": texts,
            "prompt_field": "asked",
            "priority": 1,
        },
        {"name": "loose", "role": "synthetic", "texts": {"l": loud(same), "m": prose(200)}},
        {"name": "tests", "role": "exclude", "texts": {"t": leaked}},
    ]
    config = configured(tmp_path, out, sources)
    kept = {}
    for most in (3, 1):
        result = dedup(config, "--max-same-answers", most, out=out)
        check_conservation(result)
        kept[most] = Counter(
            name.rpartition(" ")[0] for source, name in result.appearances if source == "gpt"
        )
        (line,) = result.report["prompts"]
        assert line["kept_answers"] == kept[most].total()
        # What names no prompt is compared with all.
        assert [name for source, name in result.gone if source == "loose"] == ["l"]
        for (source, name), (kept_source, kept_id) in result.gone.items():
            if source == kept_source == "gpt":
                assert name.rpartition(" ")[0] == kept_id.rpartition(" ")[0]
    assert kept[3] == {"near": 3, "exact": 3, "like near": 1, "apart": 4, "twice": 2}
    assert kept[1] == {"near": 1, "exact": 1, "like near": 1, "apart": 4, "twice": 1}


def test_prompts_that_are_not_there_are_refused(tmp_path):
    """Refuse instead of warning: the answers would be compared as if prompts didn't matter."""
    sources = [{"name": "gpt", "role": "synthetic", "texts": {"a": prose(1), "b": prose(2)}}]
    config = configured(tmp_path, tmp_path / "out", sources)
    asked = ["--max-same-answers", 2, "--prompt-field", "promt"]
    done = outcross("dedup", config, *asked, code=2)
    assert "max_same_answers: no row has a prompt in 'promt'" in done.stderr
    assert not (tmp_path / "out" / "data").exists()


# Templates


def test_letters_from_one_template_stay_by_what_differs(tmp_path):
    head, foot = prose(300), prose(300)
    bodies = [prose(60) for _ in range(40)]
    texts = {f"l{number}": f"{head} {text} {foot}" for number, text in enumerate(bodies)}
    texts |= {
        f"again{number}": f"{head} {edited(bodies[number], 30)} {foot}" for number in range(3)
    }
    texts |= {f"other{number}": prose(100) for number in range(5)}
    out = tmp_path / "out"
    config = configured(tmp_path, out, [{"name": "web", "role": "synthetic", "texts": texts}])
    fallen = dedup(config, out=out)
    assert sum(name[1].startswith("l") for name in fallen.gone) >= 35
    stay = dedup(config, "--boilerplate", 10, out=out)
    assert "sketch        done earlier, unchanged" in stay.stderr
    letters = {tuple(sorted((gone[1], kept[1]))) for gone, kept in stay.gone.items()}
    assert letters == {(f"again{number}", f"l{number}") for number in range(3)}
    for row in stay.removed:
        assert row["rule"] == (
            "similar 5-word sequences, by jaccard, also without boilerplate; "
            "numbers, signs and negations agree "
            "(above 200 words in that proportion)"
        )
        assert row["similarity"] == pytest.approx(59 / 69)
    check_conservation(stay)


# Recall


def test_the_recall_of_the_bands_is_checked_on_planted_copies(tmp_path):
    texts = {f"t{number}": prose(150) for number in range(60)}
    config = configured(
        tmp_path, tmp_path / "out", [{"name": "web", "role": "synthetic", "texts": texts}]
    )
    reports = []
    for name, options in (
        ("plain", []),
        ("one", ["--check-recall", "--workers", 1]),
        ("two", ["--check-recall", "--workers", 2]),
    ):
        out = tmp_path / name
        dedup(config, *options, "--out", out, out=out)
        report = json.loads((out / "report.json").read_text())
        reports.append(report["deduplication"]["certificate"]["recall"])
    plain, first, second = reports
    assert {line["planted"] for line in plain} == {None}
    assert first == second
    at = {line["similarity"]: line for line in first}
    assert sum(line["planted"] for line in first) > 300
    assert at[0.95]["together"] > 0.95
    assert at[0.3]["together"] < 0.1
    assert "planted copies" in (tmp_path / "one" / "report.html").read_text()


# Thresholds and workers


def _bytes(out: Path) -> dict[str, bytes]:
    paths = [*out.glob("data/*"), *out.glob("removed/*")]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def _sketched(out: Path) -> dict[Path, tuple[int, int]]:
    """Return when each sketch, which all thresholds share, was written, and its inode."""
    paths = out.glob(".outcross/sketch-*/units/*")
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in paths}


@pytest.fixture(scope="module")
def thresholds(corpus, first, second, tmp_path_factory) -> dict[str, Any]:
    """Use all that decides on repeats together, at two thresholds in either order."""
    folder = tmp_path_factory.mktemp("thresholds")
    again = {f"x{n}": edited(t, *range(0, n % 5 * 9, 9)) for n, t in enumerate(GPT.values())}
    again |= {f"y{n}": edited(t, *range(0, n % 5 * 9, 9)) for n, t in enumerate(EXTRA.values())}
    write_rows(folder / "again.jsonl", rows(again))
    results: dict[str, Any] = {}
    for name, workers, order in (("down", 1, (0.78, 0.7)), ("up", 2, (0.7, 0.78))):
        out = folder / name
        settings = yaml.safe_load(corpus.config(out).read_text())
        gpt, _, _ = settings["sources"]
        gpt |= {"prompt_field": "messages.0.content"}
        settings["sources"].append(
            {
                "name": "again",
                "role": "synthetic",
                "files": [str(folder / "again.jsonl")],
                "id_field": "id",
                "removed_by": ["gpt"],
            }
        )
        settings |= {
            "against": [str(first.out), str(second.out)],
            "boilerplate": 12,
            "max_same_answers": 2,
            "containment": 0.7,
            "workers": workers,
        }
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(settings))
        for threshold in order:
            result = dedup(path, "--near-threshold", threshold, out=out)
            manifest = json.loads((out / "manifest.json").read_text())
            results[name, threshold] = {
                "bytes": _bytes(out),
                "sketched": _sketched(out),
                "stages": set(manifest["stage_seconds"]),
                "gone": dict(result.gone),
                "report": result.report,
            }
            check_conservation(result)
            check_found(result)
    return results


def test_the_same_bytes_for_any_workers_and_whatever_was_asked_before(thresholds):
    for threshold in (0.7, 0.78):
        down, up = thresholds["down", threshold], thresholds["up", threshold]
        assert len(down["bytes"]) > 2
        assert down["bytes"] == up["bytes"]
        assert down["report"] == up["report"]


def test_another_threshold_needs_no_other_sketches(thresholds):
    for before, after in ((("down", 0.78), ("down", 0.7)), (("up", 0.7), ("up", 0.78))):
        assert thresholds[before]["sketched"] == thresholds[after]["sketched"]
        assert thresholds[before]["stages"] == {"sketch", "deduplicate", "keep", "write"}
        assert thresholds[after]["stages"] == {"deduplicate", "keep", "write"}
    assert thresholds["up", 0.7]["sketched"]
    wide, narrow = thresholds["up", 0.7]["gone"], thresholds["up", 0.78]["gone"]
    assert len(wide) > len(narrow) > 100


def test_all_that_decides_was_at_work(thresholds):
    gone: dict[Name, Name] = thresholds["up", 0.7]["gone"]
    kept = {(name[0], partner[0]) for name, partner in gone.items()}
    assert {("again", "run1/gpt"), ("gpt", "tests"), ("people", "tests")} <= kept
    assert ("again", "run2/extra") not in kept  # its sources are not named in removed_by
    figures = thresholds["up", 0.7]["report"]["deduplication"]
    assert figures["contained"] > 0
    assert figures["counts"]["restored"] > 0


# The report


def test_losses_add_up_to_what_was_removed(base):
    lines = base.report["deduplication"]["losses"]
    by_kind = {(line["role"], line["kind"]): line for line in lines}
    assert len(by_kind) == len(lines) == 9
    for role in ("synthetic", "human", "all"):
        sources = [name for name, of in ROLES.items() if role in (of, "all")]
        gone = [row for row in base.removed if row["source"] in sources]
        kinds = [by_kind[role, kind] for kind in ("head", "tail", "off-support")]
        for stage in ("exact", "near", "contained"):
            assert sum(line[stage] for line in kinds) == sum(row["stage"] == stage for row in gone)
        for line in kinds:
            compared = line["documents"] - line["exact"] - line["contained"]
            assert line["near_share"] == (line["near"] / compared if compared else None)
        read, kept = (_figures(base, stage, role) for stage in ("read", "deduplicate"))
        assert sum(line["documents"] for line in kinds) == read["documents"]
        for line, share in zip(kinds[1:], ("tail_mass", "off_support"), strict=True):
            remaining = line["documents"] - line["exact"] - line["near"] - line["contained"]
            assert line["documents"] == pytest.approx(read[share] * read["documents"])
            assert remaining == pytest.approx(kept[share] * kept["documents"])
    assert "what deduplication took" in base.stdout
    assert "of what could be kept\n" in base.stdout


def _figures(result: Run, stage: str, role: str) -> Any:
    (stage_line,) = [line for line in result.report["stages"] if line["name"] == stage]
    return stage_line["roles"][role]


def test_the_least_similar_are_in_the_report_with_how_their_texts_begin(corpus, base):
    shown = base.report["deduplication"]["least_similar"]
    near = [row for row in base.removed if row["stage"] == "near"]
    assert len(shown) == min(20, len(near)) == 20
    similarity = [row["similarity"] for row in shown]
    assert similarity == pytest.approx(sorted(row["similarity"] for row in near)[:20])
    facts = ("id", "source", "kept_id", "kept_source", "stage", "rule", "similarity")
    by_name = {(row["source"], row["id"]): row for row in near}
    for row in shown:
        true = by_name[row["source"], row["id"]]
        assert {fact: row[fact] for fact in facts} == pytest.approx(
            {fact: true[fact] for fact in facts}
        )
        for text, name in (
            ("text", (row["source"], row["id"])),
            ("kept_text", (row["kept_source"], row["kept_id"])),
        ):
            full_text = " ".join(corpus.texts[name].split())
            assert len(row[text]) <= 300
            assert full_text.startswith(row[text].removesuffix("…"))
            assert row[text].endswith("…") == (len(full_text) > 300)

"""A run keeps its promises, as counted from the files alone."""

from __future__ import annotations

import json
import os
import re
import shutil
from itertools import combinations

import pytest

from tests.end_to_end.conftest import (
    ROLES,
    STANDARD_ERROR,
    STRICT,
    THRESHOLD,
    Run,
    bare,
    containment,
    items,
    jaccard,
    plain,
    run,
    words,
)
from tests.support.commands import outcross


@pytest.fixture(scope="session")
def asked(corpus, base, tmp_path_factory) -> Run:
    """Ask for a budget that needs copies of documents, in as many rounds as by default."""
    out = tmp_path_factory.mktemp("asked") / "out"
    shutil.copytree(base.out, out)
    return run(
        corpus.config(out),
        "--tokens",
        60_000,
        "--human-share",
        0.5,
        *("--max-copies-synthetic", 2, "--max-copies-human", 2),
        "--rounds",
        4,
        out=out,
    )


@pytest.fixture(scope="session")
def kept_only(corpus, base, tmp_path_factory) -> Run:
    out = tmp_path_factory.mktemp("dedup") / "out"
    shutil.copytree(base.out, out)
    done = outcross("dedup", corpus.config(out))
    return Run(out, done.stdout, done.stderr)


@pytest.mark.parametrize("source", ROLES)
def test_every_row_is_accounted_for(corpus, base, source):
    line = base.conservation(source)
    kept = set(corpus.texts) - set(base.gone)
    assert line["role"] == ROLES[source]
    assert line["filtered"] == len(corpus.rows[source]) - len(corpus.kept_by_filter(source))
    assert line["read"] == len(corpus.kept_by_filter(source))
    assert line["rejected"] == len(base.rejects) == 0
    assert line["removed"] == sum(row["source"] == source for row in base.removed)
    assert line["kept"] == sum(name[0] == source for name in kept)
    written = [name for name in base.appearances if name[0] == source]
    assert line["written"] == len(written)
    assert sum(line["not_selected"].values()) == line["kept"] - line["written"]
    assert line["copies"] == sum(base.appearances[name] - 1 for name in written)
    assert set(base.appearances) <= kept


def test_what_is_removed_repeats_a_kept_document(corpus, base):
    assert len(base.gone) == len(base.removed) > 150
    for row in base.removed:
        kept = row["kept_source"], row["kept_id"]
        assert kept in corpus.texts
        assert kept not in base.gone
        text, partner = corpus.texts[row["source"], row["id"]], corpus.texts[kept]
        true = jaccard(text, partner)
        if row["stage"] == "exact":
            assert row["rule"] == "same text but for line ends and trailing white space"
            assert plain(text) == plain(partner)
            assert row["similarity"] == 1
        elif row["stage"] == "contained":
            assert row["rule"] == "holds 8-word sequences of an evaluation text"
            assert plain(text) != plain(partner)
            assert kept[0] == "tests"
            assert row["similarity"] == pytest.approx(containment(text, partner))
            assert row["similarity"] >= 0.5
        else:
            assert row["rule"] == (
                "similar 5-word sequences, by jaccard; numbers, signs and negations agree "
                "(above 200 words in that proportion)"
            )
            assert plain(text) != plain(partner)
            assert THRESHOLD <= row["similarity"] <= true + 1e-6
            if min(len(words(text)), len(words(partner))) <= STRICT:
                assert row["similarity"] == pytest.approx(true)
                assert items(text) == items(partner)
    formed = [row for row in base.removed if row["stage"] == "near" and row["similarity"] == 1]
    assert len(formed) > 20
    assert {row["stage"] for row in base.removed} == {"exact", "near", "contained"}


def test_signatures_estimate_what_is_otherwise_verified(corpus, base, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(base.out, out)
    outcross("dedup", corpus.config(out), "--verify", "signature")
    estimated = Run(out, "", "")
    near = {(row["source"], row["id"]): row for row in estimated.removed if row["stage"] == "near"}
    assert len(near) > 20
    for name, row in near.items():
        assert row["rule"] == (
            "similar 5-word sequences, by minhash estimate; numbers, signs and negations agree "
            "(above 200 words in that proportion)"
        )
        assert row["similarity"] >= THRESHOLD
        true = jaccard(corpus.texts[name], corpus.texts[row["kept_source"], row["kept_id"]])
        assert abs(row["similarity"] - true) <= 4 * STANDARD_ERROR
    assert {name for name in estimated.gone if name not in near} == {
        (row["source"], row["id"]) for row in base.removed if row["stage"] != "near"
    }


def test_nothing_that_is_kept_still_repeats(corpus, base):
    kept = [n for n in corpus.texts if n not in base.gone and ROLES[n[0]] != "exclude"]
    assert len({plain(corpus.texts[n]) for n in kept}) == len(kept)
    beginnings: dict[str, list] = {}
    for name in kept:
        for word in set(words(corpus.texts[name])[:60:6]):
            beginnings.setdefault(word, []).append(name)
    pairs = {
        pair
        for same_word in beginnings.values()
        if len(same_word) < 50
        for pair in combinations(same_word, 2)
    }
    close = [
        (a, b)
        for a, b in ((corpus.texts[n], corpus.texts[m]) for n, m in pairs)
        if jaccard(a, b) > THRESHOLD + 0.12 and items(a) == items(b)
    ]
    assert close == []


def test_roles_decide_who_stays(corpus, base):
    higher = {"gpt": {"gpt", "people", "tests"}, "people": {"people", "tests"}, "tests": set()}
    seen = {(gone[0], kept[0]) for gone, kept in base.gone.items()}
    assert all(kept in higher[gone] for gone, kept in seen)
    # Planted: repeats of an excluded text, and synthetic repeats of human ones.
    assert seen >= {("gpt", "tests"), ("people", "tests"), ("gpt", "people"), ("gpt", "gpt")}
    # An evaluation set is not the run's to change, whatever repeats in it.
    tests = base.conservation("tests")
    assert tests["read"] == tests["kept"] == len(corpus.rows["tests"])
    assert tests["not_selected"] == {"role exclude": tests["kept"]}


def test_excluded_text_is_never_written(corpus, base):
    assert {name[0] for name in base.appearances} == {"gpt", "people"}
    excluded = [corpus.text("tests", row) for row in corpus.rows["tests"]]
    same = {plain(text) for text in excluded}
    assert not any(plain(corpus.texts[name]) in same for name in base.appearances)
    by_words = {tuple(words(text)): items(text) for text in excluded}
    written = {name: corpus.texts[name] for name in base.appearances}
    assert not any(
        by_words.get(tuple(words(text))) == items(text) for text in written.values() if words(text)
    )


def _check_rows(corpus, result):
    rows = {(source, row["id"]): row for source in corpus.rows for row in corpus.rows[source]}
    for row in result.data:
        ours = row.pop("outcross")
        name = ours["source"], ours["id"]
        judged = row.pop("text_judged")  # as the sources have different text fields
        assert judged == corpus.texts[name]
        assert bare(row) == bare(rows[name])
        assert ours["role"] == ROLES[name[0]]
        assert ours["domain"] == rows[name]["kind"]
        assert ours["generation"] == ("2" if name[0] == "gpt" else None)
        assert ours["tokens"] == len(words(corpus.texts[name]))
        row |= {"outcross": ours, "text_judged": judged}


def test_the_users_columns_are_untouched(corpus, base):
    _check_rows(corpus, base)
    rows = {(source, row["id"]): row for source in corpus.rows for row in corpus.rows[source]}
    for row in base.removed:
        assert bare(row["row"]) == bare(rows[row["source"], row["id"]])


@pytest.mark.parametrize("which", ["base", "asked"])
def test_human_tokens_are_the_budget(corpus, request, which):
    result = request.getfixturevalue(which)
    tokens = {"synthetic": 0, "human": 0}
    for row in result.data:
        tokens[row["outcross"]["role"]] += row["outcross"]["tokens"]
    kept = [n for n in corpus.texts if n not in result.gone and n[0] != "tests"]
    lengths = {name: len(words(corpus.texts[name])) for name in kept}
    longest = max(lengths.values())
    if which == "asked":
        total, share = 60_000, 0.5
    else:
        share = 0.2
        total = int(2 / 3 * sum(lengths[n] for n in kept if n[0] == "gpt")) / (1 - share)
    assert abs(tokens["human"] - share * total) <= longest / 2
    assert abs(tokens["synthetic"] - (1 - share) * total) <= longest / 2
    achieved = result.report["achieved"]
    assert achieved["human_tokens"] == tokens["human"]
    assert achieved["synthetic_tokens"] == tokens["synthetic"]


def test_no_document_appears_more_often_than_its_cap(asked):
    assert set(asked.appearances.values()) == {1, 2}
    copies: dict = {}
    for row in asked.data:
        ours = row["outcross"]
        copies.setdefault((ours["source"], ours["id"], ours["of"]), []).append(ours["copy"])
    for (source, own, of), numbers in copies.items():
        assert sorted(numbers) == list(range(1, of + 1))
        assert of == asked.appearances[source, own]
    assert asked.report["achieved"]["most_copies"] == 2
    assert sum(line["copies"] for line in asked.report["conservation"]) == sum(
        often - 1 for often in asked.appearances.values()
    )


def test_the_copies_carry_the_same_row(corpus, asked):
    _check_rows(corpus, asked)


def test_what_cannot_be_reached_is_refused_with_numbers_or_done_as_well_as_can_be(
    corpus, base, tmp_path
):
    out = tmp_path / "out"
    shutil.copytree(base.out, out)
    config = corpus.config(out)
    before = (out / "report.json").read_bytes()
    refused = outcross("run", config, "--tokens", 10_000_000, code=2)
    assert "tokens: found 10,000,000" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert (out / "report.json").read_bytes() == before
    (would_do,) = re.findall(r"set --tokens (\d+)", refused.stderr)
    outcross("plan", config, "--tokens", would_do)
    floor = outcross("run", config, "--entropy-floor", 99, code=2)
    assert "entropy" in floor.stderr
    assert "99" in floor.stderr
    (best,) = re.findall(r"the best reaches ([\d.]+)", floor.stderr)
    plan = outcross("plan", config, "--entropy-floor", float(best) - 0.01, "--json")
    assert json.loads(plan.stdout)["reached"]["entropy"] > float(best) - 0.0101
    refused = outcross("plan", config, "--human-share", 0.95, code=2)
    (tokens_held,) = re.findall(r"at most ([\d,]+) tokens the share can be held", refused.stderr)
    asked = ("--human-share", 0.95, "--best-effort", "--json")
    short = json.loads(outcross("plan", config, *asked).stdout)
    assert short["reached"]["human_share"] < 0.95
    assert any("not 95.0%" in warning for warning in short["warnings"])
    tokens = tokens_held.replace(",", "")
    plan = outcross("plan", config, "--human-share", 0.95, "--tokens", tokens, "--json")
    assert abs(json.loads(plan.stdout)["reached"]["human_share"] - 0.95) < 1e-6
    done = run(config, "--tokens", 10_000_000, "--best-effort", out=out)
    assert any(
        "tokens: found 10,000,000" in warning for warning in done.report["verdict"]["warnings"]
    )
    assert "warning" in done.stderr
    assert "warning" in done.stdout
    assert set(done.appearances.values()) == {1}
    repeated = (*("--tokens", 10_000_000, "--best-effort"), *("--max-copies-human", 2))
    done = run(config, *repeated, out=out)
    assert max(done.appearances.values()) == 2


def test_another_generation_is_measured_on_the_same_reference(corpus, base, tmp_path):
    out = tmp_path / "out"
    later = run(
        corpus.config(out, reference=str(base.out / "reference"), tokens=9000, seed=3), out=out
    )
    assert later.report["reference"] == base.report["reference"]
    clusters = {
        (r["outcross"]["source"], r["outcross"]["id"]): r["outcross"]["cluster"] for r in base.data
    }
    shared = 0
    for row in later.data:
        name = row["outcross"]["source"], row["outcross"]["id"]
        if name in clusters:
            assert row["outcross"]["cluster"] == clusters[name]
            shared += 1
    assert shared > 20
    wrong = outcross("run", corpus.config(tmp_path / "b", reference=str(base.out)), code=2)
    assert "reference: " in wrong.stderr
    assert not (tmp_path / "b").exists()


def test_dedup_writes_what_is_kept_and_nothing_else(corpus, base, kept_only):
    kept = {name for name in corpus.texts if name not in base.gone and name[0] != "tests"}
    assert dict(kept_only.appearances) == dict.fromkeys(kept, 1)
    assert kept_only.removed == base.removed
    assert not (kept_only.out / "plan.json").exists()
    for line in kept_only.report["conservation"]:
        assert line["read"] == line["kept"] + line["removed"] + line["rejected"]
        assert line["kept"] == line["written"] + sum(line["not_selected"].values())
    assert "sketch        done earlier, unchanged" in kept_only.stderr
    _check_rows(corpus, kept_only)


def test_without_human_text_nothing_is_said_against_it(corpus, tmp_path):
    out = tmp_path / "out"
    options = ["--synthetic", corpus.folder / "gpt.jsonl", "--out", out]
    options += ["--text-field", "messages.1.content", "--id-field", "id", "--text-out", "answer"]
    options += ["--rounds", 1]
    alone = run(*options, out=out)
    report = alone.report
    assert report["verdict"]["outcome"] == "done"
    assert "no human text to judge by" in report["verdict"]["sentence"]
    assert report["verdict"]["warnings"]
    assert report["judged"] is None
    assert report["clusters"] == []
    assert report["reference"]["human"] is False
    assert report["reference"]["tail_mass"] is None
    assert report["achieved"]["kl"] is None
    assert report["achieved"]["human_tokens"] == 0
    assert alone.plan["reached"]["kl"] is None
    for stage in report["stages"]:
        for figures in stage["roles"].values():
            against = ("kl_to_reference", "tail_mass", "off_support")
            assert all(figures[name] is None for name in against)
            assert figures["measures"] == []
            assert figures["effective_clusters"] >= 1
    assert "human_share" in outcross("run", *options, "--human-share", 0.3, code=2).stderr
    assert alone.data
    assert all(row["answer"] == row["messages"][1]["content"] for row in alone.data)
    assert all("answer" not in row["row"] for row in alone.removed)


def test_a_dry_run_checks_the_request_and_writes_nothing(tmp_path):
    (tmp_path / "some.jsonl").write_text('{"text": "a", "n": 1}\n{"text": ""}\n')
    (tmp_path / "some.parquet").write_bytes(b"not one")
    out = tmp_path / "out"
    options = ["--synthetic", tmp_path / "*.jsonl", "--human", tmp_path / "*.parquet"]
    printed = outcross("run", *options, "--out", out, "--dry-run")
    assert "synthetic" in printed.stdout
    assert str(out) in printed.stdout.replace("\n", "")
    assert "disk " in printed.stdout
    as_json = outcross("run", *options, "--out", out, "--dry-run", "--json")
    shown = json.loads(as_json.stdout)
    assert shown["out"] == str(out)
    assert shown["estimate"]["input_bytes"] > 7
    synthetic, human = shown["sources"]
    assert (synthetic["rows"], synthetic["passed"], synthetic["valid"]) == (2, 2, 1)
    assert (synthetic["judged"], synthetic["carried"]) == (["text"], ["n"])
    assert synthetic["reason"] == "text field 'text' is empty"
    assert (human["files"], human["bytes"], human["valid"], human["text"]) == (1, 7, 0, None)
    assert human["reason"].startswith("broken Parquet")
    assert not out.exists()


def test_nothing_is_cut_off_at_80_columns(base):
    shown = base.stdout
    assert "…" not in shown
    headings = "source read rejected removed kept written copies filtered documents tokens"
    assert all(heading in shown for heading in headings.split())
    assert "gpt (synthetic)" in shown
    # A sentence is one line, which a terminal wraps and a log keeps whole.
    verdict = base.report["verdict"]
    assert verdict["sentence"] in shown.splitlines()
    steps = [line for line in shown.splitlines() if line.startswith("next: ")]
    assert steps
    assert all(line.endswith(".") for line in steps)
    for line in (verdict["sentence"], *verdict["warnings"], *verdict["reasons"], *steps):
        shown = shown.replace(line, "")
    assert all(len(line) <= 80 for line in shown.splitlines() if str(base.out) not in line)
    assert f"{base.out}/report.json" in shown  # on one line, to be copied


def test_the_plan_is_shown_before_anything_is_written(corpus, base, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(base.out, out)
    config = corpus.config(out)
    before = {path: path.read_bytes() for path in out.glob("**/*.*") if path.is_file()}
    table = outcross("plan", config, "--tokens", 20_000)
    assert "frontier" in table.stdout
    assert "…" not in table.stdout
    as_json = outcross("plan", config, "--tokens", 20_000, "--json")
    assert json.loads(as_json.stdout)["asked"]["tokens"] == 20_000
    assert as_json.stderr == ""
    after = {path: path.read_bytes() for path in before}
    assert after == before


def test_what_lies_in_out_is_never_input_or_overwritten(corpus, base, tmp_path):
    config = corpus.config(base.out.parent / "again", {"gpt": [base.out / "data" / "*.parquet"]})
    refused = outcross("run", config, "--out", base.out, code=2)
    assert "out = " in refused.stderr
    assert base.data
    other = tmp_path / "deep" / "er" / "still"
    other.mkdir(parents=True)
    (other / ".hidden").write_text("mine")
    refused = outcross("run", corpus.config(tmp_path / "deep"), code=2)
    assert "out: " in refused.stderr
    assert (other / ".hidden").read_text() == "mine"


def test_the_manifest_names_what_went_in_and_came_out(corpus, base):
    from hashlib import sha256

    manifest = json.loads((base.out / "manifest.json").read_text())
    assert set(manifest["inputs"]) == {str(corpus.folder / f"{name}.jsonl") for name in ROLES}
    for path, file in manifest["inputs"].items():
        assert file["sources"] == [path.rpartition("/")[2].removesuffix(".jsonl")]
        assert file["identity"].startswith(f"{os.stat(path).st_size}-")
    listed = {file["file"]: file for file in manifest["outputs"]}
    written = [*base.out.glob("data/*"), *base.out.glob("removed/*")]
    assert set(listed) == {str(path.relative_to(base.out)) for path in written}
    for path in written:
        file = listed[str(path.relative_to(base.out))]
        assert file["sha256"] == sha256(path.read_bytes()).hexdigest()
        assert file["bytes"] == path.stat().st_size

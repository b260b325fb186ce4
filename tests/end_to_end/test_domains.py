"""A domain that should converge beside one that should not, as counted from the files."""

from __future__ import annotations

import json
import math
import random
import shutil
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.conftest import Run, run, write_rows
from tests.support.commands import outcross
from tests.support.human_texts import human_paragraphs
from tests.support.promises import promised_bytes

POLICIES = {"maths": {"kind": "converge", "share": 0.3}, "stories": {"alpha": 0.4}}
FIELDS = {"id_field": "id", "domain_field": "kind"}


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    """1,600 documents; every ninth has no domain."""
    draw = random.Random(7)
    paragraphs = [p for p in human_paragraphs() if 40 <= len(p.text.split()) <= 200]
    chosen = [
        {
            "id": f"{number:05d}",
            "text": paragraph.text,
            "kind": None
            if number % 9 == 0
            else ("maths", "stories", "stories")[zlib.crc32(paragraph.topic.encode()) % 3],
            "verified": number % 2 == 0,
        }
        for number, paragraph in enumerate(draw.sample(paragraphs, 1600))
    ]
    return {"gpt": chosen[:900], "people": chosen[900:]}


def config(folder: Path, out: Path, rows: dict[str, list[dict[str, Any]]], **keys: Any) -> Path:
    folder.mkdir(exist_ok=True)
    sources = [
        {
            "name": name,
            "role": role,
            "files": [str(write_rows(folder / f"{name}.jsonl", rows[name]))],
            **FIELDS,
        }
        for name, role in (("gpt", "synthetic"), ("people", "human"))
    ]
    path = folder / f"{out.name}.yaml"
    values = {
        "out": str(out),
        "sources": sources,
        "rounds": 2,
        "domains": POLICIES,
        "max_copies": 2,
    }
    given = {key: value for key, value in (values | keys).items() if value is not None}
    path.write_text(yaml.safe_dump(given, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def planned(rows, tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("domains")
    out = folder / "out"
    return run(config(folder / "in", out, rows, tokens=55_000), out=out)


def tokens(rows: list[dict[str, Any]]) -> int:
    return sum(row["outcross"]["tokens"] for row in rows)


def entropy(counts: Counter[Any]) -> float:
    total = sum(counts.values())
    return -sum(n / total * math.log(n / total) for n in counts.values())


def by_domain(data: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    by_name: dict[str, list[dict[str, Any]]] = {"*": [], "maths": [], "stories": []}
    for row in data:
        by_name[row["kind"] or "*"].append(row)
    return by_name


def test_every_domain_gets_its_part_of_the_tokens_and_of_human_text(planned):
    longest = max(row["outcross"]["tokens"] for row in planned.data)
    assert [domain["name"] for domain in planned.plan["domains"]] == ["*", "maths", "stories"]
    for domain in planned.plan["domains"]:
        domain_rows = by_domain(planned.data)[domain["name"]]
        human = [row for row in domain_rows if row["outcross"]["role"] == "human"]
        assert abs(tokens(domain_rows) - domain["tokens"]) <= 3 * longest
        assert abs(tokens(human) - domain["human_tokens"]) <= 1.5 * longest
    shares = {domain["name"]: domain["share"] for domain in planned.plan["domains"]}
    assert shares["maths"] == pytest.approx(0.3)
    reference = {d["name"]: d["reference_share"] for d in planned.plan["domains"]}
    assert shares["stories"] / shares["*"] == pytest.approx(reference["stories"] / reference["*"])


def test_the_domains_together_are_the_reference_as_it_is_without_them(rows, planned, tmp_path):
    path = config(tmp_path / "in", planned.out, rows, tokens=55_000, domains=None)
    undivided = json.loads(outcross("plan", path, "--json").stdout)
    (only,) = undivided["domains"]
    assert only["name"] == "*"
    assert only["entropy"] == undivided["reached"]["entropy"]
    for quota in undivided["quotas"]:
        parts = [q for q in planned.plan["quotas"] if q["cluster"] == quota["cluster"]]
        assert len(parts) == 3
        for name in ("reference_share", "synthetic_available", "human_available"):
            assert sum(part[name] for part in parts) == pytest.approx(quota[name])


def test_what_converges_stands_once_and_is_not_judged(planned):
    assert max(row["outcross"]["of"] for row in planned.data) == 2
    by_name = by_domain(planned.data)
    assert {row["outcross"]["of"] for row in by_name["maths"]} == {1}
    kinds = {domain["name"]: domain["kind"] for domain in planned.report["domains"]}
    assert kinds == {"": "open", "maths": "converge", "stories": "open"}
    judged = planned.report["judged"]["documents"]
    assert judged == len(planned.data) - len(by_name["maths"])


def test_entropies_add_up_by_the_chain_rule_over_what_is_written(planned):
    achieved = planned.report["achieved"]
    cells: Counter[Any] = Counter()
    for name, domain_rows in by_domain(planned.data).items():
        clusters: Counter[Any] = Counter()
        for row in domain_rows:
            clusters[row["outcross"]["cluster"]] += row["outcross"]["tokens"]
        cells.update({(name, cluster): n for cluster, n in clusters.items()})
        (domain,) = [line for line in achieved["domains"] if line["name"] == name]
        assert domain["tokens"] == tokens(domain_rows)
        assert domain["entropy"] == pytest.approx(entropy(clusters))
    assert achieved["entropy"] == pytest.approx(entropy(cells))
    within = sum(domain["share"] * domain["entropy"] for domain in achieved["domains"])
    assert achieved["entropy"] == pytest.approx(achieved["domain_entropy"] + within)
    assert achieved["entropy"] == pytest.approx(achieved["planned_entropy"], rel=0.01)
    assert "over domains and clusters" in planned.stdout
    assert "Domains and their budgets" in (planned.out / "report.html").read_text()


def test_the_order_of_rows_and_of_domains_and_workers_do_not_matter(rows, planned, tmp_path):
    turned = {name: list(reversed(source_rows)) for name, source_rows in rows.items()}
    policies = dict(reversed(POLICIES.items()))
    out = tmp_path / "out"
    path = config(tmp_path / "in", out, turned, tokens=55_000, domains=policies, workers=1)
    other = run(path, out=out)
    assert other.plan["quotas"] == planned.plan["quotas"]
    assert other.plan["domains"] == planned.plan["domains"]
    assert other.appearances == planned.appearances


def test_a_plan_with_domains_is_carried_out_as_it_is(rows, planned, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(planned.out, out)
    plan = tmp_path / "plan.json"
    shutil.copy(planned.out / "plan.json", plan)
    shutil.rmtree(out / "data")
    again = run(config(tmp_path / "in", out, rows, domains=None, plan=str(plan)), out=out)
    assert promised_bytes(again.out) == promised_bytes(planned.out)
    assert again.report["judged"] == planned.report["judged"]  # what converges is in the plan


def test_a_loaded_reference_knows_no_domains(rows, planned, tmp_path):
    path = config(tmp_path / "in", tmp_path / "out", rows)
    done = outcross("plan", path, "--reference", planned.out / "reference", "--json")
    assert "a reference that was loaded knows no domains" in done.stdout
    wrong = config(tmp_path / "in", tmp_path / "other", rows, domains={"math": {"share": 0.1}})
    refused = outcross("plan", wrong, code=2)
    assert "domains.math.share: 0.1 was asked, but no document" in refused.stderr


def test_a_domain_of_verified_rows_alone(rows, tmp_path):
    """Read one file as two sources, each with other rows of it."""
    out = tmp_path / "out"
    path = config(tmp_path / "in", out, rows)
    values = yaml.safe_load(path.read_text())
    gpt = values["sources"].pop(0)
    values["sources"] += [
        gpt | {"name": "proofs", "where": {"kind": "maths", "verified": True}},
        gpt | {"name": "others", "where": {"kind": "stories"}},
    ]
    values["domains"] = {"maths": {"kind": "converge"}}
    path.write_text(yaml.safe_dump(values))
    result = run(path, out=out)
    maths = [row for row in result.data if row["kind"] == "maths"]
    written = [row for row in maths if row["outcross"]["role"] == "synthetic"]
    assert len(written) > 20
    assert all(row["verified"] for row in written)
    assert {row["outcross"]["of"] for row in maths} == {1}

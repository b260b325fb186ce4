"""gates.yaml: what is wrong is refused by name, and a domain converges where somebody says so."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from outcross.schemas.budget import DomainPolicy
from outcross.schemas.gates import Gates, Least, Most, load_gates
from outcross.schemas.measures import LEXICAL, MEASURES
from outcross.schemas.user_input import ConfigError


def loaded(folder: Path, text: str) -> Gates:
    path = folder / "gates.yaml"
    path.write_text(text)
    return load_gates(str(path))


def test_the_defaults_are_those_of_the_design() -> None:
    gates = load_gates(None)
    assert gates == Gates()
    clusters = {"warn": 0.95, "stop": 0.85}
    words = {"warn": 0.90, "stop": 0.75}
    divergence = {"warn": 0.02, "stop": 0.05}
    assert gates.model_dump() == {
        "format_version": 1,
        "effective_clusters": clusters,
        "audit_effective_clusters": clusters,
        "tail_mass": words,
        "tail_coverage": {"warn": 0.95, "stop": 0.90},
        "js": divergence,
        "audit_js": divergence,
        "vocabulary": words,
        "distinct_3": words,
        "rare_words": words,
        "self_repetition": {"warn": 0.05, "stop": 0.10},
        "openings": {"warn": 0.05, "stop": 0.10},
        "near_duplicates": {"warn": 0.01, "stop": 0.05},
        "off_support": {"warn": 0.20, "stop": 0.50},
        "noise": 1.10,
        "too_few": "pass",
        "fall_lexical": 0.05,
        "fall_clusters": 0.03,
        "rise_near_duplicates": 0.05,
        "domains": {},
        "provenance": {},
    }


def test_every_gate_is_of_a_measure_and_of_its_side() -> None:
    for name, limits in Gates():
        if isinstance(limits, Least | Most):
            info = MEASURES[name]
            assert isinstance(limits, Least if info.kind == "ratio" else Most), name
            assert info.better == ("high" if info.kind == "ratio" else "low"), name
    assert set(LEXICAL) <= set(MEASURES)


def test_a_file_changes_what_it_names(tmp_path: Path) -> None:
    gates = loaded(tmp_path, "js: null\nrare_words: {warn: 1, stop: 0.5}\nnoise: null\n")
    assert gates.js is None
    assert gates.noise is None
    assert gates.rare_words == Least(warn=1, stop=0.5)
    assert gates.vocabulary == Gates().vocabulary
    again = loaded(tmp_path, yaml.safe_dump(gates.model_dump()))
    assert again == gates


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vocabulry: null", "vocabulry: there is no such key; did you mean vocabulary"),
        ("js: 0.1", "js"),
        ("js: {warn: 0.1}", "js.stop: Field required"),
        ("js: {warn: 0.1, stop: 0.2, halt: 1}", "js.halt: there is no such key"),
        ("js: {warn: .nan, stop: 0.2}", "js.warn"),
        ("js: {warn: a, stop: 0.2}", r"js.warn: .*\(found 'a'\)"),
        ("js: {warn: 0.05, stop: 0.02}", "js: stop is 0.02, below warn, 0.05"),
        ("tail_mass: {warn: 0.7, stop: 0.8}", "tail_mass: stop is 0.8, above warn, 0.7"),
        ("tail_mass: {warn: 0.7, stop: -0.8}", r"tail_mass.stop: .*\(found -0.8\)"),
        ("tail_mass: {warn: yes, stop: 0.8}", "tail_mass.warn: found True"),
        ("noise: 0.9", r"noise: .*\(found 0.9\)"),
        ("fall_clusters: 0", r"fall_clusters: .*\(found 0\)"),
        ("rise_near_duplicates: 0", r"rise_near_duplicates: .*\(found 0\)"),
        ("too_few: warn", r"too_few: .*'pass' or 'stop' \(found 'warn'\)"),
        ("domains: {maths: closed}", "domains.maths: .*'open' or 'converge'.*'closed'"),
        ("domains: [maths]", "domains"),
        ("provenance: {rewritten: {}}", "provenance.rewritten"),
        ("provenance: {edited: {domains: {}}}", "provenance.edited.domains: there is no such key"),
        ("provenance: {edited: {opening: null}}", "did you mean openings"),
        ("provenance: {edited: {js: {warn: 0.05, stop: 0.02}}}", "provenance.edited.js: stop is"),
        ("- js", "holds list; a mapping of keys is expected"),
        ("", "is empty; a mapping of keys is expected"),
    ],
)
def test_what_is_wrong_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        loaded(tmp_path, text)
    assert str(tmp_path / "gates.yaml") in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: can't be read"):
        load_gates(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize("limit", [0.0, 0.5, 1.0])
def test_a_gate_may_stop_without_warning_before(limit: float) -> None:
    assert Least(warn=limit, stop=limit).stop == limit
    assert Most(warn=limit, stop=limit).stop == limit


@pytest.mark.parametrize(
    ("domains", "converging", "open_"),
    [
        ({}, [], ["maths", "", None, "*"]),
        ({"maths": "converge"}, ["maths"], ["talk", "", None]),
        ({"*": "converge"}, ["maths", "", None], []),
        ({"*": "converge", "talk": "open"}, ["maths", "", None], ["talk"]),
        ({"*": "open", "maths": "converge"}, ["maths"], ["talk", "", None]),
    ],
)
def test_a_domain_converges_where_it_is_named_or_the_star_says_so(
    domains: dict[str, Any], converging: list[str | None], open_: list[str | None]
) -> None:
    gates = Gates(domains=domains)
    assert [gates.converges(name) for name in converging] == [True] * len(converging)
    assert [gates.converges(name) for name in open_] == [False] * len(open_)


PROVENANCE = """
js: {warn: 0.1, stop: 0.2}
provenance:
  rephrased: {near_duplicates: {warn: 0.2, stop: 0.4}, openings: null}
  edited: {noise: 2}
"""


def test_limits_for_a_provenance_win_and_the_others_stay(tmp_path: Path) -> None:
    gates = loaded(tmp_path, PROVENANCE)
    rephrased, edited = (gates.of_provenance(name) for name in ("rephrased", "edited"))
    assert rephrased.near_duplicates == Most(warn=0.2, stop=0.4)
    assert rephrased.openings is None
    assert rephrased.js == edited.js == Most(warn=0.1, stop=0.2)
    assert (edited.noise, rephrased.noise) == (2, Gates().noise)
    assert gates.of_provenance(None) == gates.of_provenance("generated") == gates
    assert rephrased.limits_of("rephrased") == ["openings", "near_duplicates"]
    assert gates.limits_of(None) == gates.limits_of("generated") == []
    without = rephrased.model_copy(update={"near_duplicates": None})  # as a run judges
    assert without.limits_of("rephrased") == ["openings"]
    assert loaded(tmp_path, yaml.safe_dump(gates.model_dump(exclude_unset=True))) == gates


def test_gates_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Gates().noise = 2.0  # type: ignore[misc]


def test_a_run_says_which_domains_converge_where_the_gates_do_not() -> None:
    policies = {"maths": DomainPolicy(kind="converge"), "code": DomainPolicy(kind="converge")}
    gates = Gates(domains={"code": "open", "*": "converge"}).of_run(policies)
    assert gates.converges("maths")
    assert not gates.converges("code")
    assert gates.converges(None)
    assert Gates().of_run({}) == Gates()
    assert Gates().of_run(policies | {"*": DomainPolicy()}).converges("maths")

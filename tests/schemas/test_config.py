"""The configuration: what is refused says which key and what would be right."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from outcross.schemas.budget import MaxCopies
from outcross.schemas.config import Config, band_threshold, parse, repeat_caps
from outcross.schemas.sources import Fields
from outcross.schemas.user_input import ConfigError, load_yaml
from tests.support.configs import HUMAN, SYNTHETIC, config, source


def test_the_defaults_are_those_of_the_design() -> None:
    values = config().model_dump(exclude={"sources", "out"})
    assert values == {
        "seed": 0,
        "workers": None,
        "max_reject_share": 0.01,
        "on_broken_file": "stop",
        "texts": True,
        "best_effort": False,
        "reference": None,
        "embedder": None,
        "lineage": None,
        "tokenizer": None,
        "near_threshold": 0.8,
        "semantic_threshold": None,
        "ngram": 5,
        "num_perm": 128,
        "band_threshold": None,
        "verify": "exact",
        "boilerplate": None,
        "check_recall": False,
        "containment": 0.5,
        "containment_ngram": 8,
        "max_same_answers": None,
        "against": [],
        "tokens": None,
        "human_share": 0.2,
        "human_tokens": None,
        "fresh_human_tokens": None,
        "archive": 3.5,
        "archive_source": 3.5,
        "alpha": 0.7,
        "entropy_floor": None,
        "max_kl": None,
        "effective_ratio": None,
        "plan": None,
        "max_copies": {"synthetic": 1, "human": 1},
        "copies": "rows",
        "domains": {},
        "off_support": "keep",
        "long_documents": "leave_out",
        "select": "residual",
        "rounds": 8,
        "shard_mb": 256,
        "text_out": None,
        "gates": None,
        "gate": False,
        "languages": [],
        "license": None,
        "openlineage_url": None,
    }
    assert config().sources[0].model_dump() == {
        **SYNTHETIC,
        "text_field": "text",
        "roles": None,
        "id_field": None,
        "prompt_field": None,
        "domain_field": None,
        "generation_field": None,
        "format": None,
        "priority": 0,
        "priority_field": None,
        "where": {},
        "pieces": None,
        "piece_tokens": None,
        "removed_by": None,
        "provenance": None,
    }


WRONG: list[tuple[dict[str, Any], str]] = [
    # keys that there are not
    ({"sed": 3}, r"sed: there is no such key; did you mean seed\? .* lists all keys \(found 3\)"),
    ({"max_copies": {"humans": 2}}, r"max_copies\.humans: there is no such key"),
    ({"sources": source(txt_field="x")}, r"sources\.gpt\.txt_field: there is no such key"),
    # types
    ({"tokens": "1e6"}, r"tokens: .*valid integer.*\(found '1e6'\)"),
    ({"rounds": 2.5}, r"rounds: .*valid integer.*\(found 2\.5\)"),
    ({"tokens": True}, "tokens: found True; true and false are not allowed here"),
    ({"alpha": False}, "alpha: found False"),
    ({"max_copies": {"human": True}}, r"max_copies\.human: found True"),
    ({"best_effort": "perhaps"}, "best_effort: .*boolean"),
    ({"out": 7}, r"out: .*string \(found 7\)"),
    ({"max_copies": [2]}, r"max_copies: .*mapping.*\(found \[2\]\)"),
    ({"sources": source(files=5)}, r"sources\.gpt\.files: .*list \(found 5\)"),
    ({"sources": source(where={"ok": {"equals": 1}})}, r"sources\.gpt\.where\.ok"),
    ({"sources": source(where=["ok"])}, r"sources\.gpt\.where: .*mapping"),
    ({"sources": ["syn.jsonl"]}, r"sources\.0: .*\(found 'syn\.jsonl'\)"),
    # ranges
    ({"human_share": 1.5}, r"human_share: .*less than or equal to 1 \(found 1\.5\)"),
    ({"human_share": -0.1}, "human_share: .*greater than or equal to 0"),
    ({"alpha": float("nan")}, "alpha: .*finite"),
    ({"entropy_floor": float("inf")}, "entropy_floor: .*finite"),
    ({"max_kl": -1}, "max_kl: .*greater than or equal to 0"),
    ({"seed": -1}, "seed: .*greater than or equal to 0"),
    ({"seed": 2**63}, "seed: .*less than"),
    ({"tokens": 0}, "tokens: .*greater than or equal to 1"),
    ({"workers": 0}, "workers: .*greater than or equal to 1"),
    ({"rounds": 0}, "rounds: .*greater than or equal to 1"),
    ({"num_perm": 100}, r"num_perm: .*multiple of 8 \(found 100\)"),
    ({"semantic_threshold": 0.0}, r"semantic_threshold: .*greater than 0"),
    ({"near_threshold": 0.1}, r"near_threshold: .*greater than 0\.2"),
    ({"band_threshold": 0.2}, r"band_threshold: .*greater than 0\.2"),
    ({"boilerplate": 1}, r"boilerplate: .*greater than or equal to 2 \(found 1\)"),
    ({"boilerplate": 65_536}, "boilerplate: .*less than or equal to 65535"),
    ({"containment": -0.1}, "containment: .*greater than or equal to 0"),
    ({"containment": None}, r"containment: .*valid number \(found None\)"),
    ({"containment": 1.1}, r"containment: .*less than or equal to 1 \(found 1\.1\)"),
    ({"containment_ngram": 1}, "containment_ngram: .*greater than or equal to 2"),
    ({"max_same_answers": 0}, "max_same_answers: .*greater than or equal to 1"),
    ({"verify": "shingles"}, r"verify: .*'exact' or 'signature' \(found 'shingles'\)"),
    ({"against": 1}, r"against: .*list \(found 1\)"),
    ({"sources": source(removed_by=1)}, r"sources\.gpt\.removed_by: .*list \(found 1\)"),
    ({"max_copies": {"synthetic": 0}}, r"max_copies\.synthetic: .*greater than or equal to 1"),
    ({"max_reject_share": 2}, "max_reject_share: .*less than or equal to 1"),
    ({"copies": "physical"}, r"copies: .*'rows' or 'weights' \(found 'physical'\)"),
    ({"off_support": "lift"}, r"off_support: .*'keep', 'cap' or 'drop' \(found 'lift'\)"),
    ({"select": "best"}, r"select: .*'residual' or 'random' \(found 'best'\)"),
    ({"sources": source(role="robot")}, r"sources\.gpt\.role: .*'synthetic', 'human', 'reference'"),
    ({"sources": source(name="a/b")}, r"sources\.[^.]+\.name: .*\(found 'a/b'\)"),
    ({"sources": source(files=[])}, r"sources\.[^.]+\.files: .*at least 1"),
    ({"sources": []}, "sources: .*at least 1"),
    # pieces, domains, a lineage
    ({"sources": source(pieces="word")}, r"sources\.[^.]+\.pieces: .*'sentence' or 'paragraph'"),
    ({"sources": source(pieces="sentence", piece_tokens=0)}, r"piece_tokens: .*greater than or"),
    (
        {"domains": {"a": {"kind": "converge", "alpha": 1}}},
        r"domains\.a: alpha: a domain of kind converge keeps .* leave out alpha",
    ),
    ({"domains": {"a": {"kind": "converge", "entropy_floor": 1}}}, r"domains\.a: entropy_floor: "),
    ({"domains": {"a": {"kind": "closed"}}}, r"domains\.a\.kind: .*'open' or 'converge'"),
    ({"domains": {"a": {"share": 1.1}}}, r"domains\.a\.share: .*less than or equal to 1"),
    ({"domains": {"a": {"tokens": 3}}}, r"domains\.a\.tokens: there is no such key"),
    ({"domains": {"a": None}}, r"domains\.a: .*\(found None\)"),
    ({"lineage": "l", "archive": -1}, "archive: .*greater than or equal to 0"),
    ({"lineage": "l", "archive_source": 0}, "archive_source: .*greater than 0"),
    ({"lineage": "l", "fresh_human_tokens": -1}, "fresh_human_tokens: .*greater than or equal"),
    ({"lineage": "l", "fresh_human_tokens": 0.5}, "fresh_human_tokens: .*valid integer"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_what_is_wrong_names_the_key_and_what_would_be_right(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**changes)


def test_all_mistakes_are_named_at_once_and_a_missing_key_too() -> None:
    with pytest.raises(ConfigError) as error:
        parse({"sources": source(role="robot", files=[]), "rounds": 0})
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
        "out",
        "rounds",
        "sources.gpt.role",
        "sources.gpt.files",
    ]


def test_with_a_lineage_human_documents_stand_once_and_its_ledger_may_be_all_there_is() -> None:
    capped = config(lineage="loop", max_copies={"synthetic": 3, "human": 1})
    assert repeat_caps(capped) == MaxCopies(synthetic=3, human=1)
    assert repeat_caps(config(lineage="loop")) == MaxCopies(synthetic=1, human=1)
    assert repeat_caps(config(max_copies=2)) == MaxCopies(synthetic=2, human=2)
    assert config(lineage="loop", human_tokens=5, sources=[SYNTHETIC]).human_tokens == 5
    assert config(lineage="loop", max_kl=0.1, sources=[SYNTHETIC]).max_kl == 0.1
    assert config(lineage="loop", fresh_human_tokens=0, archive=0).fresh_human_tokens == 0
    assert config(lineage="loop", plan="p", archive=2).plan == "p"  # which no plan tells


def test_a_cap_of_the_synthetic_documents_alone_goes_with_a_lineage() -> None:
    capped = config(lineage="loop", max_copies={"synthetic": 3})
    assert repeat_caps(capped) == MaxCopies(synthetic=3, human=1)


def test_thresholds_of_one_tenth_share_their_bands() -> None:
    made_for = {0.25: 0.2, 0.3: 0.3, 0.39: 0.3, 0.7: 0.7, 0.75: 0.7, 0.79: 0.7, 0.8: 0.8, 1.0: 0.8}
    assert {at: band_threshold(config(near_threshold=at)) for at in made_for} == made_for
    assert band_threshold(config(near_threshold=0.9, band_threshold=0.65)) == 0.65


def test_where_keeps_the_types_of_its_values() -> None:
    where = {"verified": True, "grade": [1, 2.5, "A"], "kind": "1"}
    kept = config(sources=source(where=where)).sources[0].where
    assert kept == where
    assert kept["verified"] is True
    assert isinstance(kept["kind"], str)


def test_a_configuration_can_not_be_changed_behind_a_runs_back() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config().seed = 3  # type: ignore[misc]


def test_every_key_has_a_description_in_the_json_schema() -> None:
    schema = Config.model_json_schema()
    seen = 0
    for model in [schema, *schema["$defs"].values()]:
        assert model["additionalProperties"] is False
        for name, field in model["properties"].items():
            assert len(field.get("description", "")) > 8, name
            seen += 1
    assert seen >= len(Config.model_fields) + len(Fields.model_fields) + 5
    assert sorted(schema["required"]) == ["out", "sources"]


def test_yaml_is_read_with_what_is_wrong_said_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    values = {"out": "größe/", "sources": [SYNTHETIC, HUMAN], "human_share": 0.3}
    path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    assert parse(load_yaml(str(path))) == config(out="größe/", human_share=0.3)
    for text, message in (
        ("- a\n", "holds list; a mapping of keys is expected"),
        ("", "is empty; a mapping of keys is expected"),
        ("out: [", "can't be read as YAML"),
        ("!!python/object/apply:os.system ['true']", "can't be read as YAML"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=message) as error:
            load_yaml(str(path))
        assert "config.yaml" in str(error.value)
    path.write_bytes(b"out: \xff\xfe")
    with pytest.raises(ConfigError, match="can't be read as YAML"):
        load_yaml(str(path))
    with pytest.raises(ConfigError, match="no-such"):
        load_yaml(str(tmp_path / "no-such.yaml"))


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    for text in ("seed: 1\nout: a\nseed: 2\n", "max_copies: {human: 1, human: 2}\n"):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"the key '(seed|human)' appears twice"):
            load_yaml(str(path))


def test_the_json_schema_allows_the_short_forms() -> None:
    schema = Config.model_json_schema()
    number, by_role = schema["properties"]["max_copies"]["anyOf"]
    assert number == {"type": "integer", "minimum": 1, "maximum": 100}
    assert by_role == {"$ref": "#/$defs/MaxCopies"}
    text = {"type": "string"}
    texts = {"type": "array", "items": text}
    assert schema["properties"]["against"]["anyOf"] == [text, texts]
    fields = schema["$defs"]["Source"]["properties"]
    assert fields["files"]["anyOf"] == [text, {**texts, "minItems": 1}]
    for key in ("removed_by", "roles"):
        assert fields[key]["anyOf"] == [text, texts, {"type": "null"}]
    assert fields["text_field"]["anyOf"] == [text, texts]

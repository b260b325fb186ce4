import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from outcross.schemas.plan import Plan
from outcross.transforms.estimators.entropy import entropy

TOKENS = st.floats(min_value=0, max_value=1e13, allow_nan=False)


def plan(quotas: list[dict[str, Any]] | None = None, **changes: Any) -> Plan:
    quotas = [quota(0, synthetic=60.1, human=20.2), quota(3)] if quotas is None else quotas
    synthetic = math.fsum(q["synthetic"] + q["synthetic_off_support"] for q in quotas)
    human = math.fsum(q["human"] for q in quotas)
    total = synthetic + human
    fields: dict[str, Any] = {
        "seed": 7,
        "made_for": "what there was",
        "least_human_tokens": None,
        "domains": [domain("*", synthetic, human, total)],
        "asked": {
            "tokens": synthetic + human,
            "human_share": 0.2,
            "alpha": 0.7,
            "max_copies": {"synthetic": 2, "human": 1},
            "off_support": "keep",
        },
        "reached": {
            "tokens": synthetic + human,
            "synthetic_tokens": synthetic,
            "human_tokens": human,
            "human_share": 0.2,
            "alpha": 0.7,
            "entropy": 0.1,
            "effective_number": math.exp(0.1),
            "kl": 0.3,
            "reference_entropy": 0.6,
            "regime": "human-bound",
            "shadow_price": 1 / 3,
        },
        "shards": 4,
        "near_duplicates": {"threshold": 0.8, "bands": 14, "rows": 9, "num_perm": 128, "ngram": 5},
        "warnings": ["größer als „gedacht“"],
        "starved": [
            {
                "cluster": 3,
                "wanted": 40.0,
                "available": 0.0,
                "planned": 0.0,
                "price": None,
                "words": ["rare"],
                "text": None,
            }
        ],
        "frontier": [
            {
                "human_share": 0.0,
                "human_tokens": 0.0,
                "reachable_human_tokens": None,
                "reachable": False,
                "reason": "too little",
            },
            {
                "human_share": 0.1,
                "human_tokens": 8.0,
                "reachable_human_tokens": 8.0,
                "reachable": True,
                "entropy": 0.1,
                "kl": 0.2,
                "regime": "slack",
                "shadow_price": 0.0,
            },
        ],
        "quotas": quotas,
    }
    return Plan.model_validate(fields | changes)


def domain(
    name: str, synthetic: float, human: float, total: float, entropy: float = 0.1
) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "open",
        "share": (synthetic + human) / total if total else 1.0,
        "reference_share": 0.5,
        "tokens": synthetic + human,
        "synthetic_tokens": synthetic,
        "human_tokens": human,
        "max_copies": {"synthetic": 2, "human": 1},
        "alpha": 0.7,
        "entropy": entropy,
        "kl": 0.3,
        "reference_entropy": 0.6,
        "regime": "slack",
        "shadow_price": 0.0,
    }


def quota(cluster: int, **amounts: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(
        (
            "synthetic_available",
            "human_available",
            "off_support_available",
            "synthetic",
            "synthetic_off_support",
            "human",
        ),
        0.0,
    )
    return {"cluster": cluster, "reference_share": 0.5} | nothing | amounts


@settings(deadline=None)
@given(st.lists(st.tuples(TOKENS, TOKENS, TOKENS), min_size=1, max_size=8))
def test_json_reads_back_as_the_same_plan_and_the_same_bytes(
    amounts: list[tuple[float, float, float]],
) -> None:
    quotas = [
        quota(c, synthetic=s, synthetic_off_support=o, human=h)
        for c, (s, o, h) in enumerate(amounts)
    ]
    written = plan(quotas)
    text = written.to_json()
    assert Plan.from_json(text) == written
    assert Plan.from_json(text).to_json() == text
    assert [q["human"] for q in json.loads(text)["quotas"]] == [h for _, _, h in amounts]


def test_equal_plans_are_equal_bytes_whatever_the_order_of_keys_and_the_sign_of_zero() -> None:
    text, other = plan(), plan()
    fields = other.model_dump()
    fields["reached"] = dict(reversed(fields["reached"].items()))
    fields["quotas"][1]["human"] = -0.0
    other = Plan.model_validate(dict(reversed(fields.items())))
    assert text == other
    assert text.to_json() == other.to_json()


def test_a_plan_says_what_copies_are_and_one_that_does_not_means_rows() -> None:
    values = plan().model_dump()
    del values["asked"]["copies"]
    assert Plan.model_validate(values) == plan()
    assert plan().asked.copies == "rows"
    values["asked"]["copies"] = "weights"
    weighted = Plan.model_validate(values)
    assert b'"copies":"weights"' in weighted.to_json().replace(b" ", b"")
    assert Plan.from_json(weighted.to_json()) == weighted
    values["asked"]["copies"] = "physical"
    with pytest.raises(ValidationError, match="'rows' or 'weights'"):
        Plan.model_validate(values)


def test_one_quota_a_line() -> None:
    lines = plan().to_json().decode().splitlines()
    assert (
        sum(
            line.startswith('{"domain": "*", "cluster": ') and '"human_available"' in line
            for line in lines
        )
        == 2
    )
    assert "größer als „gedacht“" in plan().to_json().decode()


def test_an_infinite_shadow_price_is_null() -> None:
    reached = plan().reached.model_dump() | {"shadow_price": math.inf}
    written = plan(reached=reached)
    assert written.reached.shadow_price is None
    assert json.loads(written.to_json())["reached"]["shadow_price"] is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_amounts_are_finite_and_not_negative(value: float) -> None:
    with pytest.raises(ValidationError, match="quotas"):
        plan(quotas=[quota(0, synthetic_available=value)])


def test_quotas_have_to_sum_to_what_is_reached() -> None:
    reached = plan().reached.model_dump()
    with pytest.raises(ValidationError, match=r"quotas sum to 20\.2 human_tokens; reached says 21"):
        plan(reached=reached | {"human_tokens": 21.0})
    with pytest.raises(ValidationError, match="synthetic_tokens"):
        plan(reached=reached | {"synthetic_tokens": 0.0})


def test_clusters_stand_in_order_each_once() -> None:
    for clusters in ([1, 0], [2, 2]):
        with pytest.raises(ValidationError, match="order of their domains and clusters"):
            plan(quotas=[quota(c) for c in clusters])


def test_domains_stand_in_order_and_add_up_by_the_chain_rule() -> None:
    quotas = [quota(0, domain="a", synthetic=30.0), quota(0, domain="b", human=10.0)]
    domains = [domain("a", 30.0, 0.0, 40.0, 0.2), domain("b", 0.0, 10.0, 40.0, 0.6)]
    between = entropy([30.0, 10.0])
    total = between + 0.75 * 0.2 + 0.25 * 0.6
    reached = plan(quotas[:1], domains=[domain("a", 30.0, 0.0, 30.0)]).reached.model_dump()
    reached |= {"tokens": 40.0, "human_tokens": 10.0, "human_share": 0.25}
    reached |= {"domain_entropy": between, "entropy": total}
    assert plan(quotas, domains=domains, reached=reached).reached.entropy == total
    with pytest.raises(ValidationError, match=r"domains add up to .* entropy; reached says"):
        plan(quotas, domains=domains, reached=reached | {"entropy": total + 0.01})
    with pytest.raises(ValidationError, match=r"domains add up to 30\.0 tokens; reached says 40"):
        plan(quotas, domains=[domains[0], domains[1] | {"tokens": 0.0}], reached=reached)
    for wrong in (domains[::-1], domains[:1]):
        with pytest.raises(ValidationError, match="order of their names, all that have quotas"):
            plan(quotas, domains=wrong, reached=reached)
    with pytest.raises(ValidationError, match="order of their domains and clusters"):
        plan(quotas[::-1], domains=domains, reached=reached)


def test_a_share_or_tokens_are_asked_but_not_both() -> None:
    asked = plan().asked.model_dump()
    with pytest.raises(ValidationError, match="both given"):
        plan(asked=asked | {"human_tokens": 5.0})
    assert plan(asked=asked | {"human_tokens": 5.0, "human_share": None}).asked.human_tokens == 5.0


def test_an_unreachable_point_has_a_reason_and_a_reachable_one_figures() -> None:
    point = plan().frontier[1].model_dump()
    for wrong in ({"entropy": None}, {"reason": "why"}, {"reachable": False}):
        with pytest.raises(ValidationError, match="must have an entropy if it is reachable"):
            plan(frontier=[point | wrong])


def test_unknown_fields_and_other_versions_are_refused() -> None:
    with pytest.raises(ValidationError, match="host"):
        plan(host="here")
    with pytest.raises(ValidationError, match="format_version"):
        Plan.from_json(plan().to_json().replace(b'"format_version": 4', b'"format_version": 3'))


def test_every_field_is_described() -> None:
    def models(model: type[BaseModel]) -> dict[str, Any]:
        schema = model.model_json_schema()
        return {model.__name__: schema} | schema["$defs"]

    described = models(Plan)
    assert len(described) == 15
    for name, schema in described.items():
        for field, facts in schema["properties"].items():
            assert facts.get("description"), f"{name}.{field}"

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from schemas.plan import Plan

TOKENS = st.floats(min_value=0, max_value=1e13, allow_nan=False)


def plan(quotas: list[dict[str, Any]] | None = None, **changes: Any) -> Plan:
    quotas = [quota(0, synthetic=60.1, human=20.2), quota(3)] if quotas is None else quotas
    synthetic = math.fsum(q["synthetic"] + q["synthetic_off_support"] for q in quotas)
    human = math.fsum(q["human"] for q in quotas)
    fields: dict[str, Any] = {
        "seed": 7,
        "asked": {
            "tokens": synthetic + human,
            "human_share": 0.2,
            "alpha": 0.7,
            "max_copies": {"synthetic": 2, "human": 1},
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
        "starved": [{"cluster": 3, "wanted": 40.0, "available": 0.0, "planned": 0.0}],
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


def quota(cluster: int, **amounts: float) -> dict[str, Any]:
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
    one, other = plan(), plan()
    fields = other.model_dump()
    fields["reached"] = dict(reversed(fields["reached"].items()))
    fields["quotas"][1]["human"] = -0.0
    other = Plan.model_validate(dict(reversed(fields.items())))
    assert one == other
    assert one.to_json() == other.to_json()


def test_one_quota_a_line() -> None:
    lines = plan().to_json().decode().splitlines()
    assert (
        sum(line.startswith('{"cluster": ') and '"human_available"' in line for line in lines) == 2
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
        with pytest.raises(ValidationError, match="order of their clusters"):
            plan(quotas=[quota(c) for c in clusters])


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
        Plan.from_json(plan().to_json().replace(b'"format_version": 1', b'"format_version": 2'))


def test_every_field_is_described() -> None:
    def models(model: type[BaseModel]) -> dict[str, Any]:
        schema = model.model_json_schema()
        return {model.__name__: schema} | schema["$defs"]

    described = models(Plan)
    assert len(described) == 8
    for name, schema in described.items():
        for field, facts in schema["properties"].items():
            assert facts.get("description"), f"{name}.{field}"

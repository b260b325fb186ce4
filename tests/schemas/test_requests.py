"""Lines of requests.jsonl."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from outcross.schemas.prompts import CollapsedPrompt
from outcross.schemas.requests import (
    ClusterRequest,
    PromptRequest,
    RequestLine,
    Requests,
    Seed,
)

SEED = Seed(source="ledger", id="gen0/people/7", text="One line.\nAnother – ünï.")
CLUSTER = ClusterRequest(
    cluster=3,
    tokens=20,
    target=0.25,
    wanted=120.5,
    available=100.0,
    words=["frame"],
    seeds=[SEED],
    prompt="Write.",
)
PROMPT = PromptRequest(
    source="gpt",
    collapsed=CollapsedPrompt(
        prompt="Say", answers=9, distinct=1, commonest=9, same_chance=1.0, text="Yes."
    ),
)
REQUESTS = Requests(clusters=[CLUSTER], prompts=[PROMPT], warnings=[])


def test_each_line_is_read_as_what_it_was() -> None:
    lines = list(REQUESTS.lines())
    assert [RequestLine.model_validate_json(line).root for line in lines] == [CLUSTER, PROMPT]
    assert [json.loads(line)["kind"] for line in lines] == ["cluster", "prompt"]
    assert not any("\n" in line for line in lines)
    assert REQUESTS.tokens == 20


def test_the_kind_decides_on_the_fields_and_unknown_ones_are_refused() -> None:
    values = json.loads(CLUSTER.model_dump_json())
    with pytest.raises(ValidationError, match="collapsed"):
        RequestLine.model_validate(values | {"kind": "prompt"})
    with pytest.raises(ValidationError, match="zebra"):
        RequestLine.model_validate(values | {"zebra": 1})
    with pytest.raises(ValidationError, match="tokens"):
        RequestLine.model_validate(values | {"tokens": 0})

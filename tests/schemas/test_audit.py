"""Requests of `audit` and `reference build`: one reference, and what the stages see of them."""

from typing import Any

import pytest
from pydantic import ValidationError

from outcross.schemas.audit import AuditRequest, ReferenceRequest
from outcross.schemas.config import Config
from outcross.schemas.user_input import readable


def refused(model: Any, **values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        model(**values)
    return readable(caught.value)


def test_a_reference_is_read_as_one_human_source() -> None:
    request = ReferenceRequest(
        human=["a/*.jsonl", "b.parquet"],
        out="ref",
        seed=7,
        workers=3,
        max_reject_share=0.5,
        text_field="messages.1.content",
        id_field="id",
        prompt_field="p",
        domain_field="d",
        generation_field="g",
    )
    config = request.config()
    (source,) = config.sources
    assert (source.name, source.role, source.files) == ("human", "human", request.human)
    fields = ("text_field", "id_field", "prompt_field", "domain_field", "generation_field")
    assert [getattr(source, name) for name in fields] == [
        "messages.1.content",
        *["id", "p", "d", "g"],
    ]
    assert (config.out, config.seed, config.workers) == ("ref", 7, 3)
    assert config.max_reject_share == 0.5
    changed = {"out", "sources", "seed", "workers", "max_reject_share"}
    plain = Config(out="x", sources=[source])
    assert config.model_dump(exclude=changed) == plain.model_dump(exclude=changed)


def test_the_reference_of_an_audit_is_read_like_the_corpus() -> None:
    request = AuditRequest(
        paths=["c"], human=["h.jsonl"], text_field="answer", id_field="id", seed=3, workers=1
    )
    reading = request.reference_request("out/reference")
    assert reading == ReferenceRequest(
        human=["h.jsonl"], out="out/reference", text_field="answer", seed=3, workers=1
    )
    other = request.model_copy(update={"human_text_field": "text", "max_reject_share": 0.3})
    assert other.reference_request("r").text_field == "text"
    assert other.reference_request("r").max_reject_share == 0.3


def test_an_audit_needs_a_corpus_and_no_more() -> None:
    request = AuditRequest(paths=["c"])
    assert (request.human, request.reference, request.gates) == ([], None, None)
    assert (request.out, request.text_field, request.seed) == ("audit", "text", 0)
    assert AuditRequest(paths=["c"], reference="r").reference == "r"


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (AuditRequest, {"paths": []}, "paths: "),
        (AuditRequest, {}, "paths: Field required"),
        (
            AuditRequest,
            {"paths": ["c"], "human": ["h"], "reference": "r"},
            "human: set human or reference, not both",
        ),
        (
            AuditRequest,
            {"paths": ["c"], "human_text_field": "t"},
            "human_text_field: only works with human text",
        ),
        (
            AuditRequest,
            {"paths": ["c"], "reference": "r", "human_text_field": "t"},
            "human_text_field: only works with human text",
        ),
        (AuditRequest, {"paths": ["c"], "gate": "x"}, "gate: there is no such key"),
        (AuditRequest, {"paths": ["c"], "seed": -1}, "seed: "),
        (AuditRequest, {"paths": ["c"], "seed": True}, "seed: found True"),
        (AuditRequest, {"paths": ["c"], "text_field": ""}, "text_field: "),
        (ReferenceRequest, {"human": [], "out": "r"}, "human: "),
        (ReferenceRequest, {"human": ["h"]}, "out: Field required"),
        (ReferenceRequest, {"human": ["h"], "out": "r", "workers": 0}, "workers: "),
        (ReferenceRequest, {"human": ["h"], "out": "r", "max_reject_share": 2}, "max_reject"),
    ],
)
def test_what_is_wrong_is_refused_by_name(model: Any, values: Any, message: str) -> None:
    assert refused(model, **values).startswith(message)

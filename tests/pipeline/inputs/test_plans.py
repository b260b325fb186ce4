"""Settings that a plan brings to the run that carries it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from outcross.pipeline.inputs.plans import with_plan
from outcross.pipeline.stages.planning.solve import make_plan
from tests.pipeline.stages.planning.test_solve import config, domain, of_domains, supply


def test_a_plan_brings_its_settings_and_the_request_stays_as_it_is(tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "max_copies": {"synthetic": 3, "human": 1},
        "max_kl": 2.0,
        "entropy_floor": 0.1,
        "off_support": "cap",
        "long_documents": "keep",
        "copies": "weights",
    }
    path = tmp_path / "plan.json"
    path.write_bytes(make_plan(config(**asked), supply()).to_json())
    request = config(plan=str(path))
    planned = with_plan(request)
    assert planned.model_dump(include={*asked}) == config(**asked).model_dump(include={*asked})
    dumped = planned.model_dump(mode="json", exclude_unset=True)
    assert dumped == request.model_dump(mode="json", exclude_unset=True)


def test_a_plan_brings_its_domains(tmp_path: Path) -> None:
    domains = {"a": {"kind": "converge"}, "b": {}}
    sources = [{**source.model_dump(), "domain_field": "kind"} for source in config().sources]
    asked = config(domains=domains, sources=sources)
    parts = (domain("a", reference_share=0.5), domain("b", reference_share=0.5))
    path = tmp_path / "plan.json"
    path.write_bytes(make_plan(asked, of_domains(*parts)).to_json())
    assert with_plan(config(plan=str(path), sources=sources)).domains == asked.domains


def test_without_a_plan_a_configuration_stays_the_same() -> None:
    request = config()
    assert with_plan(request) is request

"""openlineage.json is an event of the specification, built again from the classes of its client."""

from __future__ import annotations

import copy
import json
import uuid
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    RunFacet,
    documentation_dataset,
    job_type_job,
    processing_engine_run,
    schema_dataset,
)
from openlineage.client.facet_v2 import input_statistics_input_dataset as inputs
from openlineage.client.facet_v2 import output_statistics_output_dataset as outputs
from openlineage.client.serde import Serde

from outcross.pipeline.commands.run import RunResult, exit_code
from outcross.pipeline.page.dataset import Dataset
from outcross.pipeline.page.openlineage import event as make_event
from outcross.pipeline.page.openlineage import run_id
from outcross.schemas.config import Config

FACETS: dict[str, Any] = {
    "schema": schema_dataset.SchemaDatasetFacet,
    "documentation": documentation_dataset.DocumentationDatasetFacet,
    "outputStatistics": outputs.OutputStatisticsOutputDatasetFacet,
    "inputStatistics": inputs.InputStatisticsInputDatasetFacet,
    "jobType": job_type_job.JobTypeJobFacet,
    "processing_engine": processing_engine_run.ProcessingEngineRunFacet,
}


@pytest.fixture(scope="module")
def event(result: RunResult) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(Path(result.out, "openlineage.json").read_text("utf-8"))
    return values


def facets(values: dict[str, Any]) -> dict[str, Any]:
    """Build facets from the client's classes, which refuse members that they don't know."""
    built = {}
    for name, facet in values.items():
        members = dict(facet)
        producer, url = members.pop("_producer"), members.pop("_schemaURL")
        if name.startswith("outcross_"):
            built[name] = RunFacet(producer=producer).with_additional_properties(**members)
            built[name]._schemaURL = url
            continue
        if name == "schema":
            members["fields"] = [fields(field) for field in members["fields"]]
        built[name] = FACETS[name](producer=producer, **members)
        assert built[name]._schemaURL == url
    return built


def fields(field: dict[str, Any]) -> Any:
    members = [fields(member) for member in field.get("fields", [])]
    return schema_dataset.SchemaDatasetFacetFields(**{**field, "fields": members})


def test_the_event_is_one_of_the_client(event: dict[str, Any]) -> None:
    job, run = event["job"], event["run"]
    built = RunEvent(
        eventType=RunState(event["eventType"]),
        eventTime=event["eventTime"],
        producer=event["producer"],
        run=Run(runId=run["runId"], facets=facets(run["facets"])),
        job=Job(job["namespace"], job["name"], facets(job["facets"])),
        inputs=[
            InputDataset(
                data["namespace"],
                data["name"],
                facets=facets(data["facets"]),
                inputFacets=facets(data["inputFacets"]),
            )
            for data in event["inputs"]
        ],
        outputs=[
            OutputDataset(
                data["namespace"],
                data["name"],
                facets=facets(data["facets"]),
                outputFacets=facets(data["outputFacets"]),
            )
            for data in event["outputs"]
        ],
    )
    assert event["schemaURL"] == built.schemaURL
    assert without_empty(json.loads(Serde.to_json(built))) == without_empty(event)


def without_empty(value: Any) -> Any:
    """Return a value without empty lists, at any depth; the client writes them."""
    if isinstance(value, dict):
        members = {key: without_empty(member) for key, member in value.items()}
        return {key: member for key, member in members.items() if member != []}
    return [without_empty(element) for element in value] if isinstance(value, list) else value


def test_inputs_and_outputs_are_named_and_counted(result: RunResult, event: dict[str, Any]) -> None:
    out = Path(result.out)
    read = {data["name"]: data for data in event["inputs"]}
    assert set(read) == {
        str(out.parent / f"{name}.jsonl") for name in ("synthetic", "human", "tests")
    }
    synthetic = read[str(out.parent / "synthetic.jsonl")]
    assert synthetic["facets"]["outcross_sources"]["sources"] == [
        {"name": "synthetic", "role": "synthetic"}
    ]
    assert synthetic["inputFacets"]["inputStatistics"]["rowCount"] == 463
    data, removed = event["outputs"]
    assert (data["name"], removed["name"]) == (str(out / "data"), str(out / "removed"))
    for written in (data, removed):
        paths = list(Path(written["name"]).iterdir())
        statistics = written["outputFacets"]["outputStatistics"]
        assert statistics["rowCount"] == pq.read_table(written["name"]).num_rows
        assert statistics["size"] == sum(path.stat().st_size for path in paths)
        assert statistics["fileCount"] == len(paths)
    names = [field["name"] for field in data["facets"]["schema"]["fields"]]
    assert names == pq.read_schema(next(iter((out / "data").iterdir()))).names


def test_a_verdict_that_stops_stands_in_a_facet(
    result: RunResult, manifest: dict[str, Any], event: dict[str, Any]
) -> None:
    written = event["run"]["facets"]["outcross_verdict"]
    assert written["outcome"] == result.report.verdict.outcome
    assert (written["sentence"], written["exitCode"]) == (result.report.verdict.sentence, 0)
    verdict = result.report.verdict.model_copy(update={"outcome": "stop", "sentence": "Stop: …"})
    stopped = result.report.model_copy(update={"verdict": verdict})
    config = Config.model_validate(manifest["configuration"])
    assert exit_code(config, stopped) == 3
    assert exit_code(config.model_copy(update={"gate": False}), stopped) == 0
    other = make_event(Dataset.load(config, stopped, manifest), 3)
    facet = other["run"]["facets"]["outcross_verdict"]
    assert (facet["outcome"], facet["exitCode"]) == ("stop", 3)
    assert other["eventType"] == "COMPLETE"  # the run itself did not fail


@pytest.mark.parametrize(
    ("files", "places"),
    [
        (["s3://b/in/1.jsonl", "s3://b/in/2.jsonl"], [("s3://b", "in")]),
        (["gs://b/1.jsonl"], [("gs://b", "1.jsonl")]),
        (["gs://b/1.jsonl", "gs://b/2.jsonl"], [("gs://b", "/")]),
        (["/x/1.jsonl", "/y/1.jsonl"], [("file", "/x/1.jsonl"), ("file", "/y/1.jsonl")]),
    ],
)
def test_files_of_a_folder_are_one_input(
    result: RunResult,
    manifest: dict[str, Any],
    files: list[str],
    places: list[tuple[str, str]],
) -> None:
    read = {path: {"sources": ["human"], "rows": 5, "identity": "1"} for path in files}
    config = Config.model_validate(manifest["configuration"])
    dataset = Dataset.load(config, result.report, {**manifest, "inputs": read})
    inputs = make_event(dataset, 0)["inputs"]
    assert [(data["namespace"], data["name"]) for data in inputs] == places
    counted = [data["inputFacets"]["inputStatistics"] for data in inputs]
    assert sum(statistics["rowCount"] for statistics in counted) == 5 * len(files)
    assert sum(statistics["fileCount"] for statistics in counted) == len(files)


def test_a_loaded_reference_is_an_input(result: RunResult, manifest: dict[str, Any]) -> None:
    config = Config.model_validate({**manifest["configuration"], "reference": "s3://b/human/ref"})
    inputs = make_event(Dataset.load(config, result.report, manifest), 0)["inputs"]
    assert len(inputs) == 4
    loaded = inputs[-1]
    assert (loaded["namespace"], loaded["name"]) == ("s3://b", "human/ref")
    facet = loaded["facets"]["outcross_reference"]
    assert facet["fingerprint"] == manifest["reference"]
    facets(loaded["facets"])
    # Deduplication loads none.
    dataset = Dataset.load(config, result.report, {**manifest, "reference": None})
    assert len(make_event(dataset, 0)["inputs"]) == 3


def test_the_event_is_posted_to_the_address(
    posted: list[dict[str, Any]], event: dict[str, Any]
) -> None:
    assert posted == [event]


def test_the_id_of_a_run_is_that_of_its_content(
    event: dict[str, Any], manifest: dict[str, Any]
) -> None:
    assert uuid.UUID(event["run"]["runId"]).version == 5
    assert run_id(manifest) == event["run"]["runId"]
    later = {**manifest, "started": "2030-01-01T00:00:00Z", "host": "other", "seconds": 1.0}
    assert run_id(later) == event["run"]["runId"]
    for change in ("configuration", "outputs", "inputs"):
        other = copy.deepcopy(manifest)
        if change == "configuration":
            other["configuration"]["seed"] = 7
        elif change == "outputs":
            other["outputs"][0]["sha256"] = "0"
        else:
            next(iter(other["inputs"].values()))["identity"] = "0"
        assert run_id(other) != event["run"]["runId"]

"""OpenLineage event of a run: openlineage.json, by the specification 2-0-2.

The event says which data a run has read and written. Its schema is `SCHEMA`, and names of datasets
are those of the specification's Naming.md.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from outcross.pipeline.page.dataset import MEANINGS, Dataset, shards_of
from outcross.schemas.config import Config
from outcross.transforms.base import files

SPEC = "https://openlineage.io/spec"
SCHEMA = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
NAMESPACE = "OPENLINEAGE_NAMESPACE"
"""Environment variable with the namespace of the job, which other producers read as well."""
_FACETS = {
    "schema": "1-2-0/SchemaDatasetFacet",
    "documentation": "1-1-0/DocumentationDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "inputStatistics": "1-0-0/InputStatisticsInputDatasetFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
}
"""Names of the specification's facets, with their versions."""


def event(dataset: Dataset, verdict_code: int) -> dict[str, Any]:
    """Return the event of a run that has ended.

    The id of the run is a hash of its configuration, inputs and outputs, so the same run done again
    has the same id. A verdict that stops is no failure of the run, and stands in a facet.

    Args:
        dataset: the written corpus.
        verdict_code: exit code of the command for the verdict: 3 if a gate stops it, else 0.
    """
    config, manifest, report = dataset.config, dataset.manifest, dataset.report
    engine = manifest["versions"]
    version = engine["outcross"]

    def facet(name: str, /, **values: Any) -> dict[str, Any]:
        revision, _, kind = _FACETS[name].partition("/")
        url = f"{SPEC}/facets/{revision}/{kind}.json#/$defs/{kind}"
        return {name: {"_producer": producer(version), "_schemaURL": url, **values}}

    def our_facet(name: str, /, **values: Any) -> dict[str, Any]:
        url = f"urn:outcross:openlineage:{name}:1"
        return {name: {"_producer": producer(version), "_schemaURL": url, **values}}

    verdict = {
        "outcome": report.verdict.outcome,
        "sentence": report.verdict.sentence,
        "reasons": report.verdict.reasons,
        "exitCode": verdict_code,
    }
    outputs = [
        ("data", "the corpus to train on", facet("schema", fields=_fields(dataset.schema))),
        ("removed", "removed rows, with the kept document that each repeats", {}),
    ]
    return {
        "eventType": "COMPLETE",
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "producer": producer(version),
        "schemaURL": SCHEMA,
        "run": {
            "runId": run_id(manifest),
            "facets": {
                **facet(
                    "processing_engine",
                    name="Apache Beam",
                    version=engine["apache-beam"],
                    openlineageAdapterVersion=version,
                ),
                **our_facet("outcross_verdict", **verdict),
            },
        },
        "job": {
            "namespace": os.environ.get(NAMESPACE, "outcross"),
            "name": f"{report.kind}.{dataset.name}",
            "facets": facet(
                "jobType", processingType="BATCH", integration="OUTCROSS", jobType="JOB"
            ),
        },
        "inputs": [
            {
                **_named(place),
                "facets": our_facet("outcross_sources", sources=sources),
                "inputFacets": facet("inputStatistics", rowCount=rows, fileCount=count),
            }
            for place, sources, rows, count in _inputs(config, manifest)
        ]
        + [
            {
                **_named(place),
                "facets": our_facet("outcross_reference", fingerprint=manifest["reference"]),
                "inputFacets": {},
            }
            for place in _loaded_reference(config, manifest)
        ],
        "outputs": [
            {
                **_named(files.join(config.out, folder)),
                "facets": facet("documentation", description=text) | more,
                "outputFacets": facet("outputStatistics", **_sums(manifest, folder)),
            }
            for folder, text, more in outputs
        ],
    }


def producer(version: str) -> str:
    """Return the URI of a version of this program."""
    return f"urn:outcross:{version}"


def run_id(manifest: Mapping[str, Any]) -> str:
    """Return a UUID that runs with the same configuration, inputs and outputs share.

    Args:
        manifest: contents of manifest.json.
    """
    inputs = {path: file["identity"] for path, file in manifest["inputs"].items()}
    content = [manifest["configuration"], inputs, manifest["outputs"]]
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:outcross:run:{text}"))


def _inputs(
    config: Config, manifest: Mapping[str, Any]
) -> Iterator[tuple[str, list[dict[str, Any]], int, int]]:
    """Yield the place of each input, its sources, its rows and its number of files.

    The files of a source that lie in one folder are one input: the folder, or a file that is alone.
    """
    sources = {source.name: source for source in config.sources}
    groups: dict[tuple[str, str], list[str]] = {}
    for path, file in manifest["inputs"].items():
        for name in file["sources"]:
            groups.setdefault((name, path.rpartition("/")[0]), []).append(path)
    places: dict[str, tuple[list[dict[str, Any]], set[str]]] = {}
    for (name, folder), paths in groups.items():
        source = sources[name]
        facts, inside = places.setdefault(paths[0] if len(paths) == 1 else folder, ([], set()))
        provenance = {} if source.provenance is None else {"provenance": source.provenance}
        facts.append({"name": name, "role": source.role, **provenance})
        inside.update(paths)
    for place, (facts, inside) in places.items():
        yield place, facts, sum(manifest["inputs"][path]["rows"] for path in inside), len(inside)


def _loaded_reference(config: Config, manifest: Mapping[str, Any]) -> list[str]:
    """Return the folder of the reference that the run has loaded, if it has loaded one."""
    folder = config.reference
    return [] if folder is None or manifest["reference"] is None else [folder]


def _named(path: str) -> dict[str, str]:
    """Return namespace and name of the dataset at a path."""
    path = files.as_utf8(files.absolute_path(path))
    if files.is_local(path):
        return {"namespace": "file", "name": path}
    scheme, _, rest = path.partition("://")
    bucket, _, key = rest.partition("/")
    return {"namespace": f"{scheme}://{bucket}", "name": key or "/"}


def _sums(manifest: Mapping[str, Any], folder: str) -> dict[str, int]:
    shards = shards_of(manifest, folder)
    return {
        "rowCount": sum(shard["rows"] for shard in shards),
        "size": sum(shard["bytes"] for shard in shards),
        "fileCount": len(shards),
    }


def _fields(schema: pa.Schema | pa.StructType, path: str = "") -> list[dict[str, Any]]:
    """Describe columns, or the members of a struct, with their Arrow types."""
    fields = []
    for field in schema:
        at = f"{path}{field.name}"
        nested = pa.types.is_struct(field.type)
        described = {"name": field.name, "type": "struct" if nested else str(field.type)}
        if at in MEANINGS:
            described["description"] = MEANINGS[at]
        members = {"fields": _fields(field.type, f"{at}.")} if nested else {}
        fields.append({**described, **members})
    return fields

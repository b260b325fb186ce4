"""Sources of a corpus that is audited: files, globs, folders, and output directories of runs."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from outcross.pipeline.engine.artifacts import MANIFEST, read_manifest
from outcross.schemas.audit import AuditRequest
from outcross.schemas.config import parse
from outcross.schemas.documents import OUTCROSS_TYPES
from outcross.schemas.sources import WRITABLE, Fields, Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.visible import visible_name
from outcross.transforms.inputs.faults import raise_fault_of_machine
from outcross.transforms.inputs.input_files import STANDARD_INPUT, InputFile, input_files

_ID, _DOMAIN = "outcross.id", "outcross.domain"  # fields of a run's output


def corpus_sources(request: AuditRequest) -> list[Source]:
    """Return the sources of a corpus: one, or one for each role if an outcross run wrote it.

    Args:
        request: request of the audit.

    Raises:
        ConfigError: the paths hold nothing to read, or one file twice.
    """
    sources: list[Source] = []
    fields = request.model_dump(include=set(Fields.model_fields))
    for path in request.paths:
        if files.exists(files.join(path, MANIFEST)) and data_files(path):
            given = sorted({*Fields.model_fields, "provenance"} & request.model_fields_set)
            if given:
                raise ConfigError(
                    f"{given[0]}: {path} was written by a run, which knows its columns and "
                    "sources; leave it out, or give the run's data files"
                )
            sources += _run_sources(path)
            continue
        provenance = request.provenance
        corpus = Source(
            name="corpus", role="synthetic", files=[path], provenance=provenance, **fields
        )
        if not _curated(corpus):
            sources.append(corpus)
            continue
        for role in WRITABLE:
            marked = {**fields, "id_field": _ID, "domain_field": _DOMAIN}
            marked["where"] = _where("role", role)
            marked["provenance"] = provenance if role == "synthetic" else None
            sources.append(Source(name=role, role=role, files=[path], **marked))
    _check_once(request)
    return _merge(sources)


def _where(field: str, value: str) -> dict[str, Any]:
    # Further copies were planned; they are no duplicates for an audit to find.
    return {f"outcross.{field}": value, "outcross.copy": 1}


def _check_once(request: AuditRequest) -> None:
    """Refuse a file that two of the paths hold, as all its rows would be duplicates."""
    seen: dict[str, str] = {}
    for path in request.paths:
        shards = files.exists(files.join(path, MANIFEST)) and data_files(path)
        for name in shards or _names(path, request):
            place = files.real_path(name)
            if seen.setdefault(place, path) != path:
                raise ConfigError(
                    f"paths: {seen[place]} and {path} hold the same file {visible_name(name)}; "
                    "give it once"
                )


def _names(path: str, request: AuditRequest) -> list[str]:
    source = Source(name="corpus", role="synthetic", files=[path], format=request.format)
    return [file.path for file in _files(source)]


def _files(source: Source) -> list[InputFile]:
    try:
        return input_files(source).files
    except ConfigError:  # the reader will name paths without files
        return []


def data_files(out: str) -> list[str]:
    """Return the paths of a run's shards.

    Args:
        out: output directory of the run.
    """
    return files.list_files(files.join(out, "data", "*.parquet"))


def _run_sources(out: str) -> list[Source]:
    """Return the sources of a run's configuration that are written, reading from its data/."""
    try:
        manifest = read_manifest(out) or {}
        config = parse(manifest["configuration"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"paths: {out} has a {MANIFEST} that is not of an outcross run ({error}); give its "
            "data files instead"
        ) from None
    judged = manifest.get("text_out")  # the column holds composed texts
    return [
        Source(
            name=source.name,
            role=source.role,
            files=[files.join(glob.escape(out), "data", "*.parquet")],
            text_field=judged or source.text_field,
            roles=None if judged else source.roles,
            prompt_field=source.prompt_field,
            provenance=source.provenance,
            where=_where("source", source.name),
            id_field=_ID,
            domain_field=_DOMAIN,
        )
        for source in config.sources
        if source.role in WRITABLE
    ]


def _curated(source: Source) -> bool:
    """Return whether a source's first file is Parquet with the column that runs add."""
    inputs = _files(source)
    if not inputs or inputs[0].kind != "parquet" or inputs[0].path == STANDARD_INPUT:
        return False
    with files.open_input(inputs[0].path) as stream:
        try:
            schema = pq.read_schema(stream)
        except (pa.ArrowException, OSError) as error:  # the reader will reject it by name
            raise_fault_of_machine(error, inputs[0].path)
            return False
    return "outcross" in schema.names and schema.field("outcross").type in OUTCROSS_TYPES


def _merge(sources: Sequence[Source]) -> list[Source]:
    """Merge sources that differ in their files only, and number names that repeat."""
    merged: list[Source] = []
    for source in sources:
        for place, earlier in enumerate(merged):
            if earlier.model_copy(update={"files": source.files}) == source:
                paths = [*earlier.files, *source.files]
                merged[place] = earlier.model_copy(update={"files": paths})
                break
        else:
            merged.append(source)
    taken = {source.name for source in merged}
    used = {"yardstick"}  # the name of the reference's pool in ids
    named = []
    for source in merged:
        name, number = source.name, 1
        while name in used or (number > 1 and name in taken):
            number += 1
            name = f"{source.name}-{number}"
        used.add(name)
        named.append(source.model_copy(update={"name": name}))
    # Human text that a run has written belongs to the corpus, so the reference removes none of it.
    names = [source.name for source in named]
    return [
        source.model_copy(update={"removed_by": names}) if source.role == "human" else source
        for source in named
    ]

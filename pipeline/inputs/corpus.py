"""A corpus that is to be audited, as sources: from files, globs, folders and runs' outputs."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from outcross.pipeline.engine.artifacts import MANIFEST
from outcross.schemas.audit import AuditRequest
from outcross.schemas.config import parse
from outcross.schemas.documents import OUTCROSS
from outcross.schemas.sources import WRITABLE, Fields, Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.inputs.input_files import STANDARD_INPUT, InputFile, input_files

_ID, _DOMAIN = "outcross.id", "outcross.domain"  # of a run's own output


def corpus_sources(request: AuditRequest) -> list[Source]:
    """The corpus as sources: one, or by role where an outcross run has written it.

    Raises:
        ConfigError: when there is nothing to read.
    """
    found: list[Source] = []
    fields = request.model_dump(include=set(Fields.model_fields))
    for path in request.paths:
        if files.exists(files.join(path, MANIFEST)) and data_files(path):
            given = sorted(set(Fields.model_fields) & request.model_fields_set)
            if given:
                raise ConfigError(
                    f"{given[0]}: {path} was written by a run, which knows its columns; leave it "
                    "out, or give the run's data files"
                )
            found += _of_run(path)
            continue
        corpus = Source(name="corpus", role="synthetic", files=[path], **fields)
        if not _curated(corpus):
            found.append(corpus)
            continue
        for role in WRITABLE:
            own = {**fields, "id_field": _ID, "domain_field": _DOMAIN}
            own["where"] = _where("role", role)
            found.append(Source(name=role, role=role, files=[path], **own))
    _check_once(request)
    return _merged(found)


def _where(field: str, value: str) -> dict[str, Any]:
    # Further copies are what a plan asked for, not repeats that an audit has to find.
    return {f"outcross.{field}": value, "outcross.copy": 1}


def _check_once(request: AuditRequest) -> None:
    """Refuse a file that two of the paths hold: all in it would repeat itself."""
    seen: dict[str, str] = {}
    for path in request.paths:
        of_run = files.exists(files.join(path, MANIFEST)) and data_files(path)
        for name in of_run or _names(path, request):
            whole = os.path.realpath(name) if files.is_local(name) else name
            if seen.setdefault(whole, path) != path:
                raise ConfigError(
                    f"paths: {seen[whole]} and {path} hold the same file {files.printable(name)}; "
                    "give it once"
                )


def _names(path: str, request: AuditRequest) -> list[str]:
    source = Source(name="corpus", role="synthetic", files=[path], format=request.format)
    return [file.path for file in _files(source)]


def _files(source: Source) -> list[InputFile]:
    try:
        return input_files(source).files
    except ConfigError:  # what finds nothing is named when it is read
        return []


def data_files(out: str) -> list[str]:
    """The shards of a run's output directory."""
    return files.list_files(files.join(out, "data", "*.parquet"))


def _of_run(out: str) -> list[Source]:
    """The sources that a run has written from, as they stand in its data/."""
    try:
        manifest = files.read_json(files.join(out, MANIFEST))
        config = parse(manifest["configuration"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"paths: {out} has a {MANIFEST} that is not of an outcross run ({error}); give its "
            "data files instead"
        ) from None
    judged = manifest.get("text_out")  # a column of texts needs not be put together again
    return [
        Source(
            name=source.name,
            role=source.role,
            files=[files.join(glob.escape(out), "data", "*.parquet")],
            text_field=judged or source.text_field,
            roles=None if judged else source.roles,
            prompt_field=source.prompt_field,
            where=_where("source", source.name),
            id_field=_ID,
            domain_field=_DOMAIN,
        )
        for source in config.sources
        if source.role in WRITABLE
    ]


def _curated(source: Source) -> bool:
    """Return whether Parquet files have the column that a run puts beside the users' own."""
    there = _files(source)
    if not there or there[0].kind != "parquet" or there[0].path == STANDARD_INPUT:
        return False
    with files.open_input(there[0].path) as stream:
        try:
            schema = pq.read_schema(stream)
        except (pa.ArrowException, OSError):  # it will be rejected by name
            return False
    return "outcross" in schema.names and schema.field("outcross").type == OUTCROSS


def _merged(sources: Sequence[Source]) -> list[Source]:
    """Sources of one role and one way of reading as one; names that are used twice get numbers."""
    merged: list[Source] = []
    for source in sources:
        for place, other in enumerate(merged):
            if other.model_copy(update={"files": source.files}) == source:
                merged[place] = other.model_copy(update={"files": [*other.files, *source.files]})
                break
        else:
            merged.append(source)
    taken = {source.name for source in merged}
    used = {"yardstick"}  # as its pool is called
    named = []
    for source in merged:
        name, number = source.name, 1
        while name in used or (number > 1 and name in taken):
            number += 1
            name = f"{source.name}-{number}"
        used.add(name)
        named.append(source.model_copy(update={"name": name}))
    # Human text that a run has written is meant to be there: the yardstick takes none of it.
    return [
        source.model_copy(update={"removed_by": [own.name for own in named]})
        if source.role == "human"
        else source
        for source in named
    ]

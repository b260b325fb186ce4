"""Croissant metadata of a written corpus: croissant.json, by the format's version 1.0.

The format is JSON-LD on the words of schema.org:
https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from outcross.pipeline.page.dataset import MEANINGS, Dataset
from outcross.schemas.columns import is_json

_SHARDS, _ROWS = "shards", "rows"
PARQUET = "application/x-parquet"
_MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # a name that a JSON path can hold

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the format's version 1.0 prescribes."""


def croissant(dataset: Dataset) -> dict[str, Any]:
    """Return the contents of croissant.json.

    Each shard is a file with its checksum, and all shards are a set. The columns are the fields of
    one set of records. A column whose type the format has no word for is named in the description.

    Args:
        dataset: the written corpus.
    """
    config = dataset.config
    fields = {field.name: _field(field) for field in dataset.schema}
    nameless = [name for name, described in fields.items() if described is None]
    description = f"A corpus curated by outcross. {dataset.facts}"
    if nameless:
        description += f" Columns that are not described here: {', '.join(map(repr, nameless))}."
    stated: dict[str, Any] = {}
    if config.license is not None:
        stated["license"] = config.license
    if config.languages:
        stated["inLanguage"] = config.languages
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": dataset.name,
        "description": description,
        **stated,
        "datePublished": dataset.manifest["started"],
        "keywords": ["outcross"],
        "isLiveDataset": False,
        "distribution": [
            *(
                {
                    "@type": "cr:FileObject",
                    "@id": shard["file"],
                    "name": shard["file"].rpartition("/")[2],
                    "contentUrl": shard["file"],
                    "contentSize": f"{shard['bytes']} B",
                    "encodingFormat": PARQUET,
                    "sha256": shard["sha256"],
                }
                for shard in dataset.shards
            ),
            {
                "@type": "cr:FileSet",
                "@id": _SHARDS,
                "name": _SHARDS,
                "description": "all shards",
                "encodingFormat": PARQUET,
                "includes": "data/*.parquet",
            },
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": _ROWS,
                "name": _ROWS,
                "description": f"{dataset.rows:,} rows",
                "field": [described for described in fields.values() if described is not None],
            }
        ],
    }


def _field(field: pa.Field) -> dict[str, Any] | None:
    """Describe a column; return None if the format has no word for its type."""
    source = {"fileSet": {"@id": _SHARDS}, "extract": {"column": field.name}}
    return _described(field, [field.name], source, within_list=False)


def _described(
    field: pa.Field, path: list[str], source: dict[str, Any], within_list: bool
) -> dict[str, Any] | None:
    """Describe a column or a member of one.

    Args:
        field: the column or member.
        path: names that lead to it.
        source: where its values are.
        within_list: True for a member of the structs in a list.
    """
    type_ = field.type
    repeated = hasattr(type_, "value_type") and not pa.types.is_map(type_)
    if repeated:
        if within_list:
            return None
        type_ = type_.value_type
    described: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": "/".join([_ROWS, *(quote(name, safe="") for name in path)]),
        "name": field.name,
        "description": _meaning(field, path),
    }
    if repeated:
        described["repeated"] = True
    if pa.types.is_struct(type_):
        if len(path) > 1 or not type_.num_fields:  # the format nests once
            return None
        members = []
        for member in type_:
            if not _MEMBER.fullmatch(member.name):
                return None
            at = {**source, "transform": {"jsonPath": member.name}}
            members.append(_described(member, [*path, member.name], at, repeated))
        if None in members:
            return None
        return {**described, "subField": members}
    kind = _data_type(type_)
    if kind is None:
        return None
    return {**described, "dataType": kind, "source": source}


def _meaning(field: pa.Field, path: list[str]) -> str:
    if is_json(field):
        return "JSON as text, as the sources have different types"
    return MEANINGS.get(".".join(path), f"column {field.name}")


def _data_type(type_: pa.DataType) -> str | None:
    """Return the format's word for a type of plain values; None if it has none."""
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "sc:Text"
    if pa.types.is_boolean(type_):
        return "sc:Boolean"
    if pa.types.is_integer(type_):
        return "sc:Integer"
    if pa.types.is_floating(type_):
        return "sc:Float"
    if pa.types.is_date(type_) or pa.types.is_timestamp(type_):
        return "sc:Date" if pa.types.is_date(type_) else "sc:DateTime"
    return None

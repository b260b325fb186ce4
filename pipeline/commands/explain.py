"""Removals of a run, read back from its output: how many, in favour of what, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from outcross.pipeline.commands.removed_rows import (
    count_removals,
    least_similar,
    most_repeated,
    removed_shards,
)
from outcross.pipeline.engine.artifacts import (
    MANIFEST,
    WORK,
    check_manifest,
    read_manifest,
    run_configuration,
)
from outcross.pipeline.stages.texts import (
    Name,
    ids_array,
    judged_texts,
    texts_in_data,
    texts_of_earlier,
    texts_of_sources,
)
from outcross.schemas.config import Config
from outcross.schemas.sources import Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.dedup.decide import SEMANTIC

_MOST_REPEATED = 5  # documents


@dataclass(frozen=True)
class Removals:
    """Removals of a run.

    Attributes:
        figures: counts by source, repeats of evaluation sets and earlier runs, the documents that
            stand for most others, and the least similar removals, as JSON has them.
        changed_files: files that are not as the run read them, so that their texts are missing.
    """

    figures: dict[str, Any]
    changed_files: list[str]


@dataclass(frozen=True)
class DocumentHistory:
    """Traces of one id in a run. Several sources may have the same id.

    Attributes:
        id: the id.
        sources: sources of this run that have it.
        earlier: names of earlier runs' sources that have it.
        removed: rows of removed/ with the id.
        written: rows of data/ with the id, as their column `outcross` has them.
        repeats: rows of removed/ that were removed in favour of the id.
        changed_files: files that are not as the run read them.
    """

    id: str
    sources: list[Source]
    earlier: list[str]
    removed: list[dict[str, Any]]
    written: list[dict[str, Any]]
    repeats: list[dict[str, Any]]
    changed_files: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return the rows as JSON values."""
        return {
            "id": self.id,
            "removed": self.removed,
            "written": self.written,
            "repeated_by": self.repeats,
        }


def explain_removals(out: str, number: int) -> Removals:
    """Count what was removed from each source, and find the most repeated and least similar texts.

    Args:
        out: output directory of a run.
        number: number of removals to return with their texts, the least similar first.

    Raises:
        ConfigError: when the directory holds no finished run of this version.
    """
    config = run_config(out, "explain")
    conservation, overlaps = files.read_as(files.join(out, "report.json"), _of_report)
    counts, repeats = count_removals(out), most_repeated(out, _MOST_REPEATED)
    shown = {"least_similar": least_similar(out, number)}
    if config.semantic_threshold is not None:
        shown["least_semantic"] = least_similar(out, number, [SEMANTIC])
    rows = [row for lines in shown.values() for row in lines]
    names = {(row["kept_source"], row["kept_id"]) for row in rows} | {name for name, _ in repeats}
    kept_texts, changed = _kept_texts(out, config, names)
    removed_texts = _removed_texts(out, config, {(row["source"], row["id"]) for row in rows})
    roles = {source.name: source.role for source in config.sources}
    for row in rows:
        row["text"] = removed_texts.get((row["source"], row["id"]))
        row["kept_text"] = kept_texts.get((row["kept_source"], row["kept_id"]))
        row["kept_role"] = roles.get(row["kept_source"])

    def semantic(source: str) -> dict[str, int]:
        if config.semantic_threshold is None:
            return {}
        return {"semantic": counts[source, "semantic"]}

    figures = {
        "sources": [
            {
                "source": line["source"],
                "read": line["read"],
                "distinct": line["distinct"],
                "exact": counts[line["source"], "exact"],
                "near": counts[line["source"], "near"],
                "contained": counts[line["source"], "contained"],
                **semantic(line["source"]),
                "kept": line["kept"],
            }
            for line in conservation
        ],
        "found": overlaps,
        "most_repeated": [
            {
                "kept_id": kept[1],
                "kept_source": kept[0],
                "removed": count,
                "text": kept_texts.get(kept),
            }
            for kept, count in repeats
        ],
        **shown,
    }
    return Removals(figures, _files_of(changed))


def explain_document(out: str, document: str) -> DocumentHistory:
    """Find an id among the rows that were removed, written, and repeated.

    Args:
        out: output directory of a run.
        document: the id.

    Raises:
        ConfigError: when the directory holds no finished run, or the run has read no such id.
    """
    config = run_config(out, "explain")
    rows: list[dict[str, Any]] = []
    repeats: list[dict[str, Any]] = []
    for shard in removed_shards(out):
        rows += shard.filter(pc.equal(shard["id"], document)).to_pylist()
        repeats += shard.filter(pc.equal(shard["kept_id"], document)).to_pylist()
    written = [
        row
        for path in files.list_files(files.join(out, "data", "*.parquet"))
        for row in _written(path, document)
    ]
    names = {row["source"] for row in rows} | {row["source"] for row in written}
    names |= {row["kept_source"] for row in repeats}
    wanted = {(source.name, document) for source in config.sources if source.name not in names}
    texts, changed = texts_of_sources(out, config, wanted)
    names |= {source for source, _ in (*texts, *changed)}
    if not names:
        raise ConfigError(
            f"explain: the run knows no document {document!r}; ids are those of the column "
            f"outcross.id and of {out}/removed, and {out}/rejects holds what could not be read"
        )
    return DocumentHistory(
        id=document,
        sources=[source for source in config.sources if source.name in names],
        earlier=sorted(names - {source.name for source in config.sources}),
        removed=rows,
        written=written,
        repeats=repeats,
        changed_files=_files_of(changed),
    )


def run_config(out: str, command: str) -> Config:
    """Return the configuration of a finished run or deduplication.

    Args:
        out: its output directory.
        command: the command that needs it, for messages.

    Raises:
        ConfigError: when the directory holds no such run, or one of another version.
    """
    path = files.join(out, MANIFEST)
    if not files.exists(path):
        raise ConfigError(
            f"{command}: {out} holds no {MANIFEST}; give the output directory of a finished run"
            + (" (this one has not finished)" if files.exists(files.join(out, WORK)) else "")
        )
    manifest = read_manifest(out)
    if manifest is None:
        raise ConfigError(
            f"{command}: {path} is not of an outcross run; give the output directory of a finished "
            "run"
        )
    if manifest.get("kind", "run") != "run":
        raise ConfigError(
            f"{command}: {out} was made by an audit or `reference build`, which write no removed/; "
            "its report.json has the commonest texts and the least similar pairs"
        )
    check_manifest(command, out, manifest)
    return run_configuration(out, manifest)


def _of_report(data: bytes) -> tuple[list[dict[str, Any]], Any]:
    """Return the rows of each source, and the repeats from a report.json."""
    report = json.loads(data)
    names = ("source", "read", "distinct", "kept")
    lines = [{name: line[name] for name in names} for line in report["conservation"]]
    return lines, report["deduplication"]["found"]


def _kept_texts(
    out: str, config: Config, names: set[Name]
) -> tuple[dict[Name, str], Mapping[Name, str]]:
    """Return the texts of kept documents, and the changed files of those without one."""
    texts = texts_in_data(out, config, names)
    texts |= texts_of_earlier(config, names - set(texts))
    from_sources, changed = texts_of_sources(out, config, names - set(texts))
    return texts | from_sources, changed


def _removed_texts(out: str, config: Config, names: set[Name]) -> dict[Name, str]:
    texts: dict[Name, str] = {}
    for shard in removed_shards(out, ["id", "source", "row"]):
        rows = shard.filter(pc.is_in(shard["id"], ids_array(names)))
        texts |= judged_texts(config, rows["id"], rows["source"], rows["row"])
    return texts


def _written(path: str, document: str) -> list[dict[str, Any]]:
    column = files.read_table(path, ["outcross"]).column(0)
    ids = pc.struct_field(column, "id")
    rows: list[dict[str, Any]] = column.filter(pc.equal(ids, document)).to_pylist()
    return rows


def _files_of(changed: Mapping[Name, str]) -> list[str]:
    return sorted(set(changed.values()))

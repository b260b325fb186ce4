"""Facts of a written corpus that its card, croissant.json and openlineage.json share."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from outcross.schemas.config import Config
from outcross.schemas.report import Report
from outcross.transforms.base import files
from outcross.transforms.base.damage import reading
from outcross.transforms.base.visible import visible_name

COLUMN = "outcross"
MEANINGS = {
    COLUMN: "what outcross says of the row",
    f"{COLUMN}.id": "id of the document",
    f"{COLUMN}.source": "source that the document is from",
    f"{COLUMN}.role": "role of the source: synthetic or human",
    f"{COLUMN}.cluster": "cluster of the reference's codebook",
    f"{COLUMN}.copy": "number of this row among the document's rows, from 1",
    f"{COLUMN}.of": "rows of the document",
    f"{COLUMN}.domain": "domain of the document",
    f"{COLUMN}.generation": "turn of the training loop that wrote the document",
    f"{COLUMN}.tokens": "tokens of the text",
    f"{COLUMN}.weight": "how often the row counts",
    f"{COLUMN}.provenance": "how the text was made",
    f"{COLUMN}.piece": "number of the piece in its document, from 1",
    f"{COLUMN}.pieces": "pieces of the document",
}
"""Meanings of the column that a run adds, by dotted path."""


@dataclass(frozen=True)
class Dataset:
    """A written corpus.

    Attributes:
        config: configuration of the run.
        report: report of the run.
        manifest: contents of manifest.json.
        schema: schema of the shards of data/.
    """

    config: Config
    report: Report
    manifest: Mapping[str, Any]
    schema: pa.Schema

    @classmethod
    def load(cls, config: Config, report: Report, manifest: Mapping[str, Any]) -> Dataset:
        """Return the corpus in `config.out`, with the schema of its first shard."""
        path = files.join(config.out, shards_of(manifest, "data")[0]["file"])
        with reading(path), files.open_input(path) as file:
            return cls(config, report, manifest, pq.read_schema(pa.PythonFile(file, mode="r")))

    @property
    def name(self) -> str:
        """Name of the output folder, in letters, digits, dots, dashes and underscores."""
        folder = files.absolute_path(self.config.out).rpartition("/")[2]
        return re.sub(r"[^A-Za-z0-9_.-]+", "-", files.as_utf8(folder)).strip("-") or COLUMN

    @property
    def shards(self) -> list[dict[str, Any]]:
        """Shards of data/: file, rows, bytes and sha256 of each."""
        return shards_of(self.manifest, "data")

    @property
    def rows(self) -> int:
        """Rows of data/."""
        return sum(shard["rows"] for shard in self.shards)

    @property
    def facts(self) -> str:
        """Tokens, human share and diversity of the corpus, and the verdict, as plain text."""
        achieved = self.report.achieved
        assert achieved is not None  # an audit writes no data, and so no card
        share = "–" if achieved.human_share is None else f"{achieved.human_share:.1%}"
        sentences = [f"{achieved.tokens:,} tokens, {share} of them human."]
        reference = self.report.reference
        if reference is not None and reference.human and self.report.stages:
            clusters = self.report.figures("write").effective_clusters
            if clusters is not None:
                sentences.append(
                    f"It has {clusters:.1f} effective clusters; human text has "
                    f"{reference.effective_clusters:.1f} on the same codebook."
                )
        return " ".join([*sentences, visible_name(self.report.verdict.sentence)])


def shards_of(manifest: Mapping[str, Any], folder: str) -> list[dict[str, Any]]:
    """Return the shards of a folder: file, rows, bytes and sha256 of each.

    Args:
        manifest: contents of manifest.json.
        folder: data or removed.
    """
    return [shard for shard in manifest["outputs"] if shard["file"].startswith(f"{folder}/")]


def markdown(text: str) -> str:
    """Return a text of one line with all that Markdown and HTML give a meaning escaped."""
    escaped = html.escape(visible_name(text), quote=False)
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", escaped)

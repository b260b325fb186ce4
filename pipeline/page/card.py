"""The dataset card: a README.md in the output, which the hub and `datasets` read.

Its front matter has the keys of the hub's dataset cards. Languages and the licence are those of the
configuration: nothing is guessed.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from outcross.pipeline.page.dataset import Dataset, markdown
from outcross.schemas.config import Config
from outcross.schemas.report import Report
from outcross.transforms.base.visible import visible_name

_SIZES = (
    *("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M"),
    *("100M<n<1B", "1B<n<10B", "10B<n<100B", "100B<n<1T", "n>1T"),
)


def dataset_card(dataset: Dataset) -> str:
    """Return the card as Markdown, with the front matter that `datasets.load_dataset(out)` reads.

    Args:
        dataset: the written corpus.
    """
    config, report = dataset.config, dataset.report
    lines = [
        "# A corpus curated by outcross",
        "",
        f"{markdown(dataset.facts)} "
        "Your own columns are unchanged. The column `outcross` tells where a row comes from (`id`, "
        "`source`, `role`), its `cluster`, which `copy` of how many (`of`) it is, and its "
        f"`domain`, `generation`, {_weight(report)}.",
        "",
        *_weights(report),
        *_sources(report),
    ]
    if report.tokenizer is not None:
        name = visible_name(str(report.tokenizer)).replace("`", "'")
        lines += ["", f"Tokens are those of the tokenizer `{name}`."]
    lines += _lineage(report)
    if report.stages:
        lines += [
            "",
            "| after | documents | tokens | effective clusters | tail | KL to human |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for stage in report.stages:
            figures = stage.roles["all"]
            shown = [
                f"{value:{form}}" if value is not None else "–"
                for value, form in (
                    (figures.effective_clusters, ".1f"),
                    (figures.tail_mass, ".1%"),
                    (figures.kl_to_reference, ".4f"),
                )
            ]
            lines.append(
                f"| {stage.name} | {figures.documents:,} | {figures.tokens:,} | "
                + " | ".join(shown)
                + " |"
            )
        reference = report.reference
        if reference is not None and reference.human:
            tail = "–" if reference.tail_mass is None else f"{reference.tail_mass:.1%}"
            lines.append(
                f"| human reference | {reference.documents:,} | | "
                f"{reference.effective_clusters:.1f} | {tail} | |"
            )
    lines += [
        "",
        "`report.json` has all figures, by role and by shard. `removed/` lists each removed "
        "document with the kept document that it repeats. `rejects/` lists rows that could not be "
        "read. `manifest.json` lists versions, inputs and checksums. `croissant.json` describes "
        "the shards and columns, and `openlineage.json` what was read and written.",
        "",
        "The configuration:",
        "",
        "```json",
        json.dumps(_shown(config), indent=2),
        "```",
        "",
    ]
    front = yaml.safe_dump(front_matter(dataset), sort_keys=False, allow_unicode=True)
    return "\n".join(["---", f"{front}---", "", *lines])


def _shown(config: Config) -> dict[str, Any]:
    """Return the keys that were set, but for the address of events."""
    return config.model_dump(mode="json", exclude_unset=True, exclude={"openlineage_url"})


def front_matter(dataset: Dataset) -> dict[str, Any]:
    """Return the metadata of the card, as the hub names them."""
    config = dataset.config
    roles = {source.role for source in config.sources}
    stated: dict[str, Any] = {"language": config.languages} if config.languages else {}
    if config.license is not None:
        stated["license"] = config.license
    return {
        **stated,
        "size_categories": [size_category(dataset.rows)],
        "task_categories": ["text-generation"],
        "tags": ["outcross", *(["synthetic"] if "synthetic" in roles else [])],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": "data/*.parquet"}],
            }
        ],
    }


def size_category(rows: int) -> str:
    """Return the hub's name for a number of rows."""
    return _SIZES[max(0, min(len(str(rows)) - 3, len(_SIZES) - 1))]


def _sources(report: Report) -> list[str]:
    """Return the table of the sources: how their texts were made, and what became of their rows."""
    stated = report.provenance is not None
    lines = [
        f"| source | role |{' made |' if stated else ''} read | rejected | removed | kept "
        "| written | copies |",
        f"|---|---|{'---|' if stated else ''}---:|---:|---:|---:|---:|---:|",
    ]
    for line in report.conservation:
        cell = f" {line.provenance or '–'} |" if stated else ""
        lines.append(
            f"| {line.source} | {line.role} |{cell} {line.read:,} | {line.rejected:,} "
            f"| {line.removed:,} | {line.kept:,} | {line.written:,} | {line.copies:,} |"
        )
    return lines


def _weight(report: Report) -> str:
    """Name the last fields of the column `outcross`."""
    if report.provenance is None:
        return "`tokens` and `weight`"
    return "`tokens`, `weight` and `provenance`: how the texts of a synthetic source were made"


def _lineage(report: Report) -> list[str]:
    """Describe the sources that come from the lineage."""
    place = report.lineage
    if place is None:
        return []
    return [
        "",
        f"Generation {place.number} of a lineage: {place.fresh.tokens:,} tokens of human text were "
        f"bought, and {place.reused.tokens:,} come from the `ledger`, which holds the human text "
        "that earlier generations bought. A source `GENERATION.SOURCE` holds candidates of an "
        "earlier generation.",
    ]


def _weights(report: Report) -> list[str]:
    """Explain how to train on weighted rows; return nothing where copies are rows."""
    if report.asked is None or report.asked.copies == "rows":
        return []
    rows = report.data_rows
    counted = report.figures("write").documents
    return [
        "Every document is one row. Its `outcross.weight`, a whole number, tells how often it "
        f"counts: {rows:,} rows count as {counted:,} documents. Tokens, shares and diversity are "
        "those of the weighted documents, so don't train on the rows unweighted. Draw rows in "
        "proportion to their weights:",
        "",
        "```python",
        "import datasets, torch",
        "",
        'rows = datasets.load_dataset("parquet", data_dir="data", split="train")',
        'weights = [row["weight"] for row in rows["outcross"]]',
        "sampler = torch.utils.data.WeightedRandomSampler(weights, num_samples=int(sum(weights)))",
        "```",
        "",
        "To meet the budget exactly in every epoch, repeat each row as often as its weight says:",
        "",
        "```python",
        "rows = rows.select([i for i, weight in enumerate(weights) for _ in range(int(weight))])",
        "```",
        "",
    ]

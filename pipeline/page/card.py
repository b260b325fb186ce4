"""The dataset card: README.md in the output, which `datasets` reads for where the data are."""

from __future__ import annotations

import json

from outcross.schemas.config import Config
from outcross.schemas.report import Report


def dataset_card(config: Config, report: Report) -> str:
    """Markdown with the front matter that `datasets.load_dataset(out)` looks for.

    Args:
        config: of the run.
        report: of the run.
    """
    front = [
        "---",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        "    path: data/*.parquet",
        "tags: [outcross]",
        "---",
    ]
    achieved = report.achieved
    assert achieved is not None  # an audit writes no data, and so no card
    share = "–" if achieved.human_share is None else f"{achieved.human_share:.1%}"
    lines = [
        "# A corpus curated by outcross",
        "",
        f"{achieved.tokens:,} tokens, {share} of them human. "
        "The users' own columns are untouched; the column `outcross` says where a row comes from "
        "(`id`, `source`, `role`), its `cluster`, which `copy` of how many (`of`) it is, its "
        "`domain`, `generation`, `tokens` and `weight`.",
        "",
        *_weights(report),
        "| source | role | read | rejected | removed | kept | written | copies |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {line.source} | {line.role} | {line.read:,} | {line.rejected:,} | {line.removed:,} "
        f"| {line.kept:,} | {line.written:,} | {line.copies:,} |"
        for line in report.conservation
    ]
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
    lines += [
        "",
        "`report.json` has all figures, by role and by shard; `removed/` what was removed and in "
        "favour of what; `rejects/` what could not be read; `manifest.json` versions, inputs and "
        "checksums.",
        "",
        "The configuration:",
        "",
        "```json",
        json.dumps(config.model_dump(mode="json", exclude_unset=True), indent=2),
        "```",
        "",
    ]
    return "\n".join([*front, "", *lines])


def _lineage(report: Report) -> list[str]:
    """What the sources are that a run has of its lineage."""
    here = report.lineage
    if here is None:
        return []
    return [
        "",
        f"Generation {here.number} of a lineage: {here.fresh.tokens:,} tokens of human text are "
        f"bought, and {here.reused.tokens:,} come from the `ledger`, which holds what earlier "
        "generations bought. A source `GENERATION.SOURCE` is what an earlier generation had to "
        "choose from.",
    ]


def _weights(report: Report) -> list[str]:
    """How to train on a corpus whose copies are weights; nothing of one whose copies are rows."""
    if report.asked is None or report.asked.copies == "rows":
        return []
    rows = sum(line.written for line in report.conservation)
    counted = report.figures("write").documents
    return [
        f"Every document is one row, and `outcross.weight`, a whole number, says how often it "
        f"counts: {rows:,} rows count as {counted:,} documents, and tokens, shares and diversity "
        "are told of those. Read as they are, the rows are another corpus: draw them in proportion "
        "to their weights,",
        "",
        "```python",
        "import datasets, torch",
        "",
        'rows = datasets.load_dataset("parquet", data_dir="data", split="train")',
        'weights = [row["weight"] for row in rows["outcross"]]',
        "sampler = torch.utils.data.WeightedRandomSampler(weights, num_samples=int(sum(weights)))",
        "```",
        "",
        "or, to meet the budget to the token in every epoch, repeat each as often as it weighs:",
        "",
        "```python",
        "rows = rows.select([i for i, weight in enumerate(weights) for _ in range(int(weight))])",
        "```",
        "",
    ]

"""The dataset card: a README.md in the output that tells `datasets` where the data are."""

from __future__ import annotations

import json

from outcross.schemas.config import Config
from outcross.schemas.report import Report
from outcross.transforms.base.visible import visible_name


def dataset_card(config: Config, report: Report) -> str:
    """Return the card as Markdown, with the front matter that `datasets.load_dataset(out)` reads.

    Args:
        config: configuration of the run.
        report: report of the run.
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
        "Your own columns are unchanged. The column `outcross` tells where a row comes from (`id`, "
        "`source`, `role`), its `cluster`, which `copy` of how many (`of`) it is, and its "
        f"`domain`, `generation`, {_weight(report)}.",
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
    lines += [
        "",
        "`report.json` has all figures, by role and by shard. `removed/` lists each removed "
        "document with the kept document that it repeats. `rejects/` lists rows that could not be "
        "read. `manifest.json` lists versions, inputs and checksums.",
        "",
        "The configuration:",
        "",
        "```json",
        json.dumps(config.model_dump(mode="json", exclude_unset=True), indent=2),
        "```",
        "",
    ]
    return "\n".join([*front, "", *lines])


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

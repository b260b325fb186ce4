"""datatrove: its four MinHash stages with local executors, as its examples have them.

Its own 14 buckets of 8 hashes, which its documentation gives for pairs at .8; it has no threshold,
so that `--threshold` changes nothing, and its word tokenizer for English is spaCy's. A task reads
whole files, so that the input is cut into one file a worker beforehand, which is not counted.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.word_tokenizers import load_word_tokenizer
from face import Clock, arguments, cut, opened, read, write


def clusters(folder: Path) -> Iterator[tuple[Any, int]]:
    """Return the ids and clusters of the documents in a writer's output."""
    for path in sorted(folder.glob("*.jsonl.gz")):
        with opened(str(path)) as lines:
            for line in lines:
                row = json.loads(line)
                # A part of which nothing is removed is passed on without clusters.
                yield row["id"], row["metadata"].get("minhash_cluster_id", -1)


def stages(task: Any, folder: Path) -> dict[str, LocalPipelineExecutor]:
    """Return the four stages by name, in order."""
    config = MinhashConfig(n_grams=task.ngram)
    reader = JsonlReader(
        str(folder / "input"), text_key=task.text_field, id_key=task.id_field, doc_progress=False
    )
    pipelines = {
        "signatures": (
            [reader, MinhashDedupSignature(str(folder / "signatures"), config=config)],
            task.workers,
        ),
        "buckets": (
            [
                MinhashDedupBuckets(
                    str(folder / "signatures"),
                    str(folder / "buckets"),
                    config=config,
                    only_dedup_in_index=False,
                )
            ],
            config.num_buckets,
        ),
        "cluster": (
            [
                MinhashDedupCluster(
                    str(folder / "buckets"),
                    str(folder / "clusters"),
                    config=config,
                    save_cluster_id=True,
                )
            ],
            1,
        ),
        "filter": (
            [
                reader,
                MinhashDedupFilter(
                    str(folder / "clusters"),
                    exclusion_writer=JsonlWriter(str(folder / "removed")),
                    load_cluster_ids=True,
                ),
                JsonlWriter(str(folder / "kept")),
            ],
            task.workers,
        ),
    }
    return {
        name: LocalPipelineExecutor(
            pipeline=pipeline,
            tasks=tasks,
            workers=min(tasks, task.workers),
            logging_dir=str(folder / "logs" / name),
            start_method="fork",  # a fresh Python for each worker would import all of it again
        )
        for name, (pipeline, tasks) in pipelines.items()
    }


def main() -> None:
    task = arguments(__doc__)
    load_word_tokenizer("eng").word_tokenize("Workers have spaCy loaded before they start.")
    clock = Clock()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with clock.phase("cut", aside=True):
            cut(task, folder / "input", task.workers)
        for stage, executor in stages(task, folder).items():
            with clock.phase(stage):
                executor.run()
        with clock.phase("collect", aside=True):
            kept = dict(clusters(folder / "kept"))
            cluster = {**dict(clusters(folder / "removed")), **kept}
            ids, _ = read(task)
            write(
                task,
                ids,
                [str(id_) in kept for id_ in ids],
                "cluster",
                (None if cluster[str(id_)] < 0 else cluster[str(id_)] for id_ in ids),
            )
    clock.report()


if __name__ == "__main__":
    main()

"""Runs over corpora in which one key holds half of the documents, against a corpus without one.

    python benchmarks/hot_keys.py [--documents 120000] [--repeat 3] [--kinds KIND …]

Each corpus is that of `scale_corpus.py`, with one change: half of the synthetic documents answer
one prompt, have one text, lie in one cell, or begin alike, or a source has one document. Documents
that begin alike share bands, so most of them are one component, but hardly any is removed. All
corpora have the same number of documents, but for that of the lone document. Times and peak memory
are ratios to the corpus without a change, measured in the same round.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from processes import COMMAND
from scale import watch
from scale_corpus import BLOCK, HUMAN, MadeCorpus

WORDS = 150
COMMON = 105  # words with which the documents of one component begin: .54 similar, two by two
HOT = "a document that half of the others repeat"


def _one_prompt(table: pa.Table, rows: np.ndarray[Any, Any]) -> pa.Table:
    prompts = np.where(rows % 2 == 0, HOT, np.char.add("prompt ", rows.astype(str)))
    return table.append_column("prompt", pa.array(prompts))


def _one_text(table: pa.Table, rows: np.ndarray[Any, Any]) -> pa.Table:
    texts = table["text"].to_pylist()
    texts[::2] = [HOT] * len(texts[::2])
    return table.set_column(1, "text", pa.array(texts))


def _one_cell(table: pa.Table, rows: np.ndarray[Any, Any]) -> pa.Table:
    """Give every second row the words of one document in an order of its own."""
    words = np.array(_first_words())
    texts = table["text"].to_pylist()
    for place in range(0, len(texts), 2):
        texts[place] = " ".join(np.random.default_rng(rows[place]).permutation(words))
    return table.set_column(1, "text", pa.array(texts))


def _one_component(table: pa.Table, rows: np.ndarray[Any, Any]) -> pa.Table:
    """Begin every second text as one document does."""
    common = _first_words()[:COMMON]
    texts = table["text"].to_pylist()
    texts[::2] = [" ".join(common + text.split()[COMMON:]) for text in texts[::2]]
    return table.set_column(1, "text", pa.array(texts))


def _first_words() -> list[str]:
    """Return the words of document 0."""
    text = MadeCorpus(BLOCK * HUMAN, WORDS).texts(np.zeros(1, np.int64))[0]
    return list(text.as_py().split())


KINDS: dict[str, Callable[[pa.Table, np.ndarray[Any, Any]], pa.Table] | None] = {
    "no hot key": None,
    "one prompt": _one_prompt,
    "one text": _one_text,
    "one cell": _one_cell,
    "one component": _one_component,
    "a source of one document": None,
}


def make(kind: str, documents: int, folder: Path) -> Path:
    """Write the corpus of a kind and the configuration of a run over it.

    Args:
        kind: name in `KINDS`.
        documents: number of documents.
        folder: empty folder.

    Returns:
        The configuration's file.
    """
    patterns = MadeCorpus(documents, WORDS).write(folder / "corpus")
    sources: list[dict[str, Any]] = [
        {"name": name, "role": "synthetic", "files": [pattern], "id_field": "id"}
        for name, pattern in patterns.items()
    ]
    sources[-1]["role"] = "human"
    change = KINDS[kind]
    if change is not None:
        for source in sources[:-1]:
            for path in (folder / "corpus" / source["name"]).glob("*.parquet"):
                table = pq.read_table(path)
                rows = table["id"].to_numpy().astype(np.int64)
                pq.write_table(change(table, rows), path, compression="zstd", row_group_size=4096)
            if kind == "one prompt":
                source["prompt_field"] = "prompt"
    elif kind != "no hot key":
        lone = folder / "corpus" / "lone.jsonl"
        lone.write_text(json.dumps({"id": "lone", "text": HOT}) + "\n")
        source = {"name": "lone", "role": "synthetic", "files": [str(lone)], "id_field": "id"}
        sources.append(source)
    config = folder / "config.yaml"
    values = {"out": str(folder / "out"), "workers": os.cpu_count(), "sources": sources}
    config.write_text(json.dumps(values))  # JSON is YAML
    return config


def measure(kind: str, documents: int) -> dict[str, float]:
    """Run over the corpus of a kind; return seconds in all and by stage, and the peak in bytes."""
    folder = Path(tempfile.mkdtemp(prefix="hot-keys-"))
    try:
        config = make(kind, documents, folder)
        seconds, samples = watch([str(COMMAND), "run", str(config), "--verbose"], folder / "out")
        manifest = json.loads((folder / "out" / "manifest.json").read_text())
        stages = {name: float(value) for name, value in manifest["stage_seconds"].items()}
        return {"whole run": seconds, **stages, "peak memory": float(max(samples.memory.values()))}
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=120_000, help="a multiple of 600")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--kinds", nargs="+", choices=[*KINDS][1:], default=[*KINDS][1:], help="all by default"
    )
    arguments = parser.parse_args()
    first, others = next(iter(KINDS)), arguments.kinds
    rounds = [
        {kind: measure(kind, arguments.documents) for kind in (first, *others)}
        for _ in range(arguments.repeat)
    ]
    plain = {
        name: statistics.median(each[first][name] for each in rounds) for name in rounds[0][first]
    }
    print(f"{arguments.documents:,} documents, median of {arguments.repeat} rounds")
    print(f"{'':<16} {first:>14}", *(f"{kind:>{len(kind) + 2}}" for kind in others))
    for name, value in plain.items():
        ratios = (
            statistics.median(each[kind][name] / each[first][name] for each in rounds)
            for kind in others
        )
        shown = f"{value / 1e6:,.0f} MB" if name == "peak memory" else f"{value:,.2f} s"
        cells = (
            f"{f'× {ratio:.2f}':>{len(kind) + 2}}"
            for kind, ratio in zip(others, ratios, strict=True)
        )
        print(f"{name:<16} {shown:>14}", *cells)


if __name__ == "__main__":
    main()

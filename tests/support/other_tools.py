"""Rows in the layouts of other programs, as docs/other-tools.md shows them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.corpora import paragraphs

REPEATED = 2
"""Number of the document whose text a later document, `COPY`, repeats with a higher score."""
COPY = 9
DOMAINS = ("science", "news")
GOOD = ("High", "Medium")


def language(number: int) -> str:
    return "de" if number % 4 == 3 else "en"


def score(number: int) -> float:
    """Return a quality from 0 to 1; document 4 has a low one, and the copy the highest."""
    return 0.1 if number == 4 else 0.5 + number / 100


def domain(number: int) -> str:
    return DOMAINS[number % 2]


def expected() -> dict[str, str]:
    """Return id and domain of each document that is English, good and the best of its text."""
    return {
        f"doc-{n}": domain(n)
        for n in range(10)
        if language(n) == "en" and score(n) >= 0.5 and n != REPEATED
    }


def _documents() -> list[dict[str, Any]]:
    texts = paragraphs(12)[:10]
    texts[COPY] = texts[REPEATED]
    return [{"id": f"doc-{n}", "text": text} for n, text in enumerate(texts)]


def _jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


def _parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def datatrove(folder: Path) -> None:
    """Write the files of a JsonlWriter, and the same of a ParquetWriter."""
    rows = [
        {
            "text": row["text"],
            "id": row["id"],
            "metadata": {
                "dump": domain(n),
                "url": f"https://example.org/{n}",
                "language": language(n),
                "language_score": 0.9,
                "score": score(n),
                "minhash_cluster_size": 1 + n % 3,
            },
        }
        for n, row in enumerate(_documents())
    ]
    _jsonl(folder / "datatrove" / "00000.jsonl.gz", rows)
    _parquet(folder / "datatrove-parquet" / "00000.parquet", rows)


def dolma(folder: Path) -> None:
    """Write documents of `dolma mix`, with the spans of two taggers."""
    rows = [
        {
            **row,
            "source": domain(n),
            "metadata": {"url": f"https://example.org/{n}"},
            "attributes": {
                "tags__ft_lang_id_en_doc_v2__en": [
                    [0, len(row["text"]), 0.95 if language(n) == "en" else 0.02]
                ],
                "tags__quality__hq": [[0, len(row["text"]), score(n)]],
            },
        }
        for n, row in enumerate(_documents())
    ]
    _jsonl(folder / "dolma" / "documents" / "0000.json.gz", rows)


def curator(folder: Path) -> None:
    """Write the output of classifiers and of k-means of NeMo Curator."""
    rows = [
        {
            **row,
            "language": f"[0.97, '{language(n).upper()}']",
            "quality_pred": "Low" if score(n) < 0.5 else GOOD[n % 2],
            "domain_pred": domain(n),
            "centroid": n % 3,
            "cosine_dist_to_cent": score(n),
        }
        for n, row in enumerate(_documents())
    ]
    _parquet(folder / "curator" / "part-0.parquet", rows)


def marin(folder: Path) -> None:
    """Write documents, and the attributes of a classifier in files beside them."""
    documents = [
        {
            **row,
            "source": "web",
            "metadata": json.dumps({"language": language(n), "topic": domain(n)}),
        }
        for n, row in enumerate(_documents())
    ]
    attributes = [
        {
            "id": row["id"],
            "source": "web",
            "attributes": {
                "dclm-fasttext-quality": {"__label__hq": score(n), "__label__cc": 1 - score(n)}
            },
        }
        for n, row in enumerate(documents)
    ]
    _jsonl(folder / "marin" / "documents" / "0.jsonl.gz", documents)
    _jsonl(folder / "marin" / "attributes" / "0.jsonl.gz", attributes)


LAYOUTS = {"datatrove": datatrove, "dolma": dolma, "curator": curator, "marin": marin}
"""Functions that write the rows of each program into a folder."""

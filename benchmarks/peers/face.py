"""Arguments, files and clock that all peers' scripts share. Standard library only.

    python NAME_peer.py INPUT.jsonl[.gz] OUTPUT.jsonl [--threshold 0.8] [--ngram 5] [--workers 2]
                        [--text-field text] [--id-field id]

OUTPUT has a line for each document in the order of INPUT: `{"id": ..., "kept": true}` and, as far
as the peer says it, `"partner"` (the id of the document that it repeats) or `"cluster"` (a name
that all members of its cluster share), null for what stands alone. The last line on stdout is JSON
with seconds by phase. `total` leaves out the start of Python, imports, and phases in `aside`: what
this comparison asks for and the peer's own users would not.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

PERMUTATIONS = 128

_WORD = re.compile(r"\w+")


def arguments(description: str | None) -> argparse.Namespace:
    """Parse the arguments that all peers take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--ngram", type=int, default=5, help="words in a shingle")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--text-field", default="text")
    parser.add_argument("--id-field", default="id")
    return parser.parse_args()


class Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.aside: dict[str, float] = {}

    @contextlib.contextmanager
    def phase(self, name: str, aside: bool = False) -> Iterator[None]:
        """Add the time spent within to a phase; a phase `aside` doesn't count in the total."""
        started = time.perf_counter()
        yield
        into = self.aside if aside else self.seconds
        into[name] = into.get(name, 0.0) + time.perf_counter() - started

    def report(self, **more: Any) -> None:
        """Print the last line."""
        total = sum(self.seconds.values())
        print(json.dumps({**self.seconds, "total": total, "aside": self.aside, **more}), flush=True)


def opened(path: str) -> IO[str]:
    """Open a text file, and decompress it if its name ends in .gz."""
    if path.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8")
    return open(path, encoding="utf-8")


def read(task: argparse.Namespace) -> tuple[list[Any], list[str]]:
    """Read the ids and texts."""
    with opened(task.input) as lines:
        rows = [json.loads(line) for line in lines]
    return [row[task.id_field] for row in rows], [row[task.text_field] for row in rows]


def cut(task: argparse.Namespace, folder: Path, files: int) -> None:
    """Write INPUT as several files of equal size, for programs that divide work by files."""
    folder.mkdir()
    with opened(task.input) as lines:
        rows = list(lines)
    for number in range(files):
        part = rows[len(rows) * number // files : len(rows) * (number + 1) // files]
        (folder / f"{number:05d}.jsonl").write_text("".join(part), encoding="utf-8")


def write(
    task: argparse.Namespace,
    ids: Sequence[Any],
    kept: Sequence[bool],
    name: str,
    values: Iterable[Any],
) -> None:
    """Write OUTPUT.

    Args:
        task: arguments of the script.
        ids: ids of the documents.
        kept: True for each kept document.
        name: partner or cluster.
        values: values of that column.
    """
    with open(task.output, "w", encoding="utf-8") as lines:
        for id_, keep, other in zip(ids, kept, values, strict=True):
            lines.write(json.dumps({"id": id_, "kept": bool(keep), name: other}) + "\n")


def shingles(text: str, ngram: int) -> list[str]:
    """Return all word n-grams, joined by spaces; a text of fewer words is one n-gram."""
    words = _WORD.findall(text.lower())
    if len(words) <= ngram:
        return [" ".join(words) or text]
    return list(map(" ".join, zip(*(words[i:] for i in range(ngram)), strict=False)))

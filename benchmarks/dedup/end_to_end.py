"""Deduplication from files to files: `outcross dedup` and its peers, on three corpora.

    python benchmarks/dedup/end_to_end.py [--documents 182723] [--peer-documents 20000] [--repeat 3]
                                          [--workers 2] [--corpora short answers long]
                                          [--peers datatrove rensa ...|none] [--texts GLOB]

All read the same kind of JSONL. The command's seconds are those of the whole process, loading of
Python, Beam and kernels included; a peer's are its phases without its imports. CPU seconds are
those of all processes, start included, and the least disturbed by what else the machine does. Peers
that take long get fewer documents with the same share of copies, and docs/s are compared.
`duplodocus` is among the peers where the environment variable DUPLODOCUS names its binary.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "peers")]

from corpora import LENGTHS, PER_LONG, corpus, sentences, write_jsonl
from environments import environment, known
from processes import Run, dedup, load, measured

PEERS = Path(__file__).parents[1] / "peers"
QUICK = frozenset({"duplodocus", "rensa"})
"""Peers that get as many documents as the command."""


class Result(NamedTuple):
    """Result of one run of a program."""

    seconds: float
    cpu_seconds: float | None
    removed: int
    megabytes: float


def available() -> list[str]:
    """Return the names of the peers that can run here."""
    return known() + (["duplodocus"] if os.environ.get("DUPLODOCUS") else [])


def ours(path: Path, folder: Path, workers: int) -> tuple[Result, float]:
    """Run `outcross dedup` once; return its result and its seconds without the start."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        out = Path(name) / "out"
        run, manifest = dedup(path, out, workers, "--id-field", "id")
        removed = sum(pq.read_metadata(p).num_rows for p in (out / "removed").glob("*.parquet"))
    return Result(run.seconds, run.cpu_seconds, removed, run.megabytes), manifest["seconds"]


def one_run(peer: str, path: Path, folder: Path, workers: int) -> Result:
    """Run a peer once."""
    python = sys.executable if peer == "duplodocus" else str(environment(peer))
    output = folder / "peer.jsonl"
    script = PEERS / f"{peer}_peer.py"
    run: Run = measured([python, str(script), str(path), str(output), "--workers", str(workers)])
    with open(output, encoding="utf-8") as lines:
        removed = sum(not json.loads(line)["kept"] for line in lines)
    seconds = json.loads(run.last_line)["total"]
    return Result(seconds, run.cpu_seconds, removed, run.megabytes)


def median(runs: Sequence[Result]) -> Result:
    """Return the run with the median time, with the peak memory of all runs."""
    middle = sorted(runs, key=lambda run: run.seconds)[(len(runs) - 1) // 2]
    return middle._replace(megabytes=max(run.megabytes for run in runs))


def line(name: str, documents: int, result: Result, reference: float) -> str:
    """Return a row of the table; `reference` is the documents per second of `outcross dedup`."""
    rate = documents / result.seconds
    cpu = "–" if result.cpu_seconds is None else f"{result.cpu_seconds:.1f}"
    return (
        f"| {name} | {documents:,} | {result.seconds:.2f} | {rate:,.0f} | {reference / rate:.1f} "
        f"| {cpu} | {100 * result.removed / documents:.2f} % "
        f"| {result.megabytes:,.0f} |"
    )


def compare(name: str, pool: list[str], folder: Path, arguments: Any) -> None:
    """Run all programs on one corpus, one after the other."""

    def written(answers: int) -> tuple[Path, int]:
        texts = corpus(pool, name, answers)
        assert texts, f"{name}: {answers} answers leave none; at least {PER_LONG} are needed"
        path = folder / f"{name}-{answers}.jsonl"
        if not path.exists():
            write_jsonl(path, texts)
        return path, len(texts)

    peers = [peer for peer in arguments.peers if peer != "none"]
    few = min(arguments.peer_documents, arguments.documents)
    path, documents = written(arguments.documents)
    size = path.stat().st_size
    print(f"\n{name}: {documents:,} documents, {size / documents / 1000:.2f} kB each, {load()}\n")
    print("| program | documents | seconds | docs/s | × slower | CPU s | removed | peak MB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    runs = [ours(path, folder, arguments.workers) for _ in range(arguments.repeat)]
    middle = median([run for run, _ in runs])
    reference = documents / middle.seconds
    print(line("outcross dedup", documents, middle, reference))
    without_start = middle._replace(
        seconds=statistics.median(seconds for _, seconds in runs), cpu_seconds=None
    )
    print(line("the same without its start", documents, without_start, reference), flush=True)
    for peer in peers:
        path, documents = written(arguments.documents if peer in QUICK else few)
        one_run(peer, *written(PER_LONG)[:1], folder, arguments.workers)  # files into memory
        result = median(
            [one_run(peer, path, folder, arguments.workers) for _ in range(arguments.repeat)]
        )
        print(line(peer, documents, result, reference), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--documents", type=int, default=182_723, help="as many short ones, a fortieth of long ones"
    )
    parser.add_argument("--peer-documents", type=int, default=20_000, help="for slow peers")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--corpora", nargs="+", default=list(LENGTHS), choices=list(LENGTHS))
    parser.add_argument("--peers", nargs="+", default=available(), choices=[*available(), "none"])
    parser.add_argument("--texts", help="JSONL files to take sentences from")
    arguments = parser.parse_args()
    pool = sentences(arguments.texts)
    print(f"{arguments.workers} workers, median of {arguments.repeat}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_jsonl(folder / "first.jsonl", corpus(pool, "short", PER_LONG))
        ours(folder / "first.jsonl", folder, arguments.workers)  # kernels are compiled once
        for corpus_ in arguments.corpora:
            compare(corpus_, pool, folder, arguments)


if __name__ == "__main__":
    main()

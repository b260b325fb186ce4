"""Throughput of `outcross run`, stage by stage, on a made corpus, and its peak memory.

    python benchmarks/stages.py [--documents 160000] [--repeat 3] [--texts 'corpora/*.jsonl.gz']

Documents of about 1.5 kB are put together from sentences of real text: Python's own documentation,
or any JSONL whose string columns hold prose. One in six is human; 4 % of the rest are near-copies
of others. The bound that figures are set against is measured in the same run: pyarrow reading the
same Parquet files and writing the text again, one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from corpora import documents, sentences

LENGTH = 1500


def make_corpus(folder: Path, count: int, pattern: str | None) -> None:
    """Write synthetic.parquet and human.parquet."""
    texts = documents(sentences(pattern), count, LENGTH)
    human = count // 6
    for name, part in (("human", texts[:human]), ("synthetic", texts[human:])):
        table = pa.table({"id": [f"{name}-{i}" for i in range(len(part))], "text": part})
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd", row_group_size=4096)


def bound(folder: Path) -> float:
    """Return the seconds that pyarrow takes to read and write the corpus on one thread."""
    pa.set_cpu_count(1)
    started = time.perf_counter()
    for name in ("human", "synthetic"):
        table = pq.read_table(folder / f"{name}.parquet", use_threads=False)
        pq.write_table(table, folder / f"{name}-again.parquet", compression="zstd")
    return time.perf_counter() - started


def one_run(folder: Path, workers: int, number: int) -> dict[str, Any]:
    """Run the installed command once."""
    out = folder / f"out-{number}"
    command = [
        str(Path(sys.executable).with_name("outcross")), "run",
        "--synthetic", str(folder / "synthetic.parquet"),
        "--human", str(folder / "human.parquet"),
        "--id-field", "id", "--out", str(out), "--workers", str(workers), "--json",
    ]  # fmt: skip
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    manifest = json.loads((out / "manifest.json").read_text())
    return {"whole run": seconds, **manifest["stage_seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=160_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--texts", help="JSONL files to take sentences from")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_corpus(folder, arguments.documents, arguments.texts)
        size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
        load = os.getloadavg()[0]
        copying = statistics.median(bound(folder) for _ in range(arguments.repeat))
        runs = [one_run(folder, arguments.workers, n) for n in range(arguments.repeat)]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{arguments.documents:,} documents, {size / 1e6:.0f} MB of Parquet, "
        f"{arguments.workers} workers, load before {load:.1f}, median of {arguments.repeat}"
    )
    print(f"{'stage':<16} {'seconds':>8} {'docs/s':>9} {'× copying':>10}")
    print(f"{'copying (bound)':<16} {copying:8.2f} {arguments.documents / copying:9,.0f} {1:10.1f}")
    for stage in runs[0]:
        seconds = statistics.median(run[stage] for run in runs)
        rate = arguments.documents / seconds
        print(f"{stage:<16} {seconds:8.2f} {rate:9,.0f} {seconds / copying:10.1f}")
    print(f"peak memory {peak:,.0f} MB")


if __name__ == "__main__":
    main()

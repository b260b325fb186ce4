"""Whole `outcross run` at growing sizes: seconds, memory, shuffled bytes, files and recall.

    python benchmarks/scale.py 100000 1000000 10000000 --out figures.json
    python benchmarks/scale.py 100000 1000000 --engine prism --engines .engines --out prism.json
    python benchmarks/scale.py --project figures.json

The documents are made by `scale_corpus.py`, so it is known which repeat which. Memory and folders
are sampled from outside. With Prism or Flink the workers are processes of their own, so the memory
of the command itself is that of the driver alone. `--project` prints what larger corpora cost by
the slopes between the two largest sizes of a file of figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from processes import COMMAND, memory_of, tree_of
from scale_corpus import BLOCK, HUMAN, MadeCorpus
from scale_projection import print_projection

_PERIOD = 0.25  # seconds between two looks
_STARTS = "begins"  # second word of the line that a verbose stage begins with


class Samples:
    """Largest memory and folders of a command, by stage.

    Args:
        roots: processes that are sampled with all that they start; the first is the driver.
        out: output directory of the command.
    """

    def __init__(self, roots: list[int], out: Path) -> None:
        self.roots, self.work = roots, out / ".outcross"
        self.stage = "start"
        self.memory: Counter[str] = Counter()
        self.driver: Counter[str] = Counter()
        self.spilled: Counter[str] = Counter()
        self.spill_files = 0
        self._lock = threading.Lock()

    def begin(self, stage: str) -> None:
        """Count what follows to a stage, and take a sample: it may be shorter than the period."""
        with self._lock:
            self.stage = stage
        self.take()

    def take(self) -> None:
        """Take one sample."""
        with self._lock, suppress(OSError, ValueError):  # a process or file has gone meanwhile
            memory = [memory_of(pid) for root in self.roots for pid in tree_of(root)]
            self._raise(self.memory, sum(memory))
            self._raise(self.driver, memory[0])
            sizes = sizes_below(self.work, "spill-*/**/*")
            self._raise(self.spilled, sum(sizes))
            self.spill_files = max(self.spill_files, len(sizes))

    def _raise(self, peaks: Counter[str], value: int) -> None:
        peaks[self.stage] = max(peaks[self.stage], value)


def sizes_below(folder: Path, pattern: str = "**/*") -> list[int]:
    """Return the sizes of all files below a folder that match a pattern."""
    return [path.stat().st_size for path in folder.glob(pattern) if path.is_file()]


@contextmanager
def engine_options(engine: str, engines: Path) -> Iterator[tuple[list[str], list[int]]]:
    """Yield the options of an engine, and the process that starts its workers.

    Args:
        engine: local, prism or flink.
        engines: folder in which `make engines` has built the engines.
    """
    if engine == "local":
        yield [], []
        return
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    module = "apache_beam.runners.worker.worker_pool_main"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    pool = subprocess.Popen(
        [sys.executable, "-m", module, f"--service_port={port}"],
        env={**os.environ, "PATH": path},
        stderr=subprocess.DEVNULL,
    )
    workers = ["--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"]
    if engine == "prism":
        runner = ["--runner=PrismRunner", f"--prism_location={engines / 'prism'}"]
    else:
        jar = f"--flink_job_server_jar={engines / 'flink.jar'}"
        runner = ["--runner=FlinkRunner", "--flink_master=[local]", "--flink_version=1.19", jar]
        runner += ["--parallelism=2", "--job_server_jvm_properties=-Xmx2g"]
    try:
        yield [*runner, *workers], [pool.pid]
    finally:
        pool.terminate()
        pool.wait()


def watch(command: list[str], out: Path, pools: Sequence[int] = ()) -> tuple[float, Samples]:
    """Run a verbose command, and sample its memory and folders.

    Args:
        command: the command and its arguments.
        out: output directory of the command.
        pools: processes that start workers for it.

    Returns:
        Its seconds and the samples.

    Raises:
        RuntimeError: the command failed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    samples = Samples([process.pid, *pools], out)
    lines: list[str] = []
    reader = threading.Thread(target=_read, args=(process, samples, lines))
    reader.start()
    while process.poll() is None:
        samples.take()
        time.sleep(_PERIOD)
    reader.join()
    if process.returncode:
        raise RuntimeError("the run failed:\n" + "".join(lines[-20:]))
    return time.perf_counter() - started, samples


def measure(
    corpus: MadeCorpus, folder: Path, workers: int, engine: str, engines: Path
) -> dict[str, Any]:
    """Make a corpus, run the command on it, and return the figures.

    Args:
        corpus: the documents.
        folder: empty folder for the corpus and the output.
        workers: threads of the local runner.
        engine: local, prism or flink.
        engines: folder in which `make engines` has built the engines.
    """
    started = time.perf_counter()
    patterns = corpus.write(folder / "corpus")
    making, out = time.perf_counter() - started, folder / "out"
    config = {
        "out": str(out),
        "workers": workers,
        "sources": [
            {"name": name, "role": role, "files": [pattern], "id_field": "id"}
            for name, pattern in patterns.items()
            for role in ["human" if name == "people" else "synthetic"]
        ],
    }
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    command = [str(COMMAND), "run", str(folder / "config.yaml"), "--verbose"]
    with engine_options(engine, engines) as (options, pools):
        if options:
            command += ["--", *options]
        seconds, samples = watch(command, out, pools)
    manifest = json.loads((out / "manifest.json").read_text())
    work = sizes_below(out / ".outcross")
    return {
        "documents": corpus.documents,
        "words": corpus.words,
        "engine": engine,
        "workers": workers,
        "making_seconds": round(making, 1),
        "seconds": round(seconds, 2),
        "stage_seconds": manifest["stage_seconds"],
        "pipelines": manifest["pipelines"],
        "shuffled_bytes": manifest["shuffled_bytes"],
        "peak_bytes": max(samples.memory.values()),
        "stage_peak_bytes": dict(samples.memory),
        "driver_peak_bytes": max(samples.driver.values()),
        "spilled_peak_bytes": dict(samples.spilled),
        "spill_files": samples.spill_files,
        "units": len(sizes_below(out / ".outcross", "sketch-*/units/unit-*.parquet")),
        "input_bytes": sum(sizes_below(folder / "corpus")),
        "work_bytes": sum(work),
        "work_files": len(work),
        "output_bytes": sum(entry["bytes"] for entry in manifest["outputs"]),
        "output_files": len(manifest["outputs"]),
        **recall(corpus, out),
    }


def _read(process: subprocess.Popen[str], samples: Samples, lines: list[str]) -> None:
    """Note the stages that a command's stderr names."""
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        words = line.split()
        if words[1:2] == [_STARTS]:
            samples.begin(words[0])


def recall(corpus: MadeCorpus, out: Path) -> dict[str, Any]:
    """Return the planted repeats that were found, and the removals of other documents.

    Args:
        corpus: the documents.
        out: output directory of a run over them.
    """
    removed = np.zeros(corpus.documents, bool)
    for path in (out / "removed").glob("*.parquet"):
        ids = pq.read_table(path, columns=["id"]).column(0)
        removed[ids.to_numpy().astype(np.int64)] = True
    planted, known = [], np.zeros(corpus.documents, bool)
    for changed, documents, originals in corpus.repeats():
        hits = removed[documents] | removed[originals]
        known[documents] = known[originals] = True
        planted.append(
            {
                "changed_words": changed,
                "similarity": round(corpus.similarity(changed), 4),
                "planted": len(documents),
                "found": int(hits.sum()),
            }
        )
    return {"repeats": planted, "other_removals": int((removed & ~known).sum())}


def print_figures(runs: list[dict[str, Any]]) -> None:
    """Print figures as a table, a column for each size, and how they grow."""
    rows = {
        "seconds": lambda run: f"{run['seconds']:,.1f}",
        "documents a second": lambda run: f"{run['documents'] / run['seconds']:,.0f}",
        "peak MB": lambda run: f"{run['peak_bytes'] / 1e6:,.0f}",
        "driver's MB": lambda run: f"{run['driver_peak_bytes'] / 1e6:,.0f}",
        "pipelines": lambda run: f"{run['pipelines']}",
        "units": lambda run: f"{run['units']:,}",
        "files of work": lambda run: f"{run['work_files']:,}",
        "files written": lambda run: f"{run['output_files']:,}",
        "work bytes/doc": lambda run: f"{run['work_bytes'] / run['documents']:,.0f}",
    }
    for stage in runs[-1]["stage_seconds"]:
        rows[f"{stage} s"] = lambda run, stage=stage: f"{run['stage_seconds'][stage]:,.2f}"
    for stage in runs[-1]["shuffled_bytes"]:
        rows[f"{stage} shuffled bytes/doc"] = lambda run, stage=stage: (
            f"{run['shuffled_bytes'].get(stage, 0) / run['documents']:,.1f}"
        )
    for place, level in enumerate(runs[-1]["repeats"]):
        rows[f"found of similarity {level['similarity']}"] = lambda run, place=place: (
            f"{run['repeats'][place]['found'] / run['repeats'][place]['planted']:.2%}"
        )
    rows["other removals"] = lambda run: f"{run['other_removals']:,}"
    width = max(map(len, rows))
    print(f"{'documents':<{width}}", *(f"{run['documents']:>14,}" for run in runs))
    for name, text in rows.items():
        print(f"{name:<{width}}", *(f"{text(run):>14}" for run in runs))
    for small, large in pairwise(runs):
        times = large["documents"] / small["documents"]
        growth = large["driver_peak_bytes"] - small["driver_peak_bytes"]
        print(
            f"{times:.1f} times as many documents: {large['seconds'] / small['seconds']:.2f} times "
            f"the seconds, driver's memory {growth / 1e6:+,.1f} MB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", type=int, nargs="*", help="sizes, made multiples of 600")
    parser.add_argument("--words", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--engine", choices=["local", "prism", "flink"], default="local")
    parser.add_argument("--engines", type=Path, default=Path(".engines"))
    parser.add_argument("--folder", type=Path, help="folder for corpora and outputs")
    parser.add_argument("--out", type=Path, help="JSON file of the figures")
    parser.add_argument("--project", type=Path, help="print a projection of such a file")
    arguments = parser.parse_args()
    if arguments.project is not None:
        print_projection(json.loads(arguments.project.read_text()))
        return
    if arguments.folder is not None:
        Path(arguments.folder).mkdir(parents=True, exist_ok=True)
    runs = []
    for documents in arguments.documents:
        corpus = MadeCorpus(
            max(1, round(documents / (BLOCK * HUMAN))) * BLOCK * HUMAN,
            arguments.words,
            arguments.seed,
        )
        folder = Path(tempfile.mkdtemp(prefix="scale-", dir=arguments.folder))
        try:
            runs.append(
                measure(corpus, folder, arguments.workers, arguments.engine, arguments.engines)
            )
        finally:
            shutil.rmtree(folder)
        if arguments.out is not None:
            arguments.out.write_text(json.dumps(runs, indent=2) + "\n")
    print_figures(runs)


if __name__ == "__main__":
    main()

"""Verdicts of outcross and its peers on a list of texts, each by its own command line.

outcross is the installed command; a peer is a program of `benchmarks/peers/`, run by the Python of
its own environment (`python benchmarks/peers/environments.py` makes them). A peer that is not
there is left out, and said.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from real_texts import ROOT

OURS = ("signature", "exact")  # what --verify can be
OUTCROSS = Path(sys.executable).with_name("outcross")


@dataclass(frozen=True)
class Verdict:
    """Verdict of a tool on n texts.

    Attributes:
        kept: bool[n], True for each kept text.
        cluster: int64[n], equal for texts that the tool considers the same.
        partner: int64[n], index of the kept text that a removed one repeats; -1 for kept texts, and
            for all texts of a tool that names none.
    """

    kept: NDArray[np.bool_]
    cluster: NDArray[np.int64]
    partner: NDArray[np.int64]


def outcross(
    texts: Sequence[str], threshold: float = 0.8, ngram: int = 5, extra: Sequence[str] = ()
) -> Verdict:
    """Return the verdict of `outcross dedup`; `extra` are further options."""
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "texts.jsonl", Path(name) / "out"
        _write(texts, source)
        _run([
            str(OUTCROSS), "dedup", "--synthetic", str(source), "--id-field", "id",
            "--out", str(out), "--near-threshold", str(threshold), "--ngram", str(ngram), *extra,
        ])  # fmt: skip
        kept = np.zeros(len(texts), dtype=bool)
        for written in pq.read_table(out / "data", columns=["outcross"])["outcross"].to_pylist():
            kept[int(written["id"])] = True
        partner = np.full(len(texts), -1)
        for row in pq.read_table(out / "removed", columns=["id", "kept_id"]).to_pylist():
            partner[int(row["id"])] = int(row["kept_id"])
    if not np.array_equal(kept, partner < 0):
        raise RuntimeError("data/ and removed/ of outcross do not add up to the texts given")
    return Verdict(kept, np.where(kept, np.arange(len(texts)), partner), partner)


def peers() -> dict[str, list[str]]:
    """Name and command of every peer whose environment is there."""
    folder = ROOT / "benchmarks" / "peers"
    commands = {}
    for name in sorted(path.stem for path in (folder / "requirements").glob("*.txt")):
        python = ROOT / "benchmarks" / ".peers" / name / "bin" / "python"
        if python.exists():
            commands[name] = [str(python), str(folder / f"{name}_peer.py")]
        else:
            print(f"left out: {name}, whose environment is not there", file=sys.stderr)
    return commands


def peer(
    command: Sequence[str], texts: Sequence[str], threshold: float = 0.8, ngram: int = 5
) -> Verdict:
    """Return the verdict of one of `peers()`."""
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "texts.jsonl", Path(name) / "out.jsonl"
        _write(texts, source)
        _run([
            *command, str(source), str(out), "--threshold", str(threshold), "--ngram", str(ngram),
            "--workers", "2", "--text-field", "text", "--id-field", "id",
        ])  # fmt: skip
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    return verdict_of(lines, len(texts))


def verdict_of(lines: Sequence[dict[str, Any]], documents: int) -> Verdict:
    """Return the verdict in a peer's lines; texts that the peer does not name count as removed."""
    kept = np.zeros(documents, dtype=bool)
    partner = np.full(documents, -1)
    named: list[str] = [f"alone {place}" for place in range(documents)]
    for line in lines:
        place = int(line["id"])
        kept[place] = line["kept"]
        if line.get("partner") is not None and not line["kept"]:
            partner[place] = int(line["partner"])
        if line.get("cluster") is not None:
            named[place] = str(line["cluster"])
    label = np.unique(named, return_inverse=True)[1].astype(np.int64)
    for place in np.flatnonzero(partner >= 0):
        root = int(partner[place])
        for _ in range(documents):  # a partner may have been removed for another one
            if partner[root] < 0:
                break
            root = int(partner[root])
        label[place] = label[root]
    return Verdict(kept, label, partner)


def _write(texts: Sequence[str], path: Path) -> None:
    with path.open("w", encoding="utf-8") as out:
        for place, text in enumerate(texts):
            out.write(json.dumps({"id": str(place), "text": text}) + "\n")


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

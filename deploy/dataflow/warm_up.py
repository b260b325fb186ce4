"""Run and audit a small corpus, so that the image holds all compiled kernels.

    python warm_up.py

The corpus is Python's own documentation. Its formats and settings are chosen to need many kernels.
A run that fails ends the build of the image.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from pydoc_data.topics import topics

COMMAND = Path(sys.executable).with_name("outcross")
"""The command of this Python's environment."""
VERDICTS = {0, 3}
"""Exit codes of a command that did its work; 3 if a gate stops the corpus."""


def call(*arguments: object) -> None:
    """Call the command line.

    Raises:
        SystemExit: the command failed.
    """
    code = subprocess.run([COMMAND, *map(str, arguments)], check=False).returncode
    if code not in VERDICTS:
        raise SystemExit(f"outcross {arguments[0]} ended with exit code {code}")


def main() -> None:
    """Write the corpus into a temporary folder, run it with a lineage, and audit the result."""
    texts = [text for topic in topics.values() for text in topic.split("\n\n")]
    texts = [text for text in texts if len(text.split()) > 11]
    human, written = texts[::2], [*texts[1::2], *texts[1:99:2], *texts[0:99:2]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [{"text": text, "kind": f"kind {n % 2}"} for n, text in enumerate(human)]
        (folder / "human.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        answers = [(f"Say {n % 50}", text) for n, text in enumerate(written)]
        with (folder / "answers.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("prompt", "text"), *answers])
        documents = ["\n\n".join(written[n : n + 5]) for n in range(0, len(written), 5)]
        (folder / "documents.json").write_text(json.dumps([{"text": d} for d in documents]))
        synthetic = {"role": "synthetic"}
        sources = [
            {"name": "people", "role": "human", "files": str(folder / "human.jsonl")},
            {"files": str(folder / "answers.csv"), "prompt_field": "prompt", **synthetic},
            {"files": str(folder / "documents.json"), "pieces": "sentence", **synthetic},
        ]
        names = ("people", "answers", "documents")
        config = {
            "out": str(folder / "out"),
            "lineage": str(folder / "lineage"),
            "sources": [{"name": n, **s} for n, s in zip(names, sources, strict=True)],
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        call("run", folder / "config.yaml")
        call("audit", folder / "out", "--out", folder / "audit")


if __name__ == "__main__":
    main()

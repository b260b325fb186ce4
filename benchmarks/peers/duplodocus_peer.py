"""duplodocus: its `minhash-memory`, 9 bands of 13, as the environment variable DUPLODOCUS has it.

The variable names the binary; it is not in any registry. Words are those of its tokenizer `uniseg`,
which counts the spaces between them as well. It works on whole files, one a thread, so that the
input is cut into two files a thread beforehand, which is not counted; reading, writing and its
start are. It doesn't say what a removed document repeats.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from face import Clock, arguments, cut, opened, read, write

BANDS, ROWS = 9, 13


def main() -> None:
    task = arguments(__doc__)
    binary = os.environ.get("DUPLODOCUS")
    if not binary:
        sys.exit("DUPLODOCUS is not set; it names the binary of duplodocus")
    clock = Clock()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with clock.phase("cut", aside=True):
            cut(task, folder / "input", 2 * task.workers)
        command = [
            binary, "--threads", str(task.workers), "minhash-memory",
            "--input-dir", str(folder / "input"), "--storage-dir", str(folder / "storage"),
            "--output-dir", str(folder / "output"), "--text-key", task.text_field,
            "--num-buckets", str(BANDS), "--bucket-size", str(ROWS),
            "--ngram-size", str(task.ngram), "--tokenizer", "uniseg",
            "--remove-duplicates", "true", "--cleanup-storage",
        ]  # fmt: skip
        with clock.phase("minhash-memory"):
            subprocess.run(command, check=True, stdout=sys.stderr)
        with clock.phase("collect", aside=True):
            kept = set()
            for path in (folder / "output").rglob("*.jsonl"):
                with opened(str(path)) as lines:
                    kept |= {json.loads(line)[task.id_field] for line in lines}
            ids, _ = read(task)
            write(task, ids, [id_ in kept for id_ in ids], "cluster", [None] * len(ids))
    clock.report()


if __name__ == "__main__":
    main()

"""text-dedup: its own command `python -m text_dedup.minhash`, called within this process.

Its defaults but for what is asked for (128 permutations, threshold, n-gram) and xxh3, which its
help calls faster than its default sha1. Documents of fewer than five tokens are not left out.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path

from face import PERMUTATIONS, Clock, arguments, read, write


def main() -> None:
    task = arguments(__doc__)
    clock = Clock()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HF_HOME"] = str(folder / "home")
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
        from text_dedup import minhash

        options = {
            "path": "json", "data_files": os.path.abspath(task.input), "split": "train",
            "cache_dir": folder / "cache", "output": folder / "output", "num_proc": task.workers,
            "column": task.text_field, "min_length": 1, "ngram": task.ngram,
            "num_perm": PERMUTATIONS, "threshold": task.threshold, "hash_func": "xxh3",
        }  # fmt: skip
        command = [part for key, value in options.items() for part in (f"--{key}", str(value))]
        with clock.phase("text_dedup.minhash"):
            minhash.main([*command, "--debug"], standalone_mode=False)
        with clock.phase("collect", aside=True):
            with open(folder / "output" / "uf.pkl", "rb") as file:
                union = pickle.load(file)
            roots = {x: union.find(x) for x in list(union.parent)}
            ids, _ = read(task)
            write(
                task,
                ids,
                [roots.get(i, i) == i for i in range(len(ids))],
                "cluster",
                (roots.get(i) for i in range(len(ids))),
            )
    clock.report()


if __name__ == "__main__":
    main()

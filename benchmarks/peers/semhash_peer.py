"""semhash: `SemHash.from_records` and `self_deduplicate`, as its README has it.

Its default model is a download, which a benchmark must not need. It is given the product's own
static table as a model2vec `StaticModel` instead: the same kind of model with the same dimensions
(256), so that its speed stands for that of the default, and what it finds does not. Its threshold
is a cosine and stays at its default, .9, as a Jaccard threshold says nothing about it; a text's
first 512 tokens count, model2vec's default.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from face import Clock, arguments, read, write
from model2vec import StaticModel
from semhash import SemHash
from tokenizers import Tokenizer

DATA = Path(__file__).parents[2] / "transforms" / "data"


def main() -> None:
    task = arguments(__doc__)
    table = np.load(DATA / "static_table.npy").astype(np.float32)
    tokenizer = Tokenizer.from_file(str(DATA / "tokenizer.json"))
    model = StaticModel(table, tokenizer, normalize=True)
    clock = Clock()
    with clock.phase("read"):
        ids, texts = read(task)
    records = [{"text": text, "row": row} for row, text in enumerate(texts)]
    with clock.phase("embed and index"):
        index = SemHash.from_records(records=records, columns=["text"], model=model)
    with clock.phase("deduplicate"):
        result = index.self_deduplicate()
    partners: dict[int, object] = {
        duplicate.record["row"]: ids[duplicate.duplicate_of["row"]] for duplicate in result.filtered
    }
    with clock.phase("write"):
        rows = range(len(ids))
        kept = [row not in partners for row in rows]
        write(task, ids, kept, "partner", (partners.get(row) for row in rows))
    clock.report()


if __name__ == "__main__":
    main()

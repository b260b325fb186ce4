"""One deduplication of many texts at default settings, and what it removed for what."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from outcross.pipeline.commands.run import dedup
from outcross.schemas.config import parse
from tests.acceptance.pairs import Pair
from tests.acceptance.tokens import shingles, tokens

Text = tuple[int, str]  # number of the pair, and a or b


class Removal(NamedTuple):
    """The text that a text was removed for, and the rule that it fell under."""

    kept: Text
    stage: str


def removals(pairs: Sequence[Pair], folder: Path) -> dict[Text, Removal]:
    """Deduplicate all texts of the pairs in one run at default settings.

    Args:
        pairs: their texts are given as documents of one source.
        folder: gets the texts and the result.

    Returns:
        What each removed text was removed for.
    """
    path = folder / "texts.jsonl"
    rows = (
        {"id": f"{number} {side}", "text": text}
        for number, pair in enumerate(pairs)
        for side, text in (("a", pair.a), ("b", pair.b))
    )
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    source = {"name": "pairs", "role": "synthetic", "files": [str(path)], "id_field": "id"}
    dedup(parse({"out": str(folder / "out"), "sources": [source]}))
    removed = pq.read_table(folder / "out" / "removed").to_pylist()
    return {_text(row["id"]): Removal(_text(row["kept_id"]), row["stage"]) for row in removed}


def _text(name: str) -> Text:
    number, side = name.split()
    return int(number), side


def alike(pairs: Sequence[Pair], least: float) -> list[tuple[float, int, int]]:
    """Compare all texts of different pairs, two and two.

    Returns:
        Similarity and the numbers of the pairs of each two texts that are at least so much alike.
    """
    sets = [(number, shingles(tokens(t))) for number, p in enumerate(pairs) for t in (p.a, p.b)]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    common: Counter[tuple[int, int]] = Counter()
    for this, (_, distinct) in enumerate(sets):
        common.update((other, this) for s in distinct for other in holders[s])
        for shingle in distinct:
            holders[shingle].append(this)
    result = []
    for (this, other), shared in common.items():
        (i, a), (j, b) = sets[this], sets[other]
        similarity = shared / (len(a) + len(b) - shared)
        if i != j and similarity >= least:
            result.append((similarity, i, j))
    return result

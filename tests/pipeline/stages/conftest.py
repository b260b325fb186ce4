"""One small run for all tests of results: every stage, in process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from outcross.pipeline.engine.artifacts import WORK
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.stages.cluster import cluster
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import deduplicate
from outcross.pipeline.stages.measure import Measured, write_and_measure
from outcross.pipeline.stages.plan import plan
from outcross.pipeline.stages.rank import rank
from outcross.pipeline.stages.report import run_gates
from outcross.pipeline.stages.select import select
from outcross.pipeline.stages.selected import Selected
from outcross.pipeline.stages.sketch import sketch
from outcross.pipeline.stages.write import Written
from outcross.schemas.config import parse
from outcross.schemas.gates import Gates
from tests.pipeline.stages.test_select import STRANGE, TOPICS
from tests.support.corpora import write_jsonl

SHARDS = 2
ROLES = ("synthetic", "human", "exclude")


def texts(rng: np.random.Generator, documents: int, topics: Sequence[str]) -> list[str]:
    """Return documents of 15 to 60 words, each of one topic."""
    words = [topic.split() for topic in topics]
    return [
        " ".join(rng.choice(words[rng.integers(len(words))], rng.integers(15, 60)))
        for _ in range(documents)
    ]


def repeats(rng: np.random.Generator, originals: Sequence[str]) -> list[str]:
    """Return some texts again: a part of them as they are, a part with another last word."""
    chosen = rng.choice(np.array(originals, object), 30, replace=False).tolist()
    return chosen[:15] + [f"{text.rpartition(' ')[0]} lantern" for text in chosen[15:]]


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured[Written[Selected]]:
    """Run all stages over 40 rows of an evaluation set, 480 human and 360 synthetic ones.

    Two rows of each source are rejected and three filtered. Some documents repeat others, hold a
    text of the evaluation set, or are strange.
    """
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("chain")
    by_role = {"exclude": texts(rng, 40, TOPICS)}
    by_role["human"] = texts(rng, 449, TOPICS)
    by_role["human"] += [*repeats(rng, by_role["human"]), f"before it {by_role['exclude'][0]}"]
    by_role["synthetic"] = texts(rng, 260, TOPICS[:3]) + texts(rng, 20, TOPICS[3:])
    by_role["synthetic"] += texts(rng, 49, [" ".join(STRANGE)])
    by_role["synthetic"] += repeats(rng, by_role["synthetic"][:280])
    by_role["synthetic"].append(f"{by_role['exclude'][1]} and after it")
    for role in ROLES:
        rows = [{"text": text, "use": "yes"} for text in by_role[role]]
        rejected = [{"text": None, "use": "yes"}] * 2
        filtered = [{"text": text, "use": "no"} for text in texts(rng, 3, TOPICS)]
        write_jsonl(folder / f"{role}.jsonl", rows + rejected + filtered)
    sources = [
        {
            "name": f"of-{role}",
            "role": role,
            "files": [str(folder / f"{role}.jsonl")],
            "where": {"use": "yes"},
        }
        for role in ROLES
    ]
    out = folder / "out"
    (out / WORK).mkdir(parents=True)
    config = parse(
        {
            "out": str(out),
            "workers": 1,
            "select": "random",
            "alpha": 0.3,
            "max_copies": 2,
            "sources": sources,
        }
    )
    context = Context(config, progress=StageProgress(quiet=True))
    planned = plan(rank(cluster(deduplicate(sketch(context)))))
    planned = replace(planned, plan=planned.plan.model_copy(update={"shards": SHARDS}))
    selected, counted = select(planned)
    return write_and_measure(selected, counted, run_gates(Gates(), counted.copies))

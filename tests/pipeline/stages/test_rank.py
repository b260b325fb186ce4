"""Candidates among synthetic documents: the nearest sources, each evenly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from outcross.pipeline.engine.artifacts import artifact
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.inputs.lineage import RunLineage
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.rank import Ranking, amount, rank
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.config import parse
from outcross.schemas.lineage import ArchivedSource, Lineage
from outcross.transforms.base import files
from outcross.transforms.selection.distance import DISTANCE_BUCKETS
from outcross.transforms.sketches.aligned import save_aligned
from outcross.transforms.sketches.store import Sketches
from outcross.transforms.text.ngrams import BUCKETS, Tables
from tests.support.references import Documents, Population, reference

NAMES = ("gpt", "llm", "first.gpt", "people", "ledger")
ROLES = ("synthetic", "synthetic", "synthetic", "human", "human")
EACH = 200
NEW = {"gpt": range(50), "llm": range(80)}


def tables(words: range, buckets: int = DISTANCE_BUCKETS) -> Tables:
    counted = Tables.empty(buckets)
    counted.unigrams[words] += 10
    counted.bigrams[words] += 10
    return counted


REFERENCE = replace(reference(), ngrams=tables(range(100), BUCKETS))


@pytest.fixture(scope="module")
def sketches(tmp_path_factory: pytest.TempPathFactory) -> Sketches:
    """Write documents of three synthetic sources, people and a ledger, some without a word."""
    rng = np.random.default_rng(0)
    n = EACH * len(NAMES)
    lengths = rng.integers(1, 60, n)
    lengths[rng.random(n) < 0.05] = 0
    drawn = Population().draw(n, 1)
    column = drawn.sketch.schema.get_field_index("tokens")
    field = drawn.sketch.schema.field(column)
    sketch = drawn.sketch.set_column(column, field, pa.array(lengths, field.type))
    folder = tmp_path_factory.mktemp("sketches")
    return Documents(sketch, drawn.cells).write(folder, len(NAMES) + 1, range(len(NAMES)))


class Stages:
    """Results of the stages before `rank`.

    The reference is words 0 to 99; `gpt` has 50 of them, `llm` 80 and an archived source all.
    """

    def __init__(self, sketches: Sketches, out: Path, **asked: Any) -> None:
        sources = [
            {"name": name, "role": role, "files": ["x"]}
            for name, role in zip(NAMES, ROLES, strict=True)
        ]
        request = {"out": str(out / "second"), "sources": sources, "long_documents": "keep"}
        config = parse({**request, **asked})
        folder = out / "lineage"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "first.ngrams").write_bytes(tables(range(100)).to_bytes())
        first = ArchivedSource(
            source=config.sources[2],
            identities={},
            amount={"documents": 1, "tokens": 1},
            ngrams="first.ngrams",
        )
        lineage = RunLineage(
            folder=str(folder),
            name="second",
            state=Lineage(),
            before=Lineage(),
            asked=config,
            run_sources=frozenset({*NEW, "people"}),
            ledger=frozenset({"ledger"}),
            archived={"first.gpt": first},
            warnings=[],
        )
        clustering = artifact(config.out, "cluster")
        done = artifact(config.out, "rank", cluster=clustering.key, own=sorted(NEW), limits=None)
        for name, words in NEW.items():
            files.write_bytes(done.path(f"{name}.ngrams"), tables(words).to_bytes())
        done.finish()
        remembers = config.lineage is not None
        quiet = StageProgress(quiet=True)
        context = Context(config, (), quiet, lineage if remembers else None)
        n, schema = len(sketches), pa.schema([])
        self.sketched = Sketched(
            context, artifact(config.out, "sketch"), sketches, schema, schema, None, {}
        )
        self.tokens, self.of_role, self.of_sources = (
            self.sketched.tokens,
            self.sketched.of_role,
            self.sketched.of_sources,
        )
        self.kept = np.random.default_rng(1).random(n) < 0.9
        nothing = np.zeros(n, bool)
        done = artifact(config.out, "deduplicate")
        columns = {"partner": np.where(self.kept, -1, 0), "repeated_id": nothing}
        columns |= dict.fromkeys(["stage", "similarity", "open"], nothing)
        save_aligned(done.path("verdicts"), sketches, columns)
        done.finish({"sums": {"counts": {}}})
        deduplicated = Deduplicated(self.sketched, done, 14, 9)
        zeros = np.zeros(n, np.int32)
        self.clustered = Clustered(
            deduplicated, clustering, REFERENCE, zeros, zeros.astype(np.int8)
        )

    def rank(self) -> Ranking:
        return rank(self.clustered)

    def supply(self, *names: str) -> int:
        return int(self.tokens[self.kept & self.of_sources(*names)].sum())


@pytest.mark.parametrize("asked", [{}, {"lineage": "l", "archive": 0}])
def test_without_an_archive_all_that_is_kept_may_be_written(
    sketches: Sketches, tmp_path: Path, asked: Any
) -> None:
    stages = Stages(sketches, tmp_path, **asked)
    ranking = stages.rank()
    np.testing.assert_array_equal(ranking.candidate, stages.kept & stages.of_role("synthetic"))
    assert [source.name for source in ranking.sources] == (
        ["first.gpt", "llm", "gpt"] if "lineage" in asked else []
    )


def test_the_nearest_come_first_and_none_gives_more_than_its_cap(
    sketches: Sketches, tmp_path: Path
) -> None:
    asked = {"tokens": 1800, "human_share": 0.4, "archive": 2.5, "archive_source": 1.5}
    stages = Stages(sketches, tmp_path, lineage="l", **asked)
    ranking = stages.rank()
    assert [source.name for source in ranking.sources] == ["first.gpt", "llm", "gpt"]
    far = [source.distance for source in ranking.sources]
    assert far == sorted(far)
    assert 0 == far[0] < far[1]
    assert ranking.new == stages.supply("gpt", "llm")
    longest = stages.tokens.max()
    # 1,800 tokens are to be written: 2.5 times as many of all, 1.5 times of one.
    for source, tokens in zip(ranking.sources, (2700, 1800, 0), strict=True):
        rows = stages.of_sources(source.name)
        assert source.candidates == amount(ranking.candidate & rows, stages.tokens)
        assert source.held == amount(stages.kept & rows, stages.tokens)
        assert tokens <= source.candidates.tokens < tokens + longest
    assert not (ranking.candidate & ~stages.kept).any()
    assert not (ranking.candidate & stages.of_role("human")).any()


def test_a_part_of_a_source_is_an_even_sample_of_it(sketches: Sketches, tmp_path: Path) -> None:
    """Over many seeds each document comes about equally often, long and short ones alike."""
    seeds = 150
    often: Any = 0
    for seed in range(seeds):
        stages = Stages(
            sketches,
            tmp_path,
            lineage="l",
            tokens=1000,
            human_share=0.0,
            archive_source=1.5,
            seed=seed,
        )
        candidate = stages.rank().candidate & stages.of_sources("first.gpt")
        often = often + candidate
    rows = stages.kept & stages.of_sources("first.gpt")
    share = often[rows].sum() / seeds / rows.sum()
    assert share == pytest.approx(1500 / stages.supply("first.gpt"), rel=0.05)
    deviation = (seeds * share * (1 - share)) ** 0.5
    assert abs(often[rows] - seeds * share).max() < 5 * deviation
    assert often[rows].std() == pytest.approx(deviation, rel=0.2)
    assert abs(np.corrcoef(often[rows], stages.tokens[rows])[0, 1]) < 0.2


def test_all_of_a_source_is_all_of_it(sketches: Sketches, tmp_path: Path) -> None:
    """Include the documents without words: none is left out for being short."""
    stages = Stages(sketches, tmp_path, lineage="l", archive=1000, archive_source=1000)
    ranking = stages.rank()
    np.testing.assert_array_equal(ranking.candidate, stages.kept & stages.of_role("synthetic"))
    assert (stages.tokens[ranking.candidate] == 0).any()


@pytest.mark.parametrize(
    "asked",
    [
        {"tokens": 3000, "human_share": 0.5},
        {"tokens": 3000, "human_tokens": 300},
        {"tokens": 12_000, "human_share": 0.95},  # what is missing has to be synthetic
        {"tokens": 12_000, "human_share": 0.9, "fresh_human_tokens": 0},
        {"tokens": 10**6},
        {"human_share": 0.1},
        {"human_share": 0.95},
        {"human_tokens": 100},
    ],
)
def test_how_much_there_is_to_choose_from_follows_from_what_will_be_written(
    sketches: Sketches, tmp_path: Path, asked: Any
) -> None:
    stages = Stages(sketches, tmp_path, lineage="l", archive=1, archive_source=1, **asked)
    wanted = asked.get("tokens")
    if wanted is None:  # two thirds of the new synthetic tokens, and what there is of the human
        synthetic = 2 / 3 * stages.supply("gpt", "llm")
        share = asked.get("human_share")
        human = asked["human_tokens"] if share is None else synthetic * share / (1 - share)
        wanted = synthetic + min(human, stages.supply("people", "ledger"))
    candidates = sum(source.candidates.tokens for source in stages.rank().sources)
    wanted = min(wanted, stages.supply("gpt", "llm", "first.gpt"))
    assert wanted <= candidates < wanted + stages.tokens.max()

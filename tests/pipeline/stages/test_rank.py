"""Candidates among synthetic documents: the nearest sources, each evenly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import artifact
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.inputs.lineage import RunLineage
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.rank import Ranking, rank
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.config import parse
from outcross.schemas.lineage import Amount, ArchivedSource, Lineage
from outcross.transforms.selection.distance import DISTANCE_BUCKETS
from outcross.transforms.selection.uses import GENERATED
from outcross.transforms.sketches.store import Sketches, packed_runs
from outcross.transforms.text.ngrams import BUCKETS, Tables
from tests.support.columns import Corpus, load_columns, save_columns
from tests.support.references import Documents, Population, packed, reference

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
    sketch = drawn.sketch
    columns = {"tokens": pa.array(lengths), "words": words_of_sources(sketch["words"])}
    for name, column in columns.items():
        at = sketch.schema.get_field_index(name)
        sketch = sketch.set_column(
            at, sketch.schema.field(at), column.cast(sketch.schema.types[at])
        )
    folder = tmp_path_factory.mktemp("sketches")
    return Documents(sketch, drawn.cells).write(folder, len(NAMES) + 1, range(len(NAMES)))


def words_of_sources(words: pa.ChunkedArray) -> pa.Array:
    """Replace the words of each source by as many of the first ones, as `NEW` says."""
    offsets, hashes = packed_runs(words)
    source = np.repeat(np.arange(len(offsets) - 1) // EACH, np.diff(offsets))
    most = np.array([len(NEW.get(name, range(100))) for name in NAMES])
    return packed(offsets, hashes % most[source].astype(np.uint32))


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
        remembers = config.lineage is not None
        quiet = StageProgress(quiet=True)
        context = Context(config, (), quiet, lineage if remembers else None)
        n, schema = len(sketches), pa.schema([])
        self.sketched = Sketched(
            context, artifact(config.out, "sketch"), sketches, schema, schema, None, {}
        )
        corpus = Corpus(self.sketched)
        self.tokens, self.of_role, self.of_sources = (
            corpus.tokens,
            corpus.of_role,
            corpus.of_sources,
        )
        self.kept = np.random.default_rng(1).random(n) < 0.9
        nothing = np.zeros(n, bool)
        done = artifact(config.out, "deduplicate")
        columns = {"partner": np.where(self.kept, -1, 0), "repeated_id": nothing}
        columns |= {"stage": nothing.astype(np.int8), "similarity": nothing, "open": nothing}
        save_columns(done.subfolder("verdicts"), sketches, columns)
        done.finish({"sums": {"counts": {}}})
        deduplicated = Deduplicated(self.sketched, done, 14, 9)
        self.clustered = Clustered(deduplicated, clustering, REFERENCE)
        zeros = np.zeros(n, np.int32)
        save_columns(self.clustered.folder, sketches, {"cluster": zeros})
        save_columns(self.clustered.classes_folder, sketches, {"class": zeros.astype(np.int8)})

    def rank(self) -> Ranking:
        return rank(self.clustered)

    def amount(self, rows: NDArray[np.bool_]) -> Amount:
        return Amount(documents=int(rows.sum()), tokens=int(self.tokens[rows].sum()))

    def supply(self, *names: str) -> int:
        return int(self.tokens[self.kept & self.of_sources(*names)].sum())


def candidate_rows(ranking: Ranking) -> NDArray[np.bool_]:
    """Return bool[n]: the synthetic documents that may be written."""
    (use,) = load_columns(ranking.folder, ranking.sketched.sketches, ["use"])
    return np.isin(use, GENERATED)


@pytest.mark.parametrize("asked", [{}, {"lineage": "l", "archive": 0}])
def test_without_an_archive_all_that_is_kept_may_be_written(
    sketches: Sketches, tmp_path: Path, asked: Any
) -> None:
    stages = Stages(sketches, tmp_path, **asked)
    ranking = stages.rank()
    np.testing.assert_array_equal(
        candidate_rows(ranking), stages.kept & stages.of_role("synthetic")
    )
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
        assert source.candidates == stages.amount(candidate_rows(ranking) & rows)
        assert source.held == stages.amount(stages.kept & rows)
        assert tokens <= source.candidates.tokens < tokens + longest
    assert not (candidate_rows(ranking) & ~stages.kept).any()
    assert not (candidate_rows(ranking) & stages.of_role("human")).any()


def test_all_of_a_source_is_all_of_it(sketches: Sketches, tmp_path: Path) -> None:
    """Include the documents without words: none is left out for being short."""
    stages = Stages(sketches, tmp_path, lineage="l", archive=1000, archive_source=1000)
    ranking = stages.rank()
    np.testing.assert_array_equal(
        candidate_rows(ranking), stages.kept & stages.of_role("synthetic")
    )
    assert (stages.tokens[candidate_rows(ranking)] == 0).any()


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

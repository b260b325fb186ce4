"""Which synthetic documents there are to choose from: the nearest sources, each evenly."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from outcross.pipeline.engine.artifacts import artifact
from outcross.pipeline.inputs.lineage import RunLineage
from outcross.pipeline.stages.rank import Ranking, amount, rank
from outcross.schemas.config import parse
from outcross.schemas.lineage import ArchivedSource, Lineage
from outcross.transforms.base import files
from outcross.transforms.selection.distance import DISTANCE_BUCKETS
from outcross.transforms.text.ngrams import BUCKETS, Tables

NAMES = ("gpt", "llm", "first.gpt", "people", "ledger")
ROLES = ("synthetic", "synthetic", "synthetic", "human", "human")


def tables(words: range, buckets: int = DISTANCE_BUCKETS) -> Tables:
    made = Tables.empty(buckets)
    made.unigrams[words] += 10
    made.bigrams[words] += 10
    return made


class Stages:
    """What stands before `rank`: documents of three synthetic sources, people and a ledger.

    The reference is words 0 to 99; `gpt` has 50 of them, `llm` 80 and an archived source all.
    """

    def __init__(self, out: Path, **asked: Any) -> None:
        rng = np.random.default_rng(0)
        n = 200
        self.source = np.repeat(np.arange(len(NAMES)), n)
        self.tokens = rng.integers(1, 60, len(self.source)).astype(np.int64)
        self.tokens[rng.random(len(self.source)) < 0.05] = 0
        self.kept = rng.random(len(self.source)) < 0.9
        numbers = np.arange(len(self.source), dtype=np.uint64)
        self.fingerprints = numbers * np.uint64(31), numbers * np.uint64(17)
        sources = [
            {"name": name, "role": role, "files": ["x"]}
            for name, role in zip(NAMES, ROLES, strict=True)
        ]
        whole = {"long_documents": "keep", **asked}
        self.config = parse({"out": str(out / "second"), "sources": sources, **whole})
        folder = out / "lineage"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "first.ngrams").write_bytes(tables(range(100)).to_bytes())
        first = ArchivedSource(
            source=self.config.sources[2],
            identities={},
            amount={"documents": 1, "tokens": 1},
            ngrams="first.ngrams",
        )
        own = {"gpt": range(50), "llm": range(80)}
        lineage = RunLineage(
            folder=str(folder),
            name="second",
            state=Lineage(),
            before=Lineage(),
            asked=self.config,
            own=frozenset({*own, "people"}),
            ledger=frozenset({"ledger"}),
            archived={"first.gpt": first},
            warnings=[],
        )
        done = artifact(self.config.out, "rank", cluster="c", own=sorted(own), limits=None)
        for name, words in own.items():
            files.write_bytes(done.path(f"{name}.ngrams"), tables(words).to_bytes())
        done.finish()
        quiet = SimpleNamespace(skipped=lambda stage: None)
        remembers = self.config.lineage is not None
        self.context: Any = SimpleNamespace(
            warn=lambda said: None,
            config=self.config,
            lineage=lineage if remembers else None,
            progress=quiet,
        )
        self.clustered: Any = SimpleNamespace(
            artifact=SimpleNamespace(key="c"),
            reference=SimpleNamespace(ngrams=tables(range(100), BUCKETS)),
        )

    def of_role(self, *roles: str) -> Any:
        return np.isin(np.array(ROLES)[self.source], roles)

    def of_sources(self, *names: str) -> Any:
        return np.isin(np.array(NAMES)[self.source], names)

    def rank(self) -> Ranking:
        deduplicated: Any = SimpleNamespace(verdicts=SimpleNamespace(kept=self.kept))
        sketched: Any = self
        return rank(self.context, sketched, deduplicated, self.clustered)

    def held(self, *names: str) -> int:
        return int(self.tokens[self.kept & self.of_sources(*names)].sum())


@pytest.mark.parametrize("asked", [{}, {"lineage": "l", "archive": 0}])
def test_without_an_archive_all_that_is_kept_may_be_written(tmp_path: Path, asked: Any) -> None:
    stages = Stages(tmp_path, **asked)
    ranking = stages.rank()
    np.testing.assert_array_equal(ranking.candidate, stages.kept & stages.of_role("synthetic"))
    assert [one.name for one in ranking.sources] == (
        ["first.gpt", "llm", "gpt"] if "lineage" in asked else []
    )


def test_the_nearest_come_first_and_none_gives_more_than_its_cap(tmp_path: Path) -> None:
    asked = {"tokens": 1800, "human_share": 0.4, "archive": 2.5, "archive_source": 1.5}
    stages = Stages(tmp_path, lineage="l", **asked)
    ranking = stages.rank()
    assert [one.name for one in ranking.sources] == ["first.gpt", "llm", "gpt"]
    far = [one.distance for one in ranking.sources]
    assert far == sorted(far)
    assert 0 == far[0] < far[1]
    assert ranking.new == stages.held("gpt", "llm")
    longest = stages.tokens.max()
    # 1,800 tokens are to be written: 2.5 times as many of all, 1.5 times of one.
    for one, tokens in zip(ranking.sources, (2700, 1800, 0), strict=True):
        own = ranking.candidate & stages.of_sources(one.name)
        assert one.candidates == amount(own, stages.tokens)
        assert one.held == amount(stages.kept & stages.of_sources(one.name), stages.tokens)
        assert tokens <= one.candidates.tokens < tokens + longest
    assert not (ranking.candidate & ~stages.kept).any()
    assert not (ranking.candidate & stages.of_role("human")).any()


def test_a_part_of_a_source_is_an_even_sample_of_it(tmp_path: Path) -> None:
    """Over many seeds each document comes about equally often, long and short ones alike."""
    seeds = 150
    often: Any = 0
    for seed in range(seeds):
        stages = Stages(
            tmp_path, lineage="l", tokens=1000, human_share=0.0, archive_source=1.5, seed=seed
        )
        candidate = stages.rank().candidate & stages.of_sources("first.gpt")
        often = often + candidate
    own = stages.kept & stages.of_sources("first.gpt")
    share = often[own].sum() / seeds / own.sum()
    assert share == pytest.approx(1500 / stages.held("first.gpt"), rel=0.05)
    deviation = (seeds * share * (1 - share)) ** 0.5
    assert abs(often[own] - seeds * share).max() < 5 * deviation
    assert often[own].std() == pytest.approx(deviation, rel=0.2)
    assert abs(np.corrcoef(often[own], stages.tokens[own])[0, 1]) < 0.2


def test_all_of_a_source_is_all_of_it(tmp_path: Path) -> None:
    """With the documents that have no words: nothing is left out for being short."""
    stages = Stages(tmp_path, lineage="l", archive=1000, archive_source=1000)
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
    tmp_path: Path, asked: Any
) -> None:
    stages = Stages(tmp_path, lineage="l", archive=1, archive_source=1, **asked)
    wanted = asked.get("tokens")
    if wanted is None:  # two thirds of the new synthetic tokens, and what there is of the human
        synthetic = 2 / 3 * stages.held("gpt", "llm")
        share = asked.get("human_share")
        human = asked["human_tokens"] if share is None else synthetic * share / (1 - share)
        wanted = synthetic + min(human, stages.held("people", "ledger"))
    candidates = sum(one.candidates.tokens for one in stages.rank().sources)
    wanted = min(wanted, stages.held("gpt", "llm", "first.gpt"))
    assert wanted <= candidates < wanted + stages.tokens.max()

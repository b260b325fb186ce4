"""Sums over removals are those of the verdicts on all documents."""

from __future__ import annotations

import numpy as np
import pytest

from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.measure import Measured
from outcross.pipeline.stages.selected import Selected
from outcross.pipeline.stages.write import Written
from outcross.schemas.sources import WRITABLE, Role
from outcross.transforms.dedup.decide import NEAR, STAGES
from tests.support.columns import Corpus, numbers
from tests.support.columns import verdicts as verdicts_of
from tests.support.repeats import group_sizes


@pytest.fixture(scope="module")
def deduplicated(measured: Measured[Written[Selected]]) -> Deduplicated:
    return measured.corpus.deduplicated


def test_removals_are_summed_by_source_and_stage(deduplicated: Deduplicated) -> None:
    sums, verdicts = deduplicated.sums, verdicts_of(deduplicated)
    source = Corpus(deduplicated.sketched).sources
    for number in range(len(deduplicated.config.sources)):
        rows = source == number
        assert sums.total("documents", [number]) == rows.sum()
        for stage, name in STAGES.items():
            assert sums.total(name, [number]) == (verdicts.stage[rows] == stage).sum()
    assert sums.removed() == (~verdicts.kept).sum() > 0
    assert sums.total("open") == verdicts.open.sum()
    assert sums.bytes == numbers(deduplicated.sketches, "size")[~verdicts.kept].sum()


@pytest.mark.parametrize("roles", [("human",), ("synthetic",), WRITABLE, ("reference",)])
def test_groups_are_counted_by_role(deduplicated: Deduplicated, roles: tuple[Role, ...]) -> None:
    rows = Corpus(deduplicated.sketched).of_role(*roles)
    expected = group_sizes(verdicts_of(deduplicated).partner, rows)
    assert deduplicated.group_sizes(*roles).tolist() == expected.tolist()


def test_the_most_repeated_documents_are_counted_with_their_repeats(
    deduplicated: Deduplicated,
) -> None:
    partner = verdicts_of(deduplicated).partner
    times = np.bincount(partner[partner >= 0], minlength=len(partner)) + 1
    most = deduplicated.sums.most_repeated
    assert [line.times for line in most] == sorted(times[times > 1].tolist(), reverse=True)[:20]
    assert all(times[line.document] == line.times for line in most)


def test_the_least_similar_removals_are_near_ones(deduplicated: Deduplicated) -> None:
    verdicts, table = verdicts_of(deduplicated), deduplicated.sums.least_similar
    assert table is not None
    near = np.sort(verdicts.similarity[verdicts.stage == NEAR])[:20]
    assert table["similarity"].to_pylist() == near.tolist()
    document = table["document"].to_numpy()
    assert table["partner"].to_pylist() == verdicts.partner[document].tolist()
    assert table["id"].to_pylist() == [
        deduplicated.ids(document[place : place + 1])[0] for place in range(len(document))
    ]

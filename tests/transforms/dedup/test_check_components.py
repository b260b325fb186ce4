"""Components are checked alike for any bins, and their bound holds what was kept."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.sources import Source
from outcross.transforms.dedup.bands import Entries
from outcross.transforms.dedup.check_components import LARGEST, check_components
from outcross.transforms.dedup.decide import (
    SEMANTIC,
    Comparison,
    Measure,
    Paraphrases,
    Settings,
    decide,
)
from outcross.transforms.dedup.removal_sums import sum_components
from outcross.transforms.dedup.rules import Party, Rules

SETTINGS = Settings(threshold=0.8, exact=True, ngram=5, num_perm=128)


def measures(similar: NDArray[np.bool_]) -> list[Measure]:
    """Return measures by which pairs of a matrix are similar."""

    def shingles(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.where(similar[left, right], 0.9, 0.1).astype(np.float32)

    def items(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.ones(len(left), np.float32)

    return [shingles, items]


def checked(similar: NDArray[np.bool_], groups: list[list[int]], roles: list[str]) -> pa.Table:
    """Decide on documents, and check their components."""
    n = len(similar)
    names = sorted(set(roles))
    parties = [Party(Source(name=role, role=role, files=["x"])) for role in names]  # type: ignore[arg-type]
    party = np.array([names.index(role) for role in roles], np.int16)
    allowed = np.array(
        [
            [k.source.role == "exclude" or r.source.role != "exclude" for r in parties]
            for k in parties
        ]
    )
    allowed[:, [r.source.role == "exclude" for r in parties]] = False
    rules = Rules(parties, party, allowed, np.zeros(n, np.uint64))
    columns = {
        "fingerprint_hi": np.arange(n, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15),
        "fingerprint_lo": np.arange(n, dtype=np.uint64),
        "row_hash": np.arange(n, dtype=np.uint64),
        "length": np.full(n, 100),
        "priority": np.zeros(n),
    }
    comparison = Comparison.of(columns, rules)
    group = [number for number, group in enumerate(groups) for _ in group]
    entries = Entries(
        np.array(group, np.uint64), np.array([d for group in groups for d in group], np.int64)
    )
    both = measures(similar)
    verdicts, _ = decide(comparison, entries, SETTINGS, both)
    return check_components(comparison, entries, verdicts, SETTINGS, both, seed=3)


def symmetric(n: int, pairs: list[tuple[int, int]]) -> NDArray[np.bool_]:
    """Return a matrix of similar pairs."""
    similar = np.zeros((n, n), bool)
    for left, right in pairs:
        similar[left, right] = similar[right, left] = True
    return similar


def test_a_clique_keeps_all_that_could_be_kept() -> None:
    similar = symmetric(4, [(a, b) for a in range(4) for b in range(a)])
    (row,) = checked(similar, [[0, 1, 2, 3]], ["synthetic"] * 4).to_pylist()
    assert (row["documents"], row["kept"], row["bound"], row["missed"]) == (4, 1, 1, 0)


def test_text_that_repeats_an_evaluation_text_could_not_be_kept() -> None:
    similar = symmetric(3, [(0, 1)])
    roles = ["exclude", "synthetic", "synthetic"]
    (row,) = checked(similar, [[0, 1, 2]], roles).to_pylist()
    assert (row["documents"], row["kept"], row["bound"]) == (3, 1, 1)


def test_kept_documents_that_repeat_a_kept_one_are_missed() -> None:
    # The last two share no group, so no pair of them is ever verified.
    similar = symmetric(3, [(1, 2)])
    (row,) = checked(similar, [[0, 1], [0, 2]], ["synthetic"] * 3).to_pylist()
    assert (row["kept"], row["bound"], row["missed"]) == (3, 2, 1)


def test_large_components_are_not_checked() -> None:
    n = LARGEST + 1
    (row,) = checked(symmetric(n, []), [list(range(n))], ["synthetic"] * n).to_pylist()
    assert (row["documents"], row["kept"], row["bound"]) == (n, n, -1)


def test_what_is_not_checked_is_summed_for_itself() -> None:
    small = symmetric(4, [(a, b) for a in range(4) for b in range(a)])
    n = LARGEST + 1
    rows = pa.concat_tables(
        [
            checked(small, [[0, 1, 2, 3]], ["synthetic"] * 4),
            checked(symmetric(n, []), [list(range(n))], ["synthetic"] * n),
        ]
    )
    assert sum_components(rows) == {
        "components": 2,
        "small": 1,
        "kept": 1,
        "unchecked": n,
        "unchecked_kept": n,
        "sample": [[4, 1, 1, 0]],
    }


def test_bins_do_not_change_what_is_checked() -> None:
    random = np.random.default_rng(8)
    groups = [sorted({int(i) for i in random.integers(5 * g, 5 * g + 5, 4)}) for g in range(8)]
    groups = [group for group in groups if len(group) > 1]
    similar = random.random((40, 40)) < 0.5
    similar |= similar.T
    together = checked(similar, groups, ["synthetic"] * 40).sort_by("hash")
    apart = [checked(similar, [group], ["synthetic"] * 40) for group in groups]
    assert together.equals(pa.concat_tables(apart).sort_by("hash"))


def test_paraphrases_that_were_removed_are_left_out() -> None:
    """The certificate is about the near rule: what embeddings removed isn't lost by it."""
    columns = {
        "fingerprint_hi": np.arange(4, dtype=np.uint64),
        "fingerprint_lo": np.arange(4, dtype=np.uint64),
        "row_hash": np.arange(4, dtype=np.uint64),
        "length": np.full(4, 100),
        "priority": np.zeros(4),
    }
    parties = [Party(Source(name="s", role="synthetic", files=["x"]))]
    rules = Rules.of(np.zeros(4, np.int16), None, parties)
    comparison = Comparison.of(columns, rules)
    entries = Entries(np.zeros(4, np.uint64), np.arange(4))
    both = measures(np.zeros((4, 4), bool))
    pairs = Paraphrases(np.array([1, 3]), np.array([0, 2]), np.full(2, 0.95, np.float32))
    verdicts, _ = decide(comparison, entries, SETTINGS, both, pairs)
    assert verdicts.stage.tolist() == [0, SEMANTIC, 0, SEMANTIC]
    (row,) = check_components(comparison, entries, verdicts, SETTINGS, both, seed=3).to_pylist()
    assert (row["documents"], row["kept"], row["bound"], row["missed"]) == (2, 2, 2, 0)

"""The yardstick: its parts, its thresholds, and that it comes back from disk as it was."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.config import ConfigError
from transforms.cluster import Codebook
from transforms.measures import HEAD, OFF_SUPPORT, TAIL, ClusterCounts
from transforms.ngrams import Tables
from transforms.reference import (
    FIT,
    HELD_OUT,
    THRESHOLDS,
    Reference,
    Thresholds,
    load_reference,
    reference_part,
    set_thresholds,
)

K, K2 = 7, 5


def counts(rng: np.random.Generator, n: int) -> ClusterCounts:
    total = ClusterCounts.empty(K, K2)
    total.add(
        rng.integers(0, K, n), rng.integers(0, 90, n), rng.integers(0, 3, n), rng.integers(0, K2, n)
    )
    return total


def reference(seed: int = 0) -> Reference:
    rng = np.random.default_rng(seed)
    tables = rng.integers(0, 2**40, (2, 64))
    return Reference(
        human=True,
        embedder="e-1",
        codebook=Codebook(
            rng.integers(-127, 128, (K, 256)).astype(np.int8),
            np.arange(256),
            rng.integers(0, 99, K),
        ),
        audit=Codebook(
            rng.integers(-127, 128, (K2, 64)).astype(np.int8),
            np.sort(rng.permutation(256)[:64]),
            rng.integers(0, 99, K2),
        ),
        thresholds=Thresholds(density=2**50 + 1, dot=-17),
        counts=counts(rng, 400),
        held_out=counts(rng, 100),
        ngrams=Tables(*tables),
    )


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    made = reference()
    assert made.save(str(tmp_path)) == made.fingerprint()
    loaded = load_reference(str(tmp_path), "e-1")
    assert loaded.fingerprint() == made.fingerprint()
    assert loaded.thresholds == made.thresholds
    assert loaded.human is True
    x = np.random.default_rng(1).integers(-127, 128, (50, 256)).astype(np.int8)
    for name in ("codebook", "audit"):
        for one, other in zip(
            getattr(loaded, name).assign(x), getattr(made, name).assign(x), strict=True
        ):
            assert (one == other).all()
    for name in ("counts", "held_out"):
        assert getattr(loaded, name).to_json() == getattr(made, name).to_json()
    assert (loaded.ngrams.bigrams == made.ngrams.bigrams).all()
    assert (loaded.shares == made.shares).all()
    again = tmp_path / "again"
    loaded.save(str(again))
    for file in tmp_path.glob("*.*"):
        assert (again / file.name).read_bytes() == file.read_bytes()


def test_the_fingerprint_tells_every_part_apart() -> None:
    made, other = reference(), reference(1)
    changed = [
        dataclasses.replace(made, **{name: getattr(other, name)})
        for name in ("codebook", "audit", "counts", "held_out", "ngrams")
    ]
    changed += [
        dataclasses.replace(made, human=False),
        dataclasses.replace(made, embedder="e-2"),
        dataclasses.replace(made, thresholds=Thresholds(density=2**50 + 2, dot=-17)),
        dataclasses.replace(
            made, audit=dataclasses.replace(made.audit, dims=made.audit.dims[::-1])
        ),
    ]
    prints = [made.fingerprint(), *(reference.fingerprint() for reference in changed)]
    assert len(set(prints)) == len(prints)
    assert reference().fingerprint() == made.fingerprint()


def test_another_embedder_format_or_folder_is_refused_by_name(tmp_path: Path) -> None:
    reference().save(str(tmp_path))
    with pytest.raises(ConfigError, match="embedder e-1; this is format 1 and embedder e-2"):
        load_reference(str(tmp_path), "e-2")
    with pytest.raises(ConfigError, match=r"empty holds no reference\.json"):
        load_reference(str(tmp_path / "empty"), "e-1")
    path = tmp_path / "reference.json"
    value = json.loads(path.read_text())
    for version in ({"version": 99}, {}):
        path.write_text(json.dumps({**value, "version": None} | version))
        with pytest.raises(ConfigError, match="was made with format"):
            load_reference(str(tmp_path), "e-1")


def test_files_of_two_yardsticks_are_not_taken_for_one(tmp_path: Path) -> None:
    reference().save(str(tmp_path / "a"))
    reference(1).save(str(tmp_path / "b"))
    for name in ("arrays.npz", "ngrams.bin"):
        mixed = tmp_path / f"mixed-{name}"
        shutil.copytree(tmp_path / "a", mixed)
        shutil.copy(tmp_path / "b" / name, mixed / name)
        with pytest.raises(ConfigError, match="not of one yardstick"):
            load_reference(str(mixed), "e-1")


def hashes(n: int, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 2**64, n, dtype=np.uint64) for _ in range(2)]


def test_half_of_the_reference_fits_and_a_quarter_each_sets_thresholds_and_is_held_out() -> None:
    hi, lo = hashes(100_000)
    part = reference_part(hi, lo, 3)
    share = np.bincount(part, minlength=3) / len(part)
    assert np.abs(share - [0.5, 0.25, 0.25]).max() < 0.01
    assert {FIT, THRESHOLDS, HELD_OUT} == {0, 1, 2}
    order = np.random.default_rng(1).permutation(len(hi))
    assert (reference_part(hi[order], lo[order], 3) == part[order]).all()
    other = reference_part(hi, lo, 4)
    assert abs((part == other).mean() - (0.25 + 2 / 16)) < 0.01  # independent of each other


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 700), st.booleans())
def test_thresholds_are_values_with_a_fifth_and_a_hundredth_below_them(
    seed: int, n: int, ties: bool
) -> None:
    rng = np.random.default_rng(seed)
    dot = rng.integers(-3 if ties else -60_000, 60_000 if not ties else 3, n).astype(np.int32)
    density = rng.integers(0, 5 if ties else 2**60, n)
    thresholds = set_thresholds(dot, density)
    assert thresholds.density in density
    assert thresholds.dot in dot
    for values, at, share in ((density, thresholds.density, 0.2), (dot, thresholds.dot, 0.01)):
        assert (values < at).sum() <= int(share * n)
        assert (values <= at).sum() > int(share * n)
    order = rng.permutation(n)
    assert set_thresholds(dot[order], density[order]) == thresholds


def test_a_fifth_of_what_fitted_nothing_is_tail_and_a_hundredth_off_support() -> None:
    rng = np.random.default_rng(0)
    dot = rng.normal(30_000, 9_000, 60_000).astype(np.int32)
    density = rng.integers(0, 2**55, 60_000)
    thresholds = set_thresholds(dot[:30_000], density[:30_000])
    kind = thresholds.classify(dot[30_000:], density[30_000:])
    share = np.bincount(kind, minlength=3) / 30_000
    assert share[OFF_SUPPORT] == pytest.approx(0.01, abs=0.002)
    assert share[TAIL] == pytest.approx(0.2 * 0.99, abs=0.01)
    assert share[HEAD] == pytest.approx(0.8 * 0.99, abs=0.01)


def test_off_support_comes_before_tail_and_the_threshold_itself_is_inside() -> None:
    thresholds = Thresholds(density=10, dot=5)
    kind = thresholds.classify(np.array([5, 4, 5, 4], np.int32), np.array([10, 10, 9, 9]))
    assert kind.tolist() == [HEAD, OFF_SUPPORT, TAIL, OFF_SUPPORT]


def test_without_text_for_thresholds_nothing_is_called_rare() -> None:
    none = set_thresholds(np.zeros(0, np.int32), np.zeros(0, np.int64))
    kind = none.classify(np.array([-64_516, 0], np.int32), np.array([0, 7]))
    assert kind.tolist() == [HEAD, HEAD]


def test_shares_are_smoothed_by_half_a_mean_document() -> None:
    made = reference()
    made.counts.tokens[:] = [100, 0, 50, 0, 0, 0, 0]
    made.counts.documents[:] = [2, 0, 1, 0, 0, 0, 0]
    assert made.shares == pytest.approx(np.array([125, 25, 75, 25, 25, 25, 25]) / 325)
    made.counts.tokens[:] = 0
    assert made.shares == pytest.approx(np.full(K, 1 / K))

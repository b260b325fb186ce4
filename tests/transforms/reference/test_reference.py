"""The reference: its parts, its thresholds, and that it comes back from disk as it was."""

import dataclasses
import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.schemas.documents import SURFACE_MEASURES
from outcross.schemas.user_input import ConfigError
from outcross.transforms.estimators.richness import HEAD, OFF_SUPPORT, TAIL
from outcross.transforms.reference.documents import FIT, HELD_OUT, THRESHOLDS, reference_part
from outcross.transforms.reference.members import part_file, write_part
from outcross.transforms.reference.pool import POOL_FILES
from outcross.transforms.reference.reference import (
    CLUSTERS,
    REFERENCE_FILES,
    VERSION,
    copy_reference,
    load_reference,
    reference_files,
)
from outcross.transforms.reference.thresholds import Thresholds, set_thresholds
from outcross.transforms.text.surface import Bands
from tests.support.references import TOPICS, members_of, reference

BANDS = Bands(low=(10,) * SURFACE_MEASURES, high=(20,) * SURFACE_MEASURES)


def inside(n: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """Make surface measures of texts that are like human text."""
    return np.full((n, SURFACE_MEASURES), 15, np.uint32)


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    saved = reference(pool=20)
    thresholds = dataclasses.replace(saved.thresholds, bands=BANDS)
    saved = dataclasses.replace(saved, thresholds=thresholds)
    write_part(str(tmp_path), 0, members_of(pool=20))
    assert saved.save(str(tmp_path)) == saved.fingerprint()
    loaded = load_reference(str(tmp_path), "e-1")
    assert loaded.fingerprint() == saved.fingerprint()
    assert loaded.thresholds == saved.thresholds
    assert loaded.human is True
    x = np.random.default_rng(1).integers(-127, 128, (50, 256)).astype(np.int8)
    for mine, theirs in (
        (loaded.codebook, saved.codebook),
        (loaded.second_codebook.codebook, saved.second_codebook.codebook),
    ):
        for column, expected in zip(mine.assign(x), theirs.assign(x), strict=True):
            assert (column == expected).all()
    assert (loaded.second_codebook.weights == saved.second_codebook.weights).all()
    for name in ("counts", "held_out"):
        assert getattr(loaded, name).to_json() == getattr(saved, name).to_json()
    assert (loaded.ngrams.bigrams == saved.ngrams.bigrams).all()
    assert (loaded.shares == saved.shares).all()
    assert loaded.pool.sketch.equals(saved.pool.sketch)
    assert loaded.pool.cells.equals(saved.pool.cells)
    for name in ("rare", "repeats"):
        assert getattr(loaded, name).dtype == getattr(saved, name).dtype
        assert getattr(loaded, name).tolist() == getattr(saved, name).tolist()
    for name in ("ngram", "num_perm", "zstd_ratio", "sizes", "members"):
        assert getattr(loaded, name) == getattr(saved, name)
    assert loaded.names.equals(saved.names)
    copy_folder = tmp_path / "again"
    loaded.save(str(copy_folder))
    write_part(str(copy_folder), 0, members_of(pool=20))
    written = {path for path in tmp_path.rglob("*.*") if path.is_relative_to(copy_folder)}
    names = {str(path.relative_to(copy_folder)) for path in written}
    assert names == {*REFERENCE_FILES, part_file(0)} == {*reference_files(str(copy_folder))}
    for path in written:
        mine, theirs = path, tmp_path / path.relative_to(copy_folder)
        if path.suffix == ".parquet":
            assert pq.read_table(mine).equals(pq.read_table(theirs))
        else:
            assert mine.read_bytes() == theirs.read_bytes()
    copied = tmp_path / "copied"
    write_part(str(copied), 1, members_of(pool=1))  # of another reference
    copy_reference(str(copy_folder), str(copied))
    assert load_reference(str(copied), "e-1").fingerprint() == saved.fingerprint()
    assert {*reference_files(str(copied))} == names


def test_a_reference_of_too_little_text_has_no_ratio(tmp_path: Path) -> None:
    saved = dataclasses.replace(reference(pool=2), zstd_ratio=None)
    saved.save(str(tmp_path))
    write_part(str(tmp_path), 0, members_of(pool=2))
    assert load_reference(str(tmp_path), "e-1").zstd_ratio is None


def test_the_fingerprint_tells_every_part_apart() -> None:
    first, second = reference(pool=5), reference(1, pool=5)
    changed = [
        dataclasses.replace(first, **{name: getattr(second, name)})
        for name in ("codebook", "second_codebook", "counts", "held_out", "ngrams", "pool", "rare")
    ]
    changed += [
        dataclasses.replace(first, **{name: getattr(second, name)})
        for name in ("members", "repeats")
    ]
    changed += [
        dataclasses.replace(first, human=False),
        dataclasses.replace(first, embedder="e-2"),
        dataclasses.replace(first, thresholds=Thresholds(density=200, dot=11)),
        dataclasses.replace(first, thresholds=dataclasses.replace(first.thresholds, bands=BANDS)),
        dataclasses.replace(
            first,
            second_codebook=dataclasses.replace(
                first.second_codebook, weights=first.second_codebook.weights[::-1]
            ),
        ),
    ]
    prints = [first.fingerprint(), *(reference.fingerprint() for reference in changed)]
    assert len(set(prints)) == len(prints)
    assert reference(pool=5).fingerprint() == first.fingerprint()


def test_another_embedder_format_or_folder_is_refused_by_name(tmp_path: Path) -> None:
    SMALL.save(str(tmp_path))
    named = r"was made with embedder static MiniLM table \(e-1\), .* \(e-2\), .*, or make it"
    with pytest.raises(ConfigError, match=named):
        load_reference(str(tmp_path), "e-2")
    with pytest.raises(ConfigError, match=r"empty holds no reference\.json"):
        load_reference(str(tmp_path / "empty"), "e-1")
    path = tmp_path / "reference.json"
    value = json.loads(path.read_text())
    for version in ({"format_version": VERSION - 1}, {"text_version": 1}, {"text_version": None}):
        path.write_text(json.dumps(value | version))
        with pytest.raises(ConfigError, match=r"an older outcross: .* is needed; make it anew: `"):
            load_reference(str(tmp_path), "e-1")


def test_the_command_that_makes_it_anew_has_the_files_that_it_was_made_of(tmp_path: Path) -> None:
    SMALL.save(str(tmp_path))
    source = {"files": ["a b/*.jsonl", "c.parquet"], "text_field": "answer"}
    chats = {"files": ["c.jsonl"], "text_field": ["a", "b"], "roles": ["user"]}
    for configuration, command in (
        ({"sources": [source]}, "--human 'a b/*.jsonl' --human c.parquet --text-field answer"),
        ({"sources": [chats]}, "--human c.jsonl --text-field a --text-field b --roles user"),
        ({"sources": []}, "--human FILES"),
        ([], "--human FILES"),
    ):
        manifest = {"configuration": configuration}
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(ConfigError) as error:
            load_reference(str(tmp_path), "e-2")
        assert f"`outcross reference build {command} --out {tmp_path}`" in str(error.value)
    (tmp_path / "manifest.json").unlink()  # as in a run's own folder, which nothing may replace
    with pytest.raises(ConfigError, match=r"--human FILES --out REFERENCE`, .* and a new folder"):
        load_reference(str(tmp_path), "e-2")


def test_files_of_two_references_are_not_taken_for_one(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 1)):
        reference(seed, pool=2).save(str(tmp_path / name))
        write_part(str(tmp_path / name), 0, members_of(seed, pool=2))
    for name in ("arrays.npz", "ngrams.bin", POOL_FILES[0]):
        mixed = tmp_path / f"mixed-{name.replace('/', '-')}"
        shutil.copytree(tmp_path / "a", mixed)
        shutil.copy(tmp_path / "b" / name, mixed / name)
        with pytest.raises(ConfigError, match="belong to different references"):
            load_reference(str(mixed), "e-1")


def test_a_damaged_reference_is_refused_by_its_folder(tmp_path: Path) -> None:
    """Cut, overwritten, emptied, gone: no file of it leads anywhere but to a message."""
    draw = random.Random(3)
    saved = reference(pool=20)
    fingerprint = saved.save(str(tmp_path))
    write_part(str(tmp_path), 0, members_of(pool=20))
    for name in REFERENCE_FILES:
        path = tmp_path / name
        data_before = path.read_bytes()
        cuts = [data_before[: len(data_before) * part // 8] for part in range(8)]
        holes = [
            data_before[:at] + data_before[at + 50 :]
            for at in draw.choices(range(len(data_before) - 50), k=8)
        ]
        flips = []
        for _ in range(24):
            changed = bytearray(data_before)
            for at in draw.choices(range(len(data_before)), k=20):
                changed[at] = draw.randrange(256)
            flips.append(bytes(changed))
        refused = []
        for damaged in (*cuts, *holes, *flips, b"[]", b"{}", None):
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            try:
                # What is said of the clusters alone may be changed without being noticed.
                assert load_reference(str(tmp_path), "e-1").fingerprint() == fingerprint
            except ConfigError as error:
                refused.append(str(error))
            else:
                assert damaged not in (*cuts, b"[]", b"{}", None), name
        assert len(refused) >= 0.8 * (len(cuts) + len(holes) + len(flips))
        assert all(str(tmp_path) in message for message in refused)
        path.write_bytes(data_before)
    assert load_reference(str(tmp_path), "e-1").fingerprint() == fingerprint


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
    thresholds = set_thresholds(dot, density, BANDS)
    assert thresholds.density in density
    assert thresholds.dot in dot
    for values, at, share in ((density, thresholds.density, 0.2), (dot, thresholds.dot, 0.01)):
        assert (values < at).sum() <= int(share * n)
        assert (values <= at).sum() > int(share * n)
    order = rng.permutation(n)
    assert set_thresholds(dot[order], density[order], BANDS) == thresholds


def test_a_fifth_of_what_fitted_nothing_is_tail_and_a_hundredth_off_support() -> None:
    rng = np.random.default_rng(0)
    dot = rng.normal(30_000, 9_000, 60_000).astype(np.int32)
    density = rng.integers(0, 2**55, 60_000)
    thresholds = set_thresholds(dot[:30_000], density[:30_000], BANDS)
    classes = thresholds.classify(dot[30_000:], density[30_000:], inside(30_000))
    share = np.bincount(classes, minlength=3) / 30_000
    assert share[OFF_SUPPORT] == pytest.approx(0.01, abs=0.002)
    assert share[TAIL] == pytest.approx(0.2 * 0.99, abs=0.01)
    assert share[HEAD] == pytest.approx(0.8 * 0.99, abs=0.01)


def test_off_support_comes_before_tail_and_the_threshold_itself_is_inside() -> None:
    thresholds = Thresholds(density=10, dot=5)
    dot, density = np.array([5, 4, 5, 4], np.int32), np.array([10, 10, 9, 9])
    classes = thresholds.classify(dot, density, inside(4))
    assert classes.tolist() == [HEAD, OFF_SUPPORT, TAIL, OFF_SUPPORT]


@pytest.mark.parametrize("m", range(SURFACE_MEASURES))
def test_a_surface_out_of_any_band_is_off_support_wherever_the_text_lies(m: int) -> None:
    thresholds = Thresholds(density=10, dot=5, bands=BANDS)
    surface = inside(5)
    surface[:, m] = [9, 10, 15, 20, 21]
    classes = thresholds.classify(np.full(5, 50, np.int32), np.full(5, 50), surface)
    assert classes.tolist() == [OFF_SUPPORT, HEAD, HEAD, HEAD, OFF_SUPPORT]


def test_without_text_for_thresholds_nothing_is_called_rare() -> None:
    none = set_thresholds(np.zeros(0, np.int32), np.zeros(0, np.int64), Bands())
    classes = none.classify(np.array([-64_516, 0], np.int32), np.array([0, 7]), inside(2))
    assert classes.tolist() == [HEAD, HEAD]


def test_shares_are_smoothed_by_half_a_mean_document() -> None:
    small = reference(pool=2)
    for column in (small.counts.tokens, small.counts.documents):
        column[:] = 0
    small.counts.tokens[:3] = [100, 0, 50]
    small.counts.documents[:3] = [2, 0, 1]
    expected = np.array([125, 25, 75, *[25] * (TOPICS - 3)])
    assert small.shares == pytest.approx(expected / expected.sum())
    small.counts.tokens[:] = 0
    assert small.shares == pytest.approx(np.full(TOPICS, 1 / TOPICS))


def test_a_reference_without_its_members_is_refused(tmp_path: Path) -> None:
    SMALL.save(str(tmp_path))
    with pytest.raises(ConfigError, match=r"is damaged .*part-00000\.npy is missing"):
        load_reference(str(tmp_path), "e-1")


def test_a_reference_that_has_not_changed_is_loaded_once(tmp_path: Path) -> None:
    SMALL.save(str(tmp_path))
    write_part(str(tmp_path), 0, members_of(pool=2))
    first = load_reference(str(tmp_path), "e-1")
    assert load_reference(str(tmp_path), "e-1") is first
    other = reference(1, pool=2)
    other.save(str(tmp_path))
    write_part(str(tmp_path), 0, members_of(1, pool=2))
    assert load_reference(str(tmp_path), "e-1").fingerprint() == other.fingerprint()


def test_what_the_clusters_are_about_stands_in_a_file_of_its_own(tmp_path: Path) -> None:
    SMALL.save(str(tmp_path))
    rows = pq.read_table(tmp_path / CLUSTERS).to_pylist()
    assert rows == [{"cluster": 0, "words": ["a"], "texts": ["b", "c"]}]


SMALL = reference(pool=2)

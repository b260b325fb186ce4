"""Bands: what shares a value is grouped, however it is shuffled."""

from collections import defaultdict

import numpy as np

from outcross.transforms.base import files
from outcross.transforms.dedup.group_bands import GroupBands
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.text.minhash import band_values
from tests.support.corpora import NUM_PERM, over, paragraphs, sketched, source, write_jsonl

BANDS, ROWS = 20, 3


def test_groups_are_those_that_share_a_value(tmp_path):
    texts = paragraphs()[:60]
    rows = [{"text": text + " and more" * (i % 3)} for i in range(3) for text in texts[i * 10 :]]
    sources = [source("s", "synthetic", write_jsonl(tmp_path / "s.jsonl", rows))]
    sketches = sketched(tmp_path / "s", sources, unit_bytes=9000)
    assert len(sketches.units) > 3
    rng = np.random.default_rng(1)
    rank = rng.permutation(len(rows))
    rank[rng.random(len(rows)) < 0.3] = -1
    rank[: sketches.offsets[1]] = -1  # a unit that takes no part
    folder = tmp_path / "ranks"
    folder.mkdir()
    for unit, part in sketches.per_unit(rank):
        files.write_array(unit_file(str(folder), unit.index, "npy"), part)

    signatures = sketches.matrix("signature", np.arange(len(rows)), np.uint32)
    values = band_values(signatures, BANDS, ROWS)
    assert signatures.shape == (len(rows), NUM_PERM)
    together = defaultdict(set)
    for document in np.flatnonzero(rank >= 0).tolist():
        for value in values[document].tolist():
            together[value].add(int(rank[document]))
    expected = {value: ranks for value, ranks in together.items() if len(ranks) > 1}
    assert len(expected) > 100

    found = defaultdict(list)
    for turn, (bits, spills) in enumerate([(1, False), (6, True)]):
        groups, spill = tmp_path / f"groups{turn}", tmp_path / f"spill{turn}"
        for made in (groups, spill):
            made.mkdir()
        lanes = [sketches.units[i :: turn + 2] for i in range(turn + 2)]
        on_disk = str(spill) if spills else None
        bands = GroupBands(sketches.paths, str(folder), str(groups), BANDS, ROWS, bits, on_disk)
        over(lanes, bands)
        assert spills == any(spill.iterdir())
        for path in files.list_files(f"{groups}/part-*.npy"):
            for value, member in files.read_array(path).tolist():
                assert f"part-{value >> (64 - bits):04d}.npy" in path
                found[turn, value].append(member)
    for turn in (0, 1):
        assert {value: ranks for (t, value), ranks in found.items() if t == turn} == {
            value: sorted(ranks) for value, ranks in expected.items()
        }

"""Members: fingerprints in parts by their leading bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.reference.members import (
    DOCUMENTS_A_PART,
    Members,
    MembersPart,
    part_bits,
    part_file,
    part_of,
    write_part,
)

# Few halves, so that some are the same, and the smallest and largest ones that there are.
HALVES = st.sampled_from([0, 1, 2, 2**62, 2**63, 2**64 - 2, 2**64 - 1])
PAIRS = st.lists(st.tuples(HALVES, HALVES), max_size=25)


def write(folder: Path, rows: np.ndarray, bits: int) -> Members:
    """Write members in parts."""
    part = part_of(rows[:, 0], bits)
    return Members(tuple(write_part(str(folder), p, rows[part == p]) for p in range(1 << bits)))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.tuples(HALVES, HALVES)), PAIRS, st.integers(0, 3))
def test_members_are_found_in_any_number_of_parts(
    tmp_path: Path, pairs: set[tuple[int, int]], asked: list[tuple[int, int]], bits: int
) -> None:
    rows = np.array(sorted(pairs, key=hash), np.uint64).reshape(-1, 2)
    members = write(tmp_path, rows, bits)
    assert members.bits == bits
    assert members.total == MembersPart.of(rows[::-1])
    assert Members.from_json(members.to_json()) == members
    hi, lo = np.array(asked, np.uint64).reshape(-1, 2).T
    known = members.holds(str(tmp_path), hi, lo)
    assert known.tolist() == [pair in pairs for pair in asked]
    parts = [members.read(str(tmp_path), number).tolist() for number in range(1 << bits)]
    assert [tuple(pair) for part in parts for pair in part] == sorted(pairs)
    assert members.files == [part_file(number) for number, part in enumerate(parts) if part]


def test_parts_hold_a_bounded_number_of_documents() -> None:
    sizes = [0, 1, DOCUMENTS_A_PART, DOCUMENTS_A_PART + 1, 10 * DOCUMENTS_A_PART]
    assert [part_bits(size) for size in sizes] == [0, 0, 0, 1, 4]


def test_other_members_have_another_total() -> None:
    rows = np.random.default_rng(0).integers(0, 2**64, (9, 2), dtype=np.uint64)
    changed = [rows[:8], rows ^ np.uint64(1), rows[:, ::-1], np.concatenate([rows, rows[:1]])]
    totals = {MembersPart.of(other) for other in (rows, *changed)}
    assert len(totals) == 5
    joined = MembersPart.of(rows[:4]).add(MembersPart.of(rows[4:]))
    assert joined == MembersPart.of(rows)


def test_a_damaged_part_is_refused_by_its_path(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 2**64, (50, 2), dtype=np.uint64)
    members = write(tmp_path, rows, 1)
    path = tmp_path / part_file(1)
    data = path.read_bytes()
    for damaged in (data[:-1], data[:-16], b"", data[:-1] + bytes([data[-1] ^ 1]), None):
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"part-00001\.npy is damaged"):
            members.read(str(tmp_path), 1)
    assert len(members.read(str(tmp_path), 0)) == members.parts[0].documents
    files.write_array(str(path), rows)
    with pytest.raises(ConfigError, match=r"part-00001\.npy is damaged"):
        members.holds(str(tmp_path), *rows.T.copy())


def test_parts_are_a_power_of_two() -> None:
    part = [1, "0", "0"]
    with pytest.raises(ValueError, match="3 parts"):
        Members.from_json([part] * 3)

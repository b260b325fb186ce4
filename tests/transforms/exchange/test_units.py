"""Units keep their pieces and seals in JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from outcross.schemas.documents import Piece, Seal, Unit
from outcross.transforms.exchange.units import unit_from
from outcross.transforms.inputs.seals import BLOCK, digests_of, identify_all, seal_units


def test_units_come_back_from_json_with_the_present_path_of_the_digests(tmp_path: Path) -> None:
    large, small = tmp_path / "a", tmp_path / "b"
    large.write_bytes(b"x" * 3 * BLOCK)
    small.write_bytes(b"x")
    pieces = (
        Piece(str(large), "jsonl", 0, -1, 1, columns=(("day", "1"),)),
        Piece(str(small), "jsonl", 0, -1, 1),
    )
    identities = identify_all([str(large), str(small)], 2)
    digests = tmp_path / "digests"
    digests.write_bytes(digests_of(identities))
    (unit,) = seal_units([Unit(3, 1, pieces, passages_of=2)], identities, str(digests))
    value = json.loads(json.dumps(asdict(unit)))
    moved = unit_from(value, "/elsewhere/digests")
    assert moved.pieces[0].seal is not None
    assert moved.pieces[0].seal.digests == "/elsewhere/digests"
    assert unit_from(value, str(digests)) == unit
    assert isinstance(unit.pieces[1].seal, Seal)
    assert unit.pieces[1].seal.digests == ""

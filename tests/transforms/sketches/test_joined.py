"""Two folders of sketches as one."""

import numpy as np
import pytest

from outcross.transforms.sketches.joined import JoinedSketches
from tests.support.columns import by_unit, matrix_of, numbers, word_runs
from tests.support.corpora import HeldSketches, sketched, source, strings, write_jsonl


def rows(name, n):
    return [{"id": f"{name}{i}", "text": f"{name} text {i} " + "word " * i} for i in range(n)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("joined")

    def made(name, sources, unit_bytes):
        given = [
            source(
                f"{name}{number}",
                "human",
                *[write_jsonl(folder / f"{one}.jsonl", rows(one, n)) for one, n in parts],
                id_field="id",
            )
            for number, parts in enumerate(sources)
        ]
        return sketched(folder / name, given, unit_bytes), len(given)

    one = made("one", [[("a", 9), ("b", 0)], [("c", 5)]], 150)
    other = made("two", [[("d", 4)], [("e", 7), ("f", 2)], [("g", 1)]], 200)
    return one, other


def test_documents_are_counted_through(folders):
    (one, _), (other, _) = folders
    joined = JoinedSketches(folders)
    n = len(one)
    assert len(joined) == n + len(other) == 14 + 14
    assert [unit.index for unit in joined.units] == list(range(len(one.units) + len(other.units)))
    for unit, part in by_unit(joined, np.arange(len(joined))):
        assert len(part) == joined.table(unit.index, ["id"]).num_rows
    ids = strings(joined, "id").to_pylist()
    assert ids == strings(one, "id").to_pylist() + strings(other, "id").to_pylist()
    assert ids[:9] == [f"a{i}" for i in range(9)]
    for column in ("row_hash", "length", "fingerprint_hi"):
        both = np.concatenate([numbers(one, column), numbers(other, column)])
        assert (numbers(joined, column) == both).all()

    of = np.repeat([unit.source for unit in joined.units], np.diff(joined.offsets))
    named = {"a": 0, "b": 0, "c": 1, "d": 2, "e": 3, "f": 3, "g": 4}
    assert of.tolist() == [named[name[0]] for name in ids]


def test_some_documents_of_both(folders):
    (one, _), (other, _) = folders
    joined = JoinedSketches(folders)
    chosen = np.array([0, 3, 12, 13, 14, 15, 20, 27])
    own, others = chosen[chosen < 14], chosen[chosen >= 14] - 14
    matrix = matrix_of(joined, "signature", chosen, np.uint32)
    assert (matrix[: len(own)] == matrix_of(one, "signature", own, np.uint32)).all()
    assert (matrix[len(own) :] == matrix_of(other, "signature", others, np.uint32)).all()
    shuffled = chosen[::-1]
    offsets, words = word_runs(joined, shuffled)
    for place, document in enumerate(shuffled):
        part = one if document < 14 else other
        _, expected = word_runs(part, np.array([document % 14]))
        assert words[offsets[place] : offsets[place + 1]].tolist() == expected.tolist()


def test_the_parts_stay_as_they_are(folders):
    before = [[(unit.index, unit.source) for unit in part.units] for part, _ in folders]
    JoinedSketches(folders)
    joined = JoinedSketches([*folders, *folders])
    assert len(joined) == 56
    assert max(unit.source for unit in joined.units) == 9
    after = [[(unit.index, unit.source) for unit in part.units] for part, _ in folders]
    assert after == before


def test_rows_of_a_file_are_counted_within_their_part(folders):
    """A file that both runs read is another one in each."""
    (one, sources), _ = folders
    joined = JoinedSketches([(one, sources), (one, sources)])
    bases = [own.bases.tolist() for own in one.places]
    assert max(map(max, bases)) > 0
    assert [own.bases.tolist() for own in joined.places] == bases * 2


def test_a_part_without_units():
    held = HeldSketches([])
    held.paths = []
    joined = JoinedSketches([(held, 3)])
    assert len(joined) == 0
    assert numbers(joined, "length").tolist() == []

"""Reading sketches: the units and rows of some documents."""

import numpy as np
import pyarrow as pa

from outcross.transforms.reading.read import read_unit
from outcross.transforms.text.minhash import signatures
from outcross.transforms.text.words import split_words
from tests.support.columns import matrix_of
from tests.support.corpora import sketched


def test_rows_hold_the_documents_asked_for(tmp_path, corpus):
    sketches = sketched(tmp_path / "s", corpus, unit_bytes=300)
    everything = np.arange(len(sketches))
    whole = matrix_of(sketches, "signature", everything, np.uint32)
    texts = [
        text
        for unit in sketches.units
        for block in read_unit(unit, corpus[unit.source])
        for text in block.text.to_pylist()
    ]
    assert (whole == signatures(split_words(pa.array(texts)), 5, 128)).all()
    rng = np.random.default_rng(1)
    for size in (0, 1, 5, 40):
        chosen = np.sort(rng.choice(len(sketches), size, replace=False))
        if size:
            found = matrix_of(sketches, "signature", chosen, np.uint32)
            assert (found == whole[chosen]).all()
        assert (matrix_of(sketches, "embedding", chosen, np.int8).shape[0]) == size
        places = np.concatenate([np.zeros(0, int), *(p for *_, p in sketches.rows_of(chosen))])
        assert places.tolist() == list(range(size))
        back = [
            sketches.offsets[u] + row for u, rows, _ in sketches.rows_of(chosen) for row in rows
        ]
        assert back == chosen.tolist()

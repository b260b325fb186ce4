"""A corpus of all that may stand in rows."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.corpora import source

ROWS = [
    {"text": f"Text number {i} says {'word ' * (i % 7)}", "id": f"d{i}", "kind": f"k{i % 3}"}
    for i in range(60)
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """JSONL with blank, broken and filtered rows, gzip, and Parquet in row groups."""
    folder = tmp_path_factory.mktemp("corpus")
    lines = []
    for i, row in enumerate(ROWS[:30]):
        lines.append(json.dumps(row | {"n": i}))
        lines += {
            3: ["", "{broken"],
            11: ['{"text": 5, "kind": "k0"}'],
            20: ['{"text": " ", "kind": "k1"}', ""],
        }.get(i, [])
        if i % 10 == 9:
            lines.append(json.dumps({"text": "left out", "kind": "other"}))
    jsonl = folder / "a.jsonl"
    jsonl.write_text("\n".join(lines) + "\n")
    rows = [row | {"n": i / 2, "more": [i]} for i, row in enumerate(ROWS[30:])]
    rows[4]["text"] = None
    table = pa.Table.from_pylist(rows)
    parquet = folder / "b.parquet"
    pq.write_table(table, parquet, row_group_size=7)
    kinds = {"kind": ["k0", "k1", "k2"]}
    return [
        source("lines", "synthetic", jsonl, id_field="id", domain_field="kind", where=kinds),
        source("columns", "human", parquet, id_field="id", domain_field="kind"),
    ]

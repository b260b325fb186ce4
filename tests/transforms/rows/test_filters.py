"""Filters against a plain definition."""

import json
import math
import operator
import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outcross.schemas.sources import Source
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from outcross.transforms.rows.filters import Met, matches

COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else "text"


def fits(value: Any, wanted: Any) -> bool:
    if wanted is None or is_null(value):
        return wanted is None and is_null(value)
    plain = isinstance(value, str | int | float)
    return plain and kind(value) == kind(wanted) and value == wanted


def passes(value: Any, condition: Any) -> bool:
    """Return whether a value passes a condition, as the documentation defines it."""
    if not isinstance(condition, dict):
        wanted = condition if isinstance(condition, list) else [condition]
        return any(fits(value, candidate) for candidate in wanted)
    for key, operand in condition.items():
        if key == "not":
            holds = not passes(value, operand)
        else:
            comparable = not is_null(value) and isinstance(value, str | int | float)
            holds = comparable and kind(value) == kind(operand) and COMPARE[key](value, operand)
        if not holds:
            return False
    return True


BIG = 2**53
integers = st.integers(-3, 3) | st.sampled_from(
    [BIG, BIG + 1, -BIG - 1, 2**63 - 1, -(2**63), 2**63, 2**64, 10**400, -(10**400)]
)
floats = st.sampled_from([-1.5, -0.0, 0.5, 1.0, 2.0**53, 2.0**53 + 2, 9.3e18, -9.3e18, 1e300])
strings = st.sampled_from(["", "a", "ab", "b", "é", "😀", "no", "1"])
scalars = strings | integers | floats
lists = st.lists(scalars | st.none(), min_size=1, max_size=3)
conditions = (
    scalars
    | st.booleans()
    | st.none()
    | lists
    | st.dictionaries(st.sampled_from([*COMPARE]), scalars, min_size=1, max_size=2)
    | st.fixed_dictionaries({"not": scalars | st.none() | lists}, optional={">=": scalars})
)
small = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3) | st.sampled_from([BIG, BIG + 1])
columns = st.one_of(
    st.lists(st.none() | small, min_size=1, max_size=6),
    st.lists(st.none() | floats | st.just(math.nan), min_size=1, max_size=6),
    st.lists(st.none() | strings, min_size=1, max_size=6),
    st.lists(st.none() | st.booleans(), min_size=1, max_size=6),
)
mixed = st.lists(
    st.none() | strings | st.integers(-3, 3) | st.booleans() | st.just([1]) | st.just({"x": 1}),
    min_size=1,
    max_size=6,
)


@settings(max_examples=500, deadline=None)
@given(columns, conditions)
def test_a_filter_keeps_what_the_definition_says(values: list[Any], condition: Any) -> None:
    batch = pa.record_batch([pa.array([None, *values])], names=["v"]).slice(1)
    result = matches(batch, {"v": condition})
    assert result.kept.tolist() == [passes(value, condition) for value in values]
    (met,) = result.met
    assert met.there == sum(not is_null(value) for value in values)
    assert met.kept == np.count_nonzero(result.kept)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(columns | mixed, conditions)
def test_blocks_and_formats_don_t_matter(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], condition: Any
) -> None:
    folder = tmp_path_factory.mktemp("filters")
    rows = [{"text": "x", **({} if value is None else {"v": value})} for value in values]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    expected = [place for place, value in enumerate(values) if passes(value, condition)]

    def kept(name: str, batch_bytes: int) -> tuple[list[int], Met]:
        path = str(folder / name)
        source = Source(name="s", role="human", files=[path], where={"v": condition})
        [unit] = plan_units([source])
        blocks = list(read_unit(unit, source, batch_bytes))
        assert sum(block.filtered for block in blocks) == len(values) - len(expected)
        total = Met.total([block.met[0] for block in blocks])
        return [int(row) for block in blocks for row in block.rows], total

    single, in_one = kept("a.jsonl", 8 << 20)
    cut, in_many = kept("a.jsonl", 1)
    assert single == cut == expected
    assert (in_one.there, in_one.kept, in_one.hits, in_one.kinds) == (
        in_many.there,
        in_many.kept,
        in_many.hits,
        in_many.kinds,
    )
    try:
        table = pa.table({"text": ["x"] * len(values), "v": values})
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return
    pq.write_table(table, folder / "a.parquet")
    in_parquet, total = kept("a.parquet", 8 << 20)
    assert in_parquet == expected
    assert (total.there, total.kept, total.hits) == (in_one.there, in_one.kept, in_one.hits)


@pytest.mark.parametrize(
    "kind_", [pa.int8(), pa.uint8(), pa.uint64(), pa.float32(), pa.float16(), pa.decimal128(9, 2)]
)
def test_numbers_of_all_types_are_compared_as_they_are(kind_: pa.DataType) -> None:
    plain = [0, 1, 7, None]
    if pa.types.is_decimal(kind_):
        values = pa.array(plain, pa.int32()).cast(pa.decimal128(12, 2)).cast(kind_)
    elif pa.types.is_float16(kind_):
        values = pa.array([None if v is None else np.float16(v) for v in plain], kind_)
    else:
        values = pa.array(plain, kind_)
    batch = pa.record_batch([values], names=["v"])
    for condition in (1, 1.0, 0.5, 300, -1, {">": 0.5}, {"<=": 1}, {">=": -1}, {"<": 10**30}):
        kept = matches(batch, {"v": condition}).kept
        assert kept.tolist() == [passes(value, condition) for value in plain], condition


def test_keys_count_each_by_itself_and_values_are_shown_where_none_is_kept() -> None:
    long = "x" * 99
    batch = pa.RecordBatch.from_pylist(
        [{"lang": "en", "n": 1, "t": long}, {"lang": "de", "n": None, "t": long}, {"lang": "de"}]
    )
    result = matches(batch, {"lang": ["de", "xx"], "n": {">": 1, "not": None}, "t": "x", "no": 1})
    assert not result.kept.any()
    assert result.met == (
        Met(3, 2, (2, 0), ("a string",)),
        Met(1, 0, (0, 2), ("a number",), ("1",)),
        Met(2, 0, (0,), ("a string",), ('"' + "x" * 38 + "…",)),
        Met(0, 0, (0,)),
    )


def test_counts_of_stretches_add_up() -> None:
    parts = [
        Met(1, 0, (1, 0), ("a string",), ("1", "2", "3", "4", "5")),
        Met(2, 1, (0, 3), ("a boolean",), ("5", "6", "7", "8", "9")),
    ]
    assert Met.total(parts) == Met(
        3, 1, (1, 3), ("a boolean", "a string"), ("1", "2", "3", "4", "5", "6", "7", "8")
    )


def test_filters_need_no_pandas():
    """Filter without pandas, which Arrow imports for some conversions if it is installed."""
    script = (
        "import sys\n"
        "class NoPandas:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'pandas': raise ImportError(name)\n"
        "sys.meta_path.insert(0, NoPandas())\n"
        "import pyarrow as pa\n"
        "from outcross.transforms.rows.filters import matches\n"
        "from outcross.schemas.config import Source\n"
        "where = {'n': {'>=': 2}, 'x': {'<': 1}, 't': 'a', 'm': {'not': [3]}}\n"
        "source = Source(name='s', role='human', files=['f'], where=where)\n"
        "rows = [{'n': i, 'x': .5, 't': 'a', 'm': i} for i in range(4)]\n"
        "batch = pa.RecordBatch.from_pylist(rows)\n"
        "print(matches(batch, source.where).kept.tolist())\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[False, False, True, False]"

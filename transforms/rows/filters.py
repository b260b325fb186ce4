"""Apply the filter of a source to rows, and count the values that its keys meet."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.schemas.columns import canonical, plain
from outcross.schemas.where import Clause, Scalar, clauses
from outcross.transforms.rows.fields import find, is_text, kind_of, kind_of_type, mask_of

_Mask = NDArray[np.bool_]
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_INSPECTED = 100  # values of a block that are searched for examples
_EXAMPLES, _CHARACTERS = 8, 40


@dataclass(frozen=True)
class Met:
    """Counts of the values that one key of a filter met in some rows.

    Attributes:
        there: number of rows in which the key has a value.
        kept: number of rows that pass the key's condition.
        hits: number of matching rows for each value of the condition's clauses, in their order.
        kinds: JSON's names for the types of the values.
        values: the first distinct values as JSON, from blocks in which no row was kept.
    """

    there: int
    kept: int
    hits: tuple[int, ...]
    kinds: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Met:
        """Return the counts from JSON of their `dataclasses.asdict`."""
        lists = {name: tuple(value[name]) for name in ("hits", "kinds", "values")}
        return cls(there=value["there"], kept=value["kept"], **lists)

    @classmethod
    def total(cls, parts: Sequence[Met]) -> Met:
        """Return the sum over blocks of rows, in their order."""
        return cls(
            there=sum(part.there for part in parts),
            kept=sum(part.kept for part in parts),
            hits=tuple(map(sum, zip(*(part.hits for part in parts), strict=True))),
            kinds=tuple(sorted({kind for part in parts for kind in part.kinds})),
            values=tuple(dict.fromkeys(v for part in parts for v in part.values))[:_EXAMPLES],
        )


@dataclass(frozen=True)
class Filtered:
    """Result of a filter for n rows.

    Attributes:
        kept: bool[n], True for rows that pass.
        met: counts for each key, in the filter's order.
    """

    kept: _Mask
    met: tuple[Met, ...]


def matches(batch: pa.RecordBatch, where: Mapping[str, Any]) -> Filtered:
    """Apply a filter: a row is kept if the conditions of all keys hold.

    Strings are compared with strings by code points, numbers with numbers exactly, booleans with
    booleans. Missing values and NaN are null. Null equals null only, and nested values equal
    nothing. `not` holds where no value is equal.

    Args:
        batch: n rows.
        where: condition for each dotted path, as in `outcross.schemas.where`.
    """
    kept = np.ones(batch.num_rows, bool)
    met = []
    for path, condition in where.items():
        values = find(batch, path)
        if not isinstance(values, list) and pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        passing = np.ones(batch.num_rows, bool)
        hits: list[int] = []
        for clause in clauses(condition):
            fits = [_fits(values, clause, value) for value in clause.values]
            hits += [int(np.count_nonzero(fit)) for fit in fits]
            either = np.logical_or.reduce(fits)
            passing &= ~either if clause.operator == "not" else either
        present = ~_null(values)
        met.append(
            Met(
                there=int(np.count_nonzero(present)),
                kept=int(np.count_nonzero(passing)),
                hits=tuple(hits),
                kinds=_kinds(values, present),
                values=() if passing.any() else _first(values, present),
            )
        )
        kept &= passing
    return Filtered(kept, tuple(met))


def _fits(values: pa.Array | list[Any], clause: Clause, value: Scalar | None) -> _Mask:
    if value is None:
        return _null(values)
    if clause.operator in _COMPARE:
        return _compared(values, clause.operator, value)
    return _equal(values, value)


def _null(values: pa.Array | list[Any]) -> _Mask:
    if isinstance(values, list):
        nan = (isinstance(v, float) and math.isnan(v) for v in values)
        return np.array([v is None or is_nan for v, is_nan in zip(values, nan, strict=True)], bool)
    return mask_of(_float64(values).is_null(nan_is_null=True))


def _kinds(values: pa.Array | list[Any], present: _Mask) -> tuple[str, ...]:
    if isinstance(values, list):
        return tuple(sorted({kind_of(values[row]) for row in np.flatnonzero(present)}))
    return (kind_of_type(values.type),) if present.any() else ()


def _first(values: pa.Array | list[Any], present: _Mask) -> tuple[str, ...]:
    at = np.flatnonzero(present)[:_INSPECTED]
    if isinstance(values, list):
        texts = [canonical(values[row]) for row in at]
    else:
        texts = [canonical(value) for value in plain(values.take(pa.array(at)))]
    cut = (v if len(v) <= _CHARACTERS else v[: _CHARACTERS - 1] + "…" for v in texts if v)
    return tuple(dict.fromkeys(cut))[:_EXAMPLES]


def _float64(values: pa.Array) -> pa.Array:
    """Return decimals and floats as float64, other values unchanged."""
    type_ = values.type
    if pa.types.is_decimal(type_) or pa.types.is_floating(type_):
        return values.cast(pa.float64())
    return values


def _comparable(values: pa.Array, value: Scalar) -> pa.Array | None:
    """Return values in a form that compares with a scalar; None if their types differ."""
    values = _float64(values)
    if kind_of(value) != kind_of_type(values.type):
        return None
    return values.cast(pa.large_string()) if is_text(values.type) else values


def _equal(values: pa.Array | list[Any], value: Scalar) -> _Mask:
    kind = kind_of(value)
    if isinstance(values, list):
        return np.array([kind_of(v) == kind and v == value for v in values], bool)
    array = _comparable(values, value)
    if array is None:
        return np.zeros(len(values), bool)
    if kind == "a number":
        return _at_least(array, value) & ~_at_least(array, value, above=True)
    return mask_of(pc.equal(array, pa.scalar(value, array.type)))


def _compared(values: pa.Array | list[Any], how: str, value: Scalar) -> _Mask:
    kind = kind_of(value)
    if isinstance(values, list):
        compare = _COMPARE[how]
        return np.array([kind_of(v) == kind and compare(v, value) for v in values], bool)
    array = _comparable(values, value)
    if array is None:
        return np.zeros(len(values), bool)
    above = how in (">", "<=")
    if kind == "a number":
        reached = _at_least(array, value, above)
    else:
        compare = pc.greater if above else pc.greater_equal
        reached = mask_of(compare(array, pa.scalar(value, array.type)))
    return reached if how in (">", ">=") else ~_null(array) & ~reached


def _at_least(numbers: pa.Array, limit: Any, above: bool = False) -> _Mask:
    """Return bool[n], True for numbers that reach a limit; exact for all types of both.

    Args:
        numbers: n integers or float64; null and NaN reach nothing.
        limit: integer or float of Python.
        above: True if numbers equal to the limit don't count.
    """
    if pa.types.is_integer(numbers.type):
        least = math.floor(limit) + 1 if above else math.ceil(limit)
        ends = np.iinfo(str(numbers.type))
        if least > ends.max:
            return np.zeros(len(numbers), bool)
        return mask_of(
            pc.greater_equal(numbers, pa.scalar(max(least, int(ends.min)), numbers.type))
        )
    try:
        near = float(limit)
    except OverflowError:  # beyond all floats
        near = math.inf if limit > 0 else -math.inf
    # The nearest float stands for the limit: it is included if it lies above, else excluded.
    beyond = above if near == limit else near < limit
    return mask_of((pc.greater if beyond else pc.greater_equal)(numbers, near))

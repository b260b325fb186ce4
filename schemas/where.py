"""Values of `where`: by column, a value, a list, comparisons, null and not."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator

Scalar = str | int | float | bool
Values = Scalar | None | list[Scalar | None]
Operator = Literal["not", ">", ">=", "<", "<="]
OPERATORS = ("not", ">", ">=", "<", "<=")


class Clause(NamedTuple):
    """One requirement of a column's value.

    Attributes:
        operator: "in" (it equals one of the values), "not" (it equals none), or a comparison.
        values: values of the requirement; a comparison has one, and None stands for missing values.
    """

    operator: str
    values: tuple[Scalar | None, ...]


def _checked(value: Any) -> Any:
    """Return a condition unchanged if it is valid.

    Raises:
        ValueError: naming the value found and the remedy.
    """
    if not isinstance(value, dict):
        _check_values(value)
        return value
    if not value or not set(value) <= set(OPERATORS):
        raise ValueError(
            f"found {value!r:.80}; a value, a list of values, or a mapping with some of the keys "
            f"{', '.join(map(repr, OPERATORS))} is expected"
        )
    for operator, operand in value.items():
        if operator == "not":
            _check_values(operand)
        elif isinstance(operand, bool) or not isinstance(operand, str | int | float):
            raise ValueError(
                f"{operator} compares with a number or a text, found {operand!r:.80}"
                f"{_cure(operand)}"
            )
        else:
            _check_values(operand)
    return value


Condition = Annotated[Values | dict[Operator, Values], BeforeValidator(_checked)]


def _checked_keys(value: Any) -> Any:
    for key in value if isinstance(value, dict) else ():
        if not isinstance(key, str):
            raise ValueError(f"found the key {key!r:.80}; put a column's name in quotes")
    return value


Where = Annotated[dict[str, Condition], BeforeValidator(_checked_keys)]


def _check_values(value: Any) -> None:
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise ValueError("the list is empty, so nothing would be kept; name values")
    for element in values:
        if element is not None and not isinstance(element, str | int | float):
            raise ValueError(
                f"found {element!r:.80}; a text, number, truth value or null is expected"
                f"{_cure(element)}"
            )
        if isinstance(element, float) and not math.isfinite(element):
            raise ValueError(f"found {element}; a finite number is expected (null finds NaN)")
    truths = [element for element in values if isinstance(element, bool)]
    if truths and any(isinstance(element, str) for element in values):
        raise ValueError(f"found {values!r:.120}, truth values among texts; {cure_of(truths[0])}")


def _cure(value: Any) -> str:
    if isinstance(value, bool):
        return "; true and false have no order"
    return "; put a date in quotes" if isinstance(value, date) else ""


def cure_of(truth: bool) -> str:
    """Return what to write where a truth value was meant as a text."""
    if truth:
        return 'YAML reads yes and on as true, so put the text in quotes: "yes"'
    return 'YAML reads no and off as false, so put the text in quotes: "no" for Norwegian'


def clauses(condition: Any) -> list[Clause]:
    """Return the clauses of a condition, all of which must hold."""
    if not isinstance(condition, dict):
        return [Clause("in", _tuple(condition))]
    return [Clause(operator, _tuple(operand)) for operator, operand in condition.items()]


def shown(clause: Clause, value: Scalar | None) -> str:
    """Return one value of a clause in words, such as `>= 0.5`, `= "no"` or `null`."""
    text = json.dumps(value, ensure_ascii=False)
    return f"{clause.operator} {text}" if clause.operator in OPERATORS[1:] else f"= {text}"


def _tuple(values: Any) -> tuple[Scalar | None, ...]:
    return tuple(values) if isinstance(values, list | tuple) else (values,)

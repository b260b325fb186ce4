"""What `where` may say."""

import datetime
from typing import Any

import pytest
import yaml

from outcross.schemas.config import parse
from outcross.schemas.user_input import ConfigError
from outcross.schemas.where import Clause, clauses, shown

SOURCE = {"name": "gpt", "role": "synthetic", "files": ["a.jsonl"]}


def where(text: str) -> Any:
    keys = {"where": yaml.safe_load(text)}
    return parse({"out": "out", "sources": [SOURCE | keys]}).sources[0].where


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("{a: x}", [Clause("in", ("x",))]),
        ("{a: null}", [Clause("in", (None,))]),
        ('{a: [1, "no", null]}', [Clause("in", (1, "no", None))]),
        ("{a: [true, false]}", [Clause("in", (True, False))]),
        ('{a: {">=": 0.5, "<": 1}}', [Clause(">=", (0.5,)), Clause("<", (1,))]),
        ("{a: {not: [de, fr]}}", [Clause("not", ("de", "fr"))]),
        ("{a: {not: null}}", [Clause("not", (None,))]),
        ("{a: {not: false}}", [Clause("not", (False,))]),
    ],
)
def test_conditions_are_clauses_that_all_hold(text: str, asked: list[Clause]) -> None:
    clauses_ = where(text)
    assert clauses(clauses_["a"]) == asked
    source = parse({"out": "out", "sources": [SOURCE | {"where": clauses_}]})
    dumped = source.model_dump(mode="json", exclude_unset=True)
    again = parse(dumped).sources[0].where["a"]
    assert clauses(again) == asked
    kinds = [type(value) for clause in clauses(again) for value in clause.values]
    assert kinds == [type(value) for clause in asked for value in clause.values]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a: [no, en]}", "where.a: found [False, 'en'], truth values among texts; YAML reads no"),
        ("{a: {not: [yes, en]}}", "YAML reads yes and on as true"),
        ("{a: []}", "where.a: the list is empty"),
        ("{a: {}}", "where.a: found {}; a value, a list of values, or a mapping"),
        ("{a: {equals: 1}}", "where.a: found {'equals': 1}; a value"),
        ('{a: {">": yes}}', "> compares with a number or a text, found True; true and false have"),
        ('{a: {">": null}}', "> compares with a number or a text, found None"),
        ('{a: {">": [1, 2]}}', "> compares with a number or a text, found [1, 2]"),
        ('{a: {">": .inf}}', "found inf; a finite number is expected"),
        ("{a: [[1]]}", "found [1]; a text, number, truth value or null is expected"),
        ("{no: x}", "where: found the key False; put a column's name in quotes"),
    ],
)
def test_what_is_wrong_says_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        where(text)
    assert message in str(error.value)


def test_dates_are_put_in_quotes() -> None:
    day = datetime.date(2025, 1, 1)
    for condition in (day, {">=": day}):
        with pytest.raises(ConfigError, match="put a date in quotes"):
            parse({"out": "out", "sources": [SOURCE | {"where": {"day": condition}}]})


def test_values_are_shown_as_they_are_asked() -> None:
    assert shown(Clause("in", ("é", None)), "é") == '= "é"'
    assert shown(Clause("not", (None,)), None) == "= null"
    assert shown(Clause(">=", (0.5,)), 0.5) == ">= 0.5"

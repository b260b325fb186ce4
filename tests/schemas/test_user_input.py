"""Errors in what users write name the key, what was found and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outcross.schemas.config import parse
from outcross.schemas.gates import load_gates
from outcross.schemas.user_input import ConfigError

SOURCE = {"name": "gpt", "role": "synthetic", "files": ["a"]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"max_copies": "lots"},
            "max_copies: must be a mapping of keys, such as {key: value} (found 'lots')",
        ),
        (
            {"tokens": "1e6"},
            "tokens: must be a valid integer, in digits such as 1000000 (found '1e6')",
        ),
        (
            {"sources": [SOURCE | {"pieces": "sentences"}]},
            "sources.gpt.pieces: must be 'sentence' or 'paragraph'; did you mean sentence? "
            "(found 'sentences')",
        ),
        (
            {"sources": [SOURCE | {"pieces": "sentence", "roles": ["assistant"]}]},
            "roles: 'gpt' has roles and pieces, and a piece takes the place of a column of plain "
            "text, not of a conversation; leave one of them out",
        ),
    ],
)
def test_a_wrong_value_is_named_in_plain_words(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse({"out": "out", "sources": [SOURCE]} | values)
    assert str(refused.value) == message


def test_wrong_keys_of_gates_are_named_with_the_nearest_right_one(tmp_path: Path) -> None:
    path = tmp_path / "gates.yaml"
    path.write_text("provenance:\n  rephrase:\n    openings: null\n")
    with pytest.raises(ConfigError, match=r"provenance\.rephrase: must be .* mean rephrased\?"):
        load_gates(str(path))
    path.write_text("opening: null\n")
    with pytest.raises(ConfigError) as refused:
        load_gates(str(path))
    assert "opening: there is no such key; did you mean openings?" in str(refused.value)
    assert "found None" not in str(refused.value)

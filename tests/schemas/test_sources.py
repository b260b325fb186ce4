"""A source says how its texts were made, if it is synthetic."""

from __future__ import annotations

from typing import Any

import pytest

from outcross.schemas.config import parse
from outcross.schemas.sources import Source, agreed_provenance
from outcross.schemas.user_input import ConfigError


def source(name: str, role: str = "synthetic", **keys: Any) -> dict[str, Any]:
    return {"name": name, "role": role, "files": ["x.jsonl"], **keys}


def configured(*sources: dict[str, Any]) -> list[Source]:
    return parse({"out": "out", "sources": list(sources)}).sources


@pytest.mark.parametrize("role", ["human", "reference", "exclude"])
def test_only_a_synthetic_source_has_a_provenance(role: str) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(source("gpt"), source("people", role, provenance="edited"))
    assert str(refused.value) == (
        f"sources.people: provenance: is edited, but source 'people' has the role {role}; leave it "
        "out, or set the role to synthetic"
    )


def test_another_word_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"sources.gpt.provenance: .*'generated'.*found 'rewritten'"
    ):
        configured(source("gpt", provenance="rewritten"))


@pytest.mark.parametrize(
    ("stated", "agreed"),
    [
        ([None], None),
        (["generated"], "generated"),
        (["rephrased", "rephrased"], "rephrased"),
        (["rephrased", "edited"], None),
        (["rephrased", None], None),
    ],
)
def test_a_corpus_has_a_provenance_where_all_its_synthetic_sources_say_so(
    stated: list[str | None], agreed: str | None
) -> None:
    synthetic = [source(f"s{n}", provenance=each) for n, each in enumerate(stated)]
    others = [source("people", "human"), source("tests", "exclude")]
    assert agreed_provenance(configured(*synthetic, *others)) == agreed


def test_human_text_alone_has_none() -> None:
    assert agreed_provenance(configured(source("people", "human"))) is None

"""lineage.json: what it says is what it said, and nothing else is taken for one."""

from typing import Any

import pytest
from pydantic import ValidationError

from outcross.schemas.lineage import (
    NOTHING,
    Amount,
    ArchivedSource,
    Generation,
    LedgerPart,
    Lineage,
    LineageReport,
    LineageSummary,
    Purchase,
    RankedSource,
)

SOME = {"documents": 3, "tokens": 70}


def generation(**changes: Any) -> dict[str, Any]:
    source = {"name": "gpt", "role": "synthetic", "files": ["/a[[]1].jsonl"], "where": {"ok": True}}
    ranked = {"name": "gpt", "distance": 0.25, "held": SOME, "candidates": SOME}
    return {
        "name": "first",
        "out": "/loop/first",
        "seed": 2**62,
        "reference": "5e",
        "tokens": 1000,
        "fresh": SOME,
        "reused": {"documents": 0, "tokens": 0},
        "bought": [
            {
                "source": "people",
                "file": "ledger/first-1/people.parquet",
                "fields": {"text_field": "messages.1.content"},
                "amount": SOME,
            }
        ],
        "used": None,
        "ngrams": "ledger/first-1/bought.ngrams",
        "sources": [
            {"source": source, "identities": {"/a[1].jsonl": "7-ab"}, "amount": SOME, "ngrams": "x"}
        ],
        "ranking": [ranked],
    } | changes


def test_it_reads_what_it_has_written() -> None:
    lineage = Lineage.model_validate({"generations": [generation(), generation(name="second")]})
    assert Lineage.model_validate_json(lineage.model_dump_json(indent=2)) == lineage
    assert lineage.format_version == 2
    assert lineage.ledger == Amount(documents=6, tokens=140)
    assert Lineage().ledger == NOTHING
    (part,) = lineage.generations[0].bought
    assert part.fields.text_field == "messages.1.content"
    assert lineage.generations[0].sources[0].source.where == {"ok": True}


@pytest.mark.parametrize(
    "wrong",
    [
        {"format_version": 1},
        {"generation": []},
        {"generations": [generation(name=None)]},
        {"generations": [generation(further=1)]},
        {"generations": [generation(tokens=-1)]},
        {"generations": [generation(fresh={"documents": -1, "tokens": 0})]},
        {"generations": [generation(ranking=[{"name": "gpt", "distance": -0.1}])]},
        {"generations": [{key: value for key, value in generation().items() if key != "used"}]},
    ],
)
def test_what_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Lineage.model_validate(wrong)


def test_amounts_add_up_and_nothing_can_be_changed() -> None:
    two = Amount(documents=1, tokens=2) + Amount(documents=3, tokens=4)
    assert two == Amount(documents=4, tokens=6)
    assert sum([two, two], NOTHING) == Amount(documents=8, tokens=12)
    with pytest.raises(ValidationError, match="frozen"):
        two.tokens = 3  # type: ignore[misc]


def test_every_key_has_a_description_in_the_json_schema() -> None:
    models = (
        Lineage,
        LineageSummary,
        LineageReport,
        Generation,
        LedgerPart,
        RankedSource,
        Purchase,
    )
    for model in (*models, ArchivedSource, Amount):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"

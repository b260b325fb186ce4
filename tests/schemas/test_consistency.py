"""Keys that contradict each other are refused; the message says which and what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from outcross.schemas.user_input import ConfigError
from tests.support.configs import HUMAN, SYNTHETIC, config, source

DOMAINS = source(domain_field="kind")
CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"human_tokens": 5, "human_share": 0.2}, "human_tokens or human_share, not both"),
    ({"human_tokens": 2000, "tokens": 1000}, "human_tokens: 2,000 is more than tokens = 1,000"),
    ({"human_tokens": 5, "sources": [SYNTHETIC]}, "human_tokens: is 5, but no source"),
    ({"max_kl": 0.1, "sources": [SYNTHETIC]}, "max_kl: there is no human text"),
    ({"sources": [SYNTHETIC, HUMAN | {"name": "gpt"}]}, "the name 'gpt' is used twice"),
    (
        {"sources": [HUMAN | {"role": "exclude"}]},
        "sources: no source has the role synthetic or human",
    ),
    (
        {"sources": source(removed_by=["people", "tests"])},
        "removed_by of 'gpt' names 'tests', which is no source; the sources are gpt, people",
    ),
    ({"band_threshold": 0.81}, r"band_threshold: 0\.81 is above near_threshold = 0\.8"),
    (
        {"band_threshold": 0.7, "near_threshold": 0.6},
        r"band_threshold: 0\.7 is above near_threshold = 0\.6",
    ),
    ({"boilerplate": 9, "verify": "signature"}, "boilerplate: .*only works with verify: exact"),
    ({"semantic_threshold": 0.95}, r"semantic_threshold: only works with an encoder"),
    (
        {"semantic_threshold": 0.95, "embedder": "static:models/table"},
        r"but the embedder is static:models/table",
    ),
    # pieces
    ({"sources": source(piece_tokens=9)}, "piece_tokens: only works with pieces; set pieces of"),
    (
        {"sources": [SYNTHETIC, HUMAN | {"pieces": "sentence"}]},
        "pieces: 'people' has the role human; only synthetic documents are chosen in pieces",
    ),
    *(
        (
            {"sources": source(pieces="paragraph", **fields)},
            "pieces: the text of 'gpt' is .*name one column of plain text as text_field",
        )
        for fields in (
            {"text_field": ["question", "answer"]},
            {"text_field": "{question} {answer}"},
            {"text_field": "messages.1.content"},
        )
    ),
    (
        {"sources": source(pieces="sentence", prompt_field="prompt")},
        "pieces: 'gpt' has a prompt_field, and a piece of an answer is no answer to its prompt",
    ),
    # domains
    ({"domains": {"a": {}}}, "domains: no source has a domain_field; set one"),
    ({"domains": {"": {}}}, r"domains: a name is empty; use '\*' for"),
    (
        {"sources": DOMAINS, "domains": {"a": {"share": 0.7}, "b": {"share": 0.4}}},
        r"domains: the shares sum to 1\.1",
    ),
    (
        {"sources": DOMAINS, "domains": {"a": {}}, "entropy_floor": 1},
        "entropy_floor: .*each domain",
    ),
    ({"sources": DOMAINS, "domains": {"a": {}}, "max_kl": 1}, "max_kl: doesn't work with domains"),
    (
        {"sources": DOMAINS, "domains": {"a": {}}, "effective_ratio": 0.9},
        "effective_ratio: .*set human_share",
    ),
    # a lineage
    ({"fresh_human_tokens": 5}, "fresh_human_tokens: only works with a lineage; set lineage too"),
    ({"fresh_human_tokens": 0}, "fresh_human_tokens: only works with a lineage"),
    ({"archive": 0}, "archive: only works with a lineage"),
    ({"archive_source": 2}, "archive_source: only works with a lineage"),
    (
        {"lineage": "l", "effective_ratio": 0.9},
        "effective_ratio: doesn't work with a lineage.* human_share",
    ),
    (
        {"lineage": "l", "max_copies": {"human": 2}},
        r"max_copies\.human: is 2, but with a lineage human documents appear once",
    ),
    (
        {"lineage": "l", "human_tokens": 5, "fresh_human_tokens": 6},
        "fresh_human_tokens: 6 is more than human_tokens = 5",
    ),
    ({"max_same_answers": 2}, "max_same_answers: no source has a prompt_field; set one"),
    ({"text_out": "outcross"}, "text_out: the column 'outcross' is taken"),
]


@pytest.mark.parametrize(("changes", "message"), CONTRADICTIONS)
def test_a_contradiction_names_the_key_and_what_would_be_right(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**changes)


def test_what_looks_contradictory_and_is_not() -> None:
    assert config(human_tokens=0, sources=[SYNTHETIC]).human_tokens == 0
    assert config(human_tokens=5, sources=[SYNTHETIC], best_effort=True).human_tokens == 5
    assert config(human_tokens=None, human_share=0.3).human_share == 0.3
    assert config(human_tokens=7, tokens=7).tokens == 7
    assert config(max_kl=0.1, sources=[SYNTHETIC], reference="earlier/reference").max_kl == 0.1
    judged = HUMAN | {"role": "reference"}
    assert config(max_kl=0.1, sources=[SYNTHETIC, judged]).max_kl == 0.1


def test_what_decides_on_repeats_can_be_left_out_or_put_together() -> None:
    assert config(containment=0).containment == 0
    assert config(band_threshold=0.8).band_threshold == 0.8
    prompted = source(prompt_field="asked")
    assert config(max_same_answers=1, sources=prompted).max_same_answers == 1
    assert config(boilerplate=2, verify="exact").boilerplate == 2
    assert config(sources=source(removed_by=[])).sources[0].removed_by == []
    named = source(removed_by=["gpt", "people"])
    assert config(sources=named).sources[0].removed_by == ["gpt", "people"]

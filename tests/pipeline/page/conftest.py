"""A small real run, whose page the tests read."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from outcross.pipeline.commands.run import RunResult, run
from outcross.schemas.config import Config
from tests.support.corpora import paragraphs, write_jsonl
from tests.support.events import event_server


@pytest.fixture(scope="session")
def posted() -> list[dict[str, Any]]:
    """Return the OpenLineage events that the run has posted."""
    return []


@pytest.fixture(scope="session")
def result(tmp_path_factory: pytest.TempPathFactory, posted: list[dict[str, Any]]) -> RunResult:
    """Return the result of a run on 460 answers of a narrow generator and 900 human texts."""
    folder = tmp_path_factory.mktemp("page")
    texts = paragraphs(10)
    draw, words = random.Random(0), " ".join(texts[900:920]).split()
    answers = [{"text": text, "prompt": f"question {i % 50}"} for i, text in enumerate(texts[900:])]
    for answer in answers[250:]:
        answer["text"] = " ".join(draw.sample(words, 30))
    write_jsonl(folder / "synthetic.jsonl", answers)
    domains = ("stories", "facts")
    human = [{"text": text, "domain": domains[i % 2]} for i, text in enumerate(texts[:900])]
    write_jsonl(folder / "human.jsonl", human)
    write_jsonl(folder / "tests.jsonl", [{"text": text} for text in texts[905:908]])
    sources: list[dict[str, Any]] = [
        {"name": name, "role": role, "files": str(folder / f"{name}.jsonl")}
        for name, role in (("synthetic", "synthetic"), ("human", "human"), ("tests", "exclude"))
    ]
    sources[0]["prompt_field"] = "prompt"
    sources[1]["domain_field"] = "domain"
    out = folder / "out"
    keys = {"best_effort": True, "gate": True, "languages": ["en", "no"], "license": "psf-2.0"}
    with event_server(posted) as url:
        config = {"out": str(out), "sources": sources, "openlineage_url": url, **keys}
        return run(Config.model_validate(config))


@pytest.fixture(scope="session")
def manifest(result: RunResult) -> dict[str, Any]:
    """Return the manifest of the run."""
    values: dict[str, Any] = json.loads(Path(result.out, "manifest.json").read_text("utf-8"))
    return values

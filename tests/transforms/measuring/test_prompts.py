"""Prompts are counted and drawn, and their answers compared, the same however they are dealt."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from apache_beam import Create
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.pipeline.engine.engines import pipeline_options, run_pipeline
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.exchange.exchange import Collect, Regroup, Send
from outcross.transforms.measuring.answer_classes import BY_ENCODER
from outcross.transforms.measuring.answers import summarise
from outcross.transforms.measuring.prompts import (
    SHOWN,
    DrawnAnswers,
    PromptCounts,
    draw_prompts,
    read_comparison,
    read_prompts,
    tally,
)
from outcross.transforms.sketches.store import fixed_matrix, packed_runs
from tests.support.references import Documents

SEED = 7


def hash_of(prompt: int) -> int:
    value = np.array([prompt], np.uint64)
    return int(seeded_hash(value, value, SEED, "prompts")[0])


def drawn(answers: dict[int, int], most: int) -> set[int]:
    """Draw prompts with several answers in the order of their hashes, by the definition."""
    several = [prompt for prompt, number in answers.items() if number > 1]
    chosen: set[int] = set()
    for prompt in sorted(several, key=lambda prompt: (hash_of(prompt), prompt)):
        if sum(answers[before] for before in chosen) >= most:
            break
        chosen.add(prompt)
    return chosen


@given(
    st.lists(st.integers(0, 12), max_size=60),
    st.integers(1, 30),
    st.sampled_from([1, 2, 7, 64]),
    st.integers(1, 4),
)
def test_partitions_draw_what_one_draw_would(
    prompts: list[int], most: int, partitions: int, units: int
) -> None:
    sent = []
    for unit in range(units):
        of_unit = np.array(prompts[unit::units], np.uint64)
        sent.append(tally(of_unit, np.ones(len(of_unit), np.int64)))
    every = pa.concat_tables(sent)
    parts = []
    for partition in range(partitions):
        mask = every["prompt"].to_numpy() % np.uint64(partitions) == partition
        rows = every.filter(pa.array(mask))
        total = tally(rows["prompt"].to_numpy(), rows["answers"].to_numpy())
        total = total.append_column("undrawn", pa.array(np.zeros(len(total), np.int64)))
        parts.append(draw_prompts(total, SEED, most))
    result = draw_prompts(pa.concat_tables(parts), SEED, most)
    answers = Counter(prompt for prompt in prompts if prompt)
    numbers = dict(zip(result["prompt"].to_pylist(), result["answers"].to_pylist(), strict=True))
    assert numbers.pop(0) == 0
    assert numbers == {prompt: answers[prompt] for prompt in drawn(answers, most)}
    assert len(numbers) + sum(result["undrawn"].to_pylist()) == len(answers)


def asked(documents: Documents, prompt: NDArray[np.uint64]) -> Documents:
    place = documents.sketch.schema.get_field_index("prompt")
    sketch = documents.sketch.set_column(place, "prompt", pa.array(prompt, pa.uint64()))
    return Documents(sketch, documents.cells)


@pytest.mark.parametrize("partitions", [1, 7, 64])
def test_a_pipeline_compares_the_answers_of_each_source(
    large: Documents, tmp_path: Path, partitions: int
) -> None:
    rng = np.random.default_rng(0)
    few = large.take(rng.integers(0, 40, 300))  # with equal answers
    prompt = rng.integers(0, 2**64, 25, np.uint64)[rng.integers(0, 25, 300)]
    prompt[rng.random(300) < 0.2] = 0
    documents = asked(few, prompt)
    sketches = documents.write(tmp_path / "sketches", 6, sources=[0, 1, 2])
    counted, compared = str(tmp_path / "drawn"), str(tmp_path / "compared")
    for folder in (counted, compared):
        Path(folder).mkdir()
    asking = [True, False, True]
    counts = PromptCounts(sketches.folder, asking, SEED, partitions, counted)
    answers = DrawnAnswers(sketches.folder, sketches.offsets, counted, BY_ENCODER, SEED, compared)

    def build(root: Any) -> None:
        lanes = root | Create([sketches.units[:2], sketches.units[2:]])
        written = lanes | Send(counts) | Regroup(counts) | "CollectPrompts" >> Collect(counts)
        lanes | "SendAnswers" >> Send(answers, after=written) | Collect(answers)

    run_pipeline(build, pipeline_options(2, ()))
    source = np.repeat([unit.source for unit in sketches.units], np.diff(sketches.offsets))
    assert read_comparison(compared, 1) is None
    assert read_prompts(counted, 1) == 0
    for number in (0, 2):
        rows = np.flatnonzero((source == number) & (prompt != 0))
        often = Counter(prompt[rows].tolist())
        assert read_prompts(counted, number) == len(often)
        several = [row for row in rows.tolist() if often[int(prompt[row])] > 1]
        table = documents.sketch.take(pa.array(several)).combine_chunks()
        hi, lo = (table[f"fingerprint_{half}"].to_numpy() for half in ("hi", "lo"))
        embeddings = fixed_matrix(table["embedding"], np.int8)
        words = packed_runs(table["words"])
        expected = summarise(prompt[several], *words, hi, lo, embeddings, BY_ENCODER, SEED)
        comparison = read_comparison(compared, number)
        assert comparison is not None
        for name in ("several", "answers", "k", "distinct", "effective", "same_chance"):
            assert comparison[name] == getattr(expected, name)
        assert comparison["gains"] == list(expected.gains)
        assert comparison["saturates_at"] == expected.saturates_at
        assert comparison["collapsed_prompts"] == len(expected.collapsed)
        shown = [several[case.row] for case in expected.collapsed[:SHOWN]]
        assert [case["document"] for case in comparison["collapsed"]] == shown

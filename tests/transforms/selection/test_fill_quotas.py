"""The graph of a selection on made documents: promises, and the same for any units and limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.candidates import Layout
from outcross.transforms.selection.fill_quotas import FillQuotas
from outcross.transforms.selection.histogram import bits_needed
from outcross.transforms.selection.rotation import Rotation
from outcross.transforms.selection.uses import FRESH, LEDGER, NONE, OFF_SUPPORT, SYNTHETIC
from outcross.transforms.selection.wants import USES, Quotas
from outcross.transforms.text.ngrams import Tables, count_ngrams

CLUSTERS, DOMAINS, DOCUMENTS = 4, 2, 700
CELLS = CLUSTERS * DOMAINS
GENERATIONS = 3
"""Earlier generations of the lineage whose ledger the documents of use LEDGER are."""


@dataclass(frozen=True)
class Corpus:
    """Columns of the made documents, and their words.

    Attributes:
        columns: arrays[n] by name.
        words: uint32 hashes of the words of each document.
    """

    columns: dict[str, NDArray[Any]]
    words: Sequence[NDArray[np.uint32]]


def corpus() -> Corpus:
    rng = np.random.default_rng(3)
    n = DOCUMENTS
    tokens = rng.integers(0, 60, n)
    vocabulary = rng.integers(0, 2**32, 400).astype(np.uint32)
    columns = {
        "tokens": tokens,
        "size": tokens * 5 + 1,
        "fingerprint_hi": rng.integers(0, 2**64, n, dtype=np.uint64),
        "fingerprint_lo": rng.integers(0, 2**64, n, dtype=np.uint64),
        "use": rng.choice(
            [NONE, FRESH, LEDGER, SYNTHETIC, OFF_SUPPORT], n, p=[0.1, 0.2, 0.1, 0.5, 0.1]
        ),
        "domain": rng.integers(0, DOMAINS, n),
        "cluster": rng.integers(0, CLUSTERS, n),
    }
    columns["last"] = (columns["fingerprint_hi"] % np.uint64(GENERATIONS)).astype(np.int32)
    words = [vocabulary[np.minimum(rng.zipf(1.4, length), 400) - 1] for length in tokens]
    return Corpus(columns, words)


CORPUS = corpus()


def plan(share: float) -> Quotas:
    """Return quotas that take a share of each use's supply, and twice all of some cells."""
    columns = CORPUS.columns
    cell = columns["domain"] * CLUSTERS + columns["cluster"]
    supply = np.array(
        [np.bincount(cell, columns["tokens"] * (columns["use"] == use), CELLS) for use in USES]
    ).astype(np.int64)
    cap = np.ones_like(supply)
    cap[USES.index(SYNTHETIC)] = 3
    quota = supply * share * np.random.default_rng(0).uniform(0.3, 1, supply.shape)
    quota[USES.index(SYNTHETIC), :2] = supply[USES.index(SYNTHETIC), :2] * 2.3
    return Quotas(quota, supply, cap)


def run(
    folder: Path,
    quotas: Quotas,
    rounds: int,
    units: int,
    limit: int = 1 << 22,
    spill: bool = True,
    use: NDArray[Any] = CORPUS.columns["use"],
) -> NDArray[np.int32]:
    """Select from the documents, divided into units.

    Returns:
        int32[n], copies of each document.
    """
    cuts = np.linspace(0, DOCUMENTS, units + 1).astype(int)
    columns = CORPUS.columns
    for name in ("sketches", "uses", "assignments", "selection", "scratch", "spill", "last"):
        (folder / name).mkdir(parents=True)
    binary = pa.large_binary()
    for index in range(units):
        rows = slice(cuts[index], cuts[index + 1])
        words = pa.array([run.tobytes() for run in CORPUS.words[rows]], binary)
        signs = pa.array([b"\0" * len(run) for run in CORPUS.words[rows]], binary)
        numbers = {
            name: columns[name][rows]
            for name in ("tokens", "size", "fingerprint_hi", "fingerprint_lo")
        }
        numbers["row_hash"] = columns["fingerprint_lo"][rows]
        for name, table in (
            ("sketches", {**numbers, "words": words, "signs": signs}),
            (
                "uses",
                {
                    "use": use[rows].astype(np.int8),
                    "domain": columns["domain"][rows].astype(np.int16),
                },
            ),
            ("last", {"last": columns["last"][rows]}),
            ("assignments", {"cluster": columns["cluster"][rows].astype(np.int32)}),
        ):
            files.write_table(unit_file(str(folder / name), index, "parquet"), pa.table(table))
    reference = Tables.empty()
    human = [run for run, use in zip(CORPUS.words, columns["use"], strict=True) if use == FRESH]
    ends = np.cumsum([0, *map(len, human)])
    ones = np.ones(len(human), bool)
    count_ngrams(ends, np.concatenate(human), ones, reference.unigrams, reference.bigrams)
    files.write_bytes(str(folder / "reference"), reference.to_bytes())
    layout = Layout(
        sketches=str(folder / "sketches"),
        uses=str(folder / "uses"),
        assignments=str(folder / "assignments"),
        selection=str(folder / "selection"),
        scratch=str(folder / "scratch"),
        reference=str(folder / "reference"),
        offsets=cuts.tolist(),
        clusters=CLUSTERS,
        cells=CELLS,
        seed=0,
        salts=("fresh", "ledger", "off-support", "synthetic"),
        rotation=Rotation(str(folder / "last"), GENERATIONS),
        bits=bits_needed(DOCUMENTS, limit),
    )
    files.write_bytes(layout.quotas_file, quotas.to_bytes())
    every = [Unit(index, 0, ()) for index in range(units)]
    with beam.Pipeline(runner="FnApiRunner") as p:
        dealt = p | beam.Create([every[::2], every[1::2]])
        spilled = str(folder / "spill") if spill else None
        dealt | FillQuotas(layout, frozenset({0}), rounds, quotas.synthetic, spilled)
    tables = [
        files.read_table(unit_file(layout.selection, index, "parquet")) for index in range(units)
    ]
    return np.concatenate([table["copies"].to_numpy() for table in tables])


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_units_limits_and_shuffles_have_no_influence(tmp_path: Path, rounds: int) -> None:
    quotas = plan(0.5)
    expected = run(tmp_path / "expected", quotas, rounds, 1)
    for number, (units, limit, spill) in enumerate(
        [(2, 1 << 22, False), (7, 30, True), (64, 4, False)]
    ):
        copies = run(tmp_path / str(number), quotas, rounds, units, limit, spill)
        assert copies.tolist() == expected.tolist(), (units, limit)


@pytest.mark.parametrize("rounds", [0, 3])
@pytest.mark.parametrize("share", [0.1, 0.6, 0.9])
def test_totals_are_within_half_of_the_longest_document(
    tmp_path: Path, rounds: int, share: float
) -> None:
    quotas = plan(share)
    copies = run(tmp_path, quotas, rounds, 3)
    columns = CORPUS.columns
    tokens, use = copies * columns["tokens"], columns["use"]
    longest = columns["tokens"][copies > 0].max()
    human = np.isin(use, [FRESH, LEDGER])
    for rows, places in ((use == FRESH, [0]), (human, [0, 1]), (use != NONE, [0, 1, 2, 3])):
        assert abs(tokens[rows].sum() - quotas.quota[places].sum()) <= longest / 2 + 1e-6
    assert not copies[use == NONE].any()
    assert copies[use != SYNTHETIC].max() <= 1
    cell = columns["domain"] * CLUSTERS + columns["cluster"]
    repeated = (use == SYNTHETIC) & (cell < 2)
    assert set(copies[repeated]) <= {2, 3}


@pytest.mark.parametrize("rounds", [0, 2])
def test_units_without_a_candidate_are_passed_over(tmp_path: Path, rounds: int) -> None:
    use = CORPUS.columns["use"].copy()
    first, second = (slice(i * DOCUMENTS // 4, (i + 1) * DOCUMENTS // 4) for i in range(2))
    use[first] = NONE  # such as all documents of a source beyond the archive's limit
    use[second][use[second] == SYNTHETIC] = NONE
    columns = CORPUS.columns
    cell = columns["domain"] * CLUSTERS + columns["cluster"]
    supply = np.array(
        [np.bincount(cell, columns["tokens"] * (use == part), CELLS) for part in USES]
    ).astype(np.int64)
    quotas = Quotas(supply * 0.5, supply, np.ones_like(supply))
    copies = run(tmp_path / "four", quotas, rounds, 4, use=use)
    assert copies.tolist() == run(tmp_path / "one", quotas, rounds, 1, use=use).tolist()
    assert not copies[first].any()
    assert copies[use == SYNTHETIC].any()


def test_cells_meet_their_quotas_but_for_a_document(tmp_path: Path) -> None:
    quotas = plan(0.5)
    copies = run(tmp_path, quotas, 3, 2)
    columns = CORPUS.columns
    cell = columns["domain"] * CLUSTERS + columns["cluster"]
    for place, use in enumerate(USES):
        rows = columns["use"] == use
        got = np.bincount(cell[rows], (copies * columns["tokens"])[rows], CELLS)
        assert np.abs(got - quotas.quota[place]).max() <= 2 * columns["tokens"].max()


@pytest.mark.parametrize("limit", [1 << 22, 30])
def test_the_ledger_gives_what_was_written_longest_ago(tmp_path: Path, limit: int) -> None:
    quotas = plan(0.6)
    copies = run(tmp_path, quotas, 0, 3, limit)
    columns = CORPUS.columns
    cell = columns["domain"] * CLUSTERS + columns["cluster"]
    ledger = columns["use"] == LEDGER
    hi, lo = columns["fingerprint_hi"], columns["fingerprint_lo"]
    order = np.lexsort((seeded_hash(hi, lo, 0, "ledger"), columns["last"]))
    place, generations = np.argsort(order), set[int]()
    for number in range(CELLS):
        rows = ledger & (cell == number)
        written = place[rows & (copies > 0)]
        waiting = place[rows & (copies == 0) & (columns["tokens"] > 0)]
        # A document at the end may be passed over for one that fits the missing tokens better.
        assert np.sum(waiting < written.max(initial=-1)) <= 1
        assert np.median(written) < np.median(waiting)
        generations |= set(columns["last"][rows & (copies > 0)].tolist())
    assert len(generations) > 1


def test_without_synthetic_quotas_only_human_text_is_chosen(tmp_path: Path) -> None:
    quotas = plan(0.5)
    quotas.quota[2:] = 0
    copies = run(tmp_path, quotas, 3, 2)
    assert copies[np.isin(CORPUS.columns["use"], [FRESH, LEDGER])].any()
    assert not copies[np.isin(CORPUS.columns["use"], [SYNTHETIC, OFF_SUPPORT])].any()

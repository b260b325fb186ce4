"""A reference is what a plain definition makes, for any units, lanes and parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from outcross.pipeline.engine.engines import run_pipeline
from outcross.schemas.sources import Source
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.estimators.compression import BLOCK, BLOCKS, zstd_ratio
from outcross.transforms.estimators.lexical import rare_words
from outcross.transforms.estimators.richness import ClusterCounts
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reading.lookup import texts_of_rows
from outcross.transforms.reference import assign_reference, fit_reference
from outcross.transforms.reference.codebook import default_clusters, fit_codebook
from outcross.transforms.reference.documents import (
    FIT,
    HELD_OUT,
    THRESHOLDS,
    ReferenceDocuments,
    reference_part,
)
from outcross.transforms.reference.fit_reference import RARE_WORDS_FROM
from outcross.transforms.reference.make_reference import Maker
from outcross.transforms.reference.members import MembersPart
from outcross.transforms.reference.names import distinctive_words, words_of
from outcross.transforms.reference.pool import DOCUMENTS, TOKENS
from outcross.transforms.reference.sample import sample_key
from outcross.transforms.reference.second_codebook import BUCKETS, word_vectors, word_weights
from outcross.transforms.reference.thresholds import set_thresholds
from outcross.transforms.sketches.store import Sketches, fixed_matrix, ngram_runs, packed_runs
from outcross.transforms.text.known import Known
from outcross.transforms.text.ngrams import Tables, count_ngrams
from outcross.transforms.text.surface import Bands, set_bands
from tests.support.columns import by_unit, load_columns, numbers
from tests.support.corpora import NUM_PERM, OPTIONS, paragraphs, sketched, source, write_jsonl

SEED = 5
TEXTS = paragraphs(20)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """Write human text in two files, and synthetic text of its words."""
    folder = tmp_path_factory.mktemp("maker")
    rng = np.random.default_rng(0)
    mixed = [" ".join(rng.permutation(text.split())) for text in TEXTS[::4]]
    half = len(TEXTS) // 2
    parts = {"a": TEXTS[:half], "b": TEXTS[half:], "s": mixed}
    paths = {
        name: write_jsonl(
            folder / f"{name}.jsonl",
            [{"text": text, "id": f"{name}{i}"} for i, text in enumerate(texts)],
        )
        for name, texts in parts.items()
    }
    return [
        source("synthetic", "synthetic", paths["s"]),
        source("human", "human", paths["a"], paths["b"], id_field="id"),
    ]


def kept_rows(sketches: Sketches) -> NDArray[np.bool_]:
    """Keep nine of ten documents, by their fingerprints."""
    hi, lo = (numbers(sketches, f"fingerprint_{half}") for half in ("hi", "lo"))
    return np.asarray(seeded_hash(hi, lo, 0, "kept") % np.uint64(10) != 0)


def make(
    folder: Path, sources: list[Source], unit_bytes: int, lanes: int, bits: int, human: bool
) -> tuple[Maker, Sketches]:
    """Make a reference of the human source or of all, and keep the files beside it."""
    sketches = sketched(folder / "sketches", sources, unit_bytes)
    folders = [folder / name for name in ("sums", "reference", "assignments", "classes")]
    verdicts, spill = folder / "verdicts", folder / "spill"
    for path in (*folders, verdicts, spill):
        path.mkdir()
    for unit, part in by_unit(sketches, kept_rows(sketches)):
        table = pa.table({"partner": np.where(part, -1, 0), "stage": (~part).astype(np.int8)})
        files.write_table(unit_file(str(verdicts), unit.index, "parquet"), table)
    numbers = [number for number, s in enumerate(sources) if s.role == "human" or not human]
    documents = ReferenceDocuments(sketches.folder, str(verdicts), frozenset(numbers), SEED)
    maker = Maker(documents, sources, human, True, bits, NUM_PERM, *map(str, folders))
    dealt = [sketches.units[i::lanes] for i in range(lanes)]
    elements, shared = [lane for lane in dealt if lane], str(spill) if lanes % 2 else None
    run_pipeline(lambda root: maker.wire(root | beam.Create(elements), shared), OPTIONS)
    return maker, sketches


def made_figures(maker: Maker, sketches: Sketches) -> dict[str, Any]:
    """Return what the workers have made, as plain values."""
    made = maker.result("e", 5, np.zeros((0, 2), np.int64), Known(1, 1))
    parts = [made.members.read(maker.reference, number) for number in range(1 << maker.bits)]
    names = ["cluster", "dot", "density", "audit_cluster"]
    columns = load_columns(maker.assignments, sketches, names)
    columns += load_columns(maker.classes, sketches, ["class"])
    pool = [made.pool.sketch[f"fingerprint_{half}"].to_pylist() for half in ("hi", "lo")]
    pool += [made.pool.cells[name].to_pylist() for name in [*names, "class"]]
    return {
        "codebooks": [
            (c.centroids.tolist(), c.counts.tolist())
            for c in (made.codebook, made.second_codebook.codebook)
        ],
        "weights": made.second_codebook.weights.tolist(),
        "columns": {
            name: dict(zip(fingerprints(sketches), column.tolist(), strict=True))
            for name, column in zip([*names, "class"], columns, strict=True)
        },
        "thresholds": made.thresholds,
        "counts": [made.counts.to_json(), made.held_out.to_json()],
        "ngrams": (made.ngrams.unigrams.tolist(), made.ngrams.bigrams.tolist()),
        "pool": pool,
        "rare": made.rare.tolist(),
        "members": np.concatenate(parts).tolist(),
        "total": made.members.total,
        "zstd_ratio": made.zstd_ratio,
        "names": made.names.to_pylist(),
    }


def fingerprints(sketches: Sketches) -> list[tuple[int, int]]:
    hi, lo = (numbers(sketches, f"fingerprint_{half}").tolist() for half in ("hi", "lo"))
    return list(zip(hi, lo, strict=True))


def defined_figures(sources: list[Source], sketches: Sketches, human: bool) -> dict[str, Any]:
    """Return the same by arrays over all documents."""
    table = pa.concat_tables([files.read_table(path) for path in sketches.paths]).combine_chunks()
    texts = [
        text
        for unit in sketches.units
        for text in texts_of_rows(
            sketches.folder,
            unit,
            sources[unit.source],
            np.arange(sketches.reports[unit.index].rows),
        )["text"]
    ]
    hi, lo, tokens, length = (
        table[name].to_numpy() for name in ("fingerprint_hi", "fingerprint_lo", "tokens", "length")
    )
    source_of = np.repeat([u.source for u in sketches.units], np.diff(sketches.offsets))
    chosen = kept_rows(sketches) & ~(human & (source_of == 0))
    part, key = reference_part(hi, lo, SEED), sample_key(hi, lo, np.ones(len(hi), np.int64))
    clusters = default_clusters(int(chosen.sum()))
    fits = np.flatnonzero(chosen & (part == FIT))
    fits = fits[np.argsort(seeded_hash(hi, lo, SEED, "codebook")[fits])][: 64 * clusters]
    x = fixed_matrix(table["embedding"], np.int8)
    codebook = fit_codebook(x[fits], clusters, SEED)
    frequencies = np.zeros(BUCKETS, np.int64)
    for row in np.flatnonzero(chosen & (part == FIT)):
        ids = np.frombuffer(table["words"][row].as_py(), np.uint32)
        frequencies[np.unique(ids >> 16)] += 1
    weights = word_weights(frequencies, int((chosen & (part == FIT)).sum()))
    seen = word_vectors(*packed_runs(table["words"]), weights)
    second = fit_codebook(seen[fits], max(1, clusters * 2 // 3), SEED + 1)
    cluster, dot, density = codebook.assign(x)
    cells = [cluster, dot, density, second.assign(seen)[0]]
    surface = fixed_matrix(table["surface"], np.uint32)
    bands = set_bands(surface[chosen]) if human else Bands()
    calibrates = chosen & (part == THRESHOLDS)
    thresholds = set_thresholds(dot[calibrates], density[calibrates], bands)
    cells.append(thresholds.classify(dot, density, surface))

    def counts(rows: NDArray[np.bool_]) -> dict[str, Any]:
        total = ClusterCounts.empty(codebook.size, second.size)
        total.add(cluster[rows], tokens[rows], cells[4][rows], cells[3][rows])
        return total.to_json()

    def until(rows: NDArray[np.bool_], sizes: NDArray[np.int64], most: int) -> list[int]:
        smallest, total = [], 0
        for row in sorted(np.flatnonzero(rows).tolist(), key=lambda row: int(key[row])):
            if total < most:
                smallest.append(row)
            total += int(sizes[row])
        return smallest

    pool = until(chosen & (part != FIT), tokens, TOKENS)[:DOCUMENTS]
    words = [
        np.frombuffer(table["words"][row].as_py(), np.uint32)
        for row in until(chosen & (part == FIT), tokens, RARE_WORDS_FROM)
    ]
    tables = Tables.empty()
    count_ngrams(*ngram_runs(table), chosen, tables.unigrams, tables.bigrams)
    most = max(6, min(24, 4_000 // (int(cluster[chosen].max()) + 1)))
    ones = np.ones(len(hi), np.int64)
    named = {
        number: [texts[row][:1200] for row in until(chosen & (cluster == number), ones, most)]
        for number in np.unique(cluster[chosen]).tolist()
    }
    names = distinctive_words({c: list(map(words_of, group)) for c, group in named.items()})
    compressed = until(chosen, np.minimum(length, BLOCK), BLOCK * BLOCKS)
    members = np.stack([hi, lo], axis=1)[chosen]
    order = ["cluster", "dot", "density", "audit_cluster", "class"]
    return {
        "codebooks": [(c.centroids.tolist(), c.counts.tolist()) for c in (codebook, second)],
        "weights": weights.tolist(),
        "columns": {
            name: dict(zip(fingerprints(sketches), column.tolist(), strict=True))
            for name, column in zip(order, cells, strict=True)
        },
        "thresholds": thresholds,
        "counts": [counts(chosen), counts(chosen & (part == HELD_OUT))],
        "ngrams": (tables.unigrams.tolist(), tables.bigrams.tolist()),
        "pool": [column[pool].tolist() for column in (hi, lo, *cells)],
        "rare": rare_words(np.concatenate(words)).tolist(),
        "members": sorted(members.tolist()),
        "total": MembersPart.of(members),
        "zstd_ratio": zstd_ratio([texts[row][:BLOCK] for row in compressed]),
        "names": [
            {"cluster": number, "words": names[number], "texts": group[:2]}
            for number, group in named.items()
        ],
    }


WHOLE = 64 << 20


@pytest.mark.parametrize(
    ("unit_bytes", "lanes", "bits", "human"),
    [(WHOLE, 1, 0, True), (60_000, 2, 2, True), (20_000, 7, 1, True), (40_000, 3, 0, False)],
)
def test_a_reference_is_what_arrays_over_all_documents_make(
    tmp_path: Path, sources: list[Source], unit_bytes: int, lanes: int, bits: int, human: bool
) -> None:
    maker, sketches = make(tmp_path, sources, unit_bytes, lanes, bits, human)
    made, defined = made_figures(maker, sketches), defined_figures(sources, sketches, human)
    assert made.keys() == defined.keys()
    for name, figure in defined.items():
        assert made[name] == figure, name
    assert len(defined["names"]) > 3
    assert (defined["zstd_ratio"] or 0) > 1


def test_bounded_samples_do_not_depend_on_the_units(
    tmp_path: Path, sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (fit_reference, assign_reference):
        monkeypatch.setattr(module, "SAMPLED", 90)
    figures = []
    for number, (unit_bytes, lanes) in enumerate([(WHOLE, 2), (20_000, 5)]):
        maker, sketches = make(tmp_path / str(number), sources, unit_bytes, lanes, 1, True)
        figures.append(made_figures(maker, sketches))
    assert figures[0] == figures[1]
    assert len(figures[0]["pool"][0]) < 90

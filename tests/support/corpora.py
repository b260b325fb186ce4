"""Small corpora on disk, with their sketches and verdicts, made as a run makes them."""

import json
from pathlib import Path
from pydoc_data import topics

import apache_beam as beam
import numpy as np
import pyarrow as pa

from outcross.pipeline.engine.engines import pipeline_options, run_pipeline
from outcross.schemas.columns import settle, unite
from outcross.schemas.documents import Piece, Unit
from outcross.schemas.sources import Source
from outcross.transforms.base import files
from outcross.transforms.dedup.bands import ENTRY
from outcross.transforms.dedup.decide import Comparison, Containment, Settings, decide
from outcross.transforms.dedup.group_bands import GroupBands
from outcross.transforms.dedup.rules import Party
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.rows.blocks import Block
from outcross.transforms.sketches.block import sketch_block
from outcross.transforms.sketches.sketch_documents import SketchDocuments
from outcross.transforms.sketches.store import Sketches, UnitReport
from outcross.transforms.text.embed import Embedded
from outcross.transforms.text.known import Known
from outcross.transforms.text.minhash import band_values, lsh_parameters

OPTIONS = pipeline_options(2, [])
NUM_PERM = 128
WHOLE = 64 << 20


def paragraphs(least_words=40):
    """Return paragraphs of Python's documentation: real text that every machine has."""
    found = {
        " ".join(part.split()) for text in topics.topics.values() for part in text.split("\n\n")
    }
    return sorted(part for part in found if len(part.split()) >= least_words)


def source(name, role, *paths, **options):
    return Source(name=name, role=role, files=[str(path) for path in paths], **options)


def write_jsonl(path, rows):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def over(elements, transform):
    """Run one transform over elements, and return the counters."""
    return run_pipeline(lambda root: root | beam.Create(elements) | transform, OPTIONS)


def sketched(folder, sources, unit_bytes=WHOLE, lanes=2):
    """Sketch some sources, in units of about so many bytes."""
    units = plan_units(sources, unit_bytes)
    Path(folder).mkdir(parents=True)
    dealt = [units[i::lanes] for i in range(lanes)]
    over(dealt, SketchDocuments(sources, str(folder), 5, NUM_PERM))
    return Sketches(str(folder), units)


SETTINGS = Settings(0.8, exact=False, ngram=5, num_perm=NUM_PERM)


def deduplicated(folder, sketches, sources, settings=SETTINGS, bits=3, lanes=2, spill=None):
    """Deduplicate, with entries shuffled by so many bits; return comparison and verdicts."""
    parties = [Party(source) for source in sources]
    everything = np.ones(len(sketches), bool)
    comparison = Comparison.of(sketches, parties, settings.same_answers is not None, everything)
    positions, groups = Path(folder) / "positions", Path(folder) / "groups"
    for subfolder in (positions, groups):
        subfolder.mkdir(parents=True)
    for unit, part in sketches.per_unit(
        np.where(comparison.is_first, comparison.order.position, -1)
    ):
        files.write_array(unit_file(str(positions), unit.index, "npy"), part)
    bands, rows = lsh_parameters(settings.threshold, NUM_PERM)
    dealt = [sketches.units[i::lanes] for i in range(lanes)]
    grouped = GroupBands(sketches.paths, str(positions), str(groups), bands, rows, bits, spill)
    over(dealt, grouped)
    paths = files.list_files(f"{groups}/part-*.npy")
    containment = Containment.nothing(len(sketches))
    verified = str(Path(folder) / "verified.npy")
    return comparison, decide(comparison, containment, paths, settings, verified)


class NoEmbedder:
    """Stands in for an embedder where only words matter."""

    def embed(self, words, texts):
        return Embedded(np.zeros((len(words), 256), np.int8), Known(0, 0))


class HeldSketches(Sketches):
    """Sketches in memory, as a run makes them, without embeddings.

    Args:
        units: number of the source, and rows, of each unit. Rows have a text and may have an id, a
            prompt and a score, which is their priority.
    """

    SCHEMA = pa.schema(
        [(name, pa.string()) for name in ("id", "text", "prompt")] + [("score", pa.float64())]
    )
    FIELDS = Source(
        name="held",
        role="human",
        files=["held"],
        id_field="id",
        prompt_field="prompt",
        priority_field="score",
    )

    def __init__(self, units):
        self.units = [
            Unit(index, number, (Piece(f"{number}.jsonl", "jsonl", 0, -1, 0),))
            for index, (number, _) in enumerate(units)
        ]
        self.reports = [UnitReport(index, rows=len(rows)) for index, (_, rows) in enumerate(units)]
        self.offsets = np.cumsum([0, *(len(rows) for _, rows in units)], dtype=np.int64)
        self.tables = [self.sketch(rows) for _, rows in units]

    def sketch(self, rows):
        batch = pa.RecordBatch.from_pylist(rows, self.SCHEMA)
        block = Block(batch, batch.column("text"), np.arange(len(rows)), [], 0, len(rows), 0)
        sketches, _ = sketch_block(block, self.FIELDS, NoEmbedder(), 5, NUM_PERM)
        return pa.Table.from_batches([sketches])

    def table(self, unit, columns):
        return self.tables[unit].select(columns)


def grouped(folder, comparison, threshold, containment, parts=1, seed=0):
    """Write groups as `GroupBands` does, dealt to some files in any order."""
    documents = np.flatnonzero(comparison.is_first & (containment.item < 0))
    signatures = comparison.sketches.matrix("signature", documents, np.uint32)
    entries = np.empty(0, ENTRY)
    if len(documents):
        values = band_values(signatures, *lsh_parameters(threshold, NUM_PERM))
        entries = np.empty(values.size, ENTRY)
        entries["band"] = values.ravel()
        entries["rank"] = np.repeat(comparison.order.position[documents], values.shape[1])
    _, place, often = np.unique(entries["band"], return_inverse=True, return_counts=True)
    entries = entries[often[place] > 1]
    entries = np.random.default_rng(seed).permutation(entries)
    paths = [str(Path(folder) / f"part-{part}.npy") for part in range(parts)]
    for part, path in enumerate(paths):
        files.write_array(path, entries[entries["band"] % np.uint64(parts) == part])
    return paths


def union(sketches):
    """Return the schema of all users' columns."""
    reports = [report for report in sketches.reports if report.rows]
    return settle([unite([report.arrow_schema() for report in reports])])


def strings(sketches, column):
    """Return a text column over all documents."""
    parts = [sketches.table(unit.index, [column]).column(0) for unit in sketches.units]
    chunks = [chunk for part in parts for chunk in part.chunks]
    return pa.chunked_array(chunks, type=pa.string())


def places_in(unit, blocks):
    """Return the places of the valid rows in a unit's blocks: number of the piece, row in it."""
    lines = np.zeros(len(unit.pieces), np.int64)
    for block in blocks:
        for piece, count in block.pieces:
            lines[piece] += count
    starts = np.cumsum(lines) - lines
    rows = np.concatenate([np.zeros(0, np.int64), *(block.rows for block in blocks)])
    piece = np.searchsorted(starts, rows, side="right") - 1
    return np.stack([piece, rows - starts[piece]], 1)

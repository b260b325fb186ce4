"""Small corpora on disk, with their sketches and verdicts, made as a run makes them."""

import json
from pathlib import Path
from pydoc_data import topics

import apache_beam as beam
import numpy as np
import pyarrow as pa

from pipeline.engines import pipeline_options, run_pipeline
from schemas.columns import settle, unite
from schemas.config import Source
from transforms import files
from transforms.bands import GroupBands, part_waves
from transforms.deduplicate import Contained, Settings, Standing, decide
from transforms.minhash import lsh_parameters
from transforms.read import plan_units
from transforms.rules import Party
from transforms.sketch import SketchDocuments, Sketches
from transforms.units import unit_file

OPTIONS = pipeline_options(2, [])
NUM_PERM = 128
WHOLE = 64 << 20


def paragraphs(least_words=40):
    """Python's own documentation: real text that every machine has."""
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
    """Runs one transform over elements, and returns the counters."""
    return run_pipeline(lambda root: root | beam.Create(elements) | transform, OPTIONS)


def sketched(folder, sources, unit_bytes=WHOLE, lanes=2):
    """The sketches of some sources, in units of about so many bytes."""
    units = plan_units(sources, unit_bytes)
    Path(folder).mkdir(parents=True)
    dealt = [units[i::lanes] for i in range(lanes)]
    over(dealt, SketchDocuments(sources, str(folder), 5, NUM_PERM))
    return Sketches(str(folder), units)


SETTINGS = Settings(0.8, exact=False, ngram=5, num_perm=NUM_PERM)


def deduplicated(folder, sketches, sources, settings=SETTINGS, waves=1, lanes=2):
    """The standing and the verdicts, with the shuffle in so many waves."""
    parties = [Party(source) for source in sources]
    everything = np.ones(len(sketches), bool)
    standing = Standing.of(sketches, parties, settings.same_answers is not None, everything)
    ranks, groups = Path(folder) / "ranks", Path(folder) / "groups"
    for made in (ranks, groups):
        made.mkdir(parents=True)
    for unit, part in sketches.per_unit(np.where(standing.distinct, standing.order.rank, -1)):
        files.write_array(unit_file(str(ranks), unit.index, "npy"), part)
    bands, rows = lsh_parameters(settings.threshold, NUM_PERM)
    shuffled = 4 * 12 * len(sketches) * bands  # bytes, of entries of 12 that are held four times
    parts = part_waves(len(sketches), bands, -(-shuffled // waves))
    assert len(parts) == waves
    for part in parts:
        dealt = [sketches.units[i::lanes] for i in range(lanes)]
        over(dealt, GroupBands(sketches.paths, str(ranks), str(groups), bands, rows, part))
    found = files.list_files(f"{groups}/part-*.npy")
    contained = Contained.nothing(len(sketches))
    verified = str(Path(folder) / "verified.npy")
    return standing, decide(standing, contained, found, settings, verified)


def union(sketches):
    """The schema of all users' columns."""
    reports = [report for report in sketches.reports if report.rows]
    return settle([unite([report.arrow_schema() for report in reports])])


def strings(sketches, column):
    """A text column over all documents."""
    parts = [sketches.table(unit.index, [column]).column(0) for unit in sketches.units]
    chunks = [chunk for part in parts for chunk in part.chunks]
    return pa.chunked_array(chunks, type=pa.string())

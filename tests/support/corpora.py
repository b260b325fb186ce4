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
from outcross.transforms.dedup.bands import Entries, Pools, shared
from outcross.transforms.dedup.contents import CONTENTS, Contents, send_contents
from outcross.transforms.dedup.corpus import Corpus, Named
from outcross.transforms.dedup.decide import Comparison, Settings, Verdicts, decide
from outcross.transforms.dedup.deduplicate_documents import DeduplicateDocuments
from outcross.transforms.dedup.jaccard import Boilerplate, count_shingles, table_bits
from outcross.transforms.dedup.rules import Party, Rules
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.rows.blocks import Block
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.block import sketch_block
from outcross.transforms.sketches.sketch_documents import SketchDocuments
from outcross.transforms.sketches.store import Sketches, UnitReport
from outcross.transforms.text.embed import Embedded, load_default
from outcross.transforms.text.known import Known
from outcross.transforms.text.minhash import band_values, lsh_parameters
from tests.support.columns import matrix_of, numbers, word_runs

OPTIONS = pipeline_options(1, [])
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


ORDER = ["fingerprint_hi", "fingerprint_lo", "row_hash", "length", "priority"]


def order_columns(sketches):
    """Return the columns that the total order is made of, over all documents."""
    return {name: numbers(sketches, name) for name in ORDER}


def rules_of(sketches, parties, by_prompt):
    """Return the rules of all documents; `Unit.source` is an index into the parties."""
    party = np.array([unit.source for unit in sketches.units], np.int16)
    prompt = numbers(sketches, "prompt") if by_prompt else None
    return Rules.of(np.repeat(party, np.diff(sketches.offsets)), prompt, parties)


def contents_of(sketches, documents):
    """Return the contents of some documents as units send them to a bin."""
    parts = [CONTENTS.empty_table()]
    for unit, rows, _ in sketches.rows_of(documents):
        sketch = sketches.table(unit, CONTENTS.names)
        parts.append(pa.table(send_contents(sketch, rows, rows >= 0), schema=CONTENTS))
    lo = pa.array(numbers(sketches, "fingerprint_lo")[documents])
    table = pa.concat_tables(parts).append_column("fingerprint_lo", lo)
    return table.append_column("compared", pa.array(np.ones(len(documents), bool)))


def corpus_of(sketches, parties, by_prompt=False, written=None):
    """Return the corpus of sketches on disk.

    Args:
        sketches: sketches of the run, then those of earlier runs.
        parties: parties of the units.
        by_prompt: True if answers to different prompts are not compared.
        written: files with `copies`, by unit.
    """
    runs = [parties[unit.source].run for unit in sketches.units]
    placed = all(report.lines for report in sketches.reports)  # a pool has no places
    return Corpus(
        parties=parties,
        paths=sketches.paths,
        party=np.array([unit.source for unit in sketches.units], np.int16),
        offsets=sketches.offsets,
        named=[
            Named(parties[unit.source].source.name, place)
            for unit, place in zip(
                sketches.units, sketches.places if placed else [None] * len(runs), strict=True
            )
        ],
        current=runs.index(next(filter(None, runs))) if any(runs) else len(runs),
        by_prompt=by_prompt,
        written=written or {},
    )


FOLDERS = ("repeats", "containment/contained", "boilerplate", "verdicts", "removals", "sums")


def deduplicate(folder, sketches, corpus, settings=SETTINGS, lanes=2, **options):
    """Deduplicate by the transform, into a folder.

    Args:
        options: options of `DeduplicateDocuments`, and `threshold`, which the bands are made for.
    """
    for name in (*FOLDERS, "semantic/pairs"):
        Path(folder, name).mkdir(parents=True)
    bands, rows = lsh_parameters(options.pop("threshold", settings.threshold), NUM_PERM)
    options = {"containment": None, "reasons": dict.fromkeys([1, 2, 3, 4], "a reason")} | options
    work = DeduplicateDocuments(
        corpus, settings, bands, rows, folder=str(folder), seed=1, **options
    )
    over([sketches.units[i::lanes] for i in range(lanes)], work)


def verdicts_in(folder, sketches, units=None):
    """Return the verdicts that `deduplicate` wrote, of all units or of the first ones."""
    names = ["partner", "stage", "similarity", "open"]
    held = [load_unit(f"{folder}/verdicts", u.index, names) for u in sketches.units[:units]]
    counts = f"{folder}/sums/bins.json"
    return Verdicts(
        *(np.concatenate(columns) for columns in zip(*held, strict=True)),
        files.read_json(counts) if files.exists(counts) else {},
    )


def deduplicated(folder, sketches, sources, settings=SETTINGS, bits=3, lanes=2, **options):
    """Deduplicate, with rows shuffled by so many bits; return comparison and verdicts."""
    parties, by_prompt = [Party(source) for source in sources], settings.same_answers is not None
    corpus = corpus_of(sketches, parties, by_prompt)
    deduplicate(folder, sketches, corpus, settings, lanes, bits=bits, **options)
    comparison = Comparison.of(order_columns(sketches), rules_of(sketches, parties, by_prompt))
    return comparison, verdicts_in(folder, sketches)


class NoEmbedder:
    """Stands in for an embedder where only words matter."""

    dims = 256
    encodes = False

    def embed(self, words, texts):
        return Embedded(np.zeros((len(words), 256), np.int8), Known(0, 0))


class WholeReader:
    """Stands in for an encoder: the packaged table, and texts with the word `cut` are not whole."""

    dims = 256
    encodes = True

    def embed(self, words, texts):
        vectors, known, _, _ = load_default().embed(words, texts)
        whole = ["cut" not in text.split() for text in texts.to_pylist()]
        return Embedded(vectors, known, None, np.array(whole, bool))


class HeldSketches(Sketches):
    """Sketches in memory, as a run makes them.

    Args:
        units: number of the source, and rows, of each unit. Rows have a text and may have an id, a
            prompt and a score, which is their priority.
        embedder: embedder of the texts; without one their embeddings are zero.
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

    def __init__(self, units, embedder=None):
        self.embedder = embedder or NoEmbedder()
        self.units = [
            Unit(index, number, (Piece(f"{number}.jsonl", "jsonl", 0, -1, 0),))
            for index, (number, _) in enumerate(units)
        ]
        self.reports = [
            UnitReport(index, rows=len(rows), lines=[len(rows)])
            for index, (_, rows) in enumerate(units)
        ]
        self.offsets = np.cumsum([0, *(len(rows) for _, rows in units)], dtype=np.int64)
        self.tables = [self.sketch(rows) for _, rows in units]

    def sketch(self, rows):
        batch = pa.RecordBatch.from_pylist(rows, self.SCHEMA)
        block = Block(batch, batch.column("text"), np.arange(len(rows)), [], 0, len(rows), 0)
        sketches, _ = sketch_block(block, self.FIELDS, self.embedder, 5, NUM_PERM)
        return pa.Table.from_batches([sketches])

    def table(self, unit, columns):
        return self.tables[unit].select(columns)

    def save(self, folder):
        """Write the tables, so that a transform can read them."""
        self.folder = str(folder)
        self.paths = [unit_file(self.folder, unit.index, "parquet") for unit in self.units]
        for path, table in zip(self.paths, self.tables, strict=True):
            files.write_table(path, table)


def in_one_bin(sketches, documents, comparison, settings, threshold=None, seed=0, paraphrases=None):
    """Decide about documents in one bin: verdicts, and pairs as (child, parent) documents.

    Args:
        sketches: sketches of all documents.
        documents: ascending documents of the bin.
        comparison: comparison of these documents.
        settings: settings of the near rule.
        threshold: threshold that the bands are made for, if it differs.
        seed: seed of the order of the entries.
        paraphrases: pairs of documents of the bin by their embeddings.
    """
    compared = np.flatnonzero(comparison.is_first)
    signatures = matrix_of(sketches, "signature", documents[compared], np.uint32)
    entries = Entries(np.zeros(0, np.uint64), np.zeros(0, np.int64))
    if len(compared):
        parameters = lsh_parameters(threshold or settings.threshold, NUM_PERM)
        values = band_values(signatures, *parameters)
        document = np.repeat(compared, values.shape[1])
        order = np.random.default_rng(seed).permutation(values.size)
        document, pools = document[order], Pools.of(comparison.rules)
        entries = Entries.of(values.ravel()[order], document, pools.take(document))
    table = contents_of(sketches, documents)
    boilerplate = None
    if settings.boilerplate is not None:
        counted = documents[np.unique(document[shared(values.ravel()[order])])]
        words = word_runs(sketches, counted)
        wordless = numbers(sketches, "fingerprint_lo")[counted]
        bits = table_bits(len(words[1]))
        counts = count_shingles(words, wordless, settings.ngram, bits)
        boilerplate = Boilerplate(settings.boilerplate, counts)
    with Contents(settings, boilerplate) as contents:
        measures = contents.measures(table)
        verdicts, resolution = decide(comparison, entries, settings, measures, paraphrases)
    keys, _ = resolution.pairs
    order = documents[comparison.order.document]
    pairs = [(int(order[key >> 32]), int(order[key & 0xFFFFFFFF])) for key in keys.tolist()]
    return verdicts, pairs


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

"""The transform that sketches documents: fingerprint, signature, embedding, surface, counts."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from outcross.schemas.columns import unite
from outcross.schemas.documents import Unit, sketch_schema
from outcross.schemas.sources import Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.memory import keep_freed_memory
from outcross.transforms.base.progress import count
from outcross.transforms.encoders.load import load_model
from outcross.transforms.exchange.per_unit import PerUnit
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.rows.blocks import Reject
from outcross.transforms.rows.damage import damages
from outcross.transforms.rows.filters import Met
from outcross.transforms.sketches.block import Embedding, count_fields, sketch_block
from outcross.transforms.sketches.passages import read_rows
from outcross.transforms.sketches.store import UnitReport
from outcross.transforms.text.embed import Reading
from outcross.transforms.text.known import Known


@dataclass
class SketchDocuments(beam.PTransform):
    """Sketch each unit into a row-aligned Parquet file; units that have one are skipped.

    Elements in: lists of `Unit`; elements out: indexes of the units.

    Args:
        sources: sources of the configuration; `Unit.source` is an index into them.
        folder: folder of the files.
        ngram: words in a shingle.
        num_perm: number of permutations of a signature.
        embedded: True to make embeddings, surfaces and signs, which deduplication doesn't need.
        embedder: the configuration's key of that name; None for the packaged table.
        fingerprint: fingerprint that the embedder must have on every worker; None for any.
    """

    sources: Sequence[Source]
    folder: str
    ngram: int
    num_perm: int
    embedded: bool = True
    embedder: str | None = None
    fingerprint: str | None = None

    def expand(self, lanes: Any) -> Any:
        """Sketch the units of each lane."""
        work = _SketchUnit(
            self.sources,
            self.folder,
            self.ngram,
            self.num_perm,
            self.embedded,
            self.embedder,
            self.fingerprint,
        )
        return lanes | PerUnit(work)


@dataclass
class _SketchUnit:
    sources: Sequence[Source]
    folder: str
    ngram: int
    num_perm: int
    embedded: bool
    key: str | None
    fingerprint: str | None

    def setup(self) -> None:
        keep_freed_memory()
        self.model = load_model(self.key)
        expected = self.fingerprint or self.model.fingerprint
        if self.model.fingerprint != expected:
            raise ConfigError(
                f"embedder: {self.key} has the fingerprint {self.model.fingerprint} on "
                f"a worker, and {expected} where the command was started; give all machines the "
                "same files, or name a hub id with its commit"
            )
        self.embedder = self.model.embedder() if self.embedded else None

    def run(self, unit: Unit) -> int:
        report_path = unit_file(self.folder, unit.index, "json")
        if files.exists(report_path):
            return unit.index
        source = self.sources[unit.source]
        counted = source.tokenizer is not None
        encoded = self.embedder is not None and self.embedder.encodes
        schema = sketch_schema(self.num_perm, self.embedded, self.model.dims, counted, encoded)
        reports: list[UnitReport] = []

        def write(sink: Any) -> None:
            # Signatures and embeddings don't compress, and are read back by every later stage.
            with files.parquet_writer(
                sink, schema, compression="none", use_dictionary=False, write_statistics=False
            ) as writer:
                reports.append(self._blocks(unit, source, writer))

        files.write_whole(unit_file(self.folder, unit.index, "parquet"), write)
        files.write_json(report_path, asdict(reports[0]))
        return unit.index

    def _blocks(self, unit: Unit, source: Source, writer: pq.ParquetWriter) -> UnitReport:
        rows = read = filtered = tokens = 0
        lines = np.zeros(len(unit.pieces), np.int64)
        valid: list[NDArray[np.int64]] = []
        reasons: Counter[str] = Counter()
        named: Counter[str] = Counter()
        schemas: list[pa.Schema] = []
        rejects: list[Reject] = []
        embeddings: list[Embedding] = []
        met: list[tuple[Met, ...]] = []
        everywhere: set[str] | None = None
        for block in read_rows(unit, source):
            batch, embedding = sketch_block(block, source, self.embedder, self.ngram, self.num_perm)
            embeddings.append(embedding)
            met += [block.met] if block.met else []
            if batch.num_rows:
                writer.write_batch(batch)
                schemas.append(block.batch.schema)
                full = {c for c in block.batch.schema.names if not block.batch[c].null_count}
                everywhere = full if everywhere is None else everywhere & full
            named.update(count_fields(batch))
            rows += batch.num_rows
            for piece, covered in block.pieces:
                lines[piece] += covered
            valid.append(block.rows)
            read += block.read
            filtered += block.filtered
            tokens += int(pc.sum(batch.column("tokens")).as_py() or 0)
            for reject in block.rejects:
                reasons[reject.reason] += reject.rows
            rejects += block.rejects
            count("documents", block.read if unit.passages_of is None else 0)
            count("bytes", block.bytes)
        if rejects:
            files.write_table(
                unit_file(self.folder, unit.index, "rejects.parquet"),
                pa.Table.from_pylist([asdict(reject) for reject in rejects]),
            )
        merged = unite(schemas)
        ends = np.searchsorted(np.concatenate([np.zeros(0, np.int64), *valid]), np.cumsum(lines))
        return UnitReport(
            unit=unit.index,
            rows=rows,
            lines=lines.tolist(),
            piece_rows=np.diff(ends, prepend=0).tolist(),
            read=read,
            rejected=sum(reject.rows for reject in rejects),
            filtered=filtered,
            tokens=tokens,
            lost=sum(reject.lost for reject in rejects),
            damaged=damages(unit, rejects, lines.tolist()),
            reasons=dict(sorted(reasons.items())),
            everywhere=sorted(everywhere or ()),
            named=dict(named),
            schema=base64.b64encode(merged.serialize().to_pybytes()).decode(),
            **Known.total(each.known for each in embeddings)._asdict(),
            reading=Reading.total(each.reading for each in embeddings)._asdict(),
            embedding_seconds=round(sum(each.seconds for each in embeddings), 3),
            build=self.model.build,
            met=[asdict(Met.total(parts)) for parts in zip(*met, strict=True)],
        )

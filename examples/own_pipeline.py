"""A Beam pipeline of your own, built from transforms of outcross.

It counts the tokens of a corpus in each cluster of human text, and prints the clusters that the
corpus covers least. Make the reference first, with `--text-field` if the column is not `text`:

    outcross reference build --human HUMAN.jsonl --out human

Then look at a corpus, whose column may have another name:

    python examples/own_pipeline.py FILES --text-field response --reference human --work work

Options that the script does not know go to Beam, such as `--runner FlinkRunner`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions

import outcross

NGRAM, NUM_PERM = 5, 128  # of the signatures, which this pipeline does not use


@dataclass(frozen=True)
class Coverage:
    """A cluster's share of tokens.

    Attributes:
        cluster: number of the cluster.
        words: words that set it apart from other clusters.
        corpus, reference: shares of all tokens, from 0 to 1.
    """

    cluster: int
    words: str
    corpus: float
    reference: float


def tokens_by_cluster(unit: int, sketches: str, assignments: str) -> Iterator[tuple[int, int]]:
    """Yield the cluster and the tokens of each document of a unit.

    Both files have one row for each document of the unit, in the same order.
    """
    tokens = pq.read_table(f"{sketches}/unit-{unit:06d}.parquet", columns=["tokens"])
    clusters = pq.read_table(f"{assignments}/unit-{unit:06d}.parquet", columns=["cluster"])
    yield from zip(clusters["cluster"].to_pylist(), tokens["tokens"].to_pylist(), strict=True)


def measure(
    source: outcross.Source, reference: outcross.Reference, work: Path, beam_args: Sequence[str]
) -> list[Coverage]:
    """Run the pipeline, and return each cluster's share of tokens, the least covered first.

    Args:
        source: files of the corpus and their fields.
        reference: human text to compare with.
        work: folder for sketches and assignments, which workers must share.
        beam_args: Beam's own options.
    """
    sketches, assignments, counts = (str(work / n) for n in ("sketches", "assignments", "counts"))
    units = outcross.plan_units([source], unit_bytes=32 << 20)
    for folder in (sketches, assignments):
        Path(folder).mkdir(parents=True)
    with beam.Pipeline(options=PipelineOptions(list(beam_args))) as pipeline:
        (
            pipeline
            | beam.Create([[unit] for unit in units])
            | outcross.SketchDocuments([source], sketches, NGRAM, NUM_PERM)
            | beam.Map(lambda index: [units[index]])
            | outcross.AssignClusters(
                sketches, assignments, reference.codebook, reference.second_codebook
            )
            | beam.FlatMap(tokens_by_cluster, sketches, assignments)
            | beam.CombinePerKey(sum)
            | beam.MapTuple(lambda cluster, tokens: f"{cluster}\t{tokens}")
            | beam.io.WriteToText(counts, num_shards=1)
        )
    return compare(dict(read_counts(work)), reference)


def compare(tokens: dict[int, int], reference: outcross.Reference) -> list[Coverage]:
    """Compare the tokens of each cluster with the reference.

    Args:
        tokens: tokens of the corpus by cluster.
        reference: human text to compare with.

    Raises:
        SystemExit: when there are no tokens.
    """
    words: dict[int, Any] = {row["cluster"]: row["words"] for row in reference.names.to_pylist()}
    total = sum(tokens.values())
    if total == 0:
        raise SystemExit("no document was read; does --text-field name the column of the text?")
    clusters = [
        Coverage(
            cluster=cluster,
            words=", ".join(words.get(cluster, [])),
            corpus=tokens.get(cluster, 0) / total,
            reference=float(share),
        )
        for cluster, share in enumerate(reference.shares)
    ]
    return sorted(clusters, key=lambda c: (c.corpus / c.reference, c.cluster))


def read_counts(work: Path) -> Iterator[tuple[int, int]]:
    """Yield the tokens of each cluster from the files that Beam wrote."""
    for path in work.glob("counts-*"):
        for line in path.read_text().splitlines():
            cluster, tokens = line.split("\t")
            yield int(cluster), int(tokens)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the ten clusters that a corpus covers least."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", help="files, globs and folders of the corpus")
    parser.add_argument("--text-field", default="text", help="column of the text")
    parser.add_argument("--reference", required=True, help="folder of `outcross reference build`")
    parser.add_argument("--work", type=Path, required=True, help="folder that does not exist yet")
    options, beam_args = parser.parse_known_args(arguments)
    if options.work.exists():
        parser.error(f"--work: {options.work} exists; choose a folder that does not exist yet")
    source = outcross.Source(
        name="corpus", role="synthetic", files=options.files, text_field=options.text_field
    )
    reference = outcross.load_reference(options.reference)
    print("corpus  human  cluster")
    for line in measure(source, reference, options.work, beam_args)[:10]:
        print(f"{line.corpus:6.2%} {line.reference:6.2%}  {line.cluster}: {line.words}")


if __name__ == "__main__":
    main()

"""Exchanges that count the prompts of each source, and compare the answers of those drawn.

PromptCounts    units → partitions of prompts → sources    counts, and a draw of prompts
DrawnAnswers    units → sources                            comparison of their answers
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.measuring.answer_classes import SameRule
from outcross.transforms.measuring.answers import summarise
from outcross.transforms.measuring.distinct import parted
from outcross.transforms.measuring.smallest import smallest_until
from outcross.transforms.sketches.store import fixed_matrix, packed_runs

if TYPE_CHECKING:
    from outcross.transforms.exchange.packing import Keyed

MOST_ANSWERS = 1 << 18
"""Answers of a source that are compared with one another."""
SHOWN = 20
"""Collapsed prompts of a source that are shown."""


def tally(prompt: NDArray[np.uint64], answers: NDArray[np.int64]) -> pa.Table:
    """Add up the answers of each prompt.

    Args:
        prompt: uint64[n], hashes of prompts; rows with 0, for none, are left out.
        answers: int64[n], answers of each row.

    Returns:
        Columns `prompt`, ascending, and `answers`.
    """
    rows = prompt != 0
    value, which = np.unique(prompt[rows], return_inverse=True)
    total = np.zeros(len(value), np.int64)
    np.add.at(total, which, answers[rows])
    return pa.table({"prompt": value, "answers": total})


def draw_prompts(prompts: pa.Table, seed: int, most: int = MOST_ANSWERS) -> pa.Table:
    """Draw prompts with several answers by a hash, until these are `most` answers.

    Args:
        prompts: columns of `tally`, and `undrawn`, prompts that are not drawn.
        seed: seed of the run.
        most: answers from which on no further prompt is drawn.

    Returns:
        The drawn prompts, and a row of prompt 0 whose `undrawn` counts all prompts that aren't.
    """
    several = prompts.filter(pa.array(prompts["answers"].to_numpy() > 1))
    value, answers = (several[name].to_numpy() for name in ("prompt", "answers"))
    hashed = seeded_hash(value, value, seed, "prompts")
    drawn = smallest_until(most, answers, hashed, value)
    rest = int((prompts["prompt"].to_numpy() != 0).sum()) - len(drawn)
    rest += int(prompts["undrawn"].to_numpy().sum())
    return pa.table(
        {
            "prompt": np.append(value[drawn], np.uint64(0)),
            "answers": np.append(answers[drawn], 0),
            "undrawn": np.append(np.zeros(len(drawn), np.int64), rest),
        }
    )


@dataclass
class PromptCounts:
    """Work that counts prompts: units send, partitions add up and draw, sources draw from these.

    Args:
        sketches: folder of the sketches.
        asking: True for each source that names a column of prompts.
        seed: seed of the run.
        partitions: number of partitions.
        folder: folder that gets the drawn prompts of each source, by its number.
    """

    sketches: str
    asking: Sequence[bool]
    seed: int
    partitions: int
    folder: str

    def setup(self) -> None:
        """Do nothing, as units share no data."""

    def send(self, unit: Unit) -> Iterator[Keyed]:
        """Yield the prompts of a unit with the numbers of their answers, by partition."""
        if self.asking[unit.source]:
            path = unit_file(self.sketches, unit.index, "parquet")
            prompt = files.read_table(path, ["prompt"])["prompt"].to_numpy()
            rows = tally(prompt, np.ones(len(prompt), np.int64))
            rows = rows.append_column("source", pa.array(np.full(len(rows), unit.source)))
            yield from parted(rows, rows["prompt"].to_numpy(), self.partitions)

    def regroup(self, key: int, rows: pa.Table) -> Iterator[Keyed]:
        """Yield the prompts of a partition that may be drawn, by source."""
        source = rows["source"].to_numpy()
        for number in np.unique(source).tolist():
            part = rows.filter(pa.array(source == number))
            prompts = tally(part["prompt"].to_numpy(), part["answers"].to_numpy())
            undrawn = pa.array(np.zeros(len(prompts), np.int64))
            yield number, draw_prompts(prompts.append_column("undrawn", undrawn), self.seed)

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write the drawn prompts of a source."""
        if rows is not None:
            path = unit_file(self.folder, key, "parquet")
            files.write_table(path, draw_prompts(rows, self.seed))
        yield key


@dataclass
class DrawnAnswers:
    """Work that compares the answers to the drawn prompts, of each source in one worker.

    Args:
        sketches: folder of the sketches.
        offsets: int64[U + 1], number of the first document of each unit.
        drawn: folder that `PromptCounts` wrote.
        rule: rule by which two answers are the same.
        seed: seed of the run.
        folder: folder that gets the comparison of each source, JSON by its number.
    """

    sketches: str
    offsets: NDArray[np.int64]
    drawn: str
    rule: SameRule
    seed: int
    folder: str

    def setup(self) -> None:
        """Forget the drawn prompts."""
        self.prompts: dict[int, NDArray[np.uint64]] = {}

    def send(self, unit: Unit) -> Iterator[Keyed]:
        """Yield the answers of a unit to the drawn prompts, by source."""
        drawn = unit_file(self.drawn, unit.source, "parquet")
        if unit.source not in self.prompts:
            exists = files.exists(drawn)
            prompts = files.read_table(drawn)["prompt"].to_numpy() if exists else []
            self.prompts[unit.source] = np.array(prompts, np.uint64)
        if len(self.prompts[unit.source]) == 0:
            return
        path = unit_file(self.sketches, unit.index, "parquet")
        prompt = files.read_table(path, ["prompt"])["prompt"].to_numpy()
        rows = np.flatnonzero(np.isin(prompt, self.prompts[unit.source]) & (prompt != 0))
        if len(rows):
            columns = ["prompt", "fingerprint_hi", "fingerprint_lo", "words", "embedding"]
            table = files.read_table(path, columns).take(pa.array(rows))
            document = pa.array(self.offsets[unit.index] + rows)
            yield unit.source, table.append_column("document", document)

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write the comparison of a source's answers."""
        if rows is not None:
            path = unit_file(self.folder, key, "json")
            files.write_json(path, compare_answers(rows, self.rule, self.seed))
        yield key


def compare_answers(rows: pa.Table, rule: SameRule, seed: int) -> dict[str, Any]:
    """Compare the answers to each of some prompts.

    Args:
        rows: n answers in any order: `document`, `prompt`, `fingerprint_hi`, `fingerprint_lo`,
            `words` and `embedding`.
        rule: rule by which two answers are the same.
        seed: seed of the run.

    Returns:
        Attributes of `Prompts` that a report shows; `collapsed` has the first `SHOWN` prompts,
        each with `document`, the number of the document that stands for its commonest answer.
    """
    rows = rows.take(pa.array(np.argsort(rows["document"].to_numpy()))).combine_chunks()
    document, prompt, hi, lo = (
        rows[name].to_numpy() for name in ("document", "prompt", "fingerprint_hi", "fingerprint_lo")
    )
    embeddings = fixed_matrix(rows["embedding"], np.int8)
    summary = summarise(prompt, *packed_runs(rows["words"]), hi, lo, embeddings, rule, seed)
    names = ("several", "answers", "k", "distinct", "effective", "same_chance", "gains")
    shown = [
        {**asdict(case), "document": int(document[case.row])} for case in summary.collapsed[:SHOWN]
    ]
    return {name: getattr(summary, name) for name in (*names, "saturates_at")} | {
        "collapsed_prompts": len(summary.collapsed),
        "collapsed": shown,
    }


def read_prompts(folder: str, source: int) -> int:
    """Return the number of different prompts of a source, from what `PromptCounts` wrote."""
    path = unit_file(folder, source, "parquet")
    if not files.exists(path):
        return 0
    table = files.read_table(path)
    return len(table) - 1 + int(table["undrawn"].to_numpy().sum())


def read_comparison(folder: str, source: int) -> dict[str, Any] | None:
    """Return what `DrawnAnswers` wrote of a source; None where no prompt has several answers."""
    path = unit_file(folder, source, "json")
    if not files.exists(path):
        return None
    comparison: dict[str, Any] = files.read_json(path)
    return comparison

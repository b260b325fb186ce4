"""`outcross lineage show`: what was bought, used and left, and the generations' distances."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console

from outcross.pipeline.inputs.lineage import LINEAGE, damage_error, read_lineage
from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import new_table, show_table
from outcross.schemas.columns import LEDGER_COLUMN
from outcross.schemas.config import ConfigError
from outcross.schemas.lineage import Amount, Bought, Generation, Lineage, LineageSummary
from outcross.transforms.base import files


def lineage_summary(folder: str) -> LineageSummary:
    """What a lineage holds.

    Raises:
        ConfigError: when there is none in the folder, or what it names can't be read.
    """
    if not files.exists(files.join(folder, LINEAGE)):
        raise ConfigError(
            f"lineage: {folder} holds no {LINEAGE}; give the folder that runs were given by "
            "--lineage, after the first of them has finished"
        )
    state = read_lineage(folder)
    return LineageSummary(
        folder=folder, generations=state.generations, ledger=_ledger(folder, state)
    )


def show_lineage(folder: str, as_json: bool) -> None:
    """Prints what a lineage holds."""
    found = lineage_summary(folder)
    if as_json:
        print_json(found.model_dump_json(indent=2))
        return
    console = Console()
    table = new_table(
        "generations",
        ["generation"],
        ["tokens", "fresh human", "of the ledger", "human share", "synthetic sources"],
    )
    for one in found.generations:
        human = one.fresh.tokens + one.reused.tokens
        table.add_row(
            one.name,
            f"{one.tokens:,}",
            f"{one.fresh.tokens:,}",
            f"{one.reused.tokens:,}",
            f"{human / max(one.tokens, 1):.1%}",
            f"{len(one.sources):,}",
        )
    show_table(console, table)
    table = new_table(
        "the ledger, in human tokens",
        ["bought by"],
        ["bought", "documents", "used again", "never used", "uses a document"],
    )
    for line in found.ledger:
        table.add_row(
            line.generation,
            f"{line.bought.tokens:,}",
            f"{line.bought.documents:,}",
            f"{line.used.tokens:,}",
            f"{line.left.tokens:,}",
            f"{line.uses / max(line.bought.documents, 1):.2f}",
        )
    show_table(console, table)
    ranked = [(one.name, source) for one in found.generations for source in one.ranking]
    if ranked:
        table = new_table(
            "the archive: candidates by their distance to human text, mixed with the ledger",
            ["generation", "source"],
            ["distance", "tokens held", "taken to choose from"],
        )
        for name, source in ranked:
            table.add_row(
                name,
                source.name,
                f"{source.distance:.4f}",
                f"{source.held.tokens:,}",
                f"{source.candidates.tokens:,}",
            )
        show_table(console, table)


def _ledger(folder: str, state: Lineage) -> list[Bought]:
    """What each generation bought, and how often later ones have written it again."""
    used = [
        _fingerprints(folder, generation.used)
        for generation in state.generations
        if generation.used is not None
    ]
    again, often = np.unique(np.concatenate([np.zeros(0, _FINGERPRINT), *used]), return_counts=True)
    return [_bought(folder, one, again, often) for one in state.generations if one.bought]


_FINGERPRINT = np.dtype([("hi", np.uint64), ("lo", np.uint64)])


def _fingerprints(folder: str, name: str) -> NDArray[np.void]:
    table = _read(folder, name)
    found = np.empty(len(table), _FINGERPRINT)
    found["hi"], found["lo"] = table["fingerprint_hi"], table["fingerprint_lo"]
    return found


def _read(folder: str, name: str, columns: list[str] | None = None) -> pa.Table:
    path = files.join(folder, name)
    try:
        return files.read_table(path, columns)
    except (OSError, ValueError) as error:
        raise damage_error(path, error) from None


def _bought(
    folder: str, generation: Generation, again: NDArray[np.void], often: NDArray[np.int64]
) -> Bought:
    uses, tokens = [], []
    for part in generation.bought:
        notes = _read(folder, part.file, [LEDGER_COLUMN])[0].combine_chunks()
        own = np.empty(len(notes), _FINGERPRINT)
        own["hi"], own["lo"] = notes.field("fingerprint_hi"), notes.field("fingerprint_lo")
        written = np.zeros(len(own), np.int64)
        _, place, rank = np.intersect1d(own, again, return_indices=True)
        written[place] = often[rank]  # a ledger holds no text twice
        uses.append(written)
        tokens.append(notes.field("tokens").to_numpy())
    times, length = np.concatenate(uses), np.concatenate(tokens)
    used = times > 0
    return Bought(
        generation=generation.name,
        bought=generation.fresh,
        used=Amount(documents=int(used.sum()), tokens=int(length[used].sum())),
        left=Amount(documents=int((~used).sum()), tokens=int(length[~used].sum())),
        uses=int(times.sum()),
    )

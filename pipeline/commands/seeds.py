"""Human texts that a run has written, as examples of clusters."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from outcross.pipeline.stages.texts import judged_texts
from outcross.schemas.budget import OTHERS
from outcross.schemas.config import Config
from outcross.schemas.requests import Seed
from outcross.transforms.base import files

Cell = tuple[str, int]  # domain and cluster
_SHOWN = "\u200c\u200d"  # joiners, without which words of many scripts can't be read


def seeds_in_data(
    out: str,
    config: Config,
    domains: Collection[str],
    cells: Collection[Cell],
    number: int,
    characters: int,
) -> dict[Cell, list[Seed]]:
    """Choose human texts of cells, at random.

    They are the first ones in data/, whose rows stand in the order of a seeded hash. So neither
    workers nor units change them. Sources of role `reference` are never written there.

    Args:
        out: output directory of the run.
        config: configuration of the run.
        domains: names of the plan's domains.
        cells: cells that need texts.
        number: most texts of a cell.
        characters: most characters of a text.

    Returns:
        The texts by cell; none for a cell without human text in data/.
    """
    seeds: dict[Cell, list[Seed]] = {cell: [] for cell in cells}
    room = dict.fromkeys(cells, number)
    for rows in _human_rows(out):
        if not any(room.values()):
            break
        notes = rows["outcross"].combine_chunks()
        ids, sources, names, clusters = (
            notes.field(field).to_pylist() for field in ("id", "source", "domain", "cluster")
        )
        chosen: list[tuple[int, Cell]] = []
        for row, (name, cluster) in enumerate(zip(names, clusters, strict=True)):
            cell = (name if name in domains else OTHERS, cluster)
            if room.get(cell, 0):
                room[cell] -= 1
                chosen.append((row, cell))
        if not chosen:
            continue
        texts = _texts(config, rows.take(pa.array([row for row, _ in chosen])))
        for row, cell in chosen:
            text = shown(texts[sources[row], ids[row]], characters)
            seeds[cell].append(Seed(source=sources[row], id=ids[row], text=text))
    return seeds


def shown(text: str, characters: int) -> str:
    """Return the beginning of a text that may be shown to a generator.

    Lines stay, tabs become blanks, and control characters, also those of direction, go.

    Args:
        text: text of a corpus.
        characters: most characters of the result.
    """
    lines = text[: 4 * characters].expandtabs(4).strip().splitlines()
    cleaned = "\n".join(
        "".join(c if c.isprintable() or c in _SHOWN else " " for c in line).rstrip()
        for line in lines
    )
    if len(cleaned) <= characters and len(text) <= 4 * characters:
        return cleaned
    return cleaned[: characters - 1].rstrip() + "…"


def _human_rows(out: str) -> Iterator[pa.Table]:
    """Yield the human rows of data/, each document once, a row group at a time."""
    for path in files.list_files(files.join(out, "data", "*.parquet")):
        with files.open_input(path) as stream:
            shard = pq.ParquetFile(stream)
            for number in range(shard.num_row_groups):
                notes = shard.read_row_group(number, ["outcross"], use_threads=False)["outcross"]
                human = pc.equal(pc.struct_field(notes, "role"), "human")
                first = pc.equal(pc.struct_field(notes, "copy"), 1)
                mask = pc.and_(human, first)
                if pc.any(mask).as_py():
                    yield shard.read_row_group(number, use_threads=False).filter(mask)


def _texts(config: Config, table: pa.Table) -> dict[tuple[str, str], str]:
    """Return the judged texts of rows of data/, by source and id."""
    rows = pa.chunked_array(
        [batch.to_struct_array() for batch in table.to_batches()],
        type=pa.struct(list(table.schema)),
    )
    notes = table["outcross"]
    ids, sources = pc.struct_field(notes, "id"), pc.struct_field(notes, "source")
    return judged_texts(config, ids, sources, rows)

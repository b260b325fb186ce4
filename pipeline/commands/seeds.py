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
from outcross.transforms.base.damage import reading

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
    for path, shard, group, places in _human_rows(out):
        chosen: list[tuple[int, Cell]] = []
        for row, name, cluster in zip(*places.to_pydict().values(), strict=True):
            cell = (name if name in domains else OTHERS, cluster)
            if room.get(cell, 0):
                room[cell] -= 1
                chosen.append((row, cell))
        if chosen:
            with reading(path):
                rows = shard.read_row_group(group, use_threads=False)
            named = _texts(config, rows.take(pa.array([row for row, _ in chosen])))
            for (_, cell), (source, name, text) in zip(chosen, named, strict=True):
                seed = Seed(source=source, id=name, text=shown(text, characters))
                seeds[cell].append(seed)
        if not any(room.values()):
            break
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


def _human_rows(out: str) -> Iterator[tuple[str, pq.ParquetFile, int, pa.Table]]:
    """Yield the path, shard and number of each row group of data/ with human rows, and these rows.

    The rows have their `row` in the group, `domain` and `cluster`. Each document is one row.
    """
    names = [f"outcross.{name}" for name in ("role", "copy", "domain", "cluster")]
    for path in files.list_files(files.join(out, "data", "*.parquet")):
        with files.open_parquet(path) as shard:
            for group in range(shard.num_row_groups):
                notes = shard.read_row_group(group, names, use_threads=False).flatten()
                role, copy, domain, cluster = (notes[name] for name in names)
                places = pa.table({"row": range(len(notes)), "domain": domain, "cluster": cluster})
                human = pc.and_(pc.equal(role, "human"), pc.equal(copy, 1))
                places = places.filter(human)
                if len(places):
                    yield path, shard, group, places


def _texts(config: Config, rows: pa.Table) -> list[tuple[str, str, str]]:
    """Return source, id and judged text of each row of data/."""
    notes = rows["outcross"]
    ids, sources = pc.struct_field(notes, "id"), pc.struct_field(notes, "source")
    columns = pa.chunked_array(
        [batch.to_struct_array() for batch in rows.to_batches()],
        type=pa.struct(list(rows.schema)),
    )
    texts = judged_texts(config, ids, sources, columns)
    names = zip(sources.to_pylist(), ids.to_pylist(), strict=True)
    return [(source, name, texts[source, name]) for source, name in names]

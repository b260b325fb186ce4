"""Limits on the length of documents, from the number of documents of each length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.config import DEFAULT_SYNTHETIC, Config, repeat_caps
from outcross.schemas.documents import Unit
from outcross.schemas.plan import LengthLimits
from outcross.schemas.sources import WRITABLE, Role
from outcross.transforms.base import files
from outcross.transforms.selection.unit_columns import UnitColumns

PERCENT = 100
"""Limit: a document may hold 1/PERCENT of the tokens to write, however short the others are."""
MEDIANS = 20
"""Limit: a document may be MEDIANS times as long as the median, however little is written."""
LENGTHS = "lengths.npz"
"""File of the numbers of documents of each length."""
_NEW = "new"  # synthetic documents that are not of earlier generations

Int64s = NDArray[np.int64]


@dataclass(frozen=True)
class Lengths:
    """Numbers of documents of each length.

    Attributes:
        tokens: int64[m], different lengths, ascending.
        documents: int64[m], documents of each length.
    """

    tokens: Int64s
    documents: Int64s

    @classmethod
    def of(cls, tokens: Int64s) -> Lengths:
        """Count documents by their lengths, int64[n]."""
        return cls(*np.unique(tokens, return_counts=True))

    @classmethod
    def merge(cls, parts: Iterable[Lengths]) -> Lengths:
        """Add up counts."""
        columns = [
            (part.tokens, part.documents) for part in (cls.of(np.zeros(0, np.int64)), *parts)
        ]
        tokens, documents = (np.concatenate(column) for column in zip(*columns, strict=True))
        lengths, place = np.unique(tokens, return_inverse=True)
        total = np.zeros(len(lengths), np.int64)
        np.add.at(total, place, documents)
        return cls(lengths, total)

    @property
    def median(self) -> int:
        """Upper median length of the documents with words; 1 where there are none."""
        worded = self.tokens > 0
        reached = np.cumsum(self.documents[worded])
        if not len(reached):
            return 1
        place = np.searchsorted(reached, reached[-1] // 2, side="right")
        return int(self.tokens[worded][place])

    def within(self, limit: int) -> int:
        """Return the tokens of the documents that are no longer than a limit."""
        end = np.searchsorted(self.tokens, limit, side="right")
        return int((self.tokens[:end] * self.documents[:end]).sum())


def length_limits(config: Config, lengths: Mapping[Role, Lengths], new: Lengths) -> LengthLimits:
    """Return the length up to which documents may be written, by role.

    A limit is the larger one of 1 % of the tokens to write and 20 times the median length. By
    default the tokens to write depend on the supply, which counts no document above the limits.

    Args:
        config: configuration of the run.
        lengths: lengths of the kept documents of each role.
        new: lengths of the synthetic documents that decide the default total.
    """
    least = {role: MEDIANS * part.median for role, part in lengths.items()}
    supply: dict[Role, Lengths] = {"synthetic": new, "human": lengths["human"]}
    limits = dict.fromkeys(WRITABLE, 1 << 62)  # these leave out nothing
    while True:  # ends, as limits only fall
        wanted = tokens_wanted(config, *(supply[role].within(limits[role]) for role in WRITABLE))
        lower = {
            role: min(limits[role], max(int(wanted) // PERCENT, least[role])) for role in WRITABLE
        }
        if lower == limits:
            return LengthLimits(**lower)
        limits = lower


def tokens_wanted(config: Config, synthetic: float, human: float) -> float:
    """Return the tokens that a run would write, even if it can't.

    Args:
        config: configuration of the run.
        synthetic: supply of synthetic tokens, each document once.
        human: supply of human tokens, each document once.
    """
    if config.tokens is not None:
        return config.tokens
    generated = DEFAULT_SYNTHETIC * synthetic
    if config.human_tokens is not None:
        return generated + config.human_tokens
    share = config.human_share if config.effective_ratio is None else 0.0
    if share == 1 or synthetic == 0:
        return human
    return generated + min(generated * share / (1 - share), repeat_caps(config).human * human)


@dataclass
class CountLengths:
    """Work of a sum over units: numbers of kept documents of each length, by role.

    Args:
        columns: columns of the units.
        new: numbers of the synthetic sources that decide the default total.
    """

    columns: UnitColumns
    new: frozenset[int]

    def setup(self) -> None:
        """Do nothing."""

    def start(self) -> dict[str, list[Lengths]]:
        """Return empty counts."""
        return {name: [] for name in (*WRITABLE, _NEW)}

    def add(self, unit: Unit, sums: dict[str, list[Lengths]]) -> None:
        """Count the documents of a unit."""
        role = self.columns.roles[unit.source]
        if role not in WRITABLE:
            return
        tokens = self.columns.sketch(unit, ["tokens"])["tokens"].to_numpy()
        lengths = Lengths.of(tokens[self.columns.kept(unit)])
        for name in (role, _NEW) if unit.source in self.new else (role,):
            sums[name] = [Lengths.merge([*sums[name], lengths])]

    def pack(self, sums: dict[str, list[Lengths]]) -> Iterator[tuple[str, bytes]]:
        """Yield the counts."""
        yield LENGTHS, _pack({name: Lengths.merge(parts) for name, parts in sums.items()})

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up counts."""
        counts = [_unpack(part) for part in parts]
        return _pack({role: Lengths.merge(c[role] for c in counts) for role in (*WRITABLE, _NEW)})


def _pack(lengths: Mapping[str, Lengths]) -> bytes:
    return files.pack_arrays(
        {name: np.stack([part.tokens, part.documents]) for name, part in lengths.items()}
    )


def _unpack(data: bytes) -> dict[str, Lengths]:
    return {name: Lengths(*columns) for name, columns in files.unpack_arrays(data).items()}


@dataclass
class Limits:
    """Limits of length of a run, which each worker computes from the sum of the lengths.

    Args:
        config: configuration of the run.
        fixed: limits of a plan; None where there are none, or they are computed.
        lengths: file that `CountLengths` writes; None where limits aren't computed.
    """

    config: Config
    fixed: LengthLimits | None = None
    lengths: str | None = None
    _loaded: list[LengthLimits] = field(default_factory=list, repr=False)

    def load(self) -> LengthLimits | None:
        """Return the limits; None where nothing is too long."""
        if self.lengths is None:
            return self.fixed
        if not self._loaded:
            counts = files.read_as(self.lengths, _unpack)
            by_role = {role: counts[role] for role in WRITABLE}
            new = counts[_NEW] if counts[_NEW].tokens.any() else counts["synthetic"]
            self._loaded.append(length_limits(self.config, by_role, new))
        return self._loaded[0]

    def exceeded(self, role: Role, tokens: Int64s) -> NDArray[np.bool_]:
        """Mark the documents of a role that are too long.

        Args:
            role: role of the documents.
            tokens: int64[n], their lengths.

        Returns:
            bool[n].
        """
        limits = self.load()
        if limits is None or role not in WRITABLE:
            return np.zeros(len(tokens), bool)
        return np.asarray(tokens > getattr(limits, role))

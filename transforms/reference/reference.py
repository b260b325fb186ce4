"""The yardstick: codebooks, densities, thresholds and counts of the human reference, on disk."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from outcross.schemas.config import ConfigError, Fields
from outcross.schemas.formats import check_versions, versions
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.estimators.richness import HEAD, OFF_SUPPORT, TAIL, ClusterCounts
from outcross.transforms.reference.codebook import Codebook
from outcross.transforms.reference.pool import POOL_FILES, Pool
from outcross.transforms.text.known import Known
from outcross.transforms.text.ngrams import Tables
from outcross.transforms.text.surface import Bands

FIT, THRESHOLDS, HELD_OUT = 0, 1, 2
TAIL_QUANTILE = 0.20
SUPPORT_QUANTILE = 0.01
VERSION = 5
NGRAMS = "ngrams.bin"
CLUSTERS = "clusters.parquet"
REFERENCE_FILES = ("arrays.npz", NGRAMS, CLUSTERS, *POOL_FILES, "reference.json")

NAMES = pa.schema(
    [
        pa.field("cluster", pa.int32(), nullable=False),
        pa.field("words", pa.list_(pa.string()), nullable=False),
        pa.field("texts", pa.list_(pa.string()), nullable=False),
    ]
)
"""Of a cluster: the words that set it apart, and the beginnings of some human texts in it."""


def reference_part(hi: NDArray[np.uint64], lo: NDArray[np.uint64], seed: int) -> NDArray[np.int8]:
    """Splits human text by hash: a half that fits, a quarter for thresholds, a quarter held out.

    Args:
        hi, lo: uint64[n], fingerprints.
        seed: the run's.
    """
    quarter = seeded_hash(hi, lo, seed, "reference part") >> np.uint64(62)
    return np.array([FIT, FIT, THRESHOLDS, HELD_OUT], np.int8)[quarter.astype(np.int64)]


@dataclass(frozen=True)
class Thresholds:
    """Which documents are rare, and which are unlike anything human.

    Attributes:
        density: below it a document is tail, the 20 % quantile of human text that fitted nothing.
        dot: with the nearest centroid below it a document is off-support, the 1 % quantile.
        bands: with its surface out of one of them a document is off-support as well.
    """

    density: int
    dot: int
    bands: Bands = field(default_factory=Bands)

    def classify(
        self, dot: NDArray[np.int32], density: NDArray[np.int64], surface: NDArray[np.uint32]
    ) -> NDArray[np.int8]:
        """HEAD, TAIL or OFF_SUPPORT for each document.

        Args:
            dot: int32[n], dot product with the nearest centroid.
            density: int64[n].
            surface: uint32[n, 4], what the texts look like.
        """
        kind = np.where(density < self.density, TAIL, HEAD)
        off = (dot < self.dot) | self.bands.outside(surface).any(axis=1)
        return np.where(off, OFF_SUPPORT, kind).astype(np.int8)


def set_thresholds(dot: NDArray[np.int32], density: NDArray[np.int64], bands: Bands) -> Thresholds:
    """Thresholds from the quarter of the human text that is kept for them.

    The quantile is an order statistic, so that it is one of the values and exact.

    Args:
        dot: int32[n], dot product with the nearest centroid.
        density: int64[n].
        bands: of all of the human text: nothing was fitted to its surface.
    """
    if len(dot) == 0:
        return Thresholds(density=0, dot=-(1 << 30), bands=bands)
    return Thresholds(
        density=int(np.sort(density)[int(TAIL_QUANTILE * len(density))]),
        dot=int(np.sort(dot)[int(SUPPORT_QUANTILE * len(dot))]),
        bands=bands,
    )


@dataclass(frozen=True)
class Reference:
    """What a run is measured against, made once and loaded by later runs.

    Attributes:
        human: whether it was fitted on human text; otherwise on the corpus itself, and then
            no figure may call it human.
        embedder: fingerprint of the embedder that it was made with.
        codebook, audit: the codebook of the decisions, and the second one, for reports.
        thresholds: of the classes.
        counts: all of the reference's documents.
        held_out: those of the quarter that fitted nothing.
        ngrams: hashed unigrams and bigrams of the reference.
        pool: documents of the two quarters that fitted no centroids, for comparisons.
        rare: uint32[m], ascending, words that stand two to five times in a million of the rest.
        members: uint64[n, 2], ascending, fingerprints of all documents: what repeats one of them
            word for word is no new text.
        repeats: int64[m, 2], sizes of groups of human documents that repeat one another before
            deduplication, and how many groups have that size.
        ngram, num_perm: of the pool's signatures.
        names: what the clusters are about, with `NAMES`.
        zstd_ratio: at which a sample of its texts compresses; None for too few.
        known: how many of its sources' words the embedder knows.
    """

    human: bool
    embedder: str
    codebook: Codebook
    audit: Codebook
    thresholds: Thresholds
    counts: ClusterCounts
    held_out: ClusterCounts
    ngrams: Tables
    pool: Pool
    rare: NDArray[np.uint32]
    members: NDArray[np.uint64]
    repeats: NDArray[np.int64]
    ngram: int
    num_perm: int
    names: pa.Table
    zstd_ratio: float | None
    known: Known

    @property
    def sizes(self) -> tuple[int, int]:
        """Of the two codebooks."""
        return self.codebook.size, self.audit.size

    def holds(self, hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which documents have the same words as one of the reference's.

        Args:
            hi, lo: uint64[n], fingerprints.
        """
        found = np.zeros(len(hi), bool)
        if len(self.members) == 0:
            return found
        first = np.searchsorted(self.members[:, 0], hi)
        # Two documents with the same upper half stand side by side; hardly ever are there any.
        while True:
            at = np.minimum(first, len(self.members) - 1)
            same = (first < len(self.members)) & (self.members[at, 0] == hi)
            if not same.any():
                return found
            found |= same & (self.members[at, 1] == lo)
            first = np.where(same, first + 1, len(self.members))

    @staticmethod
    def class_shares(kind: NDArray[Any]) -> tuple[float, float]:
        """Shares of tail and of off-support among documents.

        Args:
            kind: int[n], their classes.
        """
        counts = np.bincount(kind, minlength=3) / max(len(kind), 1)
        return float(counts[TAIL]), float(counts[OFF_SUPPORT])

    @property
    def shares(self) -> NDArray[np.float64]:
        """Token shares of the clusters, smoothed by half a mean document each."""
        tokens = self.counts.tokens.astype(float)
        documents = max(int(self.counts.documents.sum()), 1)
        smoothed = tokens + 0.5 * max(tokens.sum(), 1.0) / documents
        return np.asarray(smoothed / smoothed.sum(), np.float64)

    def save(self, folder: str) -> str:
        """Writes the yardstick; returns its fingerprint."""
        files.make_folder(folder)
        arrays: dict[str, Any] = {
            "centroids": self.codebook.centroids,
            "dims": self.codebook.dims,
            "counts": self.codebook.counts,
            "audit_centroids": self.audit.centroids,
            "audit_dims": self.audit.dims,
            "audit_counts": self.audit.counts,
            "rare": self.rare,
            "members": self.members,
            "repeats": self.repeats,
        }
        packed = files.pack_arrays(arrays, compressed=True)
        files.write_bytes(files.join(folder, "arrays.npz"), packed)
        files.write_bytes(files.join(folder, NGRAMS), self.ngrams.to_bytes())
        files.write_table(files.join(folder, CLUSTERS), self.names)
        self.pool.save(folder)
        value: dict[str, Any] = {
            **versions(VERSION),
            "fingerprint": self.fingerprint(),
            "human": self.human,
            "embedder": self.embedder,
            "thresholds": asdict(self.thresholds),
            "counts": self.counts.to_json(),
            "held_out": self.held_out.to_json(),
            "ngram": self.ngram,
            "num_perm": self.num_perm,
            "zstd_ratio": self.zstd_ratio,
            "known": self.known,
        }
        files.write_json(files.join(folder, "reference.json"), value)
        return self.fingerprint()

    def fingerprint(self) -> str:
        """Names the yardstick: two runs with the same one can be compared."""
        state = xxhash.xxh3_128()
        state.update(f"{versions(VERSION)} {self.embedder} {self.human} {self.thresholds}".encode())
        for array in (
            self.codebook.centroids,
            self.codebook.dims,
            self.codebook.counts,
            self.audit.centroids,
            self.audit.dims,
            self.counts.documents,
            self.counts.tokens,
            self.counts.second,
            self.held_out.documents,
            self.held_out.classes,
            self.ngrams.unigrams,
            self.ngrams.bigrams,
            self.rare,
            self.members,
            self.repeats,
        ):
            state.update(np.ascontiguousarray(array).tobytes())
        state.update(self.pool.fingerprint)
        return str(state.hexdigest())


def copy_reference(made: str, folder: str) -> None:
    """Copies a yardstick, the file last that says that it is whole."""
    for name in REFERENCE_FILES:
        target = files.join(folder, name)
        files.make_folder(target.rpartition("/")[0])
        files.write_bytes(target, files.read_bytes(files.join(made, name)))


def load_reference(folder: str, embedder: str) -> Reference:
    """A yardstick that an earlier run has written.

    Raises:
        ConfigError: when there is none, it was made with another embedder or format, or its files
            are damaged or not of one yardstick.
    """
    path = files.join(folder, "reference.json")
    if not files.exists(path):
        raise ConfigError(
            f"reference: {folder} holds no reference.json; "
            "give what `outcross reference build` made, or the folder `reference/` in the output "
            "of an earlier run"
        )
    try:
        value = files.read_json(path)
        made_with = value.get("embedder")
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"reference: {path} is no reference's file ({error})") from None
    check_versions("reference", path, value, versions(VERSION), _make_anew(folder))
    if made_with != embedder:
        raise ConfigError(
            f"reference: {folder} was made with embedder {made_with}, and this is embedder "
            f"{embedder}: figures could not be compared; {_make_anew(folder)}"
        )
    try:
        reference = _read(folder, value)
    except Exception as error:  # whatever readers of four formats raise of broken bytes
        raise ConfigError(
            f"reference: {folder} is damaged ({type(error).__name__}: {error}); build it again, or "
            "copy the whole folder again"
        ) from None
    if reference.fingerprint() != value.get("fingerprint"):
        raise ConfigError(
            f"reference: the files in {folder} are not of one yardstick (its fingerprint is "
            f"{reference.fingerprint()}, reference.json says {value.get('fingerprint')}); copy the "
            "whole folder again"
        )
    return reference


def _make_anew(folder: str) -> str:
    """Return the command that makes a reference anew, with its files where they are known."""
    path, human, fields = files.join(folder, "manifest.json"), ["FILES"], Fields()
    if files.exists(path):  # of `reference build`; that of a run stands beside the run's data
        with suppress(ValueError, LookupError, TypeError):
            source = files.read_json(path)["configuration"]["sources"][0]
            human = [*map(str, source["files"])]
            fields = Fields(**{k: source[k] for k in ("text_field", "roles") if k in source})
    options = [option for glob in human for option in ("--human", glob)]
    if fields.text_field != "text":
        given = fields.text_field
        paths = [given] if isinstance(given, str) else given
        options += [option for path in paths for option in ("--text-field", path)]
    options += [option for role in fields.roles or () for option in ("--roles", role)]
    command = shlex.join(["outcross", "reference", "build", *options, "--out", folder])
    place = "" if human != ["FILES"] else ", with the human text that it was made of"
    return f"make it anew: `{command}`{place}"


def _read(folder: str, value: dict[str, Any]) -> Reference:
    limits = value["thresholds"]
    arrays = files.unpack_arrays(files.read_bytes(files.join(folder, "arrays.npz")))
    return Reference(
        human=value["human"],
        embedder=value["embedder"],
        codebook=Codebook(arrays["centroids"], arrays["dims"], arrays["counts"]),
        audit=Codebook(arrays["audit_centroids"], arrays["audit_dims"], arrays["audit_counts"]),
        thresholds=Thresholds(
            limits["density"],
            limits["dot"],
            Bands(**{name: tuple(ends) for name, ends in limits["bands"].items()}),
        ),
        counts=ClusterCounts.from_json(value["counts"]),
        held_out=ClusterCounts.from_json(value["held_out"]),
        ngrams=Tables.from_bytes(files.read_bytes(files.join(folder, NGRAMS))),
        pool=Pool.load(folder),
        rare=arrays["rare"],
        members=arrays["members"],
        repeats=arrays["repeats"],
        ngram=value["ngram"],
        num_perm=value["num_perm"],
        names=files.read_table(files.join(folder, CLUSTERS)),
        zstd_ratio=value["zstd_ratio"],
        known=Known(*value["known"]),
    )

"""The human reference on disk: codebooks, thresholds, counts and the pool."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from outcross.schemas.formats import check_versions, versions
from outcross.schemas.sources import Fields
from outcross.schemas.tokens import Tokenizer
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.damage import DamagedError
from outcross.transforms.base.store_errors import StoreError
from outcross.transforms.encoders.load import load_model
from outcross.transforms.estimators.richness import ClusterCounts
from outcross.transforms.reference.codebook import Codebook
from outcross.transforms.reference.members import FOLDER, Members
from outcross.transforms.reference.pool import POOL_FILES, Pool
from outcross.transforms.reference.second_codebook import SecondCodebook
from outcross.transforms.reference.thresholds import Thresholds
from outcross.transforms.text.embed import DEFAULT_NAME
from outcross.transforms.text.known import Known
from outcross.transforms.text.ngrams import Tables

VERSION = 7
NGRAMS = "ngrams.bin"
CLUSTERS = "clusters.parquet"
DESCRIPTION = "reference.json"
REFERENCE_FILES = ("arrays.npz", NGRAMS, CLUSTERS, *POOL_FILES, DESCRIPTION)
"""Files of every reference; those of its members stand beside them."""


@dataclass(frozen=True)
class Reference:
    """Models and counts of human text that runs are compared with; made once, loaded later.

    Attributes:
        human: True if fitted on human text. False if fitted on the corpus itself; then no report
            may call it human.
        embedder: fingerprint of the embedder that it was made with.
        codebook: codebook for decisions.
        second_codebook: codebook for reports only.
        thresholds: limits of the document classes.
        counts: counts of all documents of the reference.
        held_out: counts of the held-out quarter.
        ngrams: hashed unigrams and bigrams of the reference.
        pool: documents of the quarters `THRESHOLDS` and `HELD_OUT`, for comparisons.
        rare: uint32[m], ascending, words that occur two to five times in a million words of the
            half that fitted the centroids.
        members: parts of the fingerprints of all documents. A document with one of these
            fingerprints is not new.
        repeats: int64[m, 2], sizes of groups of human documents that repeat one another before
            deduplication, and the number of groups of each size.
        ngram: words in a shingle of the pool's signatures.
        num_perm: values in a signature of the pool.
        names: names of the clusters, with schema `NAMES`.
        zstd_ratio: compression ratio of a sample of its texts; None for too few texts.
        known: number of words in its sources, and number of these that the embedder knows.
        embedder_name: name of the embedder, for people.
        tokenizer: what has counted its tokens; None where tokens are words.
    """

    human: bool
    embedder: str
    codebook: Codebook
    second_codebook: SecondCodebook
    thresholds: Thresholds
    counts: ClusterCounts
    held_out: ClusterCounts
    ngrams: Tables
    pool: Pool
    rare: NDArray[np.uint32]
    members: Members
    repeats: NDArray[np.int64]
    ngram: int
    num_perm: int
    names: pa.Table
    zstd_ratio: float | None
    known: Known
    embedder_name: str = DEFAULT_NAME
    tokenizer: Tokenizer | None = None

    @property
    def sizes(self) -> tuple[int, int]:
        """Return the numbers of clusters of the two codebooks."""
        return self.codebook.size, self.second_codebook.size

    @property
    def shares(self) -> NDArray[np.float64]:
        """Compute the clusters' shares of the tokens, with half a mean document added to each."""
        tokens = self.counts.tokens.astype(float)
        documents = max(int(self.counts.documents.sum()), 1)
        smoothed = tokens + 0.5 * max(tokens.sum(), 1.0) / documents
        return np.asarray(smoothed / smoothed.sum(), np.float64)

    def save(self, folder: str) -> str:
        """Write the reference to a folder, but for its members; return its fingerprint."""
        files.make_folder(folder)
        arrays: dict[str, Any] = {
            "centroids": self.codebook.centroids,
            "counts": self.codebook.counts,
            "audit_weights": self.second_codebook.weights,
            "audit_centroids": self.second_codebook.codebook.centroids,
            "audit_counts": self.second_codebook.codebook.counts,
            "rare": self.rare,
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
            "embedder_name": self.embedder_name,
            "thresholds": asdict(self.thresholds),
            "counts": self.counts.to_json(),
            "held_out": self.held_out.to_json(),
            "ngram": self.ngram,
            "num_perm": self.num_perm,
            "zstd_ratio": self.zstd_ratio,
            "known": self.known,
            "members": self.members.to_json(),
        }
        if self.tokenizer is not None:
            value["tokenizer"] = self.tokenizer.model_dump()
        files.write_json(files.join(folder, DESCRIPTION), value)
        return self.fingerprint()

    def fingerprint(self) -> str:
        """Hash the reference; runs with the same fingerprint can be compared."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        state = xxhash.xxh3_128()
        state.update(f"{versions(VERSION)} {self.embedder} {self.human} {self.thresholds}".encode())
        for array in (
            self.codebook.centroids,
            self.codebook.counts,
            self.second_codebook.weights,
            self.second_codebook.codebook.centroids,
            self.counts.documents,
            self.counts.tokens,
            self.counts.second,
            self.held_out.documents,
            self.held_out.classes,
            self.ngrams.unigrams,
            self.ngrams.bigrams,
            self.rare,
            self.repeats,
        ):
            state.update(np.ascontiguousarray(array).tobytes())
        state.update(f"{self.members.total.documents} {self.members.total.hashes}".encode())
        state.update(self.pool.fingerprint)
        state.update(b"" if self.tokenizer is None else self.tokenizer.sha256.encode())
        return str(state.hexdigest())


def reference_files(folder: str) -> list[str]:
    """Return the paths of a reference's files below its folder; reference.json is the last."""
    members = files.list_files(files.join(folder, FOLDER, "part-*.npy"))
    names = [f"{FOLDER}/{path.rpartition('/')[2]}" for path in members]
    present = [name for name in REFERENCE_FILES if files.exists(files.join(folder, name))]
    return [*names, *present]


def copy_reference(source: str, folder: str) -> None:
    """Copy a reference's files; reference.json is copied last, as it marks a complete copy.

    Args:
        source: folder of the reference.
        folder: folder of the copy. Members of another reference are deleted from it.
    """
    names = reference_files(source)
    stale = {*reference_files(folder)} - {*names}
    for name in names:
        target = files.join(folder, name)
        files.make_folder(target.rpartition("/")[0])
        files.write_bytes(target, files.read_bytes(files.join(source, name)))
    files.delete_files([files.join(folder, name) for name in sorted(stale)])


def load_reference(folder: str, embedder: str | None = None, key: str | None = None) -> Reference:
    """Load a reference that an earlier run has written.

    Args:
        folder: folder of the reference.
        embedder: fingerprint of the embedder in use; None for that of `key`.
        key: the configuration's key `embedder`; None for the packaged table.

    Raises:
        ConfigError: the folder has no reference, or one of another embedder or format; or files
            are damaged or belong to different references.
    """
    embedder = load_model(key).fingerprint if embedder is None else embedder
    path = files.join(folder, DESCRIPTION)
    if not files.exists(path):
        raise ConfigError(
            f"reference: {folder} holds no {DESCRIPTION}; "
            "give the folder that `outcross reference build` made, or the folder `reference/` in "
            "the output of an earlier run"
        )
    return _load(folder, embedder, key, files.read_bytes(path), _states(folder))


def _states(folder: str) -> tuple[tuple[int, int], ...]:
    """Return sizes and times of a local reference's files, which tell that one has changed."""
    if not files.is_local(folder):
        return ()
    paths = [Path(folder, name) for name in reference_files(folder)]
    return tuple((path.stat().st_size, path.stat().st_mtime_ns) for path in paths)


@lru_cache(maxsize=2)  # a command needs one reference several times, or compares two
def _load(
    folder: str,
    embedder: str,
    key: str | None,
    description: bytes,
    states: tuple[tuple[int, int], ...],
) -> Reference:
    path = files.join(folder, DESCRIPTION)
    try:
        value = json.loads(description)
        made_with = value.get("embedder")
    except (ValueError, AttributeError) as error:
        raise ConfigError(
            f"reference: {path} is not a valid reference.json ({error}); build the reference "
            "again, or copy the whole folder again"
        ) from None
    check_versions("reference", path, value, versions(VERSION), _build_advice(folder, key))
    if made_with != embedder:
        raise ConfigError(
            f"reference: {folder} was made with embedder {value.get('embedder_name', DEFAULT_NAME)}"
            f" ({made_with}), but this run has embedder {key or DEFAULT_NAME} ({embedder}), so "
            "figures can't be compared; set `embedder` to that of the reference, or "
            f"{_build_advice(folder, key)}"
        )
    try:
        reference = _read(folder, value)
    except (MemoryError, StoreError):
        raise
    except DamagedError as error:
        raise ConfigError(
            f"reference: {folder} is damaged ({error.fault}); build it again, or copy the whole "
            "folder again"
        ) from None
    except Exception as error:  # four readers raise many kinds of errors for damaged files
        raise ConfigError(
            f"reference: {folder} is damaged ({type(error).__name__}: {error}); build it again, or "
            "copy the whole folder again"
        ) from None
    if reference.fingerprint() != value.get("fingerprint"):
        raise ConfigError(
            f"reference: the files in {folder} belong to different references (the fingerprint is "
            f"{reference.fingerprint()}, reference.json says {value.get('fingerprint')}); copy the "
            "whole folder again"
        )
    return reference


def _build_advice(folder: str, embedder: str | None) -> str:
    """Return the command that builds a reference again, with its files if the manifest has them.

    A folder without a manifest belongs to a run, or is a copy. Nothing may be built in it.
    """
    path, human, fields = files.join(folder, "manifest.json"), ["FILES"], Fields()
    out = "REFERENCE"
    if files.exists(path):  # `reference build` wrote it; a run's manifest is in another folder
        out = folder
        with suppress(DamagedError, ValueError, LookupError, TypeError):
            source = files.read_json(path)["configuration"]["sources"][0]
            human = [*map(str, source["files"])]
            fields = Fields(**{k: source[k] for k in ("text_field", "roles") if k in source})
    options = [option for glob in human for option in ("--human", glob)]
    if fields.text_field != "text":
        text_field = fields.text_field
        paths = [text_field] if isinstance(text_field, str) else text_field
        options += [option for path in paths for option in ("--text-field", path)]
    options += [option for role in fields.roles or () for option in ("--roles", role)]
    options += [] if embedder is None else ["--embedder", embedder]
    command = shlex.join(["outcross", "reference", "build", *options, "--out", out])
    hint = "" if human != ["FILES"] else ", with the human text that it was made of"
    hint += " and a new folder" if hint and out != folder else ""
    return f"make it anew: `{command}`{hint}"


def _read(folder: str, value: dict[str, Any]) -> Reference:
    arrays = files.read_as(files.join(folder, "arrays.npz"), files.unpack_arrays)
    members = Members.from_json(value["members"])
    missing = [name for name in members.files if not files.exists(files.join(folder, name))]
    if missing:
        raise FileNotFoundError(f"{missing[0]} is missing")
    return Reference(
        human=value["human"],
        embedder=value["embedder"],
        codebook=Codebook(arrays["centroids"], arrays["counts"]),
        second_codebook=SecondCodebook(
            arrays["audit_weights"], Codebook(arrays["audit_centroids"], arrays["audit_counts"])
        ),
        thresholds=Thresholds.from_json(value["thresholds"]),
        counts=ClusterCounts.from_json(value["counts"]),
        held_out=ClusterCounts.from_json(value["held_out"]),
        ngrams=files.read_as(files.join(folder, NGRAMS), Tables.from_bytes),
        pool=Pool.load(folder),
        rare=arrays["rare"],
        members=members,
        repeats=arrays["repeats"],
        ngram=value["ngram"],
        num_perm=value["num_perm"],
        names=files.read_table(files.join(folder, CLUSTERS)),
        zstd_ratio=value["zstd_ratio"],
        known=Known(*value["known"]),
        embedder_name=value.get("embedder_name", DEFAULT_NAME),
        tokenizer=Tokenizer(**value["tokenizer"]) if "tokenizer" in value else None,
    )

"""Documents on their way through the run: units, sketches, and the columns that are written."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from outcross.schemas.sources import Format

FORMAT_VERSION = 6
"""Of what stages leave and of manifest.json."""
TEXT_VERSION = 2
"""Of what a text is: its words, fingerprint, signature and tokens."""
EMBEDDING_DIMS = 256
SURFACE_MEASURES = 4
RAW_BYTES = 500  # of a rejected row that are kept


@dataclass(frozen=True)
class Seal:
    """What a file was when the run began; every later reading is held to it.

    Attributes:
        identity: its size and the hash of all its bytes, or what an object store says of it.
        size: in bytes.
        digests: path of the file that holds the hashes of its blocks; "" where there is none,
            as for a file of one block.
        at: place of its first hash in that file, in bytes.
        stored: whether the identity is an object store's checksum, and not a hash of the bytes.
    """

    identity: str
    size: int
    digests: str = ""
    at: int = 0
    stored: bool = False


@dataclass(frozen=True)
class Piece:
    """A file of the input, or a part of a large one.

    Attributes:
        file: path of the file, as Beam's filesystems name it.
        kind: the format in which it is read.
        start, stop: byte range of a plain file of lines (a line belongs to the piece in which it
            starts), or range of row groups of a Parquet file; -1 for the end of the file.
        bytes: what the piece takes on disk, for progress.
        columns: names and values that the file's folders have, as in lang=en/.
        seal: of the file; None where nothing is checked.
    """

    file: str
    kind: Format
    start: int
    stop: int
    bytes: int
    columns: tuple[tuple[str, str], ...] = ()
    seal: Seal | None = None


@dataclass(frozen=True)
class Unit:
    """The pieces of input that one worker handles.

    Its rows are numbered through its pieces. No decision depends on how pieces make units.

    Attributes:
        index: position among all units of the run, in the order of sources, files and places.
        source: position of the source in the configuration.
        pieces: in the order of files and places.
    """

    index: int
    source: int
    pieces: tuple[Piece, ...]

    @property
    def bytes(self) -> int:
        """What the unit takes on disk."""
        return sum(piece.bytes for piece in self.pieces)


def sketch_schema(num_perm: int, embedded: bool = True) -> pa.Schema:
    """One row a document, aligned with the valid rows of its unit.

    Args:
        num_perm: permutations of the MinHash signature.
        embedded: whether there are embeddings, surfaces and signs; deduplication needs none.
    """
    fields = pa.schema(
        [
            pa.field("row", pa.int64(), nullable=False),  # line or row, counted through the unit
            pa.field("id", pa.string()),
            pa.field("fingerprint_hi", pa.uint64(), nullable=False),
            pa.field("fingerprint_lo", pa.uint64(), nullable=False),
            pa.field("row_hash", pa.uint64(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),  # bytes of the whole row
            pa.field("length", pa.int64(), nullable=False),  # bytes of the text
            pa.field("tokens", pa.int64(), nullable=False),
            pa.field("priority", pa.float64(), nullable=False),
            pa.field("domain", pa.string()),
            pa.field("generation", pa.string()),
            pa.field("prompt", pa.uint64(), nullable=False),  # hash of the prompt, 0 for none
            pa.field("signature", pa.binary(4 * num_perm), nullable=False),
            pa.field("embedding", pa.binary(EMBEDDING_DIMS), nullable=False),
            pa.field("surface", pa.binary(4 * SURFACE_MEASURES), nullable=False),  # uint32
            pa.field("words", pa.large_binary(), nullable=False),  # uint32 word hashes
            pa.field("letters", pa.uint64(), nullable=False),  # hash of the words without marks
            pa.field("wording", pa.uint64(), nullable=False),  # hash of the words without items
            pa.field("items", pa.large_binary(), nullable=False),  # uint64, as `items` makes them
            pa.field("signs", pa.large_binary(), nullable=False),  # as `signs` makes them
        ]
    )
    needless = () if embedded else ("embedding", "surface", "signs")
    return pa.schema([field for field in fields if field.name not in needless])


REJECTS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field(
            "place", pa.string(), nullable=False
        ),  # "line 7" (from 1), "row 12" or "byte 4096" (from 0)
        pa.field("reason", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),  # that it stands for; 1 where nobody knows
        pa.field("raw", pa.binary()),  # the first RAW_BYTES
    ]
)

# A document's rows are numbered by `copy`, from 1 to `of`, and their weights add up to how often it
# counts: as many rows of weight 1, or one row of that weight.
OUTCROSS = pa.struct(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("cluster", pa.int32()),
        pa.field("copy", pa.int32(), nullable=False),
        pa.field("of", pa.int32(), nullable=False),
        pa.field("domain", pa.string()),
        pa.field("generation", pa.string()),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
    ]
)

REMOVED_FIELDS = [
    pa.field("id", pa.string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("kept_id", pa.string(), nullable=False),
    pa.field("kept_source", pa.string(), nullable=False),
    pa.field("stage", pa.string(), nullable=False),  # exact | near
    pa.field("rule", pa.string(), nullable=False),
    pa.field("similarity", pa.float32(), nullable=False),
]

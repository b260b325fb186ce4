"""Documents on their way through a run: pieces, units, sketches and written columns."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from outcross.schemas.sources import Format

FORMAT_VERSION = 8
"""Version of the artifacts of stages and of manifest.json."""
TEXT_VERSION = 2
"""Version of the rules that make words, fingerprints, signatures, tokens and passages of texts."""
EMBEDDING_DIMS = 256
SURFACE_MEASURES = 4
RAW_BYTES = 500  # of a rejected row that are kept


@dataclass(frozen=True)
class Seal:
    """State of a file when the run began; every later reading is checked against it.

    Attributes:
        identity: size and hash of all bytes, or the checksum that an object store gives.
        size: size in bytes.
        digests: path of the file that holds the hashes of the file's blocks; "" if there is none,
            as for a file of one block.
        at: offset of the first of these hashes in that file, in bytes.
        stored: True if the identity is an object store's checksum.
    """

    identity: str
    size: int
    digests: str = ""
    at: int = 0
    stored: bool = False


@dataclass(frozen=True)
class Piece:
    """A file of the input, or a part of a large file.

    Attributes:
        file: path of the file, as Beam's filesystems name it.
        kind: format in which the file is read.
        start, stop: range of bytes of a plain file of lines (a line belongs to the piece in which
            it starts), or range of row groups of a Parquet file; -1 for the end of the file.
        bytes: size of the piece on disk in bytes, for progress.
        columns: names and values of columns that the file's folders give, as in lang=en/.
        seal: seal of the file; None if nothing is checked.
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

    Rows are numbered through the pieces. No decision depends on how pieces are grouped into units.

    Attributes:
        index: position among all units of the run, ordered by source, file and place.
        source: position of the source in the configuration.
        pieces: pieces of the unit, ordered by file and place.
        passages_of: index of the unit whose documents' passages are the rows of this unit; None
            where rows are documents.
    """

    index: int
    source: int
    pieces: tuple[Piece, ...]
    passages_of: int | None = None

    @property
    def bytes(self) -> int:
        """Size of the unit on disk in bytes."""
        return sum(piece.bytes for piece in self.pieces)


WORD_COUNT = pa.field("word_count", pa.int64(), nullable=False)
"""Words of a document: in sketches whose `tokens` a tokenizer has counted."""
WHOLE = pa.field("whole", pa.bool_(), nullable=False)
"""True for texts that an encoder has read to the end and knows all tokens of."""


def sketch_schema(
    num_perm: int,
    embedded: bool = True,
    dims: int = EMBEDDING_DIMS,
    counted: bool = False,
    encoded: bool = False,
) -> pa.Schema:
    """Return the schema of sketches: one row per document, aligned with the unit's valid rows.

    Args:
        num_perm: permutations of the MinHash signature.
        embedded: False to leave out embeddings, surfaces and signs, which deduplication doesn't
            need.
        dims: dimensions of an embedding.
        counted: True where a tokenizer counts `tokens`, and words have a column of their own.
        encoded: True where an encoder makes embeddings, and tells which texts it has read.
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
            pa.field("embedding", pa.binary(dims), nullable=False),
            pa.field("surface", pa.binary(4 * SURFACE_MEASURES), nullable=False),  # uint32
            pa.field("words", pa.large_binary(), nullable=False),  # uint32 word hashes
            pa.field("letters", pa.uint64(), nullable=False),  # hash of the words without marks
            pa.field("wording", pa.uint64(), nullable=False),  # hash of the words without items
            pa.field("items", pa.large_binary(), nullable=False),  # uint64, as `items` makes them
            pa.field("signs", pa.large_binary(), nullable=False),  # as `signs` makes them
        ]
    )
    needless = () if embedded else ("embedding", "surface", "signs")
    needed = [field for field in fields if field.name not in needless]
    added = [*([WORD_COUNT] if counted else []), *([WHOLE] if encoded else [])]
    return pa.schema([*needed, *added])


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

PROVENANCE_FIELDS = [pa.field("provenance", pa.string())]
"""Field for the provenance of a text, at the end of `OUTCROSS` where a source states one."""
PASSAGE_FIELDS = [pa.field("piece", pa.int32()), pa.field("pieces", pa.int32())]
"""Number of a passage in its document, from 1, and how many there are: at the end where a source
of the run has `pieces`, and null for other sources."""


def outcross_type(*, provenance: bool, passages: bool) -> pa.StructType:
    """Return the type of the column `outcross`, with the fields that the sources ask for."""
    asked = (*(PROVENANCE_FIELDS if provenance else ()), *(PASSAGE_FIELDS if passages else ()))
    return pa.struct([*OUTCROSS, *asked])


OUTCROSS_TYPES = [
    outcross_type(provenance=provenance, passages=passages)
    for provenance in (False, True)
    for passages in (False, True)
]
"""All types that the column `outcross` can have."""

REMOVED_FIELDS = [
    pa.field("id", pa.string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("kept_id", pa.string(), nullable=False),
    pa.field("kept_source", pa.string(), nullable=False),
    pa.field("stage", pa.string(), nullable=False),  # exact | near | contained | semantic
    pa.field("rule", pa.string(), nullable=False),
    pa.field("similarity", pa.float32(), nullable=False),
]

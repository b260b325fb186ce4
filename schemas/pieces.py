"""Pieces in report.json: documents of a source that are offered in parts."""

from __future__ import annotations

from pydantic import Field

from outcross.schemas.base import Strict


class SourcePieces(Strict):
    """Number of documents and pieces of a source with the key `pieces`."""

    source: str = Field(description="name of the source")
    documents: int = Field(ge=0, description="documents that survived deduplication")
    pieces: int = Field(
        ge=0, description="their pieces; a document that is not longer than piece_tokens is one"
    )
    written_documents: int = Field(
        ge=0, description="documents with a piece in data/; the same as written in conservation"
    )
    written_pieces: int = Field(ge=0, description="different pieces in data/")

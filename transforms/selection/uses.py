"""Uses of documents: column `use` (int8) of the files that stage `rank` writes."""

from __future__ import annotations

NONE, FRESH, LEDGER, SYNTHETIC, OFF_SUPPORT, TOO_LONG, BEYOND = range(7)
"""Use of a document.

    NONE         removed, or of a role that is never written
    FRESH        human document that may be written, not of the ledger
    LEDGER       human document of the lineage's ledger
    SYNTHETIC    synthetic document that may be written
    OFF_SUPPORT  the same, far from all human documents
    TOO_LONG     longer than the limit of its role
    BEYOND       synthetic document beyond the limit of the archive
"""

HUMAN = (FRESH, LEDGER)
GENERATED = (SYNTHETIC, OFF_SUPPORT)
WRITABLE = (*HUMAN, *GENERATED)
"""Uses of documents that may be written."""

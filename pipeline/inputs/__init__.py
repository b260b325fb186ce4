"""Inputs beside documents: corpora to audit, lineages, plans, earlier reports."""

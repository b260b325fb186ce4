"""Printing on a terminal: streams, tables, and how much is said."""

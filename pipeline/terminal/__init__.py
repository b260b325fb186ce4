"""Output on a terminal: streams, tables, and messages."""

"""Rows to the shards that a trainer reads."""

"""Bytes of every file format to blocks of valid rows."""

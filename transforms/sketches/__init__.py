"""Sketches: columns that stand for documents, so that later stages need no text.

Takes units of input files; gives one Parquet file of sketches for each unit, and reads them again.
"""

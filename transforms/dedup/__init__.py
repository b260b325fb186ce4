"""Deduplication: takes sketches of documents, gives which documents repeat which kept ones.

Two documents are *near* repeats where both shares reach `near_threshold`: the shingles that they
share (`jaccard.py`), and the items that they share (`agreement.py`; `text/meaning.py` says what an
item is). `decide.py` takes the smaller of the two for each pair, and `resolve.py` decides who goes.
The rule is guarded by `tests/transforms/dedup/test_decide.py`, which holds it against a definition
in plain Python (`tests/support/dedup_definition.py`), and by pairs of texts in `tests/acceptance`.
"""

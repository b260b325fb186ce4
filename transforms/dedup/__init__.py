"""Deduplication: takes sketches of documents, gives which documents repeat which kept ones.

Two documents are *near* repeats where both shares reach `near_threshold`: the shingles that they
share (`jaccard.py`), and the items that they share (`agreement.py`; `text/meaning.py` says what an
item is). `decide.py` takes the smaller of the two for each pair, and `resolve.py` decides who goes.
Paraphrases are pairs of short texts whose embeddings reach `semantic_threshold` and whose marks
agree (`cosines.py`, `paraphrases.py`); `resolve.py` takes them as given.
`deduplicate_documents.py` wires the exchanges that bring documents together: equal texts
(`exact_groups.py`), evaluation texts (`evaluation_items.py`), band values (`candidates.py`), bins
(`bins.py`), and the answers to units (`verdict_files.py`).
The rule is guarded by `tests/transforms/dedup/test_decide.py`, which holds it against a definition
in plain Python (`tests/support/dedup_definition.py`), and by pairs of texts in `tests/acceptance`.
"""

"""Measuring: takes sets of documents and a reference, gives figures and a verdict.

`diversity` accumulates sets, `contrast` and `figures` compare them with human text, `gate` judges.
"""

"""Estimators: take counts, word hashes, embeddings or texts as plain arrays.

They give entropies, divergences and other diversity figures as numbers.
"""

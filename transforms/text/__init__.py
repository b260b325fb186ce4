"""Text to numbers.

Takes Arrow strings; gives their words, signs, items, shingles, signatures, surfaces and embeddings
as NumPy arrays.
"""

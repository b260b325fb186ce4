"""The reference: takes sketches of human text, gives what every other text is compared with.

That is two codebooks, thresholds of the document classes, n-gram counts and a held-out pool.
"""

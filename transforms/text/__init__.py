"""Text to numbers: words, signs, signatures, embeddings."""

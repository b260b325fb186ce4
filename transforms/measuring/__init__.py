"""Figures of a corpus beside human text, and the verdict on them."""

"""Files, hashes and compiled functions that every room uses."""

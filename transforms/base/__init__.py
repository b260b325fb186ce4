"""Take paths, arrays and seeds; give files, hashes, compiled kernels and counts of progress.

Every other room builds on this one.
"""

"""Beam transforms, and the Beam-free algorithms that they wire. Imports schemas only."""

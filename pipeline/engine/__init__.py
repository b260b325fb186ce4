"""Beam engines, artifacts of stages, and progress."""

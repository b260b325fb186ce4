"""Estimators of entropy and diversity on plain arrays."""

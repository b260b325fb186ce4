"""The entropy budget: how many tokens to take from each cluster."""

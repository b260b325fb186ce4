"""Which documents repeat others, and which are kept."""

"""Take units and work; run it on workers: per unit, as exchanges of rows, or as sums."""

"""Take units and a piece of work; run the work on each unit, with one result file a unit."""

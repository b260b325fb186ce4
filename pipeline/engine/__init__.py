"""Take the options of a run; give Beam pipelines, stage artifacts, locks and progress output."""

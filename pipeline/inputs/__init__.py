"""Take the paths of a request; give corpora as sources, lineages, plans and earlier reports."""

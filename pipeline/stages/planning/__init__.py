"""Parts of the stage `plan`: supply, totals, domains, and the human draw."""

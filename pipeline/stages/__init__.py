"""The stages of a run, in their order: each reads what earlier ones left in its artifact."""

"""What data looks like: configuration, documents, plan, report. Imports nothing of the house."""

"""Data models: configuration, documents, plan and report. This package imports no other."""

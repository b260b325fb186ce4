"""Runs jobs: command line, stages, engines, artifacts, reports for people."""

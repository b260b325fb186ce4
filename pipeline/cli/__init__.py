"""The command line: options from models, tables for people, JSON for machines."""

"""What Beam ships to remote workers (`--setup_file`); metadata stands in pyproject.toml."""

from setuptools import setup

setup()

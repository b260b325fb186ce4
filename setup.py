"""Package that Beam ships to workers (`--setup_file`); other metadata stands in pyproject.toml."""

try:
    from setuptools import setup
except ModuleNotFoundError:  # environments of Python 3.12 and later have none
    raise SystemExit("setup.py: setuptools is missing; pip install 'setuptools>=65'") from None

# Releases before 77 refuse a licence's short name in pyproject.toml, later ones refuse a table.
setup(license="Apache-2.0")

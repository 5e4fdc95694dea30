# Everything starts here: `make help` lists the targets.
# Paths are relative on purpose: the checkout may stand in a directory with spaces in its name.

PYTHON ?= python3
VENV := .venv/bin
ARGS ?=
HISTORIES ?= 1000
EXAMPLES ?= 1
WORKERS ?= 2
SIDE_BY_SIDE := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
COMPILE := --quiet --universal --python-version 3.11 --generate-hashes --allow-unsafe \
	--no-header --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help

.PHONY: help
help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup:  ## Make .venv from the pinned, hashed constraints (PYTHON=python3.12 to choose the Python)
	@"$(PYTHON)" -m tools.setup_venv

.PHONY: demo
demo: setup  ## Watch a change flow from a table to a read model (ARGS="--duration 40 --rate 200")
	@$(VENV)/tidemark demo $(ARGS)

.PHONY: test
test: setup  ## Run every test (ARGS="-k name" to choose, WORKERS=0: one by one); a skipped one says why
	@$(VENV)/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

.PHONY: storm
storm: setup  ## Draw random histories of one shard and hold each to the promise (HISTORIES=20000, SEED=… to repeat)
	@$(VENV)/python -m tests.property.storm --histories $(HISTORIES) $(if $(SEED),--seed $(SEED))

.PHONY: conformance
conformance: setup  ## Hold every store and processor to the truth (EXAMPLES=20 times a test run's histories, ARGS="-k sums")
	@$(VENV)/python -m pytest tests/conformance --examples $(EXAMPLES) -o timeout=0 $(ARGS)

.PHONY: lint
lint: setup  ## Check style, types and the imports between packages
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy $(wildcard consumer checkpoint sandbox tests tools benchmarks)
	@$(VENV)/lint-imports --no-logo

.PHONY: bench
bench: setup  ## Measure speed and memory (ARGS passed on)
	@$(VENV)/python -m benchmarks $(ARGS)

.PHONY: constraints
constraints:  ## Pin anew from requirements/*.in (needs uv; ARGS="--upgrade" takes newer versions)
	uv pip compile $(COMPILE) requirements/build.in --output-file constraints-build.txt $(ARGS)
	uv pip compile $(COMPILE) requirements/run.in requirements/dev.in --output-file constraints.txt $(ARGS)

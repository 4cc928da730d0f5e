# make figures | make test: both set up .venv from the pinned lock first when that is needed.
# CORES=4 limits the processors, PYTHON=/path/to/python3.12 chooses the interpreter.

SHELL := /bin/sh
.DEFAULT_GOAL := help

CORES ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
PYTHON ?=
# Tests share the processors between at most four processes.
WORKERS = $(shell [ "$(CORES)" -le 4 ] 2>/dev/null && echo $(CORES) || echo 4)
VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin
# Tools that snakemake starts (python of the scripts, git) come from the environment too.
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: help figures test lint format setup clean-venv

help: ## List the targets
	@echo "Bagpipe. Targets:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo "Variables: CORES=$(CORES), PYTHON= (an interpreter, 3.11 to 3.13)"

figures: $(STAMP) ## Run the default configuration: figures, tables and report
	@$(RUN) $(BIN)/python -m snakemake --cores $(CORES)

test: $(STAMP) ## Run the tests
	@$(RUN) $(BIN)/python -m pytest -q -n $(WORKERS) tests

lint: $(STAMP) ## Check style, types, rules and generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/python -m pipeline_lib schema
	$(RUN) $(BIN)/python -m snakemake --lint

format: $(STAMP) ## Format Python files and rules
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

setup: $(STAMP) ## Only create .venv from requirements.lock

clean-venv: ## Remove .venv
	rm -rf $(VENV)

# Renewed when the lock changes. The stamp is written last, so an interrupted setup starts again.
$(STAMP): requirements.lock
	@python="$(PYTHON)"; \
	is_supported() { "$$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }; \
	if [ -n "$$python" ]; then \
	  is_supported "$$python" || { echo "Error: PYTHON=$$python is not Python 3.11 to 3.13." >&2; exit 1; }; \
	else \
	  for candidate in python3.13 python3.12 python3.11 python3 python; do \
	    if is_supported "$$candidate"; then python=$$candidate; break; fi; \
	  done; \
	  [ -n "$$python" ] || { \
	    echo "Error: Python 3.11, 3.12 or 3.13 is needed; found: $$(python3 --version 2>&1 || echo none)." >&2; \
	    echo "  Hint: install one and say where it is: make $(firstword $(MAKECMDGOALS)) PYTHON=/path/to/python3.11" >&2; \
	    exit 1; }; \
	fi; \
	echo "Setting up $(VENV) with $$("$$python" --version) (a few minutes, once)"; \
	rm -rf $(VENV) && "$$python" -m venv $(VENV) || { \
	  rm -rf $(VENV); echo "  Hint: on Debian and Ubuntu, python3-venv has to be installed." >&2; exit 1; }; \
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --requirement requirements.lock
	@touch $(STAMP)

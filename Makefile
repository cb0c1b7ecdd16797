# Every target makes .venv when it is missing. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Where a machine sets it, each start of a program would compile every module anew: 0.3 s a process.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-all check format lint types imports screenshots bench catalog sample-fleet clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name it with PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(STAMP) ## the console on the sample fleet
	$(BIN)/hotpatch demo

test: $(STAMP) ## the tests, within 4 minutes on two cores
	$(BIN)/python -m pytest -n auto --dist worksteal -q -m "not slow"

test-slow: $(STAMP) ## those that do not fit: whole rollouts, walks of fleets, full pulls (tests/slow.py)
	$(BIN)/python -m pytest -n auto --dist worksteal -q -m slow

test-all: $(STAMP) ## both in one run
	$(BIN)/python -m pytest -n auto --dist worksteal -q

check: format lint types imports test-all ## everything that must hold before a change lands

format: $(STAMP) ## is the code formatted? (mend: ruff format .)
	$(BIN)/ruff format --check .

lint: $(STAMP) ## ruff
	$(BIN)/ruff check .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

imports: $(STAMP) ## who may import whom
	$(BIN)/lint-imports

screenshots: $(STAMP) ## pictures of each screen into screenshots/
	$(BIN)/python -m tests.screenshots

bench: $(STAMP) ## measurements in one run; DEVICES=1000000, ONLY="terminal commands", BASE=COMMIT, ROUNDS=5, QUICK=1
	$(BIN)/python -m tests.bench $(if $(DEVICES),--devices $(DEVICES)) $(foreach part,$(ONLY),--only $(part)) \
		$(if $(BASE),--base $(BASE)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick)

catalog: $(STAMP) ## data/catalog.json from MSRC documents; DOCUMENTS=folder
	$(BIN)/python -m engine.catalog.build $(or $(DOCUMENTS),../shared/msrc)

sample-fleet: $(STAMP) ## data/sample_fleet.jsonl from its seed
	$(BIN)/python -m engine.providers.simulated

clean: ## remove .venv and all caches
	rm -rf $(VENV) $(VENV)-3.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info

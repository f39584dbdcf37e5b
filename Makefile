# The commands of rnnnotes; `make help` lists them. Each first makes .venv, or brings it up to date.
PYTHON ?= python3
BIN := .venv/bin
# Two processes where there are two cores; a file, and so a page, stays in one of them.
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 2 --dist loadfile

# Material's banner about MkDocs 2: constraints.txt pins MkDocs 1.
export NO_MKDOCS_2_WARNING := 1

.PHONY: help setup site serve test oldest newest proof seeds mutants bench clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

setup: ## make .venv, by PYTHON=... (python3), if it is missing or out of date
	@PYTHON='$(PYTHON)' sh .ci/setup.sh

site: setup ## run the pages that changed and build the site into site/
	@echo "site: building into site/"
	@$(BIN)/mkdocs build --strict

serve: setup ## preview the site, live, until Ctrl-C
	@echo "serve: a live preview, until Ctrl-C"
	@$(BIN)/mkdocs serve

test: setup ## check all that CI checks: style, tests, the blocks of the pages, workflows
	@echo "test: style (ruff)"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "test: package, loom, site and workflows (pytest)"
	@$(PYTEST) --no-loadscope-reorder tests
	@echo "test: the blocks of the pages and of the README (pytest --markdown-docs)"
	@$(PYTEST) --markdown-docs docs README.md

oldest: ## run the tests with the oldest versions that pyproject.toml admits (TORCH=oldest: torch too)
	@PYTHON='$(PYTHON)' sh .ci/versions.sh oldest

newest: ## run the tests with the newest versions that pyproject.toml admits (TORCH=newest: torch too)
	@PYTHON='$(PYTHON)' sh .ci/versions.sh newest

proof: setup ## the longer trials: clean builds, downloads, faults in the whole site (about an hour)
	@echo "proof: trials that take minutes each (pytest tests/proof)"
	@$(BIN)/python -m pytest tests/proof

seeds: setup ## run every page under 20 other seeds and record the verdicts (about an hour)
	@echo "seeds: every page again, from other random numbers"
	@$(BIN)/python tests/bench/seeds.py

mutants: setup ## make small errors in the package and record which the tests notice (about an hour)
	@echo "mutants: small changes to the package, one at a time"
	@$(BIN)/python tests/mutation/mutants.py
	@echo "mutants: wrong signs, before the tests and before the pages"
	@$(BIN)/python tests/mutation/flips.py

bench: setup ## measure the figures that the project promises
	@echo "bench: measuring, which wants a quiet machine"
	@$(BIN)/python tests/bench/run.py

clean: ## remove all that was built or kept, but .venv
	@echo "clean: removing site/, build/ and the caches; .venv stays"
	@rm -rf site .site.* build .cache .pytest_cache .ruff_cache .hypothesis
	@find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

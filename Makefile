# Everything runs in .venv, which the first target that needs it makes from the versions in
# requirements/lock.txt. Another interpreter: `make PYTHON=python3.13 ...`.
PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

# Compiled modules are kept: workers, and the processes that tests start, would each compile all of them again.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
LOCK := requirements/lock.txt
# Environments of one target only, made anew each time.
LOWEST := $(VENV)/lowest
FRESH := $(VENV)/fresh
NOTEBOOKS := $(wildcard examples/*.ipynb)
# What was tried, and how long a soak runs.
TRIED := $(abspath out/robustness)
HOURS ?= 2
WORKFLOWS := $(wildcard .github/workflows/*.yml)
# Each worker of a test run holds vectorbt and compiled kernels: about 0.5 GB.
WORKERS := -n auto --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow robustness soak lowest lint audit bench bench-quick docs examples dist release lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-12s %s\n", $$1, $$2 }'

demo: $(VENV)/.run ## Run a backtest on a simulated market and write its report to out/
	$(BIN)/entrepot demo

test: $(VENV)/.test ## Run the tests, the examples in docstrings and the notebooks
	$(BIN)/python -m pytest $(WORKERS) -m "not slow" $(if $(NOTEBOOKS),--nbmake) tests src/entrepot $(NOTEBOOKS) $(PYTEST_ARGS)

test-slow: $(VENV)/.test ## Run the long checks that `make test` leaves out
	$(BIN)/python -m pytest $(WORKERS) -m slow tests $(PYTEST_ARGS)

robustness: $(VENV)/.test ## Try bad input, faults, load and seeded faults at length; rewrite docs/robustness.md
	mkdir -p $(TRIED)
	rm -f $(TRIED)/tests.jsonl $(TRIED)/mutants.jsonl
	ENTREPOT_TALLY=$(TRIED)/tests.jsonl $(BIN)/python -m pytest $(WORKERS) tests/robustness $(PYTEST_ARGS)
	ENTREPOT_TALLY=$(TRIED)/mutants.jsonl $(BIN)/python tests/robustness/mutants.py
	$(BIN)/python tests/robustness/page.py $(TRIED)

soak: $(VENV)/.test ## Run the main jobs over and over for HOURS and watch the memory
	mkdir -p $(TRIED)
	rm -f $(TRIED)/soak.jsonl
	ENTREPOT_TALLY=$(TRIED)/soak.jsonl $(BIN)/python tests/robustness/soak.py --hours $(HOURS)
	$(BIN)/python tests/robustness/page.py $(TRIED)

lint: $(VENV)/.lint ## Check style, format, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	MYPYPATH=src $(BIN)/mypy --config-file= --strict --follow-imports=silent --cache-dir=.mypy_cache/users tests/typing
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	PATH="$(abspath $(BIN)):$$PATH" PYTHONPATH=src basedpyright --verifytypes entrepot --ignoreexternal
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(BIN)/zizmor --offline --quiet .github

audit: $(VENV)/.audit ## Ask whether a locked version has a known vulnerability; needs a network
	$(BIN)/pip-audit --requirement $(LOCK) --disable-pip --no-deps --strict --progress-spinner off

lowest: $(VENV)/.lint ## Run the tests with the lowest versions that pyproject.toml allows
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --editable ".[test]"
	$(LOWEST)/bin/python -m pytest $(WORKERS) -m "not slow" tests src/entrepot $(PYTEST_ARGS)

bench: $(VENV)/.test ## Measure everything; rewrite the tables of the README and docs/performance.md
	$(BIN)/python benchmarks/start_up.py --cold --json out/start_up.json
	$(BIN)/python benchmarks/sweeps.py --json out/sweeps.json
	$(BIN)/python benchmarks/mechanics.py --json out/mechanics.json
	$(BIN)/python benchmarks/growth.py --json out/growth.json
	$(BIN)/python benchmarks/one_asset.py --json out/one_asset.json
	$(BIN)/python benchmarks/regimes.py --json out/regimes.json
	$(BIN)/python benchmarks/doubt.py --json out/doubt.json
	$(BIN)/python benchmarks/hot_loop.py --full --json out/hot_loop.json
	$(BIN)/python benchmarks/readme.py out

bench-quick: $(VENV)/.test ## Measure small shapes, a minute
	$(BIN)/python benchmarks/sweeps.py --quick
	$(BIN)/python benchmarks/regimes.py --quick
	$(BIN)/python benchmarks/doubt.py --quick
	$(BIN)/python benchmarks/mechanics.py --quick
	$(BIN)/python benchmarks/hot_loop.py --quick

examples: $(VENV)/.test ## Write the notebooks in examples/ from the scripts of their names
	$(BIN)/python examples/notebooks.py

docs: $(VENV)/.docs ## Build the documentation in site/; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

dist: $(VENV)/.dist ## Build wheel and source archive in dist/, check both, and use the wheel in a fresh environment
	rm -rf dist
	$(BIN)/python -m build --quiet --no-isolation
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(FRESH)
	$(BIN)/uv pip install --quiet --python $(FRESH)/bin/python --constraints $(LOCK) dist/*.whl
	cd $(FRESH) && bin/entrepot --version && bin/python $(abspath .ci/first_backtest.py)

release: $(VENV)/.dist ## Check that the tag in the variable TAG is the version and in CHANGELOG.md, then `dist`
	$(BIN)/python .ci/release.py
	$(MAKE) dist

lock: $(VENV)/.lint ## Renew requirements/lock.txt with the newest versions allowed
	$(BIN)/uv pip compile pyproject.toml --constraints requirements/held.txt --all-extras --universal --python-version 3.11 --fork-strategy fewest \
		--upgrade --quiet --no-emit-package entrepot --custom-compile-command "make lock" --output-file $(LOCK)

clean: ## Remove what the targets wrote, except the virtual environment
	rm -rf build dist out site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null || { \
		found=$$(command -v $(PYTHON) >/dev/null && $(PYTHON) --version 2>&1 || echo "not found"); \
		echo "entrepot needs Python 3.11 to 3.14; $(PYTHON) is $$found." \
			"Name another one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

# The lock constrains the project's own build as well: by the first variable for pip before 25.3, by the second since.
# The mode puts src/ on the path. In the other one a script beside a clone in a folder named entrepot imports that folder.
define install
@echo "Installing the locked versions into $(VENV) (a few minutes the first time)"
@PIP_CONSTRAINT=$(LOCK) PIP_BUILD_CONSTRAINT=$(LOCK) \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable $(1)
@touch $@
endef

$(VENV)/.run: $(LOCK) pyproject.toml | $(BIN)/python
	$(call install,.)

$(VENV)/.test: $(LOCK) pyproject.toml | $(BIN)/python
	$(call install,".[test]")

$(VENV)/.lint: $(LOCK) pyproject.toml | $(BIN)/python
	$(call install,".[lint]")

$(VENV)/.audit: $(LOCK) pyproject.toml | $(BIN)/python
	$(call install,".[audit]")

$(VENV)/.dist: $(LOCK) pyproject.toml | $(BIN)/python
	$(call install,".[dist]")

$(VENV)/.docs: $(LOCK) pyproject.toml | $(BIN)/python
	$(call install,".[docs]")

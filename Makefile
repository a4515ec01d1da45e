# The only set-up a new user needs: Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
RUNTIME := $(VENV)/.runtime
STAMP := $(VENV)/.installed
# Tests wait more than they work; files go to so many processes at once.
WORKERS ?= 4

.PHONY: demo test lint bench screenshots lab clean

$(RUNTIME): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "ondeck needs Python 3.11 or newer: make PYTHON=python3.11")'
	@echo "installing ondeck into $(VENV), about half a minute the first time"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(STAMP): $(RUNTIME)
	@echo "installing what the tests need"
	@$(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(RUNTIME)          ## the app on sample-inventory with the embedded lab
	@$(VENV)/bin/ondeck demo
	@echo "ondeck is $(VENV)/bin/ondeck here; the demo from a shell: $(VENV)/bin/ondeck demo --shell"

test: $(STAMP)            ## every test; those that cannot run are counted with their reason
	$(PY) -m pytest -n $(WORKERS) --dist loadfile

lint: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

bench: $(STAMP)           ## every figure of benchmarks/targets.toml, printed as ratios
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev,bench]'
	$(PY) -m benchmarks

screenshots: $(STAMP)     ## every pane at 80x24 and 160x48 into build/screenshots
	$(PY) -m tests.screenshots

lab: $(STAMP)             ## what this machine can do, and the real hosts that the tests use
	$(PY) -m lab

clean:
	rm -rf $(VENV) build dist

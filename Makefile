# Every target sets up what it needs: a clone and Python 3.11 or newer are enough.
# The environment is .venv, from the pinned versions of requirements.lock; no activated environment is used.

PYTHON ?= python3
BUDGET ?= quick
ARGS   ?=

VENV := .venv
PY   := $(VENV)/bin/python
PIP  := $(PY) -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help verify test test-full figures calibrate bench peers lint lock clean distclean

help: ## this list
	@echo "make TARGET [PYTHON=python3] [BUDGET=quick|standard|full] [ARGS='...']"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

verify: $(VENV)/.ready ## check every claim: verdict table, figures and CSV under runs/
	@$(PY) -m chaosnum verify --budget $(BUDGET) $(ARGS)

test: $(VENV)/.ready ## the tests (minutes)
	@$(PY) -m pytest -n 2 --dist worksteal $(ARGS)

test-full: $(VENV)/.ready ## the tests and the long studies
	@$(PY) -m pytest -m "" -n 2 --dist worksteal $(ARGS)

FIGURES := $(filter-out figures/calibration.py,$(sort $(wildcard figures/*.py)))
figures: $(VENV)/.ready ## draw the figures of figures/ into runs/figures (minutes)
	@set -e; for script in $(FIGURES); do echo "$$script"; $(PY) $$script $(ARGS); done

calibrate: $(VENV)/.ready ## every claim and control over 20 seeds (about an hour); goes on where it was stopped
	@$(PY) figures/calibration.py $(ARGS)

bench: $(VENV)/.ready ## this machine's speed against the peers that are installed
	@$(PY) -m chaosnum bench $(ARGS)

peers: $(VENV)/.ready ## install the peers that bench compares with (gigabytes: torch, jax, ...)
	@$(PIP) install --quiet --no-build-isolation --editable ".[peers]"

lint: $(VENV)/.ready ## ruff over everything
	@$(PY) -m ruff check .

# Two stamps: a changed lock rebuilds the environment from nothing, changed metadata only installs
# the project again. Editable, so that Numba's cache stays in the tree and survives a rebuild;
# without build isolation, because setuptools is in the lock and nothing more needs fetching.
$(VENV)/.ready: $(VENV)/.deps setup.cfg pyproject.toml
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.deps: requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "chaosnum needs Python 3.11 or newer, found no $(PYTHON): run make with PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "chaosnum needs Python 3.11 or newer, $(PYTHON) is %d.%d: run make with PYTHON=python3.11 or newer" % v[:2])'
	@echo "building $(VENV) from requirements.lock (once, about a minute)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --quiet --require-hashes --requirement requirements.lock
	@touch $@

# setuptools is what `pip install --editable` builds with. One version of each package for all Pythons.
lock: ## pin the newest versions that setup.cfg allows (needs the network)
	@$(PYTHON) -m venv --clear .lockenv
	@.lockenv/bin/python -m pip install --quiet uv
	@{ echo "# Pinned versions with hashes, for make verify and make test. Written by: make lock"; \
	   echo "setuptools>=77" | .lockenv/bin/uv pip compile --quiet --universal --python-version 3.11 \
	     --fork-strategy fewest --generate-hashes --extra test --no-header --no-annotate \
	     --no-emit-index-url --no-emit-find-links setup.cfg -; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock
	@rm -rf .lockenv

clean: ## remove caches (Numba's too) and build leftovers; runs/ and .venv stay
	@find . -name .venv -prune -o -name .git -prune -o -name __pycache__ -type d -exec rm -rf {} +
	@rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage htmlcov .lockenv

distclean: clean ## clean, and remove .venv
	@rm -rf $(VENV)

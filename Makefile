# make verify   the main job: tables on the screen, JSON and pictures under out/
# make test     lint, types, tests and doctests
# make bench    the measurements (needs the extra: .venv/bin/python -m pip install -c constraints.txt -e '.[benchmarks]')
# make docs     the documentation under out/docs (needs the extra: ... install -c constraints.txt -e '.[docs]')
# make lint     lint and types alone
# make clean    removes what the targets above wrote, .venv included
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: verify test bench docs lint setup clean

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.set-up
PACKAGES := margin_projection proofs_checks figures benchmarks
# Twice quiet: errors alone.
PIP := $(RUN) -m pip --disable-pip-version-check --quiet --quiet

# Many processes start; those that come later read what the first ones have compiled.
unexport PYTHONDONTWRITEBYTECODE

# Pictures need no display; the workers share the cores, so each keeps to one thread.
test: export MPLBACKEND := Agg
test: export OMP_NUM_THREADS := 1
verify: export MPLBACKEND := Agg

verify: setup
	$(RUN) -m margin_projection.verify --out out

test: lint
	$(RUN) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

bench: setup
	$(RUN) -m benchmarks

docs: setup
	$(RUN) -m sphinx -q -W --keep-going -b html docs out/docs

lint: setup
	$(RUN) -m ruff check .
	$(RUN) -m mypy $(PACKAGES)

setup: $(STAMP)

# Again only where one of these files has changed since. Modules are compiled when they are first imported: most never are.
$(STAMP): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up $(VENV): minutes the first time"
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(PIP) install --no-compile -c constraints.txt -e '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

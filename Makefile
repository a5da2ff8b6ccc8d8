# The commands of the README. Each makes .venv first, from the pins of requirements.lock.
#   make test PYTHON=/usr/bin/python3.12     with this Python, instead of the first found

VENV = .venv
PYTHON = $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c '$(RECENT)' 2>/dev/null && echo $$p && break; done)
RECENT = import sys; sys.exit(sys.version_info < (3, 11))
UV = $(shell command -v uv)
VERSION = import sys; print(sys.version)

# a Python that is named must be one, and that of .venv where there is one: it would go unused
ifeq ($(origin PYTHON),command line)
ifneq ($(shell '$(PYTHON)' -c '$(RECENT)' 2>/dev/null && echo yes),yes)
$(error PYTHON=$(PYTHON) is not Python 3.11 or newer: install one, or name another)
endif
ifneq ($(wildcard $(VENV)/bin/python),)
ifneq ($(shell '$(PYTHON)' -c '$(VERSION)'),$(shell $(VENV)/bin/python -c '$(VERSION)'))
$(error $(VENV) was made by another Python than PYTHON=$(PYTHON): `make clean` removes it)
endif
endif
endif

.PHONY: help demo demo-long lab test test-all drill lint docs web lock clean

help:
	@sed -n 's/^\([a-z-]*\):.*##/make \1:/p' Makefile

demo: $(VENV)/.done  ## three recipes in a few minutes, with a report
	$(VENV)/bin/siamlab demo

demo-long: $(VENV)/.done  ## the same with 5.6 times the steps, up to 90 minutes
	$(VENV)/bin/siamlab demo --long

lab: $(VENV)/.done  ## JupyterLab on the notebooks
	$(VENV)/bin/siamlab lab

# two processes with one thread each, which take whole files in the order of tests/conftest.py
PYTEST = OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.done  ## the tests without the slow ones
	$(PYTEST) -m 'not slow'

test-all: $(VENV)/.done  ## all tests, as continuous integration runs them
	$(PYTEST)

drill: $(VENV)/.done  ## kills, restarts and full disks on purpose; WORDS="--short" for a reduced form
	PYTHONPATH=tests $(VENV)/bin/python -m drill $(WORDS)

lint: $(VENV)/.done  ## ruff, rules and format
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

docs: $(VENV)/.done  ## the documentation site, in build/site; warnings and dead links are errors
	$(VENV)/bin/python docs/build_design_space.py
	$(VENV)/bin/python docs/build_probes.py
	$(VENV)/bin/python docs/build_leaderboard.py
	$(VENV)/bin/python docs/build_results.py
	$(VENV)/bin/python docs/build_claims.py
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build
	@echo "build/site/index.html; with search: $(VENV)/bin/python -m http.server -d build/site"

web:  ## the scripts of explorers, from siamlab/explore/web/src; needs npm
	cd siamlab/explore/web && npm ci --silent --no-audit --no-fund && npm run --silent check \
		&& npm run --silent build && npm test --silent

lock:  ## resolve the pins again
	uv pip compile -q --universal --python-version 3.11 --all-extras --upgrade \
		--no-header --no-annotate pyproject.toml -o requirements.lock

clean:  ## everything but runs/
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.done: requirements.lock pyproject.toml
	@'$(PYTHON)' -c '$(RECENT)' 2>/dev/null || { echo "siamlab needs Python 3.11 or newer, found" \
		"$(or $(PYTHON),none): install one, or name it as in make PYTHON=/opt/bin/python3.11" >&2; exit 1; }
ifneq ($(UV),)
	uv venv -q --allow-existing --python '$(PYTHON)' $(VENV)
	uv pip install --python $(VENV)/bin/python -r requirements.lock
	uv pip install -q --python $(VENV)/bin/python --no-deps -e .
else
	'$(PYTHON)' -m venv $(VENV)
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check -r requirements.lock
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check --no-deps -e .
endif
	touch $@

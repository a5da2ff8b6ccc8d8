# The commands of the README. Each makes .venv first, from the pins of requirements.lock.
#   make test PYTHON=/usr/bin/python3.12     with this Python, instead of the first found

VENV = .venv
PYTHON = $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c '$(RECENT)' 2>/dev/null && echo $$p && break; done)
RECENT = import sys; sys.exit(sys.version_info < (3, 11))
UV = $(shell command -v uv)

.PHONY: help demo demo-long lab test lint lock clean

help:
	@sed -n 's/^\([a-z-]*\):.*##/make \1:/p' Makefile

demo: $(VENV)/.done  ## three recipes in a few minutes, with a report
	$(VENV)/bin/siamlab demo

demo-long: $(VENV)/.done  ## the same at a size that shows the trade-off, up to 90 minutes
	$(VENV)/bin/siamlab demo --long

lab: $(VENV)/.done  ## JupyterLab on the notebooks
	$(VENV)/bin/siamlab lab

test: $(VENV)/.done  ## all tests, two at a time with one thread each
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q -n 2 --dist loadfile

lint: $(VENV)/.done  ## ruff, rules and format
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

lock:  ## choose the pins anew
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

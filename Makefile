# Each target does its own set-up. Needs python3 (3.11 or later), make, and a package index for pip.
PYTHON ?= python3
VENV ?= .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python
ARGS ?=

.PHONY: help demo test check format ui deploy worker clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /: /'

demo: $(READY) ## train a Korean-English translator on the built-in corpus (ARGS="--set section.field=value")
	$(RUN) -m flows train demo $(ARGS)

test: check ## lint, types, and all tests with coverage
	$(RUN) -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile \
		--cov --cov-report=term:skip-covered --cov-fail-under=90 $(ARGS)

check: $(READY) ## lint and types
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

format: $(READY) ## format the code
	$(RUN) -m ruff check --fix
	$(RUN) -m ruff format

ui: $(READY) ## Prefect's server and UI on this machine: http://127.0.0.1:4200
	PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE=prefect.server.concurrency.lease_storage.filesystem \
		PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1 $(VENV)/bin/prefect server start --host 127.0.0.1

deploy: $(READY) ## check prefect.yaml and register its deployments (with that server, or the one that PREFECT_API_URL names)
	$(RUN) -m flows deploy $(ARGS)

worker: $(READY) ## do the runs that the deployments ask for, until Ctrl-C
	$(RUN) -m flows worker $(ARGS)

clean: ## remove the environment and what tools left behind; a workspace stays
	rm -rf $(VENV) build dist *.egg-info .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

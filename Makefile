# Two commands are enough on a fresh machine: `make demo` and `make test`. Each makes its own environment.
PYTHON ?= python3
VENV := .venv
DEMO := .venv-demo
CHECKOV := .venv-checkov
PEERS := .venv-peers
ZENML := 0.98.0
BIN := $(VENV)/bin
# Test files run side by side, each in one process from its first test to its last. Half of their time they wait for
# Terraform and for servers, so there are twice as many as two cores could run at once.
JOBS ?= 4
PYTEST := $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder
INSTALL := -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --editable

.PHONY: help demo demo-aws test test-all services lint types bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) '.[dev]'
	@touch $@

$(DEMO)/.local: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python $(INSTALL) '.[engine]'
	@touch $@

$(DEMO)/.aws: $(DEMO)/.local
	$(DEMO)/bin/python $(INSTALL) '.[engine,s3]' 'moto[server]'
	@touch $@

demo: $(DEMO)/.local ## apply, use, inspect and destroy a stack on the local disk
	$(DEMO)/bin/python examples/demo.py local

demo-aws: $(DEMO)/.aws ## the same on an AWS emulator, with the real Terraform and provider
	$(DEMO)/bin/python examples/demo.py aws

# Checkov and the peers of the benchmarks pin versions of their own, so they live apart.
$(CHECKOV)/.ready: Makefile
	$(PYTHON) -m venv $(CHECKOV)
	$(CHECKOV)/bin/python -m pip --disable-pip-version-check install --quiet checkov==3.3.30
	@touch $@

# An emulator of Azure's storage. Without npm the tests that need it are skipped, and say so.
$(VENV)/.azurite: $(VENV)/.ready
	-npm install --silent --no-audit --no-fund --prefix $(VENV)/azurite azurite@3
	@touch $@

test: $(VENV)/.ready $(VENV)/.azurite $(CHECKOV)/.ready ## the default tests
	$(PYTEST) -m 'not slow'

test-all: $(VENV)/.ready $(VENV)/.azurite $(CHECKOV)/.ready services ## all tests, the slow ones too
	$(PYTEST)

services: ## the servers that slow tests and benchmarks start: Ceph's gateway and nginx
	tests/support/install-services.sh .venv-services.log

lint: $(VENV)/.ready ## style and mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready ## mypy --strict
	$(BIN)/mypy

$(PEERS)/.ready: Makefile
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet 'zenml[local]==$(ZENML)'
	@touch $@

bench: $(VENV)/.ready $(PEERS)/.ready services ## the measured comparisons
	$(BIN)/python -m benchmarks

clean: ## remove the environments and what was built
	rm -rf $(VENV) $(DEMO) $(CHECKOV) $(PEERS) .venv-bench .venv-services.log build dist

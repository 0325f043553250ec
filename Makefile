# Works on a fresh clone with Python >= 3.11, make and git; everything else is brought along.
#   make demo      shows the whole thing
#   make test      runs every test

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

UV_VERSION := 0.13.9
UV := .uv/bin/uv
PY := .venv/bin/python
# The first Python that the locked wheels are made for, else whatever python3 is.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$name && exit; done; echo python3)
# One more than cores: tests wait for retries, time-outs and clocks as well.
JOBS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)

# uv takes the Python it is given and never fetches one; its environment is ours alone.
export UV_PYTHON := $(shell command -v $(PYTHON))
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv
# Compiled once here, or every process compiles its imports anew where writing them is off.
export UV_COMPILE_BYTECODE := 1
unexport VIRTUAL_ENV

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- the environment ---------------------------------------------------------------------

.uv/installed-$(UV_VERSION):
	@$(PYTHON) devstack/install.py build
	@rm -rf .uv && $(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.venv/installed: pyproject.toml uv.lock .uv/installed-$(UV_VERSION)
	@$(PYTHON) devstack/install.py build
	@$(UV) sync --frozen --quiet
	@touch $@

.PHONY: install
install: .venv/installed ## Make .venv, and install ffmpeg and clamd if they are absent
	@$(PYTHON) devstack/install.py stack

# --- the platform ------------------------------------------------------------------------

.PHONY: demo up down status corpus
demo: install ## Start everything, ingest real media, move money, show it, stop
	@$(PY) -m devstack.demo

up: install ## Start the stack and leave it running
	@$(PY) -m devstack up

down: .venv/installed ## Stop what `make up` has started
	@$(PY) -m devstack down

status: .venv/installed ## Show what runs, and where
	@$(PY) -m devstack status

corpus: install ## Ingest every file of a folder: make corpus DIR=path
	@test -n "$(DIR)" || { echo "which folder? make corpus DIR=path/to/folder" >&2; exit 2; }
	@$(PY) -m devstack.corpus "$(DIR)"

# --- the proofs --------------------------------------------------------------------------

.PHONY: test simulate chaos bench
test: install ## Run every test (ARGS="tests/unit -k name" for some)
	@$(PYTHON) devstack/install.py tests
	@$(PY) -m pytest -q -n $(JOBS) --dist loadfile $(ARGS)

simulate: install ## Play money under seeded chance (SEEDS=200 STEPS=150, or SEED=n for one)
	@$(PY) -m simulation $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(STEPS),--steps $(STEPS)) $(if $(WORLD),--world $(WORLD)) $(ARGS)

chaos: install ## Break each part under work of every kind (ARGS="--fault kill-postgres" for one)
	@$(PY) -m chaos $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: install ## Measure all against its peers, as ratios (ARGS="--only backbone" for one part)
	@$(PYTHON) devstack/install.py bench
	@$(PY) -m benchmarks $(ARGS)

.PHONY: check lint types imports dependencies migrations compose manifests audit fmt
check: lint types imports dependencies migrations compose manifests audit ## Lint, types, import rules, dependencies, migrations, deployment, audit

lint: .venv/installed
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: .venv/installed
	@.venv/bin/mypy

imports: .venv/installed
	@.venv/bin/lint-imports --no-logo

dependencies: .venv/installed
	@.venv/bin/deptry --no-ansi .

migrations: .venv/installed
	@$(PY) -m devstack.migrations

compose: .venv/installed
	@.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

manifests: .venv/installed
	@$(PY) -m devstack.manifests

audit: .venv/installed ## Look for known vulnerabilities in what is installed
	@$(PY) -m devstack.audit

fmt: .venv/installed ## Format, and mend what ruff can mend
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .

.PHONY: clean
clean: ## Stop the stack, and remove all that these targets have made
	@test ! -x $(PY) || $(PY) -m devstack down
	@rm -rf .run .venv .uv benchmarks/sharp/node_modules

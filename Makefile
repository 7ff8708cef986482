# The two commands of the README are `make verify` and `make test`; both set themselves up.
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help verify load load-defects load-models test lint types imports audit unit clean-runs false-alarms kill-matrix explore interop examples docs regression format bench endurance soak fleet postgres status-page samples schema clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.ready: pyproject.toml constraints.txt scripts/setup
	@scripts/setup

verify: .venv/.ready ## start the reference engine, judge it, write the report to reports/out/
	@$(BIN)/agent-conformance verify --reference

load: .venv/.ready ## 500 users on the reference engine for a minute, judged by its objectives
	@$(BIN)/agent-conformance load --reference --users 500 --duration 60s

load-defects: .venv/.ready ## the same on engines with rare defects: each is flagged; and RUNS times without one: none is
	@$(BIN)/python -m tests.load --runs $(RUNS)

load-models: .venv/.ready ## what a closed loop hides of a target that stalls, and arrivals that wait for nobody show
	@$(BIN)/python -m tests.load.models

test: lint types imports audit unit ## lint, types, import contracts, the audit of our own source and all tests

lint: .venv/.ready ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/.ready ## mypy, strict
	@$(BIN)/mypy

imports: .venv/.ready ## our own layers, as import-linter contracts
	@$(BIN)/lint-imports

audit: .venv/.ready ## our own source, as agent-conformance audit judges it (contracts.toml)
	@$(BIN)/agent-conformance audit . --strict

unit: .venv/.ready ## all tests, two files at a time
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

RUNS := 20
SEED := 1
BUSY := 0

clean-runs: .venv/.ready ## verify the reference engine RUNS times, with seeds from SEED on, with BUSY cores busy: no finding
	@$(BIN)/python -m tests.false_alarms --runs $(RUNS) --seed $(SEED) --busy $(BUSY)

false-alarms: .venv/.ready ## the same for each of its odd variants, and legal histories at random: no finding
	@$(BIN)/python -m tests.false_alarms --odd
	@$(BIN)/python -m tests.false_alarms --odd --out reports/out/false-alarms-ag-ui -- --dialect ag-ui
	@$(BIN)/python -m pytest --hypothesis-profile long tests/checks/test_properties.py

interop: .venv/.ready ## judge the agents of others, each in an environment of its own (ONLY="agno" …)
	@$(BIN)/python -m tests.interop $(ONLY)

examples: .venv/.ready ## gate the examples by the commands of the guide (needs PyPI for what they need)
	@$(BIN)/python -m tests.examples

docs: .venv/.ready ## build the documentation, warnings are errors, to build/docs/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

regression: .venv/.ready ## real runs: no engine is claimed to be slower than itself, one that is 30 % slower is (20 minutes)
	@$(BIN)/python -m tests.regression

kill-matrix: .venv/.ready ## drive every faulty engine, and see that it is found out (ONLY="null-run-id …")
	@$(BIN)/python -m tests.kill_matrix $(ONLY)

format: .venv/.ready ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.venv-bench/.ready: pyproject.toml constraints.txt scripts/setup
	@VENV=.venv-bench PYTHON="$${PYTHON:-/usr/bin/python3}" scripts/setup

bench: .venv-bench/.ready ## how fast: starting, judging a long history, … (ONLY="judge load"; with the system's Python, or PYTHON=…)
	@.venv-bench/bin/python -m benchmarks $(ONLY)

endurance: .venv/.ready ## kill -9 the engine at 50 random moments under load, and measure the memory that it takes
	@$(BIN)/python -m tests.endurance

soak: .venv/.ready ## what memory the engine takes while 500 users come and go for ten minutes: it stays flat
	@$(BIN)/python -m tests.endurance.soak

fleet: .venv/.ready ## judge two engines on Redis behind a balancer, one of which is killed (SEED=1)
	@$(BIN)/python -m tests.fleet --profile full --strict --seed $(SEED)

postgres: .venv/.ready ## the tests of several engines, with a PostgreSQL as their journal
	@FLEET_JOURNAL=postgresql $(BIN)/python -m pytest tests/fleet

status-page: .venv/.ready ## photograph the status page for reports/samples/
	@$(BIN)/python -m tests.operations

explore: .venv/.ready ## how soon exploration finds a rare defect, for ten seeds
	@$(BIN)/python -m benchmarks.explore

samples: .venv/.ready ## make the sample reports and pictures in reports/samples/ anew (minutes; ONLY="ISO pictures" …)
	@$(BIN)/python -m tests.reports.samples $(ONLY)

schema: .venv/.ready ## write the JSON Schema of verdict.json anew
	@$(BIN)/python -m conformance.verdict > conformance/verdict.schema.json

clean: ## remove what the commands above made
	@rm -rf .venv .venv-bench tests/interop/.venvs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .agent_conformance_cache .hypothesis reports/out

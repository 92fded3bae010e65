# `make demo` and `make test` set up whatever they need, on a machine with Python 3.11 to 3.13.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The tests and benchmarks start the command hundreds of times, which would compile it each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo quick test test-all coverage faults faults-quick soak bench bench-full lint check format docs catalogue schema broken clean

help: ## What there is to make.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/installed ## Train the digits experiment: real data, no download of any.
	$(BIN)/nnrun train configs/digits.yaml

# Two at a time, as on two cores; the tests of a file stay together, because they share runs.
TEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

quick: $(VENV)/developing ## Run the tests that start no process and load no TensorFlow: a minute.
	$(TEST) --quick

test: $(VENV)/developing ## Run the tests: five minutes.
	$(TEST)

test-all: $(VENV)/developing ## Run the slow tests too.
	$(TEST) -m "slow or not slow"

coverage: $(VENV)/developing ## Run the tests, and show which lines and branches they miss.
	$(TEST) --cov --cov-report=term

faults-quick: $(VENV)/developing ## Run the short forms of the fault tests: minutes.
	$(BIN)/python -m pytest tools/faults

faults: $(VENV)/developing ## Fail every write, kill runs, damage run folders, specs and data files: hours.
	$(BIN)/python tools/faults/starts.py --count 20
	$(BIN)/python tools/faults/writes.py --subject digits callbacks boston kfold resumed resumed-kfold
	$(BIN)/python tools/faults/kills.py --verb train --kills 100
	$(BIN)/python tools/faults/kills.py --verb kfold --kills 100
	$(BIN)/python tools/faults/mutations.py --count 1000
	$(BIN)/python tools/faults/fuzzing.py --count 20000
	$(BIN)/python tools/faults/data_files.py --count 10000 --train 500
	$(BIN)/python tools/faults/foreign.py --count 1000

soak: $(VENV)/developing ## Train for 40 minutes: memory and open files must not grow.
	$(BIN)/python tools/faults/soak.py --minutes 10

lint: $(VENV)/developing ## Check format, style, types, layers and documentation.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/ruff check --preview --select PLR1702 .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check -P -I docs README.md docs/*.md
	$(BIN)/python tools/draw_architecture.py --check
	$(BIN)/mkdocs build --strict --quiet --site-dir .cache/site

check: lint test ## What CI checks: lint and tests.

bench: TURNS := 2
bench: $(VENV)/developing ## Compare with programs written by hand, in turns, with fewer epochs: minutes.
	$(BIN)/python benchmarks/experiments.py --turns $(TURNS)
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/check.py

# Of each side; with one, `make bench-full TURNS=1`, all of it took 54 minutes.
TURNS ?= 3
# The peers have an environment of their own, which takes gigabytes and Python 3.12.
PEERS := .cache/peers
PEERS_PYTHON ?= python3.12

bench-full: $(VENV)/developing $(PEERS)/made ## The same in full, with everything else that is measured: hours.
	-$(BIN)/python benchmarks/experiments.py --full --turns $(TURNS)
	$(BIN)/python benchmarks/engine.py --grid --jax $(PEERS)/bin/python --plot docs/images/engines.png
	$(BIN)/python benchmarks/peers/peers.py $(PEERS)
	$(BIN)/python benchmarks/startup.py --plot docs/images/startup.png
	$(BIN)/python benchmarks/residual.py
	-$(BIN)/python benchmarks/scaling.py docs/images
	$(BIN)/python benchmarks/check.py
	$(BIN)/python benchmarks/compare.py

$(PEERS)/made:
	sh benchmarks/peers/set_up.sh $(PEERS) $(PEERS_PYTHON)
	touch $@

format: $(VENV)/developing ## Format the code and mend what lint can mend.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/developing ## Let the documentation quote the program as it is now.
	$(BIN)/cog -r -P -I docs README.md docs/*.md
	$(BIN)/python tools/draw_architecture.py

catalogue: $(VENV)/developing ## Rewrite the catalogue of the installed Keras.
	$(BIN)/python -m nnrun.models.catalogue > catalogue.tmp
	mv catalogue.tmp nnrun/spec/catalogue.json

schema: $(VENV)/developing ## Rewrite the schema that the shipped specs name, for editors.
	$(BIN)/nnrun schema --output configs/nnrun.schema.json

broken: $(VENV)/developing ## Renew the expected messages of the broken specs in tests/broken.
	$(BIN)/python tests/broken/renew.py

clean: ## Remove the environment.
	rm -rf $(VENV)

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/developing: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

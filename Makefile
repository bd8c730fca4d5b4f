# `make run` needs only NumPy; `make test` also installs PyTorch and the test tools.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: run test test-browser explorer lesson check parity cases bench mutants mutants-full mutants-sample clean

run: .venv/run
	$(BIN)/numpy-rnn tutorial

test: .venv/test
	$(BIN)/python -m pytest -n 2

test-browser: .venv/browser
	$(BIN)/python -m pytest -m browser tests/browser
	@ls build/screenshots/*.png

explorer: .venv/run
	$(BIN)/numpy-rnn explain

lesson: .venv/lesson
	$(BIN)/python docs/lesson.py

check: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

parity: .venv/test
	$(BIN)/numpy-rnn tutorial --torch --dtype float64

cases: .venv/test
	$(BIN)/python -m tests.torch_cases

bench: .venv/bench
	$(BIN)/python -m benchmarks

mutants: mutants-full mutants-sample

mutants-full: .venv/mutants
	rm -rf mutants
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/mutmut run
	$(BIN)/python -m tests.mutants

mutants-sample: .venv/test
	rm -f mutants/sample.jsonl
	$(BIN)/python -m tests.mutants_sample

clean:
	rm -rf .venv mutants build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each of these files marks an installed set of packages; changed requirements are installed again.
.venv/run: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) -e .
	@touch $@

.venv/lesson: .venv/run
	$(INSTALL) -e '.[lesson]'
	@touch $@

.venv/test: .venv/run
	$(INSTALL) -e '.[dev]'
	@touch $@

.venv/browser: .venv/test
	$(INSTALL) -e '.[browser]'
	@touch $@

.venv/mutants: .venv/test
	$(INSTALL) -e '.[mutants]'
	@touch $@

.venv/bench: .venv/test
	$(INSTALL) -e '.[bench,jax]'
	@touch $@

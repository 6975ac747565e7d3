# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make run    make the environment and run the default study
#   make test   make the environment and pass the checks and tests
PYTHON ?= python3
VENV ?= .venv
CORES ?= all
BIN := $(VENV)/bin

.PHONY: run test check report clean

run: $(VENV)/ready
	$(BIN)/snakemake --cores $(CORES)

report: run
	$(BIN)/snakemake --cores $(CORES) --report report.html

test: check
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -rs

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf results resources logs .snakemake report.html

# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make run    make the environment and run the default study
#   make test   make the environment and pass the checks and tests
PYTHON ?= python3
VENV ?= .venv
CORES ?= all
# CIFAR-10 for `make bench`: a prepared store, archive or folder; downloaded if empty
DATA ?=
BIN := $(VENV)/bin

.PHONY: run test check docs report bench clean

run: $(VENV)/ready
	$(BIN)/snakemake --cores $(CORES)

report: run
	$(BIN)/snakemake --cores $(CORES) --report report.html
	@echo "What the study found: results/index.html. Snakemake's own report: report.html"

# The longest files first; one of the three mostly waits for its scheduler. Pictures of the pages are
# kept in build/screenshots, to be looked at.
test: check
	OMP_NUM_THREADS=1 GRADVAL_SCREENSHOTS=build/screenshots $(BIN)/pytest -n 3 --dist loadfile \
		--no-loadscope-reorder -rs tests/slurm tests/workflow tests/browser tests/unit

check: $(VENV)/ready docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

# The documentation site, in site/: nothing is fetched. A link that leads nowhere fails.
docs: $(VENV)/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# About an hour on two cores with nothing else running; docs/performance.md shows the results.
bench: $(VENV)/ready
	$(BIN)/python benchmarks/score_speed.py
	$(BIN)/python benchmarks/private_step_speed.py
	$(BIN)/python benchmarks/whole_cost.py
	$(BIN)/python benchmarks/free_scores.py
	$(BIN)/python benchmarks/norms.py
	$(BIN)/python benchmarks/models_tried.py
	$(BIN)/python benchmarks/plain_words.py
	$(BIN)/python benchmarks/scaling.py $(DATA)
	$(BIN)/python benchmarks/write_page.py

# Modules are compiled when they are first imported: most of PyTorch's never are.
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf results resources logs .snakemake report.html site

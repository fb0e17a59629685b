# `make demo` and `make test` do all the set-up themselves: a virtual environment in .venv, filled by pip alone.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
JOBS   ?= 2

.PHONY: venv demo test lint types lit pytest docs bench fuzz coverage-operators coverage-frontend clean

venv: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,docs]'
	touch $@

demo: venv
	$(BIN)/python examples/demo.py

test: lint # pyright, which has one process, beside lit
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target types lit
	$(MAKE) --no-print-directory pytest

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv
	$(BIN)/pyright

lit: venv
	$(BIN)/lit --quiet -j $(JOBS) test

pytest: venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS)

docs: venv # the generated pages, then the site in build/site
	$(BIN)/python docs/generator
	$(BIN)/properdocs build --strict -f mkdocs.yml

bench: venv
	$(BIN)/python -m benchmarks

fuzz: venv # random programs against PyTorch, forged PEFs, files and IR; FUZZ='--programs 100 --seed 7' for others
	OMP_NUM_THREADS=1 $(BIN)/python -m sambaflow.testing.fuzz $(FUZZ)
	OMP_NUM_THREADS=1 $(BIN)/python -m sambaflow.testing.forged_pefs --jobs $(JOBS)
	OMP_NUM_THREADS=1 $(BIN)/python -m sambaflow.testing.forged_ir --jobs $(JOBS)
	OMP_NUM_THREADS=1 $(BIN)/python -m sambaflow.testing.forged_files --jobs $(JOBS)

coverage-operators: venv # PyTorch's own operator data: right, refused, wrong, crashed; half an hour on two cores
	OMP_NUM_THREADS=1 $(BIN)/python -m sambaflow.testing.coverage operators

coverage-frontend: venv # every causal architecture of transformers, tiny, against its eager model: a table
	OMP_NUM_THREADS=1 $(BIN)/python -m sambaflow.testing.coverage frontend --processes $(JOBS)

clean:
	rm -rf build out .pytest_cache .ruff_cache .hypothesis

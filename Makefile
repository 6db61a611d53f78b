# Two commands do everything on a machine with Python 3.11 or newer and make: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install

.PHONY: demo test dev clean

demo: $(VENV)/installed  ## run the main job on emulated cells, print the verdict and what was written
	$(BIN)/eis demo

test: $(VENV)/tests-installed  ## run all tests; `EIS_THOROUGH=1 make test` draws, kills and repeats many times more
	$(BIN)/python -m pytest -q --numprocesses=auto --dist=worksteal

dev: $(VENV)/dev-installed  ## environment with linters, type checkers and build tools

$(VENV)/bin-made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "eis needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version). Run: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/bin-made pyproject.toml
	@echo "installing interfacial-eis and what it needs into $(VENV) (a minute or two, once)"
	$(PIP) --editable .
	@echo "compiling the fitting engine (some ten seconds, once)"
	@$(BIN)/python -m fitting.compiled
	@touch $@

$(VENV)/tests-installed: $(VENV)/installed
	$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/dev-installed: $(VENV)/tests-installed
	$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist eis-demo*

# Every target sets up what it needs: a virtual environment in .venv with the versions of constraints.txt.

# PYTHON=python3.12 chooses another for the next .venv (make clean drops the present one); else it is the first of 3.11 to 3.13.
DURATION ?= 60
PYTHON ?=
ROWS ?=
BIN := .venv/bin
STAMP := .venv/.installed
# Other people's clients for the tests of the simulated venue, apart from ours because of what they hold back.
CLIENTS := .clients/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test coverage check bench chaos clean

help:
	@echo "make demo [DURATION=60]  quote BTCUSDC and ETHUSDC on the built-in simulated venue"
	@echo "make test                run the whole test suite"
	@echo "make coverage            the same with the lines that no test reaches, per file"
	@echo "make check               format, lint, types, import rules"
	@echo "make bench               latency and throughput as ratios to a floor measured in the same run"
	@echo "make chaos [ROWS=1,2]    break live systems as the fault matrix says, check bounds and invariants, write chaos.json, chaos.html, chaos.md"
	@echo "make clean               remove the virtual environment and caches"

# With job control a terminal's Ctrl-C reaches the demo alone: it cancels its orders, reports and exits 0, and so does make.
demo: $(STAMP)
	@if [ -t 0 ]; then set -m; fi; $(BIN)/raymaker demo --duration $(DURATION); exit $$?

test: $(STAMP) $(CLIENTS)
	@$(BIN)/python -m pytest

# What runs in the processes of Ray and of the demo is not seen by it.
coverage: $(STAMP) $(CLIENTS)
	@$(BIN)/python -m pytest --cov=protocols --cov=configs --cov=actors --cov=ops --cov-report=term-missing:skip-covered

check: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP) $(CLIENTS)
	@$(BIN)/python -m ops.bench

chaos: $(STAMP)
	@$(BIN)/raymaker chaos $(if $(ROWS),--rows $(ROWS)) --json chaos.json --page chaos.html --markdown chaos.md

clean:
	rm -rf .venv .clients build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

$(STAMP): pyproject.toml constraints.txt
	@python=; \
	for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	    if $$candidate -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	        >/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "raymaker needs Python 3.11, 3.12 or 3.13 with its venv module, and none was found: install one (on Debian and Ubuntu python3 and python3-venv)." >&2; \
	    exit 2; \
	fi; \
	echo "Setting up .venv with $$($$python --version) (once; some minutes on a slow line)"; \
	rm -rf .venv && $$python -m venv .venv && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]' && \
	touch $@

$(CLIENTS): tests/exchange/clients/requirements.txt | $(STAMP)
	@echo "Setting up .clients with other people's clients (once; some minutes on a slow line)"; \
	rm -rf .clients && $(BIN)/python -m venv .clients && \
	.clients/bin/python -m pip install --quiet --disable-pip-version-check -r $< && \
	touch $@

# make book   environment, chapters, site           make test   everything that the tests need, then all of them
# make check  lint, types and the tests of what changed since main, in under two minutes
# make lock   resolve the locked requirements anew  make clean  forget what was built (never the records)

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
STAMP   = $(VENV)/.$(1)-$(shell cat requirements.txt requirements-test.txt pyproject.toml | cksum | cut -d' ' -f1)
BOOK   := $(call STAMP,book)
TEST   := $(call STAMP,test)
QUIET   = $$([ -t 1 ] || echo --quiet)
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: env book test check lock clean
env: $(BOOK)

book: $(BOOK)
	@$(BIN)/invex build

test: $(TEST)
	@sh tests/site/install.sh
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

check: $(TEST)
	@WORKERS=$(WORKERS) $(BIN)/python tests/check.py

$(BOOK):
	@echo "Making the environment in $(VENV) (a few minutes, once)"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v != (3, 11) and f"The lock is for Python 3.11, this is {v[0]}.{v[1]}: name one with make PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check --no-deps -e .
	@rm -f $(VENV)/.book-* && touch $@

$(TEST): $(BOOK)
	@$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check -r requirements-test.txt
	@rm -f $(VENV)/.test-* && touch $@

lock:
	@sh tests/lock.sh "$(PYTHON)"

clean:
	rm -rf _build

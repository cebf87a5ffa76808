# The commands a newcomer needs: `make` lists them.

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin

.PHONY: help demo test soak check bench build
help:
	@echo 'make demo   serve the demo site on http://127.0.0.1:5000 (PORT=5001 make demo: another port)'
	@echo 'make test   run every test; brings a browser and PostgreSQL where there is none'
	@echo 'make soak   run every attack at its full volume, and the fault loops of mails and workers; takes hours'
	@echo 'make check  run the linters, the type checkers and the contracts of the rooms'
	@echo 'make bench  measure size and speed against the same pages without the widget'
	@echo 'make build  build the front end into static/dist'

demo: $(VENV)/installed
	@$(BIN)/python -m demo_site

test: $(VENV)/installed-test
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m pytest --numprocesses=2 --dist=worksteal

# In one process: what is timed here would be slowed down by a neighbour.
soak: $(VENV)/installed-test
	@$(BIN)/python -m tests.browser.chromium
	@SOAK=1 $(BIN)/python -m pytest tests/soak tests/attacks

bench: $(VENV)/installed-test
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m benchmarks

build: static/node_modules/.installed
	@.ci/npm run --silent build

# Each check stands alone, and two run at a time; all of them are heard before the verdict.
CHECKS = check-front check-types check-style check-imports check-templates check-catalogues
.PHONY: $(CHECKS)
check: $(VENV)/installed-check static/node_modules/.installed
	@$(MAKE) --no-print-directory --keep-going --jobs=2 $(if $(filter output-sync,$(.FEATURES)),--output-sync) $(CHECKS)

check-front:
	@.ci/npm run --silent check
	@$(BIN)/python .ci/check_rebuild.py

check-types:
	@$(BIN)/mypy

check-style:
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet

check-imports:
	@told=$$($(BIN)/lint-imports) || { echo "$$told"; exit 1; }

check-templates:
	@$(BIN)/djlint --quiet --lint consent_widget/templates demo_site/templates

check-catalogues:
	@$(BIN)/python -m pytest --quiet tests/translations

# Made once, and again when setup.cfg or package-lock.json has changed: a fresh stamp needs no network.
$(VENV)/made:
	@$(PYTHON) -c '' 2>/dev/null || { echo '$(PYTHON) was not found; name a Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "consent-widget needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V); name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo '$(PYTHON) lacks its module venv; on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: setup.cfg pyproject.toml | $(VENV)/made
	@echo 'Installing the package and what it needs into $(VENV) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[accounts]'
	@touch $@

$(VENV)/installed-test $(VENV)/installed-check: $(VENV)/installed-%: setup.cfg pyproject.toml | $(VENV)/made
	@echo 'Installing the tools of `make $*` into $(VENV) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $(VENV)/installed $(if $(filter check,$*),$(VENV)/installed-test) $@

static/node_modules/.installed: static/package-lock.json | $(VENV)/installed-check
	@.ci/npm ci --loglevel=error --no-audit --no-fund
	@touch $@

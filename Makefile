# Nothing here needs root. Everything made goes to .venv/, node_modules/, outreach/web/static/vendor/,
# outreach/notices/letters/fonts/ and var/, all git-ignored.

PYTHON ?= python3
JOBS ?= auto
ARGS ?=

venv := .venv/bin
catalogues := $(patsubst %.po,%.mo,$(wildcard translations/*/LC_MESSAGES/*.po))
vendor := outreach/web/static/vendor/.complete

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-dev demo run test chaos check fix lock catalogues migration bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.runtime $(vendor) $(catalogues) ## Install everything (quick when nothing changed)

setup-dev: setup .venv/.dev

demo: setup ## Start the whole system with 6,309 synthetic people; Ctrl-C stops it, data stays in var/
	@$(venv)/python -m outreach demo $(ARGS)

run: setup ## Start the whole system without demonstration data
	@$(venv)/python -m outreach run $(ARGS)

test: setup-dev ## Run all tests against real engines; ARGS="-k words" picks some
	@$(venv)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

chaos: setup-dev ## Kill, freeze and crash everything while 6,252 people are told, and judge it; SMALL=1, SEED=n, MACHINES=2
	@$(venv)/python -m tests.chaos$(if $(MACHINES),.two_machines) $(if $(SMALL),--small) $(if $(SEED),--seed $(SEED)) $(ARGS)

check: setup-dev ## Everything a change must pass: format, lint, types, catalogues, migrations, tests
	$(venv)/ruff format --check .
	$(venv)/ruff check .
	$(venv)/mypy
	@$(MAKE) --no-print-directory var/messages.pot
	$(venv)/pybabel update --check --ignore-obsolete --ignore-pot-creation-date --no-wrap -i var/messages.pot -d translations
	$(venv)/python -m outreach migration --check
	@$(MAKE) --no-print-directory test

fix: setup-dev ## Format the code and mend what ruff can mend
	$(venv)/ruff check --fix .
	$(venv)/ruff format .

lock: setup-dev ## Pin requirements*.in to the newest versions, with hashes
	@for name in requirements requirements-dev requirements-node; do \
		UV_CUSTOM_COMPILE_COMMAND="make lock" $(venv)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
			--generate-hashes --no-emit-index-url $$name.in -o $$name.txt || exit 1; \
	done

catalogues: setup-dev var/messages.pot ## Bring translations/*/messages.po up to date with the texts in code and templates
	$(venv)/pybabel update --ignore-obsolete --ignore-pot-creation-date --no-wrap -i var/messages.pot -d translations

migration: setup-dev ## Write the next migration from the models: make migration NAME="add_letters"
	@$(venv)/python -m outreach migration "$(NAME)"

bench: setup-dev ## Measure import, planning, sending, mailing, callbacks and letters, each against its floor
	@$(venv)/python -m benchmarks $(ARGS)

clean: ## Remove what setup made; the data in var/ stays
	rm -rf .venv node_modules outreach/web/static/vendor outreach/notices/letters/fonts .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -f translations/*/LC_MESSAGES/*.mo

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is not one. Say which to use: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; \
		exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear .venv || { \
		echo "The environment could not be made. On Debian and Ubuntu: apt install python3-venv" >&2; rm -rf .venv; exit 1; }
	@touch $@

.venv/.runtime: requirements.txt .venv/.made
	@echo "Installing requirements.txt"
	@$(venv)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.runtime
	@echo "Installing requirements-dev.txt"
	@$(venv)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(vendor): package-lock.json outreach/cli/assets.py .venv/.runtime
	@$(venv)/python -m outreach assets
	@touch $@

%.mo: %.po | .venv/.runtime
	@$(venv)/pybabel --quiet compile -i $< -o $@

# Not a file to depend on: what it is made from is every page and view, and making it takes a second.
.PHONY: var/messages.pot
var/messages.pot:
	@mkdir -p var
	@$(venv)/pybabel --quiet extract -F pyproject.toml -k _l -k Refused -k NotApproved -k NotAllowedRule -k _expect:3 --no-location --sort-output --no-wrap -o $@ .

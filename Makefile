PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
# The tests of `make test` that take more cases in `make test-all`.
PROOFS := HYPOTHESIS_PROFILE=thorough TESTS_FAULT_MATRIX=full
# Three on two cores: the end-to-end tests spend a good part of their time waiting.
WORKERS := -n 3 --dist worksteal
# They start hundreds of commands; each would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all test-browser checkov-env screenshots lint docs audit constraints clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

demo: $(STAMP)  ## set up a stack on the embedded cloud and watch one order travel through it
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" bash demo.sh

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

test: lint  ## ruff, mypy strict, every test but the long ones, and the coverage floor
	$(VENV)/bin/pytest $(WORKERS) -m 'not long and not browser' --cov --cov-report=term:skip-covered

checkov-env: .venv-checkov/bin/checkov  ## Checkov in an environment of its own: it pins an old boto3

.venv-checkov/bin/checkov:
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/python -m pip install --quiet checkov==3.3.30

test-all: $(STAMP) checkov-env  ## what `make test` leaves out: long tests, every fault, many examples
	$(PROOFS) $(VENV)/bin/pytest $(WORKERS) -m 'long or grows or hypothesis' --durations=10

docs: $(STAMP)  ## write the pages that are made from the program
	$(VENV)/bin/python docs/generate.py

test-browser: $(STAMP)  ## the local page and pages of others in the system's Chromium; skipped where there is none
	$(VENV)/bin/pytest -m browser -rs tests/browser

screenshots: $(STAMP)  ## the pictures in docs/images, from real runs; those of the page in the system's Chromium
	$(VENV)/bin/python -m tests.pictures docs/images
	$(VENV)/bin/python -m tests.browser.screenshots docs/images

audit: $(STAMP)  ## known weaknesses in the dependencies; asks the advisory service of the package index
	$(VENV)/bin/python -m pip install --quiet pip-audit
	$(VENV)/bin/pip-audit --skip-editable

constraints:  ## pin the newest versions that pyproject.toml allows
	rm -rf $(VENV)/renewed
	$(PYTHON) -m venv $(VENV)/renewed
	$(VENV)/renewed/bin/python -m pip install --quiet --editable '.[dev]'
	sed -n '/^#/p' constraints.txt > $(VENV)/constraints.txt
	$(VENV)/renewed/bin/python -m pip freeze --exclude-editable >> $(VENV)/constraints.txt
	mv $(VENV)/constraints.txt constraints.txt
	rm -rf $(VENV)/renewed

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .coverage*

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed

.PHONY: demo test coverage lint audit clean

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable '.[dev]'
	touch $(STAMP)

demo: $(STAMP)  ## set up a stack on the embedded cloud and watch one order travel through it
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" bash demo.sh

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

test: lint  ## ruff, mypy strict and every test
	$(VENV)/bin/pytest -n 2

coverage: lint  ## every test, with what they do not reach; half as slow again
	$(VENV)/bin/pytest -n 2 --cov --cov-report=term:skip-covered

audit: $(STAMP)  ## known weaknesses in the dependencies; asks the advisory service of the package index
	$(VENV)/bin/python -m pip install --quiet pip-audit
	$(VENV)/bin/pip-audit --skip-editable

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .coverage*

# Needs Python 3.11 or newer, pip and make; everything else is installed into .venv by these targets.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test check test-full test-gpu test-browser docs docs-serve clean

demo: $(VENV)/.installed
	$(BIN)/zsavs demo

# With bytecode, even where the environment forbids it: to compile all tests anew takes each worker seconds.
test: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Full-size architectures with random weights, and preset nano on all scenes of the orchestra: 16 GiB of memory, about
# fifteen minutes on two cores, no download.
test-full: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 0 -m full -s

# Needs a CUDA device.
test-gpu: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 0 -m gpu -s

# The pages as people use them, in Chromium: chromium or google-chrome on the PATH, or where ZSAVS_CHROMIUM says.
# axe-core (MPL-2.0), which judges contrast and labels, comes by npm into .browser.
test-browser: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --editable '.[dev,browser]'
	test -e .browser/node_modules/axe-core || npm install --silent --prefix .browser axe-core@4
	$(BIN)/python -m pytest -n 0 -m 'browser or not browser' tests/browser

# The site, in site/: strictly, every link followed, every tutorial executed with the models that ship. Fetches nothing but
# the packages.
docs: $(VENV)/.installed-docs
	HF_HUB_OFFLINE=1 NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

docs-serve: $(VENV)/.installed-docs
	HF_HUB_OFFLINE=1 NO_MKDOCS_2_WARNING=1 EXECUTE_TUTORIALS=false $(BIN)/mkdocs serve --no-strict

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[pocket,video]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/.installed

# With what the tests need, too: to install once takes half as long as twice.
$(VENV)/.installed-docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs]'
	touch $@ $(VENV)/.installed-dev $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache

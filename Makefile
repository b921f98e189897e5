# Every target does its own set-up: a virtual environment in .venv with what pyproject.toml pins.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p && break; done)
BENCH ?=
TESTS ?=

VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup bench test test-slow benchmarks lint clean

help: ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s $$'\t'

setup: $(STAMP) ## make .venv and install what is pinned

$(STAMP): pyproject.toml constraints.txt
	@[ -n "$(PYTHON)" ] && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; say which: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	[ -x $(RUN) ] || "$(PYTHON)" -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

bench: $(STAMP) ## measure every variant in every format here, and make the page (BENCH="--quick ..." adds options)
	$(RUN) bench.py $(BENCH)

# Two at a time, whole files: what a file makes for its tests is made once.
FAST := $(RUN) -m pytest -n 2 --dist loadfile -m "not slow and not benchmark"

# Training has a process of its own: once, one that had loaded every runtime of the other rooms died of a segmentation
# fault while it started a training.
test: $(STAMP) ## the fast tests (TESTS="tests/frames -k hole" narrows)
ifeq ($(TESTS),)
	$(FAST) --ignore tests/training
	$(FAST) tests/training
else
	$(FAST) $(TESTS)
endif

test-slow: $(STAMP) ## every test, the long ones too
	$(RUN) -m pytest -m "not benchmark" $(TESTS)

benchmarks: $(STAMP) ## the suites that measure this project itself
	$(RUN) -m pytest -m benchmark $(TESTS)

lint: $(STAMP) ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

-include devices/runner/runner.mk devices/ios/pymobiledevice3.mk

clean: ## remove what make and the tools made, results kept
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .benchmarks

# Every target does its own set-up: a virtual environment in .venv with what pyproject.toml pins (scripts/setup.sh).
SHELL := /bin/bash
BENCH ?=
TESTS ?=
EXTRAS ?=
export PYTHON TORCH TORCH_INDEX

VENV := .venv
RUN := $(VENV)/bin/python
CORE := $(VENV)/.core
DEV := $(VENV)/.dev
LINT := $(VENV)/.lint

.DEFAULT_GOAL := help
.PHONY: help setup bench test test-slow benchmarks docs docs-measure lint fresh-root clean gpu-training gpu-pace

help: ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s $$'\t'

setup: $(CORE) ## make .venv and install what make bench needs; EXTRAS=train,web adds to it, TORCH=cpu leaves out CUDA
ifneq ($(EXTRAS),)
	@scripts/setup.sh $(EXTRAS)
endif

$(CORE): pyproject.toml constraints.txt
	@scripts/setup.sh openvino,coreml
	@touch $@

$(DEV): pyproject.toml constraints.txt
	@scripts/setup.sh dev
	@touch $(CORE) $(LINT) $@

$(LINT): pyproject.toml constraints.txt
	@scripts/setup.sh --only lint
	@touch $@

bench: $(CORE) ## measure the networks here, and make the page (BENCH="--quick ..." adds options)
	$(RUN) bench.py $(BENCH)

# Two at a time, whole files: what a file makes for its tests is made once. The long ones: CI, and TESTS.
FAST := $(RUN) -m pytest -n 2 --dist loadfile -m "not slow and not benchmark$(if $(CI)$(TESTS),, and not long)"

# Training has a process of its own: once, one that had loaded every runtime of the other rooms died of a segmentation
# fault while it started a training.
test: $(DEV) ## the tests of a few seconds each (TESTS="tests/evaluation -k hole" narrows)
ifeq ($(TESTS),)
	$(FAST) --ignore tests/training
	$(FAST) tests/training
else
	$(FAST) $(TESTS)
endif

test-slow: $(DEV) ## every test, the long ones too
	$(RUN) -m pytest -m "not benchmark" $(TESTS)

benchmarks: $(DEV) ## the suites that measure this project itself
	$(RUN) -m pytest -m benchmark $(TESTS)

docs: $(CORE) ## write the tables of results in README.md and docs/; ROWS=results draws the picture of the page (Chromium)
	$(RUN) -m reports.docs write $(if $(ROWS),--rows "$(ROWS)")

docs-measure: $(CORE) ## count the ARM instructions that these tables lack (scripts/install-tools.sh; a minute a network)
	$(RUN) -m reports.docs measure

# On a machine that has PyTorch, NumPy, OpenCV and safetensors, and no internet: docs/gpu-training.md. RATES=anneal is for
# the last call of a run.
GPU_PYTHON ?= python3
NETWORKS ?= '*'
PACK ?= build/data.pack
RUN_DIR ?= runs/twelve
OUT ?= build/out
MINUTES ?= 8.5
RATES ?= hold
TRAIN ?= --speedup graphs --batch 128 --rate 1.6e-3 --evaluate-every 200000 --samples 100000000

gpu-training: ## train several networks from a pack, in time, and bundle them (variables: docs/gpu-training.md)
	$(GPU_PYTHON) train.py $(NETWORKS) --pack $(PACK) --out $(RUN_DIR) --minutes $(MINUTES) --rates $(RATES) $(TRAIN)
	$(GPU_PYTHON) -m training.bundle $(RUN_DIR) --out $(OUT)

gpu-pace: ## samples a second on this machine, plain and with CUDA graphs
	for how in none graphs; do \
	  $(GPU_PYTHON) train.py $(NETWORKS) --pack $(PACK) --out $$(mktemp -d) --minutes 2 \
	    $(TRAIN) --speedup $$how 2>&1 | grep samples/s | tail -1 | sed "s/^/$$how: /"; \
	done

lint: $(LINT) ## ruff and mypy; installs these and what mypy reads, 0.25 GB
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

fresh-root: ## the commands in a bare Debian, as a new user (root, Linux; half an hour): scripts/fresh-root.sh
	scripts/fresh-root.sh

-include devices/aarch64_runner/runner.mk devices/ios/pymobiledevice3.mk

clean: ## remove what make and the tools made, results kept
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .benchmarks

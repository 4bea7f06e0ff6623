# Everything sets itself up in .venv; nothing but Python 3.11 to 3.13 and make is needed.
PYTHON ?= python3
# What tests need beyond the package. CI adds parity (PyTorch), jax, video, ct and cluster; tests skip what is missing.
EXTRAS ?= test
# Handed to every figure's script: make figures ARGS="--profile paper --jobs 2"
ARGS ?=

BIN := .venv/bin
SCRIPTS := table_1 table_2 fig_polyp_examples fig_polyp_froc table_s1 fig_frame_examples fig_frame_roc table_s3 \
	fig_carotid_patches fig_carotid_boxplots fig_carotid_stages table_s4 \
	fig_pe_representation fig_pe_froc table_s2 fig_convergence

.PHONY: help setup weights figures claims report readme times bench test lint clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 18

setup: .venv/ready  ## the environment, in .venv

.venv/ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/ready-$(EXTRAS): .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$(EXTRAS)]"
	@touch $@

weights: .venv/ready  ## the ImageNet weights, into the user's cache
	$(BIN)/python -m repro weights

figures: weights  ## every figure and table and the report, into figures/ (ARGS="..." goes to each script)
	@for script in $(SCRIPTS) report; do $(BIN)/python experiments/$$script.py $(ARGS) || exit 1; done

claims: weights  ## the paper's four claims, three seeds, with a verdict each, into figures/ and the report
	@for script in claims report; do $(BIN)/python experiments/$$script.py $(ARGS) || exit 1; done

report: .venv/ready  ## figures/index.html again, from what is in figures/
	$(BIN)/python experiments/report.py

readme: .venv/ready  ## the numbers of README, RESULTS and BENCHMARKS again, from the files that they come from
	$(BIN)/python experiments/readme.py

times: weights  ## how long make figures takes from nothing, into figures/times.csv
	$(BIN)/python benchmarks/figures.py $(SCRIPTS)

bench: weights  ## what is fast, and how much faster than the plain way
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/sweep.py
	$(BIN)/python benchmarks/arms.py --full
	$(BIN)/python benchmarks/step_profile.py
	$(BIN)/python benchmarks/patches.py
	$(BIN)/python benchmarks/input_pipeline.py
	$(BIN)/python benchmarks/vessel_views.py
	$(BIN)/python benchmarks/dense_maps.py --full
	$(BIN)/python benchmarks/froc.py
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/jobs.py
	$(BIN)/python benchmarks/tobogganing.py --few
	$(BIN)/python benchmarks/phantoms.py
	$(BIN)/python benchmarks/measured.py

test: .venv/ready-$(EXTRAS)  ## the tests
	$(BIN)/python -m pytest

lint: .venv/ready-$(EXTRAS)  ## the linter and the formatter, changing nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:  ## remove the environment and what is left of tests; keep results and figures
	rm -rf .venv .pytest_cache .ruff_cache build *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

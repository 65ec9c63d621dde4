# The only commands a newcomer needs. Each target installs what it needs first.
#
#   make setup                     .venv with the pinned packages
#   make reproduce [PROFILE=smoke] run every notebook, render outputs/$(PROFILE)/site/index.html
#   make test                      format, lint, types, and the test suite, every notebook included
#   make bench                     what this machine does per second, as ratios
#   make lab                       JupyterLab on the notebooks
#   make clean                     remove what runs wrote, but for outputs/published/

PROFILE ?= smoke
JOBS    ?= 2
PYTHON  ?= $(shell command -v python3.11 || command -v python3)

BIN   := .venv/bin
READY := .venv/ready

.PHONY: setup reproduce test bench lab clean

setup: $(READY)

# torch first and alone: with the exact version pip takes one build of it instead of weighing several gigabytes of them.
$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[robot,workbook,view,lab,dev]'
	@touch $@

# Snakemake prints the graph's progress; on failure its last lines say which notebook failed and where it lies.
# After a kill the next run continues: files are renamed into place when complete, so a file that exists can be trusted.
# Weights are not outputs of the graph: Snakemake would delete them when a later cell fails. Missing ones are trained again.
missing  = $(filter-out $(wildcard $1),$1)
weights  = $(patsubst %,outputs/$(PROFILE)/weights/%.safetensors,$1)
RETRAIN  = $(if $(call missing,$(call weights,sampler evaluator)),graspnet_3_training) \
           $(if $(call missing,$(call weights,highdof_shadow highdof_barrett)),highdof_3_training)

reproduce: $(READY)
	$(BIN)/snakemake --cores $(JOBS) --keep-going --rerun-triggers mtime --rerun-incomplete --nolock \
		$(if $(strip $(RETRAIN)),--forcerun $(RETRAIN)) \
		--quiet rules host --config profile=$(PROFILE)

test: $(READY)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n $$(($(JOBS) + 1))

bench: $(READY)
	$(BIN)/python bench/bench.py

lab: $(READY)
	$(BIN)/jupyter lab notebooks

clean:
	find outputs -mindepth 1 -maxdepth 1 ! -name published -exec rm -rf {} +
	rm -rf .snakemake

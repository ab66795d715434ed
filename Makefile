# collegium: everything is one command. `make help` lists them.

# -- What `make demo` compares. Override like this: make demo QUESTIONS=20 MODEL=local
MODEL     ?= local-small
BENCHMARK ?= gsm-symbolic
QUESTIONS ?= 4
SEED      ?= 7
CAP       ?= 200
SYSTEMS   ?= direct self-consistency:samples=4,max_tokens=$(CAP) mad:agents=2,rounds=2,max_tokens=$(CAP)
OUT       ?= out/demo

# -- The suites of AgentDojo: without what it depends on, which are the SDKs of four vendors
AGENTDOJO ?= agentdojo==0.1.35

# -- The populations of AgentTorch: read as data, so without what the package depends on
AGENTTORCH ?= agent-torch==0.6.0

# -- Requests made up from a description of a server: without what it depends on
SCHEMATHESIS ?= schemathesis==4.32.5

# -- For gradients: a release that has a build without CUDA where one is at hand
TORCH ?= torch==2.13.0

# -- Models that the tests use
TEST_MODELS ?= local-tiny local-small minilm

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
UV     := $(shell command -v uv 2>/dev/null)
# uv is used when it is there, because it is faster; pip does the same.
ifneq ($(UV),)
INSTALL = $(UV) pip install --quiet --python $(BIN)/python
else
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test peers sites bench docs lint types format record status clean

help: ## List the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1	/' | expand -t 10

# -- The virtual environment: made once, brought up to date when pyproject.toml changes.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("collegium needs Python 3.11 or newer, not " + sys.version.split()[0] + "; try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "Could not make $(VENV). On Debian: apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.installed-demo: pyproject.toml | $(BIN)/python
	@echo "Installing collegium with the embedded engine and the benchmarks ..."
	@$(INSTALL) -e '.[local,tasks]'
	@touch $@

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing collegium with everything it needs for development ..."
	@$(INSTALL) -e '.[all,bench,docs,test,dev]'
	@$(INSTALL) --no-deps '$(AGENTDOJO)' '$(AGENTTORCH)' '$(SCHEMATHESIS)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(TORCH)' peft || echo "Without torch, tests of gradients are skipped."
	@$(INSTALL) -e '.[alfworld]' || echo "Without its planner, tests of the house games are skipped."
	@touch $@ $(VENV)/.installed-demo

demo: $(VENV)/.installed-demo ## Compare three systems on real questions with the embedded model
	@echo "Model      $(MODEL)"
	@echo "Questions  $(QUESTIONS) of $(BENCHMARK), seed $(SEED)"
	@echo "Systems    $(SYSTEMS)"
	@echo
	@$(BIN)/collegium models pull $(MODEL)
	@$(BIN)/collegium compare $(SYSTEMS) --on $(BENCHMARK) --limit $(QUESTIONS) --seed $(SEED) --model $(MODEL) --fast --workers 4 --curve --out $(OUT)

test: $(VENV)/.installed ## Run all tests, those with a model too
	@$(MAKE) --no-print-directory peers || echo "Without acp-sdk and anp, tests that need them are skipped."
	@$(MAKE) --no-print-directory sites || echo "Without a site, tests that need it are skipped."
	@for model in $(TEST_MODELS); do \
	  $(BIN)/collegium models pull $$model || echo "Without $$model, tests that need it are skipped."; \
	done
	@$(BIN)/python -m pytest $(ARGS) || [ $$? -eq 5 ]

# The packages of ACP and ANP want other releases of libraries that we use, so they get an
# environment of their own; the tests speak to them over sockets.
PEERS ?= out/peers

$(PEERS)/.installed:
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  'acp-sdk==1.0.3' 'anp[api]==1.0.7' 'uvicorn<0.36'
	@touch $@

peers: $(PEERS)/.installed ## Install the packages of other protocols that the tests speak to

# Web sites to act in, each in an environment of its own in the cache of the user.
sites: $(VENV)/.installed ## Make the web sites that the tests act in
	@$(BIN)/python -m collegium.worlds.sites

# Concordia wants other releases of libraries that we use, so it gets an environment of its own.
CONCORDIA ?= out/concordia

$(CONCORDIA)/.installed:
	@$(PYTHON) -m venv $(CONCORDIA)
	@$(CONCORDIA)/bin/python -m pip install --quiet --disable-pip-version-check gdm-concordia
	@touch $@

# The same for the simulators that societies are measured beside.
AGENTTORCH_ENV ?= out/agent-torch
OASIS_ENV      ?= out/oasis

$(AGENTTORCH_ENV)/.installed:
	@$(PYTHON) -m venv $(AGENTTORCH_ENV)
	@$(AGENTTORCH_ENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps '$(AGENTTORCH)'
	@$(AGENTTORCH_ENV)/bin/python -m pip install --quiet --disable-pip-version-check torch torch_geometric numpy pandas scipy networkx omegaconf tqdm 'dask[dataframe]' 'langchain<0.4' 'langchain-openai<0.4' epiweeks
	@touch $@

$(OASIS_ENV)/.installed:
	@$(PYTHON) -m venv $(OASIS_ENV)
	@$(OASIS_ENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps 'camel-oasis==0.2.5'
	@$(OASIS_ENV)/bin/python -m pip install --quiet --disable-pip-version-check numpy
	@touch $@

# PROGENT=DIR: a copy of the authors' repository of Progent, to be measured beside ours.
bench: $(VENV)/.installed $(CONCORDIA)/.installed $(AGENTTORCH_ENV)/.installed $(OASIS_ENV)/.installed ## Measure speed beside others; writes results/bench/*.json
	$(BIN)/python -m collegium.bench.speed_kernel
	$(BIN)/python -m collegium.bench.speed_agents
	$(BIN)/python -m collegium.bench.speed_engine
	$(BIN)/python -m collegium.bench.speed_scheduling
	$(BIN)/python -m collegium.bench.speed_switch
	$(BIN)/python -m collegium.bench.speed_memory --concordia $(CONCORDIA)/bin/python
	$(BIN)/python -m collegium.bench.speed_society --agenttorch $(AGENTTORCH_ENV)/bin/python --oasis $(OASIS_ENV)/bin/python --concordia $(CONCORDIA)/bin/python
	$(BIN)/python -m collegium.bench.speed_guard $(if $(PROGENT),--progent $(PROGENT))
	$(BIN)/python -m collegium.bench.speed_worlds
	$(BIN)/python -m collegium.bench.speed_serve
	$(BIN)/python -m collegium.bench.speed_studio

docs: $(VENV)/.installed ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

lint: $(VENV)/.installed ## Check style, and the package for defects of agent code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/collegium doctor collegium --no-model

types: $(VENV)/.installed ## Check types
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.installed ## Put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

record: $(VENV)/.installed ## Record model replies anew, for tests that replay them
	$(BIN)/python -m pytest --record $(ARGS) || [ $$? -eq 5 ]

status: $(VENV)/.installed ## Note which checks of which paper pass, and renew the table in README.md
	@$(MAKE) --no-print-directory test ARGS=--write-must-show
	@$(BIN)/python scripts/readme_table.py

clean: ## Remove everything that was built
	rm -rf $(VENV) site build dist out .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

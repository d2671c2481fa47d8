# Labyard: everything that people and machines do with this repository.
#
#   make up                 the platform on this machine
#   make test               all that must hold, with all that it needs
#
# Variables: PYTHON (a Python 3.11 or newer), PURGE=yes (no question before purge),
# ARGS (handed to pytest, molecule or the benchmarks).

.DEFAULT_GOAL := help
.SHELLFLAGS := -eu -c
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
PURGE ?=
ARGS ?=

VENV := $(CURDIR)/.venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
PLAY := $(VENV)/bin/ansible-playbook -i inventories/local

export PATH := $(VENV)/bin:$(PATH)
export LC_ALL := C.UTF-8
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible

APT := DEBIAN_FRONTEND=noninteractive apt-get -qq
# Debian's lists of packages are fetched only where there are none.
APT_INSTALL = { ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || $(APT) update; } \
  && $(APT) install -y --no-install-recommends

##@ The platform on this machine

.PHONY: help
help: ## Show what can be done
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z][a-z-]*:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: up
up: $(VENV)/.labyard ## Engine, swarm, images and console on http://127.0.0.1:8080
	@ANSIBLE_STDOUT_CALLBACK=labyard.platform.steps $(PLAY) playbooks/local.yml

.PHONY: down
down: $(VENV)/.labyard ## Stop the console and all deployments; data stay
	@ANSIBLE_STDOUT_CALLBACK=labyard.platform.steps $(PLAY) playbooks/down.yml

.PHONY: purge
purge: $(VENV)/.labyard ## Remove all that "make up" made, data included, after a typed yes
	@ANSIBLE_STDOUT_CALLBACK=labyard.platform.steps $(PLAY) playbooks/purge.yml $(if $(PURGE),-e labyard_purge=$(PURGE))
	@rm -rf .venv .cache
	@echo "All that Labyard made is gone; its source stays in $(CURDIR)"

##@ Tests

# What "test" has made ready once need not be looked at again by each of its parts.
PART = $(MAKE) --old-file=test-setup --old-file=test-platform --old-file=test-services

.PHONY: test
test: test-setup ## All that must hold, in less than an hour, stopping at the first part that fails
	@$(PART) lint
	@$(PART) test-molecule ARGS=
	@$(PART) test-python LENGTH="$(SHORT)"
	@$(PART) test-postgresql-short ARGS=
	@$(PART) test-cluster-short ARGS=

.PHONY: test-long
test-long: test-setup ## What "make test" has in a short form: more commands, more kills, all on PostgreSQL (3 hours)
	@$(PART) test-python LENGTH="-m long"
	@$(PART) test-postgresql ARGS=
	LABYARD_SCHEMATHESIS_SECONDS=300 pytest tests/api/test_schemathesis.py
	@$(PART) test-faults ARGS=
	@$(PART) test-cluster ARGS=

.PHONY: lint
lint: $(VENV)/.labyard-test ## ruff, mypy, import-linter, ansible-lint
	@$(MAKE) --jobs=2 --output-sync=target lint-ansible lint-python

# At the same time as ansible-lint: mypy uses one processor.
.PHONY: lint-python
lint-python: $(VENV)/.labyard-test
	ruff check .
	ruff format --check .
	mypy
	lint-imports

.PHONY: lint-ansible
lint-ansible: $(VENV)/.labyard-test
	ansible-lint --offline --profile production

.PHONY: test-unit
test-unit: $(VENV)/.labyard-test ## Fast tests that need no engine
	pytest tests/unit tests/repo $(ARGS)

.PHONY: test-properties
test-properties: $(VENV)/.labyard-test ## Properties of billing with 10,000 cases each (make test: 300)
	LABYARD_TEST_CASES=10000 pytest -n 3 tests/unit/billing $(ARGS)

.PHONY: test-databases
test-databases: $(VENV)/.labyard-test test-services ## What must hold on SQLite and on PostgreSQL alike, and the queues
	pytest tests/services tests/databases tests/directory tests/monitoring $(ARGS)

.PHONY: test-postgresql
test-postgresql: test-platform test-services ## All tests of the console again, on PostgreSQL and Redis
	LABYARD_TEST_DATABASE=postgresql pytest $(AT_ONCE) tests/unit tests/directory tests/integration $(ARGS)

# Each query, once on PostgreSQL. That web, worker and runs work on it and on Redis, tests/faults, the
# scale-out and the console on the swarm show, which have no other database. Properties have had all their
# cases on SQLite; tests/databases tries 300 of the books on PostgreSQL.
.PHONY: test-postgresql-short
test-postgresql-short: test-platform test-services
	LABYARD_TEST_DATABASE=postgresql LABYARD_TEST_CASES=100 pytest $(AT_ONCE) tests/unit tests/directory $(ARGS)

.PHONY: test-integration
test-integration: test-platform test-services ## Tests on a real swarm, of one node and of three
	pytest tests/integration tests/nodes $(ARGS)

.PHONY: test-nodes
test-nodes: test-platform ## Those on a swarm of three nodes alone
	pytest tests/nodes $(ARGS)

.PHONY: test-faults
test-faults: test-platform test-services ## A hundred kills at random moments; writes the table of docs/faults.md
	$(VENV)/bin/python -m tests.faults $(ARGS)

.PHONY: test-browser
test-browser: test-platform test-chromium ## The console as a person sees it, in Chromium
	pytest tests/browser $(ARGS)

# Most tests wait for the swarm; several files at once use the time.
AT_ONCE ?= -n 3 --no-loadscope-reorder
# Which of them: all, or all but the long forms.
LENGTH ?=
SHORT = -m 'not long'

# The oracle compares us with docker's own client, of a version that knows --detach (26 or newer);
# Debian 12 has an older one, and nothing else to install.
SUITES = tests/unit tests/api tests/repo tests/services tests/databases tests/directory tests/monitoring \
  tests/faults tests/integration tests/nodes \
  tests/browser \
  $(shell docker stack deploy --help 2>/dev/null | grep -q -e --detach && echo tests/oracle)

.PHONY: test-python
test-python: test-setup # All tests that pytest runs, long forms too, with one summary at the end
	@case "$(SUITES)" in *oracle*) ;; *) echo "No docker client of version 26 or newer: it is not compared with ours" ;; esac
	pytest $(AT_ONCE) $(LENGTH) $(SUITES) $(ARGS)

.PHONY: test-oracle
test-oracle: test-platform ## Our stacks against those of docker's own client (26 or newer)
	pytest tests/oracle $(ARGS)

MOLECULE = ANSIBLE_LOG_PATH=$(CURDIR)/.cache/molecule.log molecule -c .config/molecule/config.yml

.PHONY: test-molecule
test-molecule: test-platform ## Each role: check mode, converge, again, verify, remove (all of them together: test-cluster)
	@rm -f .cache/molecule.log
	$(MOLECULE) test --all --exclude cluster --workers 3 $(ARGS) \
	  || { cp .cache/molecule.log .cache/molecule-failed.log; \
	       $(MOLECULE) cleanup --all --exclude cluster >/dev/null; \
	       echo "What failed, from .cache/molecule-failed.log:"; \
	       grep -A 25 -e 'fatal: ' .cache/molecule-failed.log; exit 1; }

.PHONY: test-cluster
test-cluster: test-platform ## The platform on three nodes, the whole: nodes lost and cut off, upgrades, restore (an hour)
	$(MOLECULE) reset --scenario-name cluster
	for step in prepare converge idempotence check; do $(MOLECULE) $$step --scenario-name cluster || exit 1; done
	LABYARD_TEST_CLUSTER=$(CURDIR)/.cache/cluster pytest tests/cluster $(ARGS)
	$(MOLECULE) cleanup --scenario-name cluster

# Without the losses: made, made again, people of all kinds, and taken away.
.PHONY: test-cluster-short
test-cluster-short: test-platform
	$(MOLECULE) test --scenario-name cluster $(ARGS)

.PHONY: bench
bench: test-platform test-services ## Benchmarks; each prints a table with ratios
	$(VENV)/bin/python -m benchmarks $(ARGS)

##@ What tests need (made by the targets above)

.PHONY: test-setup
test-setup: test-platform test-services test-chromium ## Everything that "make test" needs

# Engine, swarm and images; a console that runs on port 8080 is left alone.
.PHONY: test-platform
test-platform: $(VENV)/.labyard-test ## Engine, swarm and images, without the console
	@ANSIBLE_STDOUT_CALLBACK=labyard.platform.steps $(PLAY) playbooks/local.yml --tags docker_engine,swarm,image

.PHONY: test-services
test-services: ## PostgreSQL, Redis, OpenLDAP and an OpenID provider; the tests start servers of their own from them
	@{ ls /usr/lib/postgresql/*/bin/initdb && command -v redis-server; } >/dev/null 2>&1 \
	  || { echo "Installing PostgreSQL and Redis"; $(APT_INSTALL) postgresql redis-server >/dev/null; }
	@command -v slapd >/dev/null \
	  || { echo "Installing OpenLDAP"; \
	       echo 'slapd slapd/no_configuration boolean true' | debconf-set-selections; \
	       $(APT_INSTALL) slapd >/dev/null; }
	@# In an environment of its own: the package brings a module `tests` that would stand before ours.
	@test -e .cache/canaille/installed \
	  || { echo "Installing Canaille, an OpenID provider"; $(PYTHON) -m venv .cache/canaille \
	       && .cache/canaille/bin/pip install --quiet --disable-pip-version-check 'canaille[front,oidc,server]>=0.3.6,<0.4' \
	       && touch .cache/canaille/installed; }

.PHONY: test-chromium
test-chromium: ## Debian's Chromium for the browser test
	@{ command -v chromium && ldconfig -p | grep libatomic.so.1; } >/dev/null \
	  || { echo "Installing Chromium and what its driver needs"; $(APT_INSTALL) chromium libatomic1 >/dev/null; }

# The Python environment, anew whenever the list of packages changes.
$(VENV)/bin/python:
	@echo "Making a Python environment in .venv"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is missing or older than 3.11: name another one, as in: make up PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(APT_INSTALL) python3-venv >/dev/null; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.labyard: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Labyard and what it needs into .venv"
	@$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.labyard-test: pyproject.toml | $(VENV)/bin/python
	@echo "Installing the tools for tests into .venv"
	@$(PIP) install --quiet --editable '.[test]'
	@touch $(VENV)/.labyard $@

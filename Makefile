# Everything that one does with a checkout. Only make and Python 3.10 to 3.13 have to be there before.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STACK := $(BIN)/nightsort-local
STACK_HOME := $(or $(NIGHTSORT_HOME),.nightsort)

# A Python that was named is used or refused; otherwise the first that will do is taken.
ifeq ($(origin PYTHON),undefined)
PYTHONS := python3 python3.13 python3.12 python3.11 python3.10
else
PYTHONS := $(PYTHON)
endif

# The user's own Airflow, AWS account, PostgreSQL and Python settings have no place in here.
FOREIGN := $(filter AIRFLOW_% AWS_% BOTO_% PGHOST% PGPORT PGUSER PGPASS% PGDATABASE PGSERVICE% PGOPTIONS PGSSL% \
	PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONOPTIMIZE PYTHONPATH PYTHONSTARTUP PYTHONWARNINGS PYTEST_% MYPYPATH RUFF_% \
	VIRTUAL_ENV,$(.VARIABLES))
$(foreach name,$(FOREIGN),$(eval unexport $(name)))

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PYTHON=python3.12 chooses the interpreter for a new .venv; NIGHTSORT_HOME a folder other than .nightsort."

.PHONY: run
run: $(VENV)/.local ## Start the local stack, train a classifier, classify the next day, show the result
	@$(STACK) demo

# A file's tests share what takes long to start, so they stay together; tests/conftest.py sorts the files.
TEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

.PHONY: test
test: $(VENV)/.dev ## Run the tests of all that is promised: unit, DAG, contract, integration, end to end
	@$(TEST) -m 'not slow and not mwaa and not compose and not ui'

.PHONY: test-all
test-all: $(VENV)/.dev ## Run these and the slow ones: the whole crash matrix, what is rare
	@$(TEST)

.PHONY: test-ui
test-ui: $(VENV)/.dev ## Look at the pages in Airflow's UI with a browser, on a local stack (no root)
	@$(BIN)/python -m tests.ui.browser
	@$(BIN)/python -m pytest -m ui tests/ui

.PHONY: check
check: $(VENV)/.dev ## Lint, formatting, types, import rules, DAG policies
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy include plugins nightsort_local dags deployment benchmarks tests docs/examples
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/dags

.PHONY: doctor
doctor: $(VENV)/.local ## Check the local stack, as `nightsort doctor` checks a deployment
	@$(STACK) doctor

# Peers that want other versions than ours have an environment of their own.
PEERS := $(VENV)/bench

.PHONY: bench
bench: $(VENV)/.dev $(PEERS)/.installed ## Measure each step beside its floor and its peers; SUBJECT=load only one of them
	@$(BIN)/python -m benchmarks $(SUBJECT)

$(PEERS)/.installed: uv.lock | $(BIN)/python
	@$(call new_environment,$(PEERS),$(BIN)/python,--only-group bench)
	@touch $@

.PHONY: stop
stop: ## Stop the local stack; its data stay
	@if [ -x $(STACK) ]; then $(STACK) down; else $(stop_without_venv); fi

.PHONY: clean
clean: ## Stop the local stack and remove its data, all environments and caches
	@if [ -x $(STACK) ]; then $(STACK) down --remove; else $(stop_without_venv); rm -rf "$(STACK_HOME)"; fi
	@rm -rf $(VENV) $(DEPLOYED) $(MWAA_ENVIRONMENT) dist/airflow-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The supervisor, asked to end, stops its components in order.
define stop_without_venv
pid=$$(cat "$(STACK_HOME)/supervisord.pid" 2>/dev/null || true); \
if [ -n "$$pid" ] && ps -p "$$pid" -o args= | grep -q 'nightsort_local.supervisord'; then \
	echo "Stopping the local stack"; kill "$$pid"; while kill -0 "$$pid" 2>/dev/null; do sleep 0.2; done; \
fi
endef

.PHONY: lock
lock: $(BIN)/python ## Lock what pyproject.toml names, for every Python from 3.10 on; UPGRADE=1 takes the newest
	@$(find_uv); $$uv lock --quiet $(UPGRADE_OPTION)
	@$(call export,--extra airflow,requirements.txt)
	@$(call export,--extra airflow --group celery,requirements/celery.txt)
	@$(call export,--extra local,requirements/local.txt)
	@$(call export,--only-group build,requirements/build.txt)
	@$(call export,--only-group uv,requirements/uv.txt)

# Without it a version moves only where it must. UPGRADE=1 takes the newest of all, UPGRADE=numpy of one package.
UPGRADE_OPTION := $(if $(UPGRADE),$(if $(filter 1,$(UPGRADE)),--upgrade,--upgrade-package $(UPGRADE)))

# 1 which extras and groups of the lock. Frozen, since uv holds the lock to be outdated where UV_DEFAULT_INDEX names a
# mirror; a test holds lock and pyproject.toml together.
# 2 the file
define export
set -e; $(find_uv); $$uv export --quiet --frozen --no-emit-project --no-annotate $(1) --output-file $(2)
endef

# The uv that is there, else the one of .venv, else pip fetches it.
define find_uv
uv=uv; uv --version >/dev/null 2>&1 || uv="$(BIN)/python -m uv"; \
if ! $$uv --version >/dev/null 2>&1; then \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt; \
fi
endef

.PHONY: wheel
wheel: $(VENV)/.dev ## Write dist/nightsort-….whl: domain, operators, local stack
	@$(find_uv); rm -f dist/nightsort-*.whl; \
	$$uv build --quiet --wheel --python $(BIN)/python --no-build-isolation --out-dir dist .

# Supply chain -----------------------------------------------------------------------------------------------

# What the image holds, and apart from it what looks at it.
DEPLOYED := dist/deployed
AUDIT := $(VENV)/audit
SUPPLY_CHAIN := $(BIN)/python -m deployment.supply_chain --tools $(AUDIT)/bin \
	--environment $(DEPLOYED)/bin/python \
	--locked $(addsuffix /locked.txt,$(VENV) $(DEPLOYED) $(AUDIT)) $(DEPLOYED)/bench.txt --sbom dist/sbom.json

.PHONY: audit
audit: $(VENV)/.dev $(DEPLOYED)/.installed $(AUDIT)/.installed ## Check the licences and the known vulnerabilities of what is deployed
	@$(call export,--only-group bench,$(DEPLOYED)/bench.txt)
	@$(SUPPLY_CHAIN) licences vulnerabilities

.PHONY: sbom
sbom: $(VENV)/.dev $(DEPLOYED)/.installed $(AUDIT)/.installed ## Write dist/sbom.json: all packages of the image, as CycloneDX
	@$(SUPPLY_CHAIN) sbom

$(DEPLOYED)/.installed: uv.lock | $(BIN)/python
	@$(call new_environment,$(DEPLOYED),$(BIN)/python,--extra airflow --group celery)
	@touch $@

$(AUDIT)/.installed: uv.lock | $(BIN)/python
	@$(call new_environment,$(AUDIT),$(BIN)/python,--only-group audit)
	@touch $@

# 1 the folder, 2 the Python, 3 which extras and groups of the lock
define new_environment
$(call new_venv,$(1),$(2)); $(call install_locked,$(1),$(3))
endef

# 1 the folder, 2 the Python
define new_venv
set -e; $(find_uv); rm -rf $(1); $$uv venv --quiet --python "$$($(2) -c 'import sys; print(sys.executable)')" $(1)
endef

# 1 the environment, 2 which extras and groups of the lock
define install_locked
$(call export,$(2),$(1)/locked.txt); \
$$uv pip install --quiet --python $(1)/bin/python --require-hashes -r $(1)/locked.txt
endef

# Deployment -------------------------------------------------------------------------------------------------

.PHONY: mwaa-bundle
mwaa-bundle: $(VENV)/.dev ## Write dist/mwaa: what an Amazon MWAA environment takes
	@$(BIN)/python -m deployment.mwaa_bundle dist/mwaa

.PHONY: env
env: ## Write .env: new secrets for docker-compose.yaml, unless there is one
	@set -e; for candidate in $(PYTHONS); do \
		if "$$candidate" --version >/dev/null 2>&1; then exec "$$candidate" -m deployment.compose_env; fi; \
	done; echo "make env needs Python 3" >&2; exit 1

.PHONY: images
images: $(VENV)/.local ## Pin the public images by the digests that their tags have now (docker buildx, a network)
	@$(BIN)/python -m deployment.image_pins

.PHONY: compose-test
compose-test: $(VENV)/.dev ## Run docker-compose.yaml with stand-ins for the public images (root, Debian, docker.io, debootstrap)
	@$(BIN)/python -m pytest -m compose -rP --durations=0 tests/compose

# The tests that a trial runs; TRIAL_TESTS=tests for all. TRIAL_CONSTRAINTS: a file of Airflow's own, if you have it.
TRIAL_TESTS ?= tests/unit tests/dags tests/contract
TRIAL_CONSTRAINTS ?=
TRIAL := dist/airflow-$(VERSION)

.PHONY: try-airflow
try-airflow: $(VENV)/.dev ## Try another Airflow, in an environment of its own: make try-airflow VERSION=3.3.3
	@test -n "$(VERSION)" || { echo "Which one? make try-airflow VERSION=3.3.3" >&2; exit 1; }
	@rm -rf $(TRIAL); mkdir -p $(TRIAL); echo "apache-airflow==$(VERSION)" >$(TRIAL)/override.txt
	@# Our pins are where the resolver begins, and only what the other Airflow cannot do with moves.
	@$(call export,--extra local --group dev,$(TRIAL)/locked.txt); cp $(TRIAL)/locked.txt $(TRIAL)/requirements.txt
	@$(find_uv); $$uv pip compile --quiet --no-annotate --no-header --python $(BIN)/python --override $(TRIAL)/override.txt \
		$(addprefix --constraint ,$(TRIAL_CONSTRAINTS)) pyproject.toml --extra local --group dev -o $(TRIAL)/requirements.txt && \
		$$uv venv --quiet --python "$$($(BIN)/python -c 'import sys; print(sys.executable)')" $(TRIAL)/environment && \
		$$uv pip install --quiet --python $(TRIAL)/environment/bin/python -r $(TRIAL)/requirements.txt && \
		$$uv pip install --quiet --python $(TRIAL)/environment/bin/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m deployment.airflow_trial "$(VERSION)" $(TRIAL) $(TRIAL_TESTS)

# MWAA's Airflow 3.3.1 runs on Python 3.12; another path to one is taken from MWAA_PYTHON.
MWAA_PYTHON ?= python3.12
MWAA_ENVIRONMENT := dist/mwaa-environment

.PHONY: mwaa-test
mwaa-test: $(VENV)/.dev ## Run the bundle for Amazon MWAA with the versions that MWAA has (needs Python 3.12)
	@$(MWAA_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' || \
		{ echo "MWAA runs Python 3.12: name one, make mwaa-test MWAA_PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(call new_venv,$(MWAA_ENVIRONMENT),$(MWAA_PYTHON)); \
		$$uv pip install --quiet --python $(MWAA_ENVIRONMENT)/bin/python --require-hashes -r deployment/mwaa/environment.txt
	@NIGHTSORT_MWAA_ENVIRONMENT=$(MWAA_ENVIRONMENT) $(BIN)/python -m pytest -m mwaa tests/deployment

# Another file with Airflow's constraints, where GitHub is out of reach.
MWAA_CONSTRAINTS ?= $(shell sed -n 's/^--constraint "\(.*\)"$$/\1/p' dist/mwaa/requirements.txt)

.PHONY: mwaa-lock
mwaa-lock: mwaa-bundle ## Pin anew what mwaa-test installs: MWAA's own packages and the bundle's, under Airflow's constraints
	@$(find_uv); sed 1d dist/mwaa/requirements.txt | $$uv pip compile --quiet --python-version 3.12 --generate-hashes \
		--no-annotate --custom-compile-command "make mwaa-lock" --constraint "$(MWAA_CONSTRAINTS)" \
		deployment/mwaa/image.in - -o deployment/mwaa/environment.txt

$(BIN)/python:
	@set -e; rm -rf $(VENV); chosen=; \
	for candidate in $(PYTHONS); do \
		if "$$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
			chosen="$$candidate"; break; \
		fi; \
	done; \
	if [ -z "$$chosen" ]; then \
		echo "Nightsort runs on Python 3.10 to 3.13, and none of these is one: $(PYTHONS)" >&2; \
		for candidate in $(PYTHONS); do \
			echo "  $$candidate: $$("$$candidate" --version 2>/dev/null || echo not found)" >&2; \
		done; \
		echo "Install one of them, or name one: make run PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi; \
	chosen=$$("$$chosen" -c 'import sys; print(sys.executable)'); \
	echo "Making $(VENV) with $$("$$chosen" --version)"; \
	if uv --version >/dev/null 2>&1; then uv venv --quiet --python "$$chosen" $(VENV); else "$$chosen" -m venv $(VENV); fi

# What the tests need holds what the local stack needs, in the same versions.
$(VENV)/.local: uv.lock pyproject.toml | $(BIN)/python
	@if [ -e $(VENV)/.dev ] && [ -z "$$(find uv.lock pyproject.toml -newer $(VENV)/.dev)" ]; then :; \
	else $(call install,--extra local --group build); fi
	@touch $@

$(VENV)/.dev: uv.lock pyproject.toml | $(BIN)/python
	@$(call install,--extra local --group dev)
	@touch $@

# 1 which extras and groups of the lock; the checkout itself comes with them, editable.
define install
set -e; echo "Installing uv.lock and this checkout into $(VENV)"; $(call install_locked,$(VENV),$(1)); \
$$uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
endef

# The two commands: `make run` and `make test`. Each creates .venv and installs its dependencies first.
.PHONY: run test first-stage second-stage lint check bench torture lock digests audit clean
PY := .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Tests with real processes can miss a deadline on an overloaded machine: those that failed run once more, alone.
AGAIN := --last-failed --last-failed-no-failures none -n 0
define run_tests
$(PY) -m pytest -n auto -m "$(1)" $(ARGS) || \
  { echo "Some tests failed. They are run again, one after the other:"; $(PY) -m pytest $(AGAIN) -m "$(1)" $(ARGS); }
endef

run: .venv/.run            ## start the server, or the demo if there is no .env
	@.venv/bin/python -m simulator.launch

test: lint first-stage second-stage    ## run every check and test

first-stage: .venv/.dev
	$(call run_tests,not second_stage)

# Killed servers, browsers and long proofs.
second-stage: .venv/.dev
	$(call run_tests,second_stage)

lint: .venv/.dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/codespell
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

check: .venv/.dev           ## format, and run the checks without the tests
	.venv/bin/ruff format .
	$(MAKE) lint

bench: .venv/.dev
	$(PY) -m bench $(ARGS)

torture: .venv/.dev         ## kill, suspend and starve real servers, and check every event (about ten minutes)
	$(PY) -m bench.torture $(ARGS)

lock: .venv/.dev            ## pin the dependencies of pyproject.toml again (ARGS=--upgrade: to their newest versions)
	$(PY) deploy/lock.py $(ARGS)

digests: .venv/.dev         ## pin the container images by digest, or renew the digests (needs the network)
	$(PY) -m deploy.digests $(ARGS)

audit: .venv/.dev           ## look for known vulnerabilities of the dependencies (needs the network)
	$(PY) -m deploy.audit

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache

# The first Python of version 3.11 or later that can create virtual environments.
.venv/bin/python:
	@for p in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3 python; do \
	  if $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Creating .venv with $$($$p --version)"; $$p -m venv .venv && exit 0; fi; done; \
	echo "Found no Python 3.11 or later with the venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1

.venv/.run: requirements.txt | .venv/bin/python
	@echo "Installing into .venv (about a minute the first time)"
	@$(PY) -m pip install --quiet -r requirements.txt
	@touch $@

.venv/.dev: requirements.txt requirements-dev.txt | .venv/bin/python
	@echo "Installing into .venv (about a minute the first time)"
	@$(PY) -m pip install --quiet -r requirements.txt -r requirements-dev.txt
	@touch .venv/.run $@

# The two commands: `make run` and `make test`. Each makes .venv and installs what it needs first.
.PHONY: run test check bench torture lock clean
PY := .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

run: .venv/.run
	@.venv/bin/python -m simulator.launch

test: .venv/.dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	$(PY) -m pytest -n auto $(ARGS)

check: .venv/.dev           ## the quick checks, without the tests
	.venv/bin/ruff format .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

bench: .venv/.dev
	$(PY) -m bench $(ARGS)

torture: .venv/.dev         ## kill, stop and starve whole servers, and account for every event (minutes)
	$(PY) -m bench.torture $(ARGS)

lock: .venv/.dev            ## pin the dependencies of pyproject.toml again (ARGS=--upgrade: to their newest versions)
	$(PY) deploy/lock.py $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache

# The first Python of 3.11 or later that can make virtual environments.
.venv/bin/python:
	@for p in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3 python; do \
	  if $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Making .venv with $$($$p --version)"; $$p -m venv .venv && exit 0; fi; done; \
	echo "No Python 3.11 or later with the venv module was found. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1

.venv/.run: requirements.txt | .venv/bin/python
	@echo "Installing into .venv (the first time takes a minute)"
	@$(PY) -m pip install --quiet -r requirements.txt
	@touch $@

.venv/.dev: requirements.txt requirements-dev.txt | .venv/bin/python
	@echo "Installing into .venv (the first time takes a minute)"
	@$(PY) -m pip install --quiet -r requirements.txt -r requirements-dev.txt
	@touch .venv/.run $@

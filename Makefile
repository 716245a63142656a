# One verb per task, the same on a laptop and in a build. Nothing has to be done before any of them. `make help` shows all.

PYTHON ?= python3
ORDERS ?= 200
EXIT ?=
BROKER ?= redis
STORE ?= sqlite
UNIT ?= tests/unit tests/repository
TESTS ?= tests/integration tests/components
SHORT ?=
E2E ?= tests/e2e
DOCS ?=
PARTS ?=
QUICK ?=
OF ?=

BIN := .venv/bin
READY := .venv/.ready
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-trusted-host \
	--no-emit-find-links --strip-extras --no-header --allow-unsafe

IMAGE ?= choreography:0.1.0
IMAGE_ = $(IMAGE)
IMAGE_eventbridge ?= eventbridge-component:0.3.0
IMAGE_nats-pull ?= nats-pull-component:0.1.0
BASE ?=
HELM ?= $(or $(shell command -v helm),$(lastword $(sort $(wildcard $(HOME)/.cache/choreography/helm-*/helm))))
NEEDS_HELM = test -n "$(HELM)" || { echo "helm is not here, so nothing can place what is rendered. Install Helm 3, or name it: make HELM=/path/to/helm ..." >&2; exit 1; }
# The version of the cluster for which it renders; without it Helm would take its own.
RENDER := --kube-version 1.30.0
# The brokers that k8s/ can run in the cluster.
IN_CLUSTER := redis kafka rabbitmq nats

BROKERS := redis kafka rabbitmq nats nats-pull aws eventbridge
STORES := sqlite postgres mysql
# The databases that services connect to themselves; the kit makes both.
DATABASES := sqlite: postgresql:

.PHONY: help
help:
	@awk -F ':.*## ' '/^##@ /{printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

##@ While you work (.ci/run quick is lint, unit and explore)

.PHONY: run unit test lint check explore
run: $(READY) ## start the checkout flow on this machine and rehearse it     ORDERS=200 EXIT= BROKER=redis STORE=sqlite
	@$(BIN)/choreography up apps/checkout --orders $(ORDERS) --broker $(BROKER) --store $(STORE) $(if $(EXIT),--exit)

# Unit tests run on both cores; the others share the processes that they start.
unit: $(READY) ## what needs no sidecar: unit tests, and what holds of the repository     UNIT="tests/unit/web ..."
	@$(BIN)/pytest --quiet -n 2 $(UNIT)

integration: tools
	@$(BIN)/pytest $(TESTS)

test: unit integration ## unit, then integration tests with real sidecars and brokers     TESTS="tests/integration/stores ..."

lint: $(READY) ## style, format, types, which package may import which, and how much is rendered
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python .ci/rendered.py --share

check: $(READY) ## the lint across services, and whether everything rendered is as the declarations say
	@$(BIN)/choreography check apps.checkout
	@$(BIN)/choreography render apps.checkout --check
	@$(BIN)/python .ci/rendered.py

# The tests see all states and thousands of random runs; the command alone makes each decision again, in another process.
explore: $(READY) ## the model checker: every order of every event, exhaustively and at random
	@$(BIN)/pytest --quiet -n 2 tests/explore
	@$(BIN)/choreography explore apps.checkout --cancel

##@ Before a release (.ci/run is all of it)

.PHONY: faults conformance brokers e2e deep bench
faults: tools ## kill, cut, freeze and flood real processes, then audit every order     SHORT=
	@$(BIN)/python -m faults $(if $(SHORT),--short)

# All of them are tested, also when one fails: a person who mends one wants to know about the others. 3 means that a
# case cannot be shown there, such as a restart of an emulator that keeps nothing: docs/conformance.md says which.
conformance: $(READY) ## ask every broker and store, on real servers, what the guarantee rests on     DOCS=
	@failed=; for broker in $(BROKERS); do \
		$(BIN)/choreography conform components/brokers/$$broker.yaml --start $$broker $(if $(DOCS),--docs docs) || test $$? = 3 || failed="$$failed $$broker"; \
	done; for store in $(STORES); do \
		$(BIN)/choreography conform components/stores/$$store.yaml --start $$store $(if $(DOCS),--docs docs) || test $$? = 3 || failed="$$failed $$store"; \
	done; for database in $(DATABASES); do \
		$(BIN)/choreography conform $$database $(if $(DOCS),--docs docs) || test $$? = 3 || failed="$$failed $$database"; \
	done; test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

brokers: $(READY) ## the rehearsal on every broker and every store
	@failed=; for broker in $(BROKERS); do \
		$(BIN)/choreography up apps/checkout --orders 100 --exit --no-zipkin --broker $$broker --store postgres || failed="$$failed $$broker"; \
	done; $(BIN)/choreography up apps/checkout --orders 100 --exit --no-zipkin --store mysql || failed="$$failed mysql"; \
	test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

# Everything that has to be built is built first, as no test may take that long. Nothing is captured, because a person
# who waits for minutes wants to see the progress.
e2e: $(READY) ## the chart, the overlays and Skaffold on a cluster, disturbed     E2E=tests/e2e/test_chart.py
	@$(BIN)/python -m lab --obtain
	@$(BIN)/pytest -m e2e --maxfail 3 --no-header --capture no --verbose $(E2E)

deep: $(READY) ## what takes hours; docs/deep.json keeps when it last passed     PARTS="explore dapr-suite defects hurt ..."
	@$(BIN)/python .ci/deep.py $(PARTS)

# It runs in an environment of its own, because the systems it compares with are no dependencies of the project.
# OF=brokers runs only on request; it last ran by hand on 2026-11-24 (see docs/conformance.md).
bench: .venv-bench/.ready tools ## this project beside others, in turns     QUICK= OF=brokers for this one on each broker, DOCS=
	@.venv-bench/bin/python -m $(if $(OF),bench.on_$(OF) $(if $(DOCS),--out docs),bench $(if $(QUICK),--quick,--out docs))

##@ To ship

.PHONY: image secrets chart manifests chart-test cluster
# SOURCE_DATE_EPOCH: the time of the last commit, so that the same commit gives the same files.
image: ## build the image of all services     OF=eventbridge or OF=nats-pull for a component, IMAGE= BASE=
	docker build --tag $(or $(IMAGE_$(OF)),$(error OF=$(OF) names no image of this repository. Known are eventbridge and nats-pull, and nothing for the services)) \
		$(if $(BASE),--build-arg BASE=$(BASE)) $(if $(OF),--file components/$(subst -,_,$(OF))/Dockerfile, \
		--build-arg SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 0)) .

secrets: ## draw the passwords of a cluster for development, into files that git ignores
	@k8s/secrets/make

# Skaffold calls it before each deployment.
chart: $(READY) ## render what the chart holds of the flow, so that Helm can place it
	@$(BIN)/choreography render apps.checkout --chart helm/choreography

manifests: chart ## place the chart into k8s/flow, for those without Helm in their cluster
	@$(NEEDS_HELM)
	@for broker in $(IN_CLUSTER); do \
		{ echo "# Rendered by \`make manifests\`; edit helm/choreography instead."; \
		$(HELM) template checkout helm/choreography --namespace checkout $(RENDER) --values k8s/flow/values.yaml \
			--values helm/choreography/values/$$broker.yaml; } > k8s/flow/$$broker/made-by-make-manifests.yaml || exit 1; \
	done

chart-test: chart ## lint the chart, and try what its templates make of values
	@$(NEEDS_HELM)
	@$(HELM) lint --quiet --strict $(RENDER) helm/choreography
	@HELM=$(HELM) $(BIN)/pytest --quiet -m helm tests/unit/helm

cluster: $(READY) ## a Kubernetes with Dapr on this machine, until Ctrl-C, and how to use it
	@$(BIN)/python -m lab

##@ To keep house

.PHONY: clean lock
clean: ## forget all state of earlier runs
	rm -rf .run

lock: $(READY) ## pin every dependency anew
	$(COMPILE) --output-file locks/requirements.txt pyproject.toml
	$(COMPILE) --extra dev --extra provision --extra brokers --output-file locks/requirements-dev.txt pyproject.toml
	$(COMPILE) --extra provision -c locks/requirements-dev.txt --output-file locks/requirements-image.txt pyproject.toml
	$(COMPILE) --output-file locks/requirements-sbom.txt locks/requirements-sbom.in
	$(COMPILE) --extra dev --extra provision --extra brokers --extra bench -c locks/requirements-dev.txt --output-file locks/requirements-bench.txt pyproject.toml
	$(COMPILE) --output-file locks/requirements-eventbridge.txt locks/requirements-eventbridge.in
	$(COMPILE) --output-file locks/requirements-nats-pull.txt locks/requirements-nats-pull.in

# These are parts of the verbs above; there is no need to type them.
.PHONY: integration tools deep-explore deep-dapr-suite deep-defects deep-hurt deep-access deep-bench

# Both stores, because the tests run on both. Preparing first keeps a build of minutes out of a test's time limit.
tools: $(READY)
	@$(BIN)/choreography tools --broker $(BROKER) --store postgres
	@$(BIN)/python -m tests.components.dapr_suite.suite

# It explores two orders completely, and many random runs (see docs/explore.md).
deep-explore: $(READY)
	@$(BIN)/pytest -m deep tests/explore

# Dapr's own suite for pub/sub components against ours, twenty times on a fresh and a provisioned bus.
deep-dapr-suite: $(READY)
	@$(BIN)/python -m tests.components.dapr_suite.suite
	@$(BIN)/pytest -m deep tests/components/test_dapr_suite.py

# It seeds one defect per rule of the guarantee, and shows which test catches it.
deep-defects: $(READY)
	@$(BIN)/python -m faults.defects

# The rehearsal on every broker while a service, sidecars and the broker are killed.
deep-hurt: $(READY)
	@$(BIN)/python -m faults.on_brokers

# It tests a user for each service on the brokers that take minutes to start; `make test` covers the others.
deep-access: tools
	@$(BIN)/pytest -m deep tests/integration/up/test_access.py

# No other test checks that the compared systems still run and end every order as they must.
deep-bench:
	@$(MAKE) bench QUICK=1

# The stamp is written last, so an interrupted installation is repeated.
$(READY): locks/requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is missing or older than 3.11, so nothing here can run. Install Python 3.11 or newer, or name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments, so dependencies have no place. Install its venv package (Debian: apt-get install python3-venv)." >&2; exit 1; }
	@echo "making .venv with the pinned dependencies (about a minute, once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement locks/requirements-dev.txt
	@PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv-bench/.ready: locks/requirements-bench.txt pyproject.toml
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement locks/requirements-bench.txt
	@PYTHONWARNINGS=ignore .venv-bench/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

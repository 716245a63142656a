# One verb per task, the same on a laptop and in a build. Nothing has to be done before any of them.
#
#   make run     start the checkout flow on this machine and rehearse it   ORDERS=200 EXIT= BROKER=redis STORE=sqlite
#   make test    unit and integration tests, with real sidecars            TESTS="tests/integration ..."
#   make lint    style, format and types
#   make check   the lint across services, and whether everything rendered is as the declarations say
#   make explore the model checker: every order of every event, exhaustively and at random
#   make faults  kill, cut, freeze and flood real processes, then audit every order         SHORT=
#   make defects seed one defect per rule of the guarantee and show what catches it
#   make conformance  ask every broker and every store, on real servers, what the guarantee rests on   DOCS=
#   make brokers the rehearsal on every broker and every store
#   make hurt    the same on every broker while a service, sidecars and the broker are killed
#   make dapr-suite  Dapr's own suite for pub/sub components against ours, twenty times on a fresh and a provisioned bus
#   make deep    what takes too long for every change; docs/deep.json keeps when it last passed   PARTS="explore hurt"
#   make bench   this project, a quickstart, FastStream, its outbox and the floor, in turns      QUICK=
#   make bench-brokers  orders a second and latency on each broker                                DOCS=
#   make image   build the one image of all services                     IMAGE=choreography:0.1.0 BASE=
#   make image-eventbridge  build the component that runs beside a sidecar for EventBridge        BASE=
#   make image-nats-pull  build the component that runs beside a sidecar for NATS                BASE=
#   make secrets draw the passwords of a cluster for development, into files that git ignores
#   make chart   render the chart's files and k8s/flow anew, lint the chart and try its templates
#   make cluster a Kubernetes with Dapr on this machine, until Ctrl-C, and how to use it
#   make e2e     the chart, the overlays and Skaffold on such a cluster, and what happens when it is disturbed   E2E=tests/e2e/test_chart.py
#   make clean   forget all state of earlier runs
#   make lock    pin every dependency anew

PYTHON ?= python3
ORDERS ?= 200
EXIT ?=
BROKER ?= redis
STORE ?= sqlite
TESTS ?= tests/integration tests/components
SHORT ?=
E2E ?= tests/e2e
DOCS ?=
PARTS ?=
QUICK ?=

BIN := .venv/bin
READY := .venv/.ready
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-trusted-host \
	--no-emit-find-links --strip-extras --no-header --allow-unsafe

IMAGE ?= choreography:0.1.0
EVENTBRIDGE_IMAGE ?= eventbridge-component:0.3.0
NATS_PULL_IMAGE ?= nats-pull-component:0.1.0
BASE ?=
HELM ?= $(or $(shell command -v helm),$(lastword $(sort $(wildcard $(HOME)/.cache/choreography/helm-*/helm))))
# Of the cluster it renders for; without one Helm would take its own.
RENDER := --kube-version 1.30.0
# Brokers that k8s/ can run in the cluster.
IN_CLUSTER := redis kafka rabbitmq nats

BROKERS := redis kafka rabbitmq nats nats-pull aws eventbridge
STORES := sqlite postgres mysql
# Those that services speak to themselves; the kit makes both.
DATABASES := sqlite: postgresql:

.PHONY: cluster e2e image image-eventbridge image-nats-pull secrets chart run test lint check explore explore-deep faults conformance brokers hurt defects dapr-suite access-deep deep bench bench-quick bench-brokers clean lock tools

run: $(READY)
	@$(BIN)/choreography up apps/checkout --orders $(ORDERS) --broker $(BROKER) --store $(STORE) $(if $(EXIT),--exit)

# Unit tests on both cores; the others share the processes that they start.
test: tools
	@$(BIN)/pytest --quiet -n 2 tests/unit tests/repository
	@$(BIN)/pytest $(TESTS)

# Both stores, because the tests run on both. Preparing first keeps a build of minutes out of a test's time limit.
tools: $(READY)
	@$(BIN)/choreography tools --broker $(BROKER) --store postgres
	@$(BIN)/python -m tests.components.dapr_suite.suite

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

check: $(READY)
	@$(BIN)/choreography check apps.checkout
	@$(BIN)/choreography render apps.checkout --check

explore: $(READY)
	@$(BIN)/pytest --quiet -n 2 tests/explore
	@$(BIN)/choreography explore apps.checkout --cancel
	@$(BIN)/choreography explore apps.checkout --orders 2 --cancel --random 2000

# What takes long: two orders whole, many random runs (see docs/explore.md).
explore-deep: $(READY)
	@$(BIN)/pytest -m deep tests/explore

faults: tools
	@$(BIN)/python -m faults $(if $(SHORT),--short)

# All of them are asked, also when one fails: whoever mends one wants to know about the others. 3 says that a case cannot be
# shown there, such as a restart of an emulator that keeps nothing: docs/conformance.md says which.
conformance: $(READY)
	@failed=; for broker in $(BROKERS); do \
		$(BIN)/choreography conform components/brokers/$$broker.yaml --start $$broker $(if $(DOCS),--docs docs) || test $$? = 3 || failed="$$failed $$broker"; \
	done; for store in $(STORES); do \
		$(BIN)/choreography conform components/stores/$$store.yaml --start $$store $(if $(DOCS),--docs docs) || test $$? = 3 || failed="$$failed $$store"; \
	done; for database in $(DATABASES); do \
		$(BIN)/choreography conform $$database $(if $(DOCS),--docs docs) || test $$? = 3 || failed="$$failed $$database"; \
	done; test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

brokers: $(READY)
	@failed=; for broker in $(BROKERS); do \
		$(BIN)/choreography up apps/checkout --orders 100 --exit --no-zipkin --broker $$broker --store postgres || failed="$$failed $$broker"; \
	done; $(BIN)/choreography up apps/checkout --orders 100 --exit --no-zipkin --store mysql || failed="$$failed mysql"; \
	test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

hurt: $(READY)
	@$(BIN)/python -m faults.on_brokers

defects: $(READY)
	@$(BIN)/python -m faults.defects

dapr-suite: $(READY)
	@$(BIN)/python -m tests.components.dapr_suite.suite
	@$(BIN)/pytest -m deep tests/components/test_dapr_suite.py

# A user for each service on the brokers that take minutes to start; `make test` has the others.
access-deep: tools
	@$(BIN)/pytest -m deep tests/integration/up/test_access.py

deep: $(READY)
	@$(BIN)/python .ci/deep.py $(PARTS)

# In an environment of its own: what it compares with is no dependency of the project.
bench: .venv-bench/.ready tools
	@.venv-bench/bin/python -m bench $(if $(QUICK),--quick,--out docs)

# Nobody else asks whether the systems compared still run and end every order as they have to.
bench-quick:
	@$(MAKE) bench QUICK=1

# On request; last run by hand on 2026-11-24 (see docs/conformance.md).
bench-brokers: .venv-bench/.ready tools
	@.venv-bench/bin/python -m bench.on_brokers $(if $(DOCS),--out docs)

# SOURCE_DATE_EPOCH: the time of the last commit, so that the same commit gives the same files.
image:
	docker build --tag $(IMAGE) $(if $(BASE),--build-arg BASE=$(BASE)) \
		--build-arg SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 0) .

image-eventbridge:
	docker build --tag $(EVENTBRIDGE_IMAGE) $(if $(BASE),--build-arg BASE=$(BASE)) --file components/eventbridge/Dockerfile .

image-nats-pull:
	docker build --tag $(NATS_PULL_IMAGE) $(if $(BASE),--build-arg BASE=$(BASE)) --file components/nats_pull/Dockerfile .

secrets:
	@k8s/secrets/make

chart: $(READY)
	@test -n "$(HELM)" || { echo "helm is not here, so nothing can place what is rendered. Install Helm 3, or name it: make chart HELM=/path/to/helm" >&2; exit 1; }
	@$(BIN)/choreography render apps.checkout
	@for broker in $(IN_CLUSTER); do \
		{ echo "# Rendered by \`make chart\`; edit helm/choreography instead."; \
		$(HELM) template checkout helm/choreography --namespace checkout $(RENDER) --values k8s/flow/values.yaml \
			--values helm/choreography/values/$$broker.yaml; } > k8s/flow/$$broker/flow.yaml || exit 1; \
	done
	@$(HELM) lint --quiet --strict $(RENDER) helm/choreography
	@HELM=$(HELM) $(BIN)/pytest --quiet -m "helm or not helm" tests/unit/helm

cluster: $(READY)
	@$(BIN)/python -m lab

# What has to be built is built first, as no test may take that long.
# Nothing is captured, because whoever waits for minutes wants to see for what.
e2e: $(READY)
	@$(BIN)/python -m lab --obtain
	@$(BIN)/pytest -m e2e --maxfail 3 --no-header --capture no --verbose $(E2E)

clean:
	rm -rf .run

lock: $(READY)
	$(COMPILE) --output-file requirements.txt pyproject.toml
	$(COMPILE) --extra dev --extra provision --extra brokers --output-file requirements-dev.txt pyproject.toml
	$(COMPILE) --extra provision -c requirements-dev.txt --output-file requirements-image.txt pyproject.toml
	$(COMPILE) --output-file requirements-sbom.txt requirements-sbom.in
	$(COMPILE) --extra dev --extra provision --extra brokers --extra bench -c requirements-dev.txt --output-file requirements-bench.txt pyproject.toml

# The stamp is written last: an installation that was interrupted is done again.
$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is missing or older than 3.11, so nothing here can run. Install Python 3.11 or newer, or name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments, so dependencies have no place. Install its venv package (Debian: apt-get install python3-venv)." >&2; exit 1; }
	@echo "making .venv with the pinned dependencies (about a minute, once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	@PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv-bench/.ready: requirements-bench.txt pyproject.toml
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-bench.txt
	@PYTHONWARNINGS=ignore .venv-bench/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

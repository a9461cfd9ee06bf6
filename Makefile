# Kastellan. `make help` lists the targets.
#
# CLUSTER=local (default): a real Kubernetes on this machine, built and started by e2e/kubernetes.
# CLUSTER=current: the cluster that KUBECONFIG points at; nothing is built or started for it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CLUSTER ?= local
NODES ?= 1
SOAK_SECONDS ?= 600
# Address space of the program that tries random resources, in KiB: it ends when it wants more.
SOAK_KIB := 4194304
# What once lost records, in one of two runs.
SOAK_TESTS ?= a_cluster_without_disks
SOAK_RUNS ?= 8
SOAK_ROUNDS ?= 11
SOAK_STEPS ?= 1000000
TARGET := x86_64-unknown-linux-gnu
# librdkafka links Debian's own OpenSSL: the client crashed with a vendored 3.6 in a static binary.
# The linker (Rust's own LLD) folds functions of equal code, which generics make many of, and packs relocations.
STATIC := OPENSSL_STATIC=1 RUSTFLAGS='-C target-feature=+crt-static -C link-arg=-Wl,--icf=all,-z,pack-relative-relocs'
KAFKA_TESTS := cargo test --workspace --exclude kafka-client --locked --test 'kafka_*'
# They wait more than they compute, but for those that measure an operator, which have the processors for themselves.
API_TESTS := cargo test --workspace --exclude kafka-client --locked --test 'api_*' --
OPERATORS := cluster-operator topic-operator user-operator kafka-agent kafka-exporter kafka-bridge plug-in-fetcher

export CLUSTER NODES

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: ## Start Kubernetes, install the chart, run the quick start; leaves everything running
	@e2e/up.sh

.PHONY: down
down: ## Stop the local Kubernetes and remove every trace of it
	@e2e/kubernetes/down.sh

.PHONY: kubeconfig
kubeconfig: ## Print the path of the local cluster's kubeconfig
	@e2e/kubernetes/kubeconfig.sh

.PHONY: test
test: test-unit test-api build-kafka-tests ## Run every test tier
	@e2e/compile-beside.sh $(KAFKA_TESTS)
	@$(MAKE) --no-print-directory e2e

.PHONY: test-unit
test-unit: prerequisites ## Unit tests: no other process
	cargo test --workspace --locked --lib --bins --test 'unit_*'

.PHONY: soak
soak: ## Random resources, the simulator, certificates, and a cluster's later life with a kill in each change for SOAK_SECONDS
	@$(MAKE) --no-print-directory soak-manifests SOAK_SECONDS=$$(($(SOAK_SECONDS) / 10))
	@$(MAKE) --no-print-directory soak-simulator
	@$(MAKE) --no-print-directory soak-certificates
	@KASTELLAN_KILLS=every SOAK_TESTS=day_two SOAK_SECONDS='$(SOAK_SECONDS)' e2e/e2e.sh

.PHONY: soak-simulator
soak-simulator: prerequisites ## Play rolls against a simulated Kafka and Kubernetes, SOAK_STEPS steps from a new seed
	KASTELLAN_SIMULATOR_STEPS='$(SOAK_STEPS)' KASTELLAN_SIMULATOR_SEED=$$((RANDOM * 32768 + RANDOM)) \
	  cargo test --locked -p planner --test unit_tests simulator::no_restart -- --nocapture

.PHONY: soak-manifests
soak-manifests: prerequisites ## Try random resources for SOAK_SECONDS: reading, validation and planning must end, whatever they say
	cargo test --locked -p planner --test unit_tests --no-run
	ulimit -v $(SOAK_KIB) && SOAK_SECONDS=$(SOAK_SECONDS) cargo test --locked -p planner --test unit_tests any_manifest::soak -- --exact --nocapture

.PHONY: soak-e2e
soak-e2e: ## Run the end-to-end tests with SOAK_TESTS in their names SOAK_RUNS times, or for SOAK_SECONDS; prints a table
	@SOAK_TESTS='$(SOAK_TESTS)' SOAK_RUNS='$(SOAK_RUNS)' e2e/e2e.sh

.PHONY: soak-certificates
soak-certificates: prerequisites ## Renew and replace the certificates of a real Kafka SOAK_ROUNDS times in a row
	@e2e/kubernetes/build.sh kafka
	KASTELLAN_CERTIFICATE_ROUNDS='$(SOAK_ROUNDS)' cargo test --locked -p kafka-agent --test kafka_agent -- certificates --nocapture

.PHONY: test-api
test-api: prerequisites ## Tests against a real API server and etcd
	@e2e/kubernetes/build.sh control-plane helm definitions cert-manager
	$(API_TESTS) --test-threads=4 --skip bounded_memory
	$(API_TESTS) bounded_memory

.PHONY: build-kafka-tests
build-kafka-tests: prerequisites
	@e2e/kubernetes/build.sh control-plane kafka plug-ins schemathesis cert-manager
	$(STATIC) cargo build --release --locked --target $(TARGET) -p kafka-client
	$(KAFKA_TESTS) --no-run

.PHONY: test-kafka
test-kafka: build-kafka-tests ## Tests against real Kafka processes
	$(KAFKA_TESTS)

.PHONY: e2e
e2e: ## End-to-end tests: real pods, real Kafka, rdkafka clients
	@e2e/e2e.sh

.PHONY: prerequisites
prerequisites:
	@e2e/prerequisites.sh

.PHONY: lint
lint: prerequisites ## Formatting, clippy, generated files, shell scripts
	cargo fmt --all -- --check
	cargo clippy --workspace --exclude kafka-client --all-targets --locked -- -D warnings
	$(STATIC) cargo clippy --release --target $(TARGET) -p kafka-client --locked -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny check; else \
	  for crate in ring rsa; do ! cargo tree --workspace --locked -e normal,build -i $$crate 2>/dev/null | grep . || exit 1; done; \
	  echo 'NOT CHECKED: security advisories and licences of the dependencies, because cargo-deny is not installed (cargo install cargo-deny)' >&2; fi
	@if command -v shellcheck >/dev/null; then git ls-files '*.sh' .ci/run | xargs shellcheck -x; else echo 'shellcheck is not installed: apt-get install shellcheck'; fi

.PHONY: crds
crds: ## Write crds/ from the Rust types
	cargo run --quiet -p api --bin crds

.PHONY: binaries
binaries: prerequisites ## Build the static release binaries
	$(STATIC) cargo build --release --locked --target $(TARGET) $(addprefix -p ,$(OPERATORS)) -p kafka-client -p kubectl-kafka

.PHONY: images
images: ## Build the container images as tar files, without an engine
	@e2e/images.sh

.PHONY: chart
chart: crds ## Package the Helm chart
	@e2e/kubernetes/build.sh helm
	@e2e/chart.sh

.PHONY: bench
bench: prerequisites ## Measure the running system on this machine and print each figure beside its limit
	$(STATIC) cargo build --release --locked --target $(TARGET) -p bench
	@e2e/bench.sh

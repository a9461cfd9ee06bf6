#!/usr/bin/env bash
# Runs the end-to-end tests against the local Kubernetes (or CLUSTER=current). `make e2e` runs it.
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/lib.sh"

step "Building the images"
images
step "Starting Kubernetes"
cluster
load_images
step "Installing the chart, for all namespaces"
install_chart kafka --set watchAnyNamespace=true
summary
export KASTELLAN_CLIENT_IMAGE=${IMAGE_REGISTRY:+$IMAGE_REGISTRY/}kastellan/kafka-client:$VERSION
cargo test -p e2e --test 'e2e_*' -- --nocapture --test-threads=1

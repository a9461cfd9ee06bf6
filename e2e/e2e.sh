#!/usr/bin/env bash
# Runs the end-to-end tests against the local Kubernetes (or CLUSTER=current). `make e2e` runs it.
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/lib.sh"

STEP_TOTAL=6
[[ $CLUSTER != local ]] || require_root
step "Compiling the operators"
images
step "Compiling the tests"
quietly e2e-tests "compiling the tests" cargo test --no-run -p e2e --test 'e2e_*' || exit 1
step "Building Kubernetes, Helm and Kafka's image"
build_tools
if [[ $CLUSTER == local ]]; then
  e2e/kubernetes/build.sh listeners builds change-data cert-manager
  KAFKA_VERSION=$FORMER_KAFKA_VERSION e2e/kubernetes/build.sh images
fi
step "Starting Kubernetes"
cluster
load_images
if [[ $CLUSTER == local ]]; then
  e2e/kubernetes/load-image.sh "$CACHE/images/envoy-$ENVOY_VERSION.tar" "$CACHE/images/kafka-with-jars-$KAFKA_VERSION.tar" \
    "$CACHE/images/buildah-$VERSION.tar" "$CACHE/images/kafka-$FORMER_KAFKA_VERSION.tar" \
    "$CACHE"/images/{debezium-postgres,secrets-provider,postgresql}.tar
  # Builds load the image that they begin with from a registry, and push to it; nodes pull plug-ins from there.
  KASTELLAN_REGISTRY=$(e2e/kubernetes/registry.sh "docker.io/kastellan/kafka:$KAFKA_VERSION" \
    docker.io/kastellan/{debezium-postgres,secrets-provider}:1)
  # A second machine, for the one story that drains it and has it die. Its pods need no more than these images.
  ((NODES > 1)) || e2e/kubernetes/up.sh --nodes 2
  k taint node node-2 --overwrite kastellan.io/machine=spare:NoSchedule >/dev/null
  load_images
  e2e/kubernetes/load-image.sh "$CACHE/images/kafka-$FORMER_KAFKA_VERSION.tar"
  # shellcheck disable=SC2046  # two words
  set_ranges $(<"$STATE/ranges")
  export KASTELLAN_REGISTRY KASTELLAN_HOST_ADDRESS=$HOST_IP KASTELLAN_CONNECT_PLUG_INS=$CACHE/connect-plug-ins
  # The operator looks for these kinds when it starts.
  e2e/kubernetes/cert-manager.sh
  k apply --server-side --force-conflicts -f "$CACHE/definitions/routes.yaml" -f "$CACHE/definitions/tlsroutes.yaml" >/dev/null
fi
step "Installing the chart, for all namespaces"
options=()
[[ $CLUSTER != local ]] || options=(--set "buildah.image=docker.io/kastellan/buildah:$VERSION" --set evictionWebhook.enabled=true)
install_chart kafka --set watchAnyNamespace=true "${options[@]}"
export KASTELLAN_CLIENT_IMAGE=${IMAGE_REGISTRY:+$IMAGE_REGISTRY/}kastellan/kafka-client:$VERSION
if [[ $CLUSTER == local ]]; then
  export KASTELLAN_FORMER_KAFKA=$FORMER_KAFKA_VERSION
  # A Kafka image with the jars that options ask for, and a Prometheus that a test runs on this machine.
  export KASTELLAN_KAFKA_WITH_JARS_IMAGE=kastellan/kafka-with-jars:$KAFKA_VERSION
  need prometheus prometheus
  install_missing
  # Parts of tests ask for it that have a client outside of Kubernetes.
  export KASTELLAN_BESIDE_CLUSTER=yes
fi
# The tests call kubectl: that of the machine, else the built one.
export PATH=$PATH:$BIN
# What the tests of listeners run on this machine: a load balancer and a client outside of Kubernetes.
export KASTELLAN_ENVOY=$CACHE/envoy/envoy KASTELLAN_KAFKA_CLIENT=$CHECKOUT/target/x86_64-unknown-linux-gnu/release/kafka-client
step "Running the tests"
skipped=()
if [[ $CLUSTER != local ]]; then
  say "not run: the tests of listeners, of other operators' manifests, of Prometheus, of image builds and of a cluster's later life, for which this machine has to reach pods and Services of the cluster by their addresses, or they it"
  skipped=(--skip listeners_ --skip manifests_of_others_ --skip prometheus_ --skip builds_ --skip day_two_)
fi
if [[ -n ${SOAK_TESTS:-} ]]; then
  e2e/soak.sh
else
  # A story that waits for minutes, with hardly anything to do, runs beside the others from the start.
  beside=$IMAGES/../beside.log
  cargo test -p e2e --test 'e2e_*' -- --nocapture silence >"$beside" 2>&1 &
  story=$! outcome=0
  cargo test -p e2e --test 'e2e_*' -- --nocapture --test-threads=2 --skip silence "${skipped[@]}" || outcome=$?
  wait "$story" || outcome=$?
  cat "$beside"
  ((outcome == 0)) || exit "$outcome"
fi
summary

#!/usr/bin/env bash
# Measures the figures of the running system on this machine and prints each beside its limit. `make bench` runs it.
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/lib.sh"

NAMESPACE=bench
ROWS=()
# row WHAT VALUE LIMIT: in the shape of e2e/bench/src/report.rs.
row() {
  ROWS+=("$(printf '%-76s %10s %10s' "$1" "$2" "$3")")
}

# bench_of KIND: the rows of the bench of an operator without a cluster, with the release binary. etcd and Kafka keep their data in
# memory: what counts is the operators' work, not the disk of this machine.
bench_of() {
  local release=target/x86_64-unknown-linux-gnu/release rows
  rows=$(TMPDIR=/dev/shm "$release/bench" "$1s" --operator "$release/$1-operator")
  mapfile -t -O "${#ROWS[@]}" ROWS <<<"$rows"
}

# bench_of_plans: the rows of the planner alone.
bench_of_plans() {
  local rows
  rows=$(target/x86_64-unknown-linux-gnu/release/bench plan)
  mapfile -t -O "${#ROWS[@]}" ROWS <<<"$rows"
}

# bench_of_rolls: the rows of restarts, on the running cluster.
bench_of_rolls() {
  local rows
  # One node for each rack. On a fresh cluster what is measured before has one; end-to-end tests leave a second one, tainted.
  if ((NODES < 3)); then
    e2e/kubernetes/up.sh --nodes 3
    load_images
  fi
  k taint node node-2 kastellan.io/machine- >/dev/null 2>&1 || true
  rows=$(target/x86_64-unknown-linux-gnu/release/bench rolls)
  mapfile -t -O "${#ROWS[@]}" ROWS <<<"$rows"
}

# bench_of_bridge: the rows of the bridge beside a bare producer, without a cluster.
bench_of_bridge() {
  local release=target/x86_64-unknown-linux-gnu/release rows
  rows=$(TMPDIR=/dev/shm "$release/bench" bridge --bridge "$release/kafka-bridge")
  mapfile -t -O "${#ROWS[@]}" ROWS <<<"$rows"
}

# bench_of_exporter: the rows of the Kafka Exporter, without a cluster.
bench_of_exporter() {
  local release=target/x86_64-unknown-linux-gnu/release rows
  rows=$(TMPDIR=/dev/shm "$release/bench" exporter --exporter "$release/kafka-exporter")
  mapfile -t -O "${#ROWS[@]}" ROWS <<<"$rows"
}

# bench_of_connectors: the rows of connectors, which the cluster operator looks after.
bench_of_connectors() {
  local release=target/x86_64-unknown-linux-gnu/release rows
  rows=$(TMPDIR=/dev/shm "$release/bench" connectors --operator "$release/cluster-operator")
  mapfile -t -O "${#ROWS[@]}" ROWS <<<"$rows"
}

# resident POD PORT: megabytes that the operator in the pod says it holds.
resident() {
  local ip
  ip=$(k get pod -n "$1" "$2" -o jsonpath='{.status.podIP}')
  curl -fsS --max-time 5 "http://$ip:$3/metrics" | awk '/^process_resident_memory_bytes/ {printf "%.1f", $2 / 1e6}'
}

STEP_TOTAL=14
step "Compiling the operators"
images
step "Building Kubernetes, Helm and Kafka's image"
build_tools
step "Plans"
bench_of_plans
step "Clusters"
bench_of cluster
step "Topics"
bench_of topic
step "Users"
bench_of user
step "Bridge"
bench_of_bridge
step "Exporter"
bench_of_exporter
step "Connectors"
bench_of_connectors
step "Starting Kubernetes"
cluster
[[ $CLUSTER == local ]] || die "the bench reads pods by their address, which only works on the local Kubernetes"
load_images
step "Installing the chart"
install_chart kafka --set watchAnyNamespace=true

release=target/x86_64-unknown-linux-gnu/release
row "cluster-, topic- and user-operator and kafka-agent, MiB" \
  "$(du -mc "$release"/{cluster,topic,user}-operator "$release/kafka-agent" | tail -n 1 | cut -f1)" "40"
row "  the operator image, with kafka-exporter, kafka-bridge and plug-in-fetcher" "$(du -m "$IMAGES/operator.tar" | cut -f1)" "-"

step "One quick-start cluster, from apply to Ready"
k delete namespace "$NAMESPACE" --ignore-not-found --wait >/dev/null
k create namespace "$NAMESPACE" >/dev/null
begun=$(date +%s%N)
k apply -n "$NAMESPACE" -f examples/quickstart.yaml >/dev/null
k wait -n "$NAMESPACE" kafka/quickstart --for=condition=Ready --timeout=300s >/dev/null
total=$((($(date +%s%N) - begun) / 100000000))
row "quick-start cluster from apply to Ready, s (Strimzi: 90)" "$((total / 10)).$((total % 10))" "45"
slowest=0
for pod in $(k get pods -n "$NAMESPACE" -l strimzi.io/component-type=kafka -o name); do
  started=$(k get -n "$NAMESPACE" "$pod" -o jsonpath='{.status.containerStatuses[0].state.running.startedAt}')
  ready=$(k get -n "$NAMESPACE" "$pod" -o jsonpath='{.status.conditions[?(@.type=="Ready")].lastTransitionTime}')
  seconds=$(($(date -d "$ready" +%s) - $(date -d "$started" +%s)))
  ((seconds <= slowest)) || slowest=$seconds
done
row "  of it the start of the slowest broker, s" "$slowest" "-"
row "  the rest, s" "$(((total - slowest * 10) / 10)).$(((total - slowest * 10) % 10))" "5"

step "Resident memory of the idle operators"
operator=$(k get pods -n kafka -l strimzi.io/kind=cluster-operator -o jsonpath='{.items[0].metadata.name}')
entity=$(k get pods -n "$NAMESPACE" -l strimzi.io/component-type=entity-operator -o jsonpath='{.items[0].metadata.name}')
row "cluster-operator, MB resident (Strimzi: 265)" "$(resident kafka "$operator" 8080)" "20"
row "topic-operator, MB resident (Strimzi: 189)" "$(resident "$NAMESPACE" "$entity" 8080)" "20"
row "user-operator, MB resident (Strimzi: 208)" "$(resident "$NAMESPACE" "$entity" 8081)" "20"
k delete namespace "$NAMESPACE" --wait=false >/dev/null
step "Rolls and restarts"
bench_of_rolls
summary
printf '\n%-76s %10s %10s\n' "figure" "measured" "limit"
printf '%s\n' "${ROWS[@]}"

#!/usr/bin/env bash
# From nothing to consumed records: builds, starts Kubernetes, installs the chart, applies examples/quickstart.yaml, produces as
# one user, consumes as the other, and leaves everything running. See README.md; `make up` runs it.
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/lib.sh"

NAMESPACE=${NAMESPACE:-kafka}
RECORDS=10000

# client NAME USER PORT ARGS: runs the client in a pod and prints what it says.
client() {
  local name=$1 user=$2 port=$3 arguments=$4 registry=${IMAGE_REGISTRY:+$IMAGE_REGISTRY/}
  k delete job -n "$NAMESPACE" "$name" --ignore-not-found --cascade=foreground >/dev/null
  sed -e "s|JOB|$name|; s|IMAGE|${registry}kastellan/kafka-client:$VERSION|; s|ARGS|$arguments|; s|PORT|$port|" \
    -e "s|TOPICNAME|orders|; s|USER$|$user|; s|USER}|$user}|; s|CLUSTER-|quickstart-|" e2e/client-job.yaml |
    k apply -n "$NAMESPACE" -f - >/dev/null
  if ! k wait -n "$NAMESPACE" "job/$name" --for=condition=Complete --timeout=120s >/dev/null 2>&1; then
    k logs -n "$NAMESPACE" "job/$name" >&2 || true
    die "the client '$name' failed"
  fi
  k logs -n "$NAMESPACE" "job/$name"
}

# seconds_between OLDER NEWER: of two RFC 3339 times.
seconds_between() {
  printf '%s\n' "$(($(date -d "$2" +%s) - $(date -d "$1" +%s)))"
}

# What part of the way to Ready the slowest Kafka container needed from its start until it was ready.
slowest_broker() {
  local pod started ready slowest=0 seconds
  for pod in $(k get pods -n "$NAMESPACE" -l strimzi.io/cluster=quickstart,strimzi.io/component-type=kafka -o name); do
    started=$(k get -n "$NAMESPACE" "$pod" -o jsonpath='{.status.containerStatuses[0].state.running.startedAt}')
    ready=$(k get -n "$NAMESPACE" "$pod" -o jsonpath='{.status.conditions[?(@.type=="Ready")].lastTransitionTime}')
    seconds=$(seconds_between "$started" "$ready")
    ((seconds <= slowest)) || slowest=$seconds
  done
  printf '%s\n' "$slowest"
}

STEP_TOTAL=6
# The first time takes a while; that root is needed is said before.
[[ $CLUSTER != local ]] || require_root
step "Compiling the operators"
images
step "Building Kubernetes, Helm and Kafka's image"
build_tools
step "Starting Kubernetes"
cluster
load_images
step "Installing the chart with Helm"
install_chart "$NAMESPACE"
step "Applying examples/quickstart.yaml and waiting until all of it is Ready"
applied=$(date -u +%Y-%m-%dT%H:%M:%SZ)
fresh=$(k get -n "$NAMESPACE" kafka/quickstart -o name 2>/dev/null || true)
k apply -n "$NAMESPACE" -f examples/quickstart.yaml >/dev/null
if ! k wait -n "$NAMESPACE" kafka/quickstart --for=condition=Ready --timeout=300s >/dev/null; then
  k get -n "$NAMESPACE" kafka/quickstart -o jsonpath='{.status.conditions}' >&2
  die "the Kafka cluster did not become ready"
fi
ready=$(k get -n "$NAMESPACE" kafka/quickstart -o jsonpath='{.status.conditions[?(@.type=="Ready")].lastTransitionTime}')
k wait -n "$NAMESPACE" kafkatopic/orders kafkauser/producer kafkauser/consumer --for=condition=Ready --timeout=120s >/dev/null
step "Producing $RECORDS records as 'producer' (TLS), consuming them as 'consumer' (SCRAM)"
if [[ -n $fresh ]]; then
  # A run on a cluster that was there already begins with an empty topic too.
  k delete -n "$NAMESPACE" kafkatopic/orders --wait --timeout=60s >/dev/null
  k apply -n "$NAMESPACE" -f examples/quickstart.yaml >/dev/null
  k wait -n "$NAMESPACE" kafkatopic/orders --for=condition=Ready --timeout=60s >/dev/null
fi
client produce producer 9093 "produce, \"$RECORDS\""
client consume consumer 9094 "consume, \"$RECORDS\", --group, quickstart-$(date +%s)"
client denied consumer 9094 "expect-denied"
summary
if [[ -z $fresh ]]; then
  printf '%7s s  from kubectl apply to Ready; %s s of it was the start of the slowest broker\n' \
    "$(seconds_between "$applied" "$ready")" "$(slowest_broker)"
fi
cat <<TEXT

Everything is left running:

  export KUBECONFIG=$KUBECONFIG
  kubectl get -n $NAMESPACE kafka,kafkanodepool,kafkatopic,kafkauser,pods

'make down' removes it without a trace.
TEXT

#!/usr/bin/env bash
# Shared by up.sh, e2e.sh and bench.sh: images, the chart, progress lines. Source it, do not run it.
# shellcheck source=e2e/kubernetes/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/kubernetes/lib.sh"
# shellcheck disable=SC2034  # used by the scripts that source this file

cd "$CHECKOUT" || exit 1
CLUSTER=${CLUSTER:-local}
NODES=${NODES:-1}
IMAGES=$CHECKOUT/.local/images

# step TEXT: a headline for what follows, with its place among STEP_TOTAL steps; the time of the previous one is printed by summary.
STEP_TOTAL=
STEPS=()
STEP_NAME=
STEP_START=0
STEP_NUMBER=0
step() {
  local now
  now=$(date +%s%N)
  [[ -z $STEP_NAME ]] || STEPS+=("$(printf '%7.1f s  %s' "$(((now - STEP_START) / 100000000))e-1" "$STEP_NAME")")
  STEP_NAME=$1
  STEP_START=$now
  [[ -n $1 ]] || return 0
  STEP_NUMBER=$((STEP_NUMBER + 1))
  say "${BOLD}step $STEP_NUMBER of $STEP_TOTAL: $1$PLAIN"
}
summary() {
  step ""
  printf '%s\n' "" "How long it took:" "${STEPS[@]}"
}

# build.sh makes no Helm where the machine has one of the right version.
HELM=$BIN/helm
helm() {
  [[ -x $HELM ]] || HELM=$(type -P helm)
  "$HELM" --kubeconfig "$KUBECONFIG" "$@"
}
k() {
  kubectl --kubeconfig "$KUBECONFIG" "$@"
}

# compile TARGET WHAT: a target of the Makefile that compiles.
compile() {
  # Installs packages, which a person should see.
  e2e/prerequisites.sh
  quietly "$1" "compiling $2" make --no-print-directory "$1" || exit 1
}
# Makes the images that are older than the binaries in them.
images() {
  compile binaries "the operators"
  mkdir -p "$IMAGES"
  local release=target/x86_64-unknown-linux-gnu/release java=crates/kafka-agent/java
  e2e/kubernetes/build.sh kafka
  if [[ ! -f $release/kastellan-tls.jar || -n $(find "$java" -newer "$release/kastellan-tls.jar") ]]; then
    images/tls-jar.sh "$CACHE/kafka/$KAFKA_VERSION/libs" "$release/kastellan-tls.jar"
  fi
  if [[ ! -f $IMAGES/operator.tar || -n $(find "$release" -maxdepth 1 -type f \( -executable -o -name '*.jar' \) -newer "$IMAGES/operator.tar") ]]; then
    images/operator.sh "$VERSION" "$IMAGES/operator.tar"
    images/kafka-client.sh "$VERSION" "$IMAGES/kafka-client.tar"
  fi
}

# What runs the tests: a Kubernetes, and Helm.
build_tools() {
  case $CLUSTER in
    local) e2e/kubernetes/build.sh all ;;
    current) e2e/kubernetes/build.sh helm ;;
    *) die "CLUSTER must be local or current, not '$CLUSTER'" ;;
  esac
}
# Starts what has to run and sets KUBECONFIG.
cluster() {
  case $CLUSTER in
    local)
      require_root
      e2e/kubernetes/up.sh --nodes "$NODES"
      KUBECONFIG=$(e2e/kubernetes/kubeconfig.sh)
      export KUBECONFIG
      ;;
    current)
      [[ -n ${KUBECONFIG:-} || -f $HOME/.kube/config ]] || die "CLUSTER=current needs KUBECONFIG, and it is not set"
      export KUBECONFIG=${KUBECONFIG:-$HOME/.kube/config}
      ;;
  esac
}

# The images on the nodes. With CLUSTER=current the cluster pulls them: IMAGE_REGISTRY names the registry they were pushed to.
load_images() {
  [[ $CLUSTER == local ]] || return 0
  e2e/kubernetes/load-image.sh "$IMAGES/operator.tar" "$IMAGES/kafka-client.tar" "$CACHE/images/kafka-$KAFKA_VERSION.tar"
}

# install NAMESPACE [HELM_OPTION...]: the chart, waiting until the operator is ready.
install_chart() {
  local namespace=$1
  shift
  local options=(--set "logFormat=text")
  if [[ $CLUSTER == local ]]; then
    options+=(--set kafka.image=kastellan/kafka --set "envoy.image=kastellan/envoy:$ENVOY_VERSION")
  else
    options+=(--set "image.registry=${IMAGE_REGISTRY:-}" --set "kafka.image=${KAFKA_IMAGE:-apache/kafka}")
  fi
  # A new image under the same tag is not noticed by Kubernetes: the pods carry its digest.
  options+=(--set "annotations.kastellan\\.io/image=$(sha256sum <"$IMAGES/operator.tar" 2>/dev/null | cut -c1-12)")
  helm upgrade --install kastellan charts/kastellan --namespace "$namespace" --create-namespace \
    --wait --timeout 3m "${options[@]}" "$@" >/dev/null
  # Helm installs custom resource definitions once and never changes them.
  k apply --server-side --force-conflicts -f crds >/dev/null
}

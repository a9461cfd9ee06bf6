#!/usr/bin/env bash
# registry.sh [IMAGE...]: starts an image registry in the local Kubernetes, unless it runs there already, and pushes images to it that
# node 1 has (such as docker.io/kastellan/kafka:4.3.1, which it then has by the same name without "docker.io"). Prints the name and
# port by which pods and nodes know it; it speaks HTTP and asks for no password.
# shellcheck source=e2e/kubernetes/lib.sh
source "$(dirname "$0")/lib.sh"

require_root
alive kube-apiserver || die "no local Kubernetes is running: start it with e2e/kubernetes/up.sh"
[[ -x $BIN/registry ]] || die "not built yet: the image registry (in $BIN); run $HERE/build.sh builds"
if ! alive registry; then
  mkdir -p "$STATE/registry"
  start registry node-1 "$BIN/registry" --address="$REGISTRY_ADDRESS" --folder="$STATE/registry"
  wait_for 10 registry "image registry" in_node node-1 bash -c "exec 3<>/dev/tcp/${REGISTRY_ADDRESS/:/\/}"
  # A Service without a selector, and its end points written by hand, as for cluster DNS.
  sed "s/SERVER_IP/$SERVER_IP/" "$HERE/manifests/registry.yaml" | kubectl apply --server-side -f - >/dev/null
fi
for image; do
  in_node node-1 "$BIN/ctr" -n k8s.io images push --plain-http "$REGISTRY_ADDRESS/${image#*/}" "$image" >/dev/null \
    || die "cannot push $image to the image registry (log: $STATE/logs/registry.log)"
done
printf '%s\n' "$REGISTRY"

#!/usr/bin/env bash
# load-image.sh TAR...: imports docker-archive tars into every node of the local Kubernetes.
# shellcheck source=e2e/kubernetes/lib.sh
source "$(dirname "$0")/lib.sh"

(($#)) || die "usage: $0 TAR..."
require_root
alive kube-apiserver || die "no local Kubernetes is running: start it with e2e/kubernetes/up.sh"
for tar in "$@"; do
  [[ -f $tar ]] || die "no such image archive: $tar"
  for node in $(nodes); do
    refs=$(in_node "$node" ctr -n k8s.io images import - <"$tar" | awk '/^unpacking/ { print $2 }' | paste -sd' ')
    say "$node has ${refs:-$tar}"
  done
done

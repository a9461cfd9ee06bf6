#!/usr/bin/env bash
# load-image.sh TAR...: imports docker-archive tars into every node of the local Kubernetes.
# shellcheck source=e2e/kubernetes/lib.sh
source "$(dirname "$0")/lib.sh"

(($#)) || die "usage: $0 TAR..."
require_root
alive kube-apiserver || die "no local Kubernetes is running: start it with e2e/kubernetes/up.sh"
for tar in "$@"; do
  [[ -f $tar ]] || die "no such image archive: $tar"
  # The manifest names the content of all parts, so an image that a node has already is told by it.
  key=$(tar -xOf "$tar" manifest.json | sha256sum | cut -c1-32) || die "$tar is not a docker-archive"
  for node in $(nodes); do
    loaded=$STATE/$node/loaded/$key
    if [[ -f $loaded ]]; then
      say "$node has $(<"$loaded") already"
      continue
    fi
    refs=$(in_node "$node" "$BIN/ctr" -n k8s.io images import --local - <"$tar" | awk '/^unpacking/ { print $2 }' | paste -sd' ')
    mkdir -p "$STATE/$node/loaded"
    # An older image of the same name is not that name any more.
    { grep -lxF -- "$refs" "$STATE/$node/loaded/"* 2>/dev/null || true; } | xargs -r rm
    printf '%s\n' "${refs:-$tar}" >"$loaded"
    say "$node has ${refs:-$tar}"
  done
done

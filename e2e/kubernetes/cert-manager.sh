#!/usr/bin/env bash
# cert-manager.sh: installs the definitions of cert-manager in the local Kubernetes and starts its controllers, for issuers of the types
# ca and selfSigned, unless they run there already.
# shellcheck source=e2e/kubernetes/lib.sh
source "$(dirname "$0")/lib.sh"

require_root
alive kube-apiserver || die "no local Kubernetes is running: start it with e2e/kubernetes/up.sh"
[[ -x $BIN/cert-manager-controller ]] || die "not built yet: cert-manager (in $BIN); run $HERE/build.sh cert-manager"
# With "kubectl apply" their descriptions would be larger than an annotation can be.
kubectl apply --server-side --force-conflicts -f "$CACHE/cert-manager" >/dev/null
alive cert-manager || start cert-manager node-1 "$BIN/cert-manager-controller" --kubeconfig="$KUBECONFIG_ADMIN"

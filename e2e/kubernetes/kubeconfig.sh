#!/usr/bin/env bash
# Prints the path of the administrator's kubeconfig of the running local Kubernetes:
#   export KUBECONFIG=$(e2e/kubernetes/kubeconfig.sh)
# shellcheck source=e2e/kubernetes/lib.sh
source "$(dirname "$0")/lib.sh"

if [[ ! -f $KUBECONFIG_ADMIN ]] || ! alive kube-apiserver; then
  die "no local Kubernetes is running: start it with e2e/kubernetes/up.sh"
fi
printf '%s\n' "$KUBECONFIG_ADMIN"

#!/usr/bin/env bash
# read-only.sh NODE NAMESPACE CLAIM: the volume of a claim is read-only on a node (such as node-2) for every container that starts from now
# on, as a file system is that the kernel gave up. It stays so until the volume or the node goes.
# shellcheck source=e2e/kubernetes/lib.sh
source "$(dirname "$0")/lib.sh"

(($# == 3)) || die "usage: $0 NODE NAMESPACE CLAIM"
node=$1 namespace=$2 claim=$3
require_root
alive "$node-mounts" || die "there is no $node"
volume=$(kubectl get persistentvolumeclaim --namespace "$namespace" "$claim" --output 'jsonpath={.spec.volumeName}')
folder=$(kubectl get persistentvolume "$volume" --output 'jsonpath={.spec.hostPath.path}')
[[ -n $folder ]] || die "$claim has no volume in a folder"
in_node "$node" mount --bind "$folder" "$folder"
in_node "$node" mount -o remount,bind,ro "$folder"
say "$claim is read-only on $node"

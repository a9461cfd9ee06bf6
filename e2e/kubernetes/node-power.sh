#!/usr/bin/env bash
# node-power.sh off N, node-power.sh on N [TAINT]: "off" is a machine that loses its power: all processes of node N end at once, those of
# its pods too, and nobody tells the API server. "on" starts the node again, with the addresses and the disks that it had; if its Node was
# deleted, the new one has the taint. Node 1 has the control plane and stays on.
# shellcheck source=e2e/kubernetes/clean.sh
source "$(dirname "$0")/clean.sh"
# shellcheck source=e2e/kubernetes/network.sh
source "$HERE/network.sh"
# shellcheck source=e2e/kubernetes/node.sh
source "$HERE/node.sh"

[[ ${1:-} =~ ^(off|on)$ && ${2:-} =~ ^[1-9][0-9]?$ ]] || die "usage: $0 off N, $0 on N [TAINT]"
wanted=$1 i=$2 node=node-$2
require_root
((i > 1)) || die "node 1 has the control plane: name another one"
alive "$node-mounts" || die "there is no node $i: see e2e/kubernetes/up.sh --nodes"

# processes: what runs on the node, but for the process that holds its mounts.
processes() {
  local program directory
  for program in kubelet containerd kube-proxy; do
    ! alive "$node-$program" || pid_of "$node-$program"
  done
  # The parents of pods' processes.
  for program in $(ip netns pids "$(netns_of "$node")"); do
    [[ $(readlink "/proc/$program/exe") != *containerd-shim* ]] || printf '%s\n' "$program"
  done
  while read -r directory; do
    [[ $directory/ != */"$NAME/$node"/* ]] || cat "$directory/cgroup.procs" 2>/dev/null || true
  done < <(own_cgroups)
}
off() {
  local round pids
  for round in {1..100}; do
    mapfile -t pids < <(processes | sort -un)
    ((${#pids[@]})) || return 0
    kill -KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.05
  done
  die "processes that do not end: ${pids[*]}"
}
case $wanted in
  off)
    off
    say "node $i is off"
    ;;
  on)
    ! alive "$node-kubelet" || die "node $i is on"
    start "$node-containerd" "$node" "$BIN/containerd" --config "$STATE/$node/config/containerd.toml"
    start_kubelet "$i" ${3:+--register-with-taints="$3"}
    wait_for 90 "$node-kubelet" "node that is Ready" node_ready "$i"
    say "node $i is on"
    ;;
esac

#!/usr/bin/env bash
# Shared by the scripts of this folder: paths, settings, messages, required tools, processes. Source it, do not run it.
# shellcheck disable=SC2034  # the variables are used by the scripts that source this file

set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
CHECKOUT=$(cd "$HERE/../.." && pwd -P)
CACHE=${KASTELLAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kastellan}
BIN=$CACHE/bin
STATE=$CHECKOUT/.local/kubernetes
KUBECONFIG_ADMIN=$STATE/kubeconfig

KUBERNETES_VERSION=v1.36.3
KAFKA_VERSION=${KAFKA_VERSION:-4.3.1}
# What end-to-end tests upgrade from.
FORMER_KAFKA_VERSION=4.2.1
# Of the images that are made here.
VERSION=$(sed -n 's/^appVersion: //p' "$CHECKOUT/charts/kastellan/Chart.yaml")
# As in tools/envoy/requirements.txt.
ENVOY_VERSION=1.40.0

# One cluster per checkout: everything it makes outside the state folder carries this name.
ID=$(printf '%s' "$CHECKOUT" | sha256sum | cut -c1-6)
NAME=kastellan-$ID
# Address ranges, as the first two numbers of a /16 each; the last /24 of the pod range joins host and nodes. A running cluster's
# are in the file "ranges" of the state folder; up.sh chooses them (choose_ranges in network.sh).
set_ranges() {
  POD_NET=$1
  SERVICE_NET=$2
  DNS_IP=$SERVICE_NET.0.10
  HOST_IP=$POD_NET.255.1
  SERVER_IP=$POD_NET.255.2
  SERVER=https://$SERVER_IP:6443
  # Where the image registry listens (registry.sh). Pods and nodes know it by the name in REGISTRY.
  REGISTRY_ADDRESS=$SERVER_IP:5000
}
if [[ -f $STATE/ranges ]]; then
  # shellcheck disable=SC2046  # two words
  set_ranges $(<"$STATE/ranges")
else
  set_ranges "${KASTELLAN_POD_NET:-10.244}" "${KASTELLAN_SERVICE_NET:-10.96}"
fi
HOST_LINK=kst-$ID
REGISTRY=registry.kube-system.svc.cluster.local:5000

# ctr would say each time that cgroup v1 comes to an end.
export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1

# shellcheck source=e2e/kubernetes/progress.sh
source "$HERE/progress.sh"

# --- what the machine must have -------------------------------------------------------------------------------------

require_root() {
  [[ $(uname -s) == Linux ]] || die "a local Kubernetes needs Linux; use CLUSTER=current with a cluster of your own"
  [[ $EUID -eq 0 ]] || die "root is needed for network namespaces, mounts and cgroups: run this with sudo"
}

# need PACKAGE FILE_OR_COMMAND...: installs PACKAGE with apt-get when one of the others is missing.
MISSING=()
need() {
  local package=$1 wanted
  shift
  for wanted in "$@"; do
    if [[ $wanted == /* ]]; then
      [[ -e $wanted ]] || { MISSING+=("$package"); return; }
    else
      command -v "$wanted" >/dev/null || { MISSING+=("$package"); return; }
    fi
  done
}
install_missing() {
  ((${#MISSING[@]})) || return 0
  local list="${MISSING[*]}"
  command -v apt-get >/dev/null || die "these packages (Debian names) are missing and there is no apt-get: $list"
  [[ $EUID -eq 0 ]] || die "these packages are missing: $list; run 'sudo apt-get install $list'"
  say "installing $list with apt-get"
  quietly apt "installing $list" apt_install "${MISSING[@]}" || exit 1
  MISSING=()
}
apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y --no-install-recommends "$@" && return 0
  apt-get update || true
  apt-get install -y --no-install-recommends "$@"
}

# kubectl of the machine if there is one, else the one that build.sh made.
kubectl() {
  local program
  program=$(type -P kubectl || true)
  [[ -n $program ]] || program=$BIN/kubectl
  "$program" --kubeconfig="$KUBECONFIG_ADMIN" "$@"
}

# --- processes --------------------------------------------------------------------------------------------------------

# start_time PID: the kernel's start tick, which tells a process from a later one with the same id.
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  # shellcheck disable=SC2086  # the fields of /proc/PID/stat after the command name
  set -- $stat
  [[ $1 != Z ]] && printf '%s\n' "${20}"
}
# record NAME PID: notes a process in the state folder.
record() {
  printf '%s %s\n' "$2" "$(start_time "$2")" >"$STATE/pids/$1"
}
# alive NAME: whether the recorded process still runs.
alive() {
  local pid started
  [[ -f $STATE/pids/$1 ]] && read -r pid started <"$STATE/pids/$1" && [[ $(start_time "$pid") == "$started" ]]
}
pid_of() {
  cut -d' ' -f1 "$STATE/pids/$1"
}
# start NAME NODE COMMAND...: a long-lived process in the network and mount namespaces of NODE, logging to logs/NAME.log.
start() {
  local name=$1 node=$2
  shift 2
  setsid nsenter --net="/run/netns/$(netns_of "$node")" --mount="/proc/$(pid_of "$node-mounts")/ns/mnt" -- "$@" \
    >>"$STATE/logs/$name.log" 2>&1 </dev/null &
  record "$name" $!
}
# in_node NODE COMMAND...: runs a short command in the namespaces of NODE.
in_node() {
  local node=$1
  shift
  nsenter --net="/run/netns/$(netns_of "$node")" --mount="/proc/$(pid_of "$node-mounts")/ns/mnt" -- "$@"
}
netns_of() {
  [[ $1 == node-1 ]] && printf '%s\n' "$NAME" || printf '%s-%s\n' "$NAME" "${1#node-}"
}
# wait_for SECONDS PROCESS WHAT COMMAND...: until COMMAND succeeds; gives up when PROCESS ends or the time is over.
wait_for() {
  local seconds=$1 process=$2 what=$3 deadline
  shift 3
  deadline=$(($(date +%s) + seconds))
  until "$@" >/dev/null 2>&1; do
    if ! alive "$process"; then
      tail -n 5 "$STATE/logs/$process.log" >&2
      die "$process ended while waiting for $what (log: $STATE/logs/$process.log)"
    fi
    (($(date +%s) < deadline)) || die "no $what after $seconds s (log: $STATE/logs/$process.log)"
    sleep 0.1
  done
}
nodes() {
  local node
  for node in "$STATE"/node-*; do
    [[ -d $node ]] && basename "$node"
  done | sort -t- -k2n
}

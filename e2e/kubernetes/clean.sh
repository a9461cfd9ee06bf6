#!/usr/bin/env bash
# Removes whatever a run of this checkout's cluster left: processes, cgroups, mounts, namespaces, the state folder. Source it.
# It relies on no record: what it looks for carries the cluster's name or the path of the state folder.

# shellcheck source=e2e/kubernetes/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PROGRAMS=' etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy coredns registry containerd containerd-shim-runc-v2 runc inotifywait sleep '

# own_cgroups: every cgroup of the cluster's pods, the deepest first.
own_cgroups() {
  local top
  for top in /sys/fs/cgroup/*/"$NAME" /sys/fs/cgroup/"$NAME"; do
    [[ -d $top ]] && find "$top" -depth -type d
  done
  return 0
}
# own_processes: processes of this cluster: recorded ones, programs of the cluster in its namespaces, and all in its cgroups.
own_processes() {
  local record pid started directory proc program namespaces=' ' file
  for record in "$STATE"/pids/*; do
    [[ -f $record ]] || continue
    read -r pid started <"$record" || continue
    [[ $(start_time "$pid") == "$started" ]] && printf '%s\n' "$pid"
  done
  for file in /run/netns/"$NAME" /run/netns/"$NAME"-*; do
    [[ -e $file ]] && namespaces+="$(stat -Lc %i "$file") "
  done
  for proc in /proc/[0-9]*; do
    program=$(readlink "$proc/exe" 2>/dev/null) || continue
    program=${program% (deleted)}
    [[ $PROGRAMS == *" ${program##*/} "* ]] || continue
    if [[ $namespaces == *" $(stat -Lc %i "$proc/ns/net" 2>/dev/null || echo none) "* ]] \
      || tr '\0' '\n' <"$proc/cmdline" 2>/dev/null | grep -qF -- "$STATE/"; then
      printf '%s\n' "${proc#/proc/}"
    fi
  done
  while read -r directory; do
    cat "$directory/cgroup.procs" 2>/dev/null || true
  done < <(own_cgroups)
}
# leftovers: prints what exists of a cluster of this checkout, nothing if there is nothing.
leftovers() {
  local count
  count=$(own_processes | sort -u | wc -l)
  ((count == 0)) || printf '%s processes\n' "$count"
  count=$(own_cgroups | wc -l)
  ((count == 0)) || printf '%s cgroups\n' "$count"
  count=$(find /run/netns /etc/netns -maxdepth 1 -name "$NAME*" 2>/dev/null | wc -l)
  ((count == 0)) || printf '%s network namespace files\n' "$count"
  ! ip link show "$HOST_LINK" >/dev/null 2>&1 || printf 'a network link\n'
  ! grep -qF " $STATE/" /proc/mounts || printf 'mounts\n'
  [[ ! -e $STATE ]] || printf 'a state folder\n'
}
# clean: removes all of it. Safe to repeat.
clean() {
  local pids round directory path
  # The kubelets and containerds first, so that nothing is started again; then everything, until nothing is left.
  for round in {1..100}; do
    mapfile -t pids < <(own_processes | sort -un)
    ((${#pids[@]})) || break
    kill -KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.05
  done
  ((round < 100)) || die "processes that do not end: ${pids[*]}"
  # Mounts live in the nodes' own mount namespaces and went with them; this is for what was mounted by hand.
  { awk -v state="$STATE/" 'index($2, state) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l; } 2>/dev/null || true
  for path in /run/netns/"$NAME" /run/netns/"$NAME"-*; do
    [[ -e $path ]] && { ip netns del "${path##*/}" 2>/dev/null || rm -f "$path"; }
  done
  ip link del "$HOST_LINK" 2>/dev/null || true
  rm -rf "/etc/netns/$NAME" "/etc/netns/$NAME"-*
  rmdir /etc/netns 2>/dev/null || true
  for round in {1..100}; do
    while read -r directory; do
      rmdir "$directory" 2>/dev/null || true
    done < <(own_cgroups)
    [[ -n $(own_cgroups) ]] || break
    sleep 0.05
  done
  ((round < 100)) || die "cgroups that cannot be removed: $(own_cgroups | tr '\n' ' ')"
  # Mount points that the host did not have.
  if [[ -f $STATE/mount-points ]]; then
    tac "$STATE/mount-points" | xargs -r rmdir 2>/dev/null || true
  fi
  rm -rf "$STATE"
  rmdir "$CHECKOUT/.local" 2>/dev/null || true
}

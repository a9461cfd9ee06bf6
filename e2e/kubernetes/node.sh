#!/usr/bin/env bash
# One node: its mount namespace, cgroup, containerd, kubelet and kube-proxy. Source it.

# make_mounts I: a process that only holds the node's mount namespace, in which the usual places of a node
# (/run, /var/lib/kubelet, /var/lib/containerd, /var/lib/cni, /var/log/pods) are the node's own. All mounts of its pods
# are made in there and end with it.
make_mounts() {
  local i=$1 node=node-$1 directory path
  directory=$STATE/$node
  mkdir -p "$directory"/{kubelet,containerd,cni,pod-logs,container-logs,config} "$STATE/volumes"
  chmod 755 "$STATE/volumes"
  for path in /var/lib/kubelet /var/lib/containerd /var/lib/cni /var/log/pods /var/log/containers /tmp/hostpath_pv; do
    [[ -d $path ]] || { mkdir "$path" && printf '%s\n' "$path" >>"$STATE/mount-points"; }
  done
  # shellcheck disable=SC2016  # expanded by the inner shell
  setsid nsenter --net="/run/netns/$(netns_of "$node")" unshare --mount --propagation private sh -euc '
    mount --make-rshared /
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir /run/lock
    mount --bind "$1/kubelet" /var/lib/kubelet
    mount --bind "$1/containerd" /var/lib/containerd
    mount --bind "$1/cni" /var/lib/cni
    mount --bind "$1/pod-logs" /var/log/pods
    mount --bind "$1/container-logs" /var/log/containers
    mount --bind "$2" /tmp/hostpath_pv
    : >/run/ready
    exec sleep infinity' sh "$directory" "$STATE/volumes" >>"$STATE/logs/$node-mounts.log" 2>&1 </dev/null &
  record "$node-mounts" $!
  wait_for 10 "$node-mounts" "mount namespace of $node" in_node "$node" test -e /run/ready
}
# make_cgroup I: the parent of the node's pods, in every hierarchy; two kubelets below one root would remove each other's pods.
make_cgroup() {
  local i=$1 hierarchy parent group
  if [[ -f /sys/fs/cgroup/cgroup.controllers ]]; then
    mkdir -p "/sys/fs/cgroup/$NAME/node-$i"
    for parent in "/sys/fs/cgroup/$NAME" "/sys/fs/cgroup/$NAME/node-$i"; do
      sed 's/^/+/; s/ / +/g' "$parent/cgroup.controllers" >"$parent/cgroup.subtree_control"
    done
    return
  fi
  for hierarchy in /sys/fs/cgroup/*/; do
    [[ -w $hierarchy/cgroup.procs ]] || continue
    for group in "$NAME" "$NAME/node-$i"; do
      mkdir -p "$hierarchy$group"
      if [[ -f $hierarchy$group/cpuset.cpus ]]; then
        parent=$(dirname "$hierarchy$group")
        cat "$parent/cpuset.cpus" >"$hierarchy$group/cpuset.cpus"
        cat "$parent/cpuset.mems" >"$hierarchy$group/cpuset.mems"
      fi
    done
  done
}
write_node_config() {
  local i=$1 config=$STATE/node-$1/config
  mkdir -p "$config/cni" "$config/registries/$REGISTRY"
  printf '[host."http://%s"]\n  capabilities = ["pull", "resolve"]\n' "$REGISTRY_ADDRESS" >"$config/registries/$REGISTRY/hosts.toml"
  cat >"$config/cni/10-bridge.conflist" <<EOF
{"cniVersion": "1.0.0", "name": "kastellan", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": false,
   "ipam": {"type": "host-local", "dataDir": "/var/lib/cni/networks", "ranges": [[{"subnet": "$POD_NET.$i.0/24"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
EOF
  # restrict_oom_score_adj: a machine that is itself a container or a small VM often may not lower the score.
  cat >"$config/containerd.toml" <<EOF
version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.nri.v1.nri"]
  disable = true
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "docker.io/kastellan/pause:1"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "$config/registries"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "$config/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      runtime_path = "$BIN/containerd-shim-runc-v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        SystemdCgroup = false
EOF
  printf 'nameserver %s\n' "$DNS_IP" >"$config/resolv.conf"
  cat >"$config/kubelet.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $STATE/pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $STATE/pki/node-$i.crt
tlsPrivateKeyFile: $STATE/pki/node-$i.key
address: $(node_ip "$i")
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
failCgroupV1: false
# A changed ConfigMap reaches running pods sooner than after the usual minute.
syncFrequency: 10s
failSwapOn: false
cgroupDriver: cgroupfs
cgroupRoot: /$NAME/node-$i
enforceNodeAllocatable: []
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
maxPods: 250
clusterDNS: [$DNS_IP]
clusterDomain: cluster.local
resolvConf: $config/resolv.conf
serializeImagePulls: false
kubeAPIQPS: 200
kubeAPIBurst: 400
EOF
}
# start_containerd I: and its images, while the control plane still starts.
start_containerd() {
  local i=$1 node=node-$1
  make_network "$i"
  make_mounts "$i"
  make_cgroup "$i"
  make_certificate "$node" "/O=system:nodes/CN=system:node:$node" "DNS:$node,IP:$(node_ip "$i")"
  make_kubeconfig "$node" "$STATE/pki/$node.kubeconfig"
  write_node_config "$i"
  start "$node-containerd" "$node" "$BIN/containerd" --config "$STATE/$node/config/containerd.toml"
}
# start_kubelet I [OPTION...]: and the kube-proxy of the node.
start_kubelet() {
  local i=$1 node=node-$1
  shift
  wait_for 30 "$node-containerd" "containerd of $node" in_node "$node" "$BIN/ctr" version
  in_node "$node" "$BIN/ctr" -n k8s.io images import - <"$CACHE/images/pause.tar" >/dev/null
  start "$node-kubelet" "$node" "$BIN/kubelet" --config="$STATE/$node/config/kubelet.yaml" \
    --kubeconfig="$STATE/pki/$node.kubeconfig" --hostname-override="$node" --node-ip="$(node_ip "$i")" \
    --node-labels="topology.kubernetes.io/zone=zone-$i,topology.kubernetes.io/region=local" "$@"
  start "$node-kube-proxy" "$node" "$BIN/kube-proxy" --kubeconfig="$STATE/pki/proxy.kubeconfig" --proxy-mode=iptables \
    --cluster-cidr="$POD_NET.0.0/16" --hostname-override="$node" --conntrack-max-per-core=0 --iptables-min-sync-period=200ms
}
node_ready() {
  kubectl get node "node-$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' | grep -q True
}

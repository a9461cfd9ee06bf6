#!/usr/bin/env bash
# up.sh [--nodes N]: starts a real Kubernetes on this machine (1 node by default), or says that it is running already.
# More nodes can be added to a running cluster by running it again with a larger N. See README.md.
# shellcheck source=e2e/kubernetes/clean.sh
source "$(dirname "$0")/clean.sh"
# shellcheck source=e2e/kubernetes/pki.sh
source "$HERE/pki.sh"
# shellcheck source=e2e/kubernetes/network.sh
source "$HERE/network.sh"
# shellcheck source=e2e/kubernetes/node.sh
source "$HERE/node.sh"

wanted=1
while (($#)); do
  case $1 in
    --nodes) wanted=${2:-}; shift 2 || die "usage: $0 [--nodes N]" ;;
    --nodes=*) wanted=${1#*=}; shift ;;
    -h | --help) printf 'usage: %s [--nodes N]\n' "$0"; exit 0 ;;
    *) die "unknown argument $1; usage: $0 [--nodes N]" ;;
  esac
done
[[ $wanted =~ ^([1-9]|[1-5][0-9]|60)$ ]] || die "--nodes must be a number from 1 to 60, not '$wanted'"

CONTROL_PLANE=(etcd kube-apiserver kube-controller-manager kube-scheduler coredns volumes)

# whole: whether everything that was started still runs and the API server answers.
whole() {
  local name node
  [[ -f $STATE/started ]] || return 1
  for name in "${CONTROL_PLANE[@]}"; do
    alive "$name" || return 1
  done
  for node in $(nodes); do
    for name in mounts containerd kubelet kube-proxy; do
      alive "$node-$name" || return 1
    done
  done
  kubectl get --raw=/readyz --request-timeout=5s >/dev/null 2>&1
}

start_etcd() {
  start etcd node-1 "$BIN/etcd" --data-dir="$STATE/etcd" --listen-client-urls=http://127.0.0.1:2379 \
    --advertise-client-urls=http://127.0.0.1:2379 --listen-peer-urls=http://127.0.0.1:2380 --unsafe-no-fsync \
    --snapshot-count=5000 --auto-compaction-mode=periodic --auto-compaction-retention=10m
}
start_apiserver() {
  start kube-apiserver node-1 "$BIN/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
    --bind-address=0.0.0.0 --advertise-address="$SERVER_IP" --secure-port=6443 \
    --service-cluster-ip-range="$SERVICE_NET.0.0/16" --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --client-ca-file="$STATE/pki/ca.crt" --tls-cert-file="$STATE/pki/apiserver.crt" --tls-private-key-file="$STATE/pki/apiserver.key" \
    --kubelet-client-certificate="$STATE/pki/apiserver-kubelet-client.crt" \
    --kubelet-client-key="$STATE/pki/apiserver-kubelet-client.key" --kubelet-certificate-authority="$STATE/pki/ca.crt" \
    --kubelet-preferred-address-types=InternalIP --allow-privileged=true \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$STATE/pki/service-accounts.pub" --service-account-signing-key-file="$STATE/pki/service-accounts.key"
}
start_controllers() {
  start kube-controller-manager node-1 "$BIN/kube-controller-manager" --kubeconfig="$STATE/pki/controller-manager.kubeconfig" \
    --bind-address=127.0.0.1 --leader-elect=false --use-service-account-credentials=true \
    --service-account-private-key-file="$STATE/pki/service-accounts.key" --root-ca-file="$STATE/pki/ca.crt" \
    --cluster-signing-cert-file="$STATE/pki/ca.crt" --cluster-signing-key-file="$STATE/pki/ca.key" \
    --enable-hostpath-provisioner=true --kube-api-qps=200 --kube-api-burst=400
  start kube-scheduler node-1 "$BIN/kube-scheduler" --kubeconfig="$STATE/pki/scheduler.kubeconfig" \
    --bind-address=127.0.0.1 --leader-elect=false --kube-api-qps=200 --kube-api-burst=400
}
start_dns() {
  cat >"$STATE/Corefile" <<EOF
cluster.local:53 in-addr.arpa:53 {
  bind $SERVER_IP
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $STATE/pki/coredns.kubeconfig
    ttl 5
  }
}
.:53 {
  bind $SERVER_IP
  ready 127.0.0.1:8181
  template ANY ANY . {
    rcode NXDOMAIN
  }
}
EOF
  start coredns node-1 "$BIN/coredns" -conf "$STATE/Corefile"
}
nodes_ready() {
  local i
  for ((i = 1; i <= wanted; i++)); do
    node_ready "$i" || return 1
  done
}

require_root
need iproute2 ip
need util-linux setsid nsenter unshare
need procps sysctl
need openssl openssl
need iptables iptables
need conntrack conntrack
need runc runc
need containernetworking-plugins /usr/lib/cni/bridge /usr/lib/cni/host-local /usr/lib/cni/portmap
need inotify-tools inotifywait
install_missing
not_built=()
for program in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy containerd containerd-shim-runc-v2 ctr coredns; do
  [[ -x $BIN/$program ]] || not_built+=("$program")
done
type -P kubectl >/dev/null || [[ -x $BIN/kubectl ]] || not_built+=(kubectl)
[[ -f $CACHE/images/pause.tar ]] || not_built+=("the pause image")
((${#not_built[@]} == 0)) || die "not built yet: ${not_built[*]} (in $CACHE); run $HERE/build.sh control-plane node coredns images"

first=1
if [[ -n $(leftovers) ]]; then
  if whole; then
    first=$(($(nodes | wc -l) + 1))
    if ((first > wanted)); then
      say "the local Kubernetes is running already, with $((first - 1)) node(s); export KUBECONFIG=$KUBECONFIG_ADMIN"
      exit 0
    fi
  else
    say "an earlier run was killed: removing $(leftovers | paste -sd, | sed 's/,/, /g')"
    clean
  fi
fi

if ((first == 1)); then
  mkdir -p "$STATE"/{pids,logs}
  choose_ranges
  make_pki
  make_kubeconfig admin "$STATE/kubeconfig.new"
  start_containerd 1
  say "starting etcd and the API server"
  start_etcd
  start_apiserver
  start volumes node-1 bash "$HERE/volumes.sh" "$STATE/volumes"
  mv "$STATE/kubeconfig.new" "$KUBECONFIG_ADMIN"
  wait_for 60 kube-apiserver "API server" kubectl get --raw=/readyz --request-timeout=5s
  say "the API server is ready"
  start_controllers
  start_kubelet 1
  sed "s/DNS_IP/$DNS_IP/; s/SERVER_IP/$SERVER_IP/" "$HERE/manifests/base.yaml" | kubectl apply --server-side -f - >/dev/null
  start_dns
  first=2
fi
for ((i = first; i <= wanted; i++)); do
  start_containerd "$i"
done
for ((i = first; i <= wanted; i++)); do
  start_kubelet "$i"
done
say "waiting for $wanted node(s)"
wait_for 90 "node-$wanted-kubelet" "node that is Ready" nodes_ready
say "node(s) Ready"
wait_for 30 coredns "cluster DNS" ip netns exec "$NAME" getent hosts kubernetes.default.svc.cluster.local
wait_for 30 kube-controller-manager "default ServiceAccount" kubectl get serviceaccount default
touch "$STATE/started"
say "Kubernetes $KUBERNETES_VERSION is running with $wanted node(s); export KUBECONFIG=$KUBECONFIG_ADMIN"

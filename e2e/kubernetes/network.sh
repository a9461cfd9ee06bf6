#!/usr/bin/env bash
# Network namespaces of the nodes, and the link to the host. Source it.
#
#   host --(POD_NET.255.0/30)-- node-1 --(POD_NET.255.4/30)-- node-2, --(POD_NET.255.8/30)-- node-3 ...
#   pods of node-I: POD_NET.I.0/24; everything is routed, nothing is masqueraded, and the host's own network stays as it is
#   but for one link and two routes, which go with the namespace.

# node_ip I, gateway_ip I: the node's address and that of its neighbour towards the host.
node_ip() { printf '%s.255.%s\n' "$POD_NET" $((4 * ($1 - 1) + 2)); }
gateway_ip() { printf '%s.255.%s\n' "$POD_NET" $((4 * ($1 - 1) + 1)); }

# make_network I: the namespace of node I, linked to the host (node 1) or to node 1 (the others).
make_network() {
  local i=$1 netns link
  netns=$(netns_of "node-$i")
  ip netns add "$netns"
  ip -n "$netns" link set lo up
  if ((i == 1)); then
    ip link add "$HOST_LINK" type veth peer name uplink netns "$netns"
    ip addr add "$HOST_IP/30" dev "$HOST_LINK"
    ip link set "$HOST_LINK" up
  else
    link=n$i
    ip -n "$NAME" link add "$link" type veth peer name uplink netns "$netns"
    ip -n "$NAME" addr add "$(gateway_ip "$i")/30" dev "$link"
    ip -n "$NAME" link set "$link" up
  fi
  ip -n "$netns" addr add "$(node_ip "$i")/30" dev uplink
  ip -n "$netns" link set uplink up
  ip -n "$netns" route add default via "$(gateway_ip "$i")"
  ip netns exec "$netns" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
    net.netfilter.nf_conntrack_tcp_be_liberal=1 || die "cannot set up forwarding in the namespace $netns"
  # Replies of a pod to a Service of the same bridge must pass the rules that undo the translation.
  ip netns exec "$netns" sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null || true
  mkdir -p "/etc/netns/$netns"
  printf 'search svc.cluster.local cluster.local\nnameserver %s\noptions ndots:5 timeout:1 attempts:10\n' "$DNS_IP" >"/etc/netns/$netns/resolv.conf"
  if ((i == 1)); then
    local net
    for net in "$POD_NET" "$SERVICE_NET"; do
      ip route add "$net.0.0/16" via "$SERVER_IP"
    done
  else
    ip -n "$NAME" route add "$POD_NET.$i.0/24" via "$(node_ip "$i")"
  fi
}
# is_free NET: whether no route of this machine leads to an address of NET.0.0/16.
is_free() {
  ! ip -4 route show | grep -q "^${1//./\\.}\."
}
# choose_ranges: the ranges that the environment names, else the first pair that is free here (another checkout's cluster, or
# one whose run was killed, may have the usual ones); noted for the scripts that come later.
choose_ranges() {
  local net pods services
  if [[ -n ${KASTELLAN_POD_NET:-}${KASTELLAN_SERVICE_NET:-} ]]; then
    set_ranges "${KASTELLAN_POD_NET:-10.244}" "${KASTELLAN_SERVICE_NET:-10.96}"
    for net in "$POD_NET" "$SERVICE_NET"; do
      is_free "$net" ||
        die "the host already uses addresses of $net.0.0/16: set KASTELLAN_POD_NET and KASTELLAN_SERVICE_NET to free ranges, or unset both"
    done
  else
    pods='' services=''
    for net in 244:96 {150..188..2}; do
      pods=10.${net%:*} services=10.${net#*:}
      [[ $net == *:* ]] || services=10.$((net + 1))
      is_free "$pods" && is_free "$services" && break
      pods=''
    done
    [[ -n $pods ]] || die "the host uses addresses of all ranges that are tried (10.244 and 10.96, 10.150 to 10.189): set KASTELLAN_POD_NET and KASTELLAN_SERVICE_NET to free ones"
    set_ranges "$pods" "$services"
  fi
  printf '%s %s\n' "$POD_NET" "$SERVICE_NET" >"$STATE/ranges"
}

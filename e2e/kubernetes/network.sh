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
# check_ranges: whether the two address ranges are free on this machine.
check_ranges() {
  local net
  for net in "$POD_NET" "$SERVICE_NET"; do
    if ip -4 route show | grep -q "^${net//./\\.}\."; then
      die "the host already uses addresses of $net.0.0/16: set KASTELLAN_POD_NET and KASTELLAN_SERVICE_NET to free ranges (such as 10.150 and 10.151)"
    fi
  done
}

#!/usr/bin/env bash
# Makes and removes the demo's network: a namespace, and a veth pair into it.
#   netns.sh up      idempotent: what is there already is made anew
#   netns.sh down    removes every trace; not an error when nothing is there
#
#     host                                 namespace anygate-demo
#     agdemo0  10.77.0.1/24, fd77::1/64 ── eth0  10.77.0.2/24, fd77::2/64
set -euo pipefail

ns=anygate-demo
host_if=agdemo0

down() {
    # The namespace takes its end of the pair with it, and with that the other end.
    if [ -e "/run/netns/$ns" ]; then ip netns del "$ns"; fi
    if ip link show "$host_if" >/dev/null 2>&1; then ip link del "$host_if"; fi
}

up() {
    down
    taken=$(ip -o addr show to 10.77.0.0/24 | awk '{print $2; exit}')
    taken=${taken:-$(ip -o -6 addr show to fd77::/64 | awk '{print $2; exit}')}
    if [ -n "$taken" ]; then
        echo "the demo's addresses (10.77.0.0/24, fd77::/64) are in use on $taken: remove them there first" >&2
        exit 1
    fi
    trap down ERR INT TERM
    ip netns add "$ns"
    # One queue each way: a native XDP program wants no more transmit queues at the peer than receive queues here.
    ip link add "$host_if" numtxqueues 1 numrxqueues 1 type veth \
        peer name eth0 numtxqueues 1 numrxqueues 1 netns "$ns"
    # No duplicate address detection: the addresses work at once.
    ip addr add 10.77.0.1/24 dev "$host_if"
    ip -6 addr add fd77::1/64 dev "$host_if" nodad
    ip -n "$ns" addr add 10.77.0.2/24 dev eth0
    ip -n "$ns" -6 addr add fd77::2/64 dev eth0 nodad
    ip -n "$ns" link set lo up
    ip -n "$ns" link set eth0 up
    ip link set "$host_if" up
    trap - ERR INT TERM
}

case ${1:-} in
    up | down) ;;
    *) echo "usage: $0 up|down" >&2; exit 2 ;;
esac
if [ "$(id -u)" -ne 0 ]; then
    echo "making network namespaces needs root. Run:  sudo $0 $1" >&2
    exit 1
fi
if ! command -v ip >/dev/null; then
    echo "ip is missing. Run:  apt-get install iproute2" >&2
    exit 1
fi
"$1"

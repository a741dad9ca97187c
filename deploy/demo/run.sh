#!/usr/bin/env bash
# Serves deploy/demo/demo.yaml over AF_XDP from its own network namespace until Ctrl-C, then removes every trace.
# `make run` builds the programs first; ANYGATE_BIN_DIR says where they are.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "${ANYGATE_BIN_DIR:-$here/../../target/release}" 2>/dev/null && pwd) || bin=
ns=anygate-demo
run_dir=/run/anygate-demo
pid=

if [ -z "$bin" ] || [ ! -x "$bin/anygate" ] || [ ! -x "$bin/mgmt" ]; then
    echo "anygate and mgmt are not built. Run:  make run" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "the demo makes a network namespace and loads an XDP program: both need root. Run:" >&2
    echo "  sudo ANYGATE_BIN_DIR=$bin $here/run.sh" >&2
    exit 1
fi
for command in ip curl; do
    if ! command -v "$command" >/dev/null; then
        echo "$command is missing. Run:  $here/../dev/install.sh run" >&2
        exit 1
    fi
done
# One demo at a time: a second one would take the first one's namespace away. The lock ends with its holder.
exec 9>/run/lock/anygate-demo.lock
if ! flock -n 9; then
    echo "another demo is running already" >&2
    exit 1
fi

stop() {
    trap - EXIT INT TERM HUP
    if [ -n "$pid" ] && kill -TERM "$pid" 2>/dev/null; then
        # The demo has nothing worth waiting for: a drain that takes longer than two seconds is cut short.
        for _ in $(seq 20); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    "$here/netns.sh" down
    rm -rf "$run_dir" /run/lock/anygate-demo.lock
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

"$here/netns.sh" up
mkdir -p "$run_dir"
# The lock must not pass to the server, nor the terminal's Ctrl-C: `stop` ends it.
setsid ip netns exec "$ns" "$bin/anygate" serve -c "$here/demo.yaml" 9>&- &
pid=$!

answers() { curl -sf -o /dev/null --max-time 1 "http://$1/fastest/ever/ok"; }
for attempt in $(seq 100); do
    if ! kill -0 "$pid" 2>/dev/null; then
        wait "$pid" || exit $?
        exit 1
    fi
    if answers 10.77.0.2 && answers '[fd77::2]'; then break; fi
    if [ "$attempt" -eq 100 ]; then
        echo "anygate runs but does not answer on http://10.77.0.2/" >&2
        exit 1
    fi
    sleep 0.1
done

cat <<EOF

AnyGate serves deploy/demo/demo.yaml on AF_XDP, in the network namespace $ns. From this host:

  curl -i http://10.77.0.2/fastest/ever/ok
  curl -i http://10.77.0.2/api/mock/rude
  curl -i http://10.77.0.2/a/b/c -d 'echo me'
  curl -i http://10.77.0.2/a/b/c-forbidden
  curl -i http://10.77.0.2/old/page

  curl -i 'http://[fd77::2]/fastest/ever/ok'
  curl -i -X PATCH 'http://[fd77::2]/api/mock/rude'
  curl -i 'http://[fd77::2]/a/b/c?over=ipv6'

And to look inside:

  export ANYGATE_SOCKET=$run_dir/control.sock
  $bin/mgmt status
  $bin/mgmt counters
  $bin/mgmt drops
  $bin/mgmt capture -w - | tcpdump -nr -

Ctrl-C ends it and removes every trace.
EOF
wait "$pid"

#!/usr/bin/env bash
# Installs what AnyGate needs to be built, run and tested on Debian. Does nothing when everything is there.
#   install.sh run     what `make run` needs
#   install.sh test    that, and what the tests and the benchmark drive as peers
set -euo pipefail

want=${1:-run}
case $want in run | test) ;; *) echo "usage: install.sh run|test" >&2; exit 2 ;; esac

# command:package
needs=(ip:iproute2 ethtool:ethtool curl:curl cc:gcc)
if [ "$want" = test ]; then
    needs+=(ping:iputils-ping tcpdump:tcpdump wrk:wrk nginx:nginx-light valgrind:valgrind
        shellcheck:shellcheck c++:g++ dnsmasq:dnsmasq-base)
fi

missing=()
for need in "${needs[@]}"; do
    command -v "${need%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${need%%:*}" ] || missing+=("${need#*:}")
done

if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "missing: ${missing[*]} — install these packages with your distribution's package manager" >&2
        exit 1
    fi
    sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "missing: ${missing[*]}" >&2
            echo "run as root:  apt-get update && apt-get install -y ${missing[*]}" >&2
            exit 1
        fi
        sudo=(sudo)
    fi
    echo "installing: ${missing[*]}"
    # A web server that a package brings must not start: policy-rc.d is asked by Debian's scripts before they do.
    had_policy=1
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        had_policy=0
        printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee /usr/sbin/policy-rc.d >/dev/null
        "${sudo[@]}" chmod +x /usr/sbin/policy-rc.d
    fi
    status=0
    { "${sudo[@]}" apt-get update -q &&
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"; } \
        >/tmp/anygate-apt.log 2>&1 || status=$?
    [ $had_policy -eq 1 ] || "${sudo[@]}" rm -f /usr/sbin/policy-rc.d
    if [ $status -ne 0 ]; then
        tail -n 20 /tmp/anygate-apt.log >&2
        echo "apt-get failed; the whole log is in /tmp/anygate-apt.log" >&2
        exit $status
    fi
fi

if ! command -v cargo >/dev/null 2>&1; then
    echo "cargo is missing. Install Rust (https://rustup.rs):" >&2
    echo "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh" >&2
    exit 1
fi

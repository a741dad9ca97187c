#!/usr/bin/env bash
# What `make test` runs after the tools are installed. Prints what was skipped and why, and counts it.
set -euo pipefail
cd "$(dirname "$0")/../.."

started=$SECONDS
step() { printf '\n== %s (%ds)\n' "$1" $((SECONDS - started)); }
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# As root, tests that need root must run: a skip is a failure.
if [ "$(id -u)" -eq 0 ]; then export ANYGATE_REQUIRE_ROOT=1; fi

step "format and lints"
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
git ls-files -z '*.sh' | xargs -0 shellcheck

step "build the binaries"
cargo build --release --locked -p anygate -p mgmt -p bench

step "unit, property, simulation and packet-script tests"
cargo test --workspace --locked --exclude e2e 2>&1 | tee "$log"

step "end to end, in network namespaces"
ANYGATE_BIN_DIR=$target/release cargo test --locked -p e2e -- --test-threads=1 --nocapture 2>&1 | tee -a "$log"

step "simulation, a fixed number of seeds"
SIM_SEEDS=${SIM_SEEDS:-50000} cargo test -q --locked -p sim --test seeds 2>&1 | tee -a "$log"

step "fuzz, short"
tests/fuzz/run.sh "${FUZZ_SECONDS:-20}"

step "summary"
passed=$(grep -oE '[0-9]+ passed' "$log" | awk '{n += $1} END {print n + 0}')
failed=$(grep -oE '[0-9]+ failed' "$log" | awk '{n += $1} END {print n + 0}')
skipped=$(grep -cE '^SKIPPED: ' "$log" || true)
grep -E '^SKIPPED: ' "$log" | sort | uniq -c || true
echo "$passed passed, $failed failed, $skipped skipped"

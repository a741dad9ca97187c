#!/usr/bin/env bash
# Fuzzes one target or all, each for SECONDS on one core: tests/fuzz/run.sh SECONDS [TARGET]
#
# libFuzzer comes with the libfuzzer-sys crate, so plain cargo is enough; `cargo fuzz run --fuzz-dir tests/fuzz TARGET`
# works on the same targets where it is installed. RUSTC_BOOTSTRAP lets the pinned stable compiler take the sanitizer
# flags. What a run learns goes to corpus/TARGET, an input that fails to artifacts/TARGET with the log; neither is kept in git.
# The time of one input is wall time, hence generous: a busy machine must not look like a hang.
# Without AddressSanitizer (FUZZ_SANITIZER=none) a run is about twice as fast.
set -euo pipefail

usage() { sed -n '2s/^# //p' "$0" >&2; exit 2; }

folder=$(cd "$(dirname "$0")" && pwd)
targets=(h1_bytes h1_response stack_frames tcp_sender tcp_options ndp dhcp icmp fragments route_language configuration)
seconds=${1:-}
[[ $seconds =~ ^[0-9]+$ ]] || usage
if [[ $# -ge 2 ]]; then
    [[ " ${targets[*]} " == *" $2 "* ]] || { echo "no target $2; there are: ${targets[*]}" >&2; exit 2; }
    targets=("$2")
fi

host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$folder/target}
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
flags+=" -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
flags+=" --cfg fuzzing -Ccodegen-units=1"
if [[ ${FUZZ_SANITIZER:-address} == address ]]; then
    flags+=" -Zsanitizer=address"
fi
# `--target` keeps the flags away from build scripts.
RUSTFLAGS=$flags cargo build --manifest-path "$folder/Cargo.toml" --release --target "$host" "${targets[@]/#/--bin=}"

status=0
for target in "${targets[@]}"; do
    corpus=$folder/corpus/$target
    artifacts=$folder/artifacts/$target
    mkdir -p "$corpus" "$artifacts"
    dictionary=()
    [[ -e $folder/seeds/$target.dict ]] && dictionary=("-dict=$folder/seeds/$target.dict")
    log=$artifacts/log
    if nice -n 19 "$CARGO_TARGET_DIR/$host/release/$target" "$corpus" "$folder/seeds/$target" "${dictionary[@]}" \
        -max_total_time="$seconds" -max_len=4096 -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$artifacts/" >"$log" 2>&1; then
        done_line=$(grep -a DONE "$log" | tail -n 1 | sed 's/.*DONE *//; s/ lim:.*//')
        echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs, $done_line, no crash"
    else
        status=1
        echo "$target: FAILED; the input is in $artifacts"
        tail -n 40 "$log"
    fi
done
exit "$status"

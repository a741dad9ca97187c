# AnyGate. `make run` serves the demo, `make test` proves it. Both install what they need.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help run test lint build bench scale-accept scale-idle scale-flood linux-peer fuzz sim sim-table clean

TARGET := $(or $(CARGO_TARGET_DIR),target)
FUZZ_SECONDS ?= 600
SEEDS ?= 100000

help: ## this list
	@grep -hE '^[a-z -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: ## build and serve the demo over AF_XDP in its own network namespace
	@deploy/dev/install.sh run
	@cargo build --release --locked -p anygate -p mgmt
	@ANYGATE_BIN_DIR=$(TARGET)/release deploy/demo/run.sh

build: ## the two binaries, optimised: target/release/anygate and target/release/mgmt
	@deploy/dev/install.sh run
	cargo build --release --locked -p anygate -p mgmt

test: ## everything that CI runs
	@deploy/dev/install.sh test
	@deploy/dev/test.sh

lint: ## formatting, clippy, shell scripts
	@deploy/dev/install.sh test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	shellcheck $$(git ls-files '*.sh')

bench: ## AnyGate beside nginx, same wire, same generator; writes bench/reports/
	@deploy/dev/install.sh test
	@cargo build --release --locked -p anygate -p mgmt -p bench
	@$(TARGET)/release/anygate-bench run --bin-dir $(TARGET)/release $(BENCH_ARGS)

scale-accept scale-idle scale-flood: ## accepted connections, a million idle ones, a SYN flood; writes bench/reports/
	@cargo build --release --locked -p bench
	@$(TARGET)/release/anygate-bench $(@:scale-%=%) $(or $(ARGS),--write bench/reports)

linux-peer: ## AnyGate's TCP beside Linux's over bad paths (about 20 minutes); writes bench/reports/linux-peer.*
	@deploy/dev/install.sh test
	@cargo build --release --locked -p bench
	@$(TARGET)/release/anygate-bench linux-peer $(BENCH_ARGS)

fuzz: ## every fuzz target for FUZZ_SECONDS (600)
	@deploy/dev/install.sh test
	tests/fuzz/run.sh $(FUZZ_SECONDS)

sim: ## SEEDS seeded scenarios of hosts on a bad network, in virtual time; SEED=n replays one
	@cargo build -q --release --locked -p sim
	@$(TARGET)/release/anygate-sim $(if $(SEED),replay $(SEED),run $(SEEDS))

sim-table: ## goodput over a grid of paths in virtual time; ARGS="--megabits 100" for a part
	@cargo build -q --release --locked -p sim
	@$(TARGET)/release/anygate-sim table $(or $(ARGS),--write bench/reports)

clean: ## removes what the build and the tests made
	cargo clean
	rm -rf tests/fuzz/target tests/fuzz/corpus tests/fuzz/artifacts

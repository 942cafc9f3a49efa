#!/usr/bin/env bash
# Builds the programs of the harness beside its tests, and prints the directory that they lie in. Built alone they would
# be built with other features, and the AWS SDK a second time.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
cargo test --quiet -p fusio-manifest -p manifest-perf --test performance_test --test binaries --no-run >&2
echo "${CARGO_TARGET_DIR:-$PWD/target}/debug"

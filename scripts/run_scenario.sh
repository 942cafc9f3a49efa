#!/usr/bin/env bash
# Runs one scenario of the performance test and fails unless it says that it passed. A name that matches no test
# is a success for the test runner, so its exit code alone proves nothing.
#
#   scripts/run_scenario.sh NAME [VARIABLE=VALUE ...]
set -euo pipefail

(($# >= 1)) || {
    echo "usage: run_scenario.sh NAME [VARIABLE=VALUE ...]" >&2
    exit 2
}
name=$1
shift
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

log=$(mktemp)
trap 'rm -f -- "$log"' EXIT
env "$@" cargo test -p fusio-manifest --test performance_test "$name" -- --ignored --exact --nocapture | tee -- "$log"
results=$(grep -c '^RESULT ' "$log" || true)
if [[ $results != 1 ]] ||
    ! grep -q "^RESULT {\"scenario\":\"$name\",.*\"verdict\":\"pass\"" "$log"; then
    echo "run_scenario.sh: expected one RESULT line of $name with the verdict pass, saw $results RESULT lines" >&2
    exit 1
fi

#!/usr/bin/env bash
# Gives the performance test wrong input. Each time it must fail, with exactly one line `error: ...` that says what
# is wrong, and a RESULT line whose verdict is fail.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# Far above what a refusal takes; a hang must not last.
readonly LIMIT_SECONDS=180

out=$(mktemp)
log=$(mktemp)
trap 'rm -f -- "$out" "$log"' EXIT
failures=0

# refused PATTERN VARIABLE=VALUE ...: the line must match the extended regular expression PATTERN.
refused() {
    local pattern=$1 status=0 errors problem=""
    shift
    # Only what the test prints is judged: cargo has errors of its own on the other stream.
    env "$@" timeout --kill-after=10 "$LIMIT_SECONDS" \
        cargo test -p fusio-manifest --test performance_test test_baseline -- --ignored --exact --nocapture \
        >"$out" 2>"$log" || status=$?
    errors=$(grep -c '^error: ' "$out" || true)
    if ((status == 0)); then
        problem="it passed"
    elif ((status == 124 || status == 137)); then
        problem="it did not end within $LIMIT_SECONDS s"
    elif [[ $errors != 1 ]]; then
        problem="it printed $errors lines that begin with \`error: \`, not one"
    elif ! grep '^error: ' "$out" | grep -qE -- "$pattern"; then
        problem="its error does not match \`$pattern\`"
    elif ! grep -q '^RESULT {"scenario":"test_baseline",.*"verdict":"fail"' "$out"; then
        problem="no RESULT line has the verdict fail"
    fi
    if [[ -n $problem ]]; then
        echo "NOT REFUSED  $*: $problem. It printed:"
        cat -- "$log" "$out"
        failures=$((failures + 1))
    else
        echo "refused  $*"
        grep '^error: ' "$out" | sed 's/^/    /'
    fi
}

refused 'PERF_WRITER_RATE is "-1", allowed: ' PERF_WRITER_RATE=-1
refused 'PERF_NUM_READERS is "abc", allowed: ' PERF_NUM_READERS=abc
refused 'PERF_KILLS is "0", allowed: ' PERF_KILLS=0
refused 'PERF_STROE .*PERF_STORE' PERF_STROE=s3
refused 'PERF_LATENCY.*PERF_STORE=s3' PERF_STORE=s3 PERF_LATENCY=none PERF_S3_BUCKET=perf
refused 'PERF_S3_BUCKET' PERF_STORE=s3
refused 'PERF_FAULTS.*fault rule 1' PERF_FAULTS='cas explode'
refused 'PERF_COMPARE: .*/no-such.csv is not there' PERF_COMPARE=no-such.csv
refused 'PERF_COMPARE: .*/README.md is not a CSV of this harness' PERF_COMPARE=README.md
# Nothing listens on port 9.
refused 'PERF_S3_ENDPOINT' PERF_STORE=s3 PERF_S3_ENDPOINT=http://127.0.0.1:9 PERF_S3_BUCKET=perf \
    AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_REGION=us-east-1
# A store that does not look at conditions: no manifest may live there, and the line names the rule that it broke.
refused 'does not hold' PERF_FAULTS='any ignore-conditions' PERF_DURATION_SECS=1

((failures == 0)) || {
    echo "$failures wrong inputs were not refused as they should be" >&2
    exit 1
}

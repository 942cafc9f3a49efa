#!/usr/bin/env bash
# Measures one store for the history of nights: the baseline six times, each with arrivals of its own, then the sweep;
# holds both against the last night that passed, and leaves everything in a folder. What a nightly job does, and what can
# be done by hand.
#
#   scripts/nightly.sh STORE [VARIABLE=VALUE ...]
#
# STORE is
#   embedded    the S3 server inside the test, with the latencies of S3 Standard
#   simulated   the same in virtual time, in seconds
#   seaweedfs   the server at PERF_S3_ENDPOINT, or one that is started here and stopped again
#   aws         the bucket PERF_S3_BUCKET, with the credentials of the environment; whatever runs have left there is
#               deleted at the end, so it must have no other user. PERF_MAX_REQUESTS bounds each run, 300,000 unless set
#   aws-clean   measures nothing and deletes that: for after a night that was stopped
# The variables are settings of both scenarios, such as PERF_DURATION_SECS=20.
#
# What else it looks at:
#   NIGHT=2026-01-31   the day in the history, UTC; today unless set
#   OUT=FOLDER         where the results go, target/nightly/STORE unless set; it must not hold a night yet
#   HISTORY=FOLDER     a checkout of the history: history.csv, and the last night in last/STORE
#   ACROSS_SETTINGS=1  compares although settings differ: to see that the gate works
#   FIRST_SEED=1       seeds of the repeats: this one and the five after it. The same each night: what differs
#                      is not the draw
#   PERF_SUMMARY=FILE  gets the tables in markdown; GITHUB_STEP_SUMMARY unless set
#
# Exits with 0 if the night passed, 1 if it failed on correctness, request counts or latency, and 2 if it could not be
# held against anything.
set -euo pipefail

readonly REPEATS=6

fail() {
    echo "nightly.sh: $*" >&2
    exit 2
}

(($# >= 1)) || fail "usage: nightly.sh STORE [VARIABLE=VALUE ...]"
store=$1
shift
called_from=$PWD
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# Paths are those of whoever calls.
absolute() {
    case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$called_from" "$1" ;;
    esac
}

night=${NIGHT:-$(date -u +%F)}
out=$(absolute "${OUT:-$PWD/target/nightly/$store}")
first_seed=${FIRST_SEED:-1}
summary=${PERF_SUMMARY:-${GITHUB_STEP_SUMMARY:-}}
unset PERF_SUMMARY
[[ -z $summary ]] || summary=$(absolute "$summary")
clean_bucket() {
    local programs
    programs=$(bash scripts/programs.sh)
    "$programs/delete-leftovers"
}

if [[ $store == aws-clean ]]; then
    PERF_STORE=s3 clean_bucket
    exit
fi
[[ ! -e $out/numbers ]] || fail "$out holds a night already: remove it, or set OUT"
mkdir -p -- "$out/numbers"

server=""
settings=()
case $store in
embedded | simulated) settings=(PERF_STORE="$store") ;;
seaweedfs)
    if [[ -z ${PERF_S3_ENDPOINT:-} ]]; then
        server=$(mktemp -d)
        PERF_S3_ENDPOINT=$(bash scripts/seaweedfs.sh start "$server")
    fi
    # It takes any credentials.
    settings=(
        PERF_STORE=s3 PERF_S3_ENDPOINT="$PERF_S3_ENDPOINT" PERF_S3_BUCKET="${PERF_S3_BUCKET:-perf}"
        PERF_S3_CREATE_BUCKET=1 AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_REGION=us-east-1
    )
    ;;
aws)
    [[ -n ${PERF_S3_BUCKET:-} ]] || fail "aws needs PERF_S3_BUCKET"
    settings=(PERF_STORE=s3 PERF_MAX_REQUESTS="${PERF_MAX_REQUESTS:-300000}")
    ;;
*) fail "no store is called $store: embedded, simulated, seaweedfs, aws" ;;
esac
settings+=("$@")

finish() {
    if [[ -n $server ]]; then
        bash scripts/seaweedfs.sh stop "$server"
        rm -rf -- "$server"
    fi
}
trap finish EXIT

failed=()
# measure SCENARIO CSV NAME [VARIABLE=VALUE ...]: one run, whose numbers become NAME.csv and its details.
measure() {
    local scenario=$1 csv=$2 name=$3 kind latest=$out/runs/$3/latest told=()
    shift 3
    # One baseline stands for all: the tables have the medians.
    [[ -z $summary || $name == baseline-[2-9]* ]] || told=(PERF_SUMMARY="$summary")
    printf '\n==> %s, %s\n' "$store" "$name"
    env "${settings[@]}" "$@" "${told[@]}" PERF_OUT="$out/runs/$name" bash scripts/run_scenario.sh "$scenario" ||
        failed+=(--failed "$name did not pass")
    for kind in "" _detail; do
        [[ ! -f $latest/$csv$kind.csv ]] || cp -- "$latest/$csv$kind.csv" "$out/numbers/$name$kind.csv"
    done
}

for ((repeat = 1; repeat <= REPEATS; repeat++)); do
    measure test_baseline test_baseline "baseline-$repeat" PERF_SEED=$((first_seed + repeat - 1))
done
measure test_comprehensive_sweep comprehensive_sweep_v2 sweep

if [[ $store == aws ]]; then
    PERF_STORE=s3 clean_bucket || failed+=(--failed "objects were left in the bucket")
fi

judge=(--store "$store" --night "$night" --in "$out/numbers")
if [[ -n ${HISTORY:-} ]]; then
    history=$(absolute "$HISTORY")
    judge+=(--history "$history/history.csv" --last "$history/last/$store")
fi
[[ -z ${ACROSS_SETTINGS:-} ]] || judge+=(--across-settings)
programs=$(bash scripts/programs.sh)
PERF_SUMMARY=$summary "$programs/nights" judge "${judge[@]}" "${failed[@]}" |
    tee -- "$out/night.txt"

#!/usr/bin/env bash
# Compares the latencies of two revisions as honestly as one machine can: builds both, runs the baseline of each by
# turns (A B, B A, A B, ...), so that whatever the machine does meets both, and puts the repeats through the latency
# gate. The exit status is 0 if B is no worse, 1 if it is.
#
#   scripts/compare_builds.sh REVISION_A REVISION_B [VARIABLE=VALUE ...]
#
# The variables are settings of both, such as PERF_STORE=simulated or PERF_DURATION_SECS=60. TURNS is how often each
# is run: 6 unless set, and not fewer. The same revision twice shows what the gate says of equal builds.
set -euo pipefail

(($# >= 2)) || {
    echo "usage: compare_builds.sh REVISION_A REVISION_B [VARIABLE=VALUE ...]" >&2
    exit 2
}
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
readonly TURNS=${TURNS:-6}
((TURNS >= 6)) || {
    echo "compare_builds.sh: TURNS is $TURNS, fewer than 6 repeats of each cannot tell anything" >&2
    exit 2
}
revision_a=$(git rev-parse --verify "$1^{commit}")
revision_b=$(git rev-parse --verify "$2^{commit}")
shift 2

root=$PWD/target/compare
mkdir -p -- "$root"
work=$(mktemp -d "$root/$(date -u +%Y%m%dT%H%M%SZ)-XXXXXX")
clean_up() {
    git worktree remove --force "$work/tree" 2>/dev/null || true
    git worktree prune
}
trap clean_up EXIT

# build REVISION NAME: the test of this revision as $work/NAME. Both share what they depend on.
build() {
    local executable
    git worktree add --quiet --detach "$work/tree" "$1"
    executable=$(cd -- "$work/tree" && CARGO_TARGET_DIR=$root/build cargo test --locked -p fusio-manifest \
        --test performance_test --no-run --message-format=json |
        sed -n 's/.*"name":"performance_test".*"executable":"\([^"]*\)".*/\1/p')
    [[ -x $executable ]] || {
        echo "compare_builds.sh: $1 has no performance_test" >&2
        exit 2
    }
    cp -- "$executable" "$work/$2"
    git worktree remove --force "$work/tree"
}

# measure NAME TURN: one run, whose CSV is $work/runs/NAME-TURN/latest/test_baseline.csv.
measure() {
    local name=$1 turn=$2 out=$work/runs/$1-$2
    echo "turn $turn of $TURNS: $name"
    env "${settings[@]}" PERF_SEED="$turn" PERF_OUT="$out" \
        "$work/$name" test_baseline --ignored --exact --nocapture >"$work/$name-$turn.log" 2>&1 || {
        tail -n 20 -- "$work/$name-$turn.log" >&2
        echo "compare_builds.sh: turn $turn of $name did not pass" >&2
        exit 2
    }
    csvs[$name]+="$out/latest/test_baseline.csv"$'\n'
}

settings=(RUST_BACKTRACE=0 "$@")
declare -A csvs=([a]="" [b]="")
build "$revision_a" a
build "$revision_b" b
mkdir -p -- "$work/runs"
for ((turn = 1; turn <= TURNS; turn++)); do
    if ((turn % 2)); then
        order=(a b)
    else
        order=(b a)
    fi
    for name in "${order[@]}"; do
        measure "$name" "$turn"
    done
done

echo "a $revision_a"
echo "b $revision_b"
mapfile -t old < <(printf '%s' "${csvs[a]}")
mapfile -t new < <(printf '%s' "${csvs[b]}")
cargo run --quiet -p manifest-perf --bin compare-runs -- "${old[@]}" -- "${new[@]}"

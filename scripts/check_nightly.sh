#!/usr/bin/env bash
# Whether the scripts of the nightly sweep do what they say, in virtual time and against a bare repository beside it: an
# equal night passes, a night made 20 % slower does not; two that publish at once both get their row; a second row of a
# night is refused.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
export HISTORY_REMOTE=$scratch/history.git HISTORY_BRANCH=nights
# The medians of s3-standard, and 1.2 times as much.
readonly SLOWER=get=32.4:0.62,put=72:0.29,cas=73.2:0.14

fail() {
    echo "check_nightly.sh: $*" >&2
    exit 1
}

# expect STATUS TEXT COMMAND ...: it must end so, and print a line with this text.
expect() {
    local wanted=$1 text=$2 status=0
    shift 2
    "$@" >"$scratch/log" 2>&1 || status=$?
    if ((status != wanted)) || ! grep -qF -- "$text" "$scratch/log"; then
        tail -n 40 -- "$scratch/log"
        fail "it should end with $wanted and say \`$text\`, but ended with $status: $*"
    fi
    grep -F -- "$text" "$scratch/log" | head -n 1
}

# night DAY FIRST_SEED [VARIABLE=VALUE ...]: measures a night into $scratch/DAY.
night() {
    local day=$1 seed=$2
    shift 2
    env NIGHT="$day" FIRST_SEED="$seed" OUT="$scratch/$day" PERF_SUMMARY="$scratch/$day.md" "${history[@]}" \
        bash scripts/nightly.sh simulated "$@"
}

publish() {
    bash scripts/publish_history.sh publish "$@"
}

rows() {
    git --git-dir "$HISTORY_REMOTE" show "nights:history.csv" | tail -n +2 | wc -l
}

last_night() {
    git --git-dir "$HISTORY_REMOTE" show "nights:last/simulated/night.csv" | tail -n 1 | cut -d, -f1
}

git init --quiet --bare "$HISTORY_REMOTE"
history=()
bash scripts/publish_history.sh fetch "$scratch/none" | grep -F "first night"
history=(HISTORY="$scratch/none")
expect 0 "no comparison: there is no earlier night" night 2026-01-01 1
expect 0 "published on nights, at attempt 1" publish "$scratch/2026-01-01/numbers"
bash scripts/publish_history.sh fetch "$scratch/history"
history=(HISTORY="$scratch/history")

echo "== an equal night, and one made 20 % slower"
expect 0 "NIGHT 2026-01-02 simulated: pass" night 2026-01-02 11
grep -qF "The baseline beside the last night's" "$scratch/2026-01-02.md" || fail "the summary has no comparison"
history+=(ACROSS_SETTINGS=1)
expect 1 "NIGHT 2026-01-03 simulated: fail (" night 2026-01-03 21 PERF_LATENCY="$SLOWER"
grep -qE "read_p50_ms went from .*beyond the noise" "$scratch/2026-01-03/night.txt" || fail "not for its reads"
grep -qE "\*\*failed\*\*: .*read_p50_ms went from" "$scratch/2026-01-03.md" || fail "the summary does not say why"
echo "== a night on which nothing runs"
expect 1 "baseline-1 did not pass" night 2026-01-04 1 PERF_FAULTS="any ignore-conditions"

echo "== two that publish at once"
# Whoever comes first waits until the other has pushed, and is refused.
cat >"$HISTORY_REMOTE/hooks/pre-receive" <<'HOOK'
#!/bin/sh
mkdir "$GIT_DIR/first" 2>/dev/null || exit 0
until [ -e "$GIT_DIR/second" ]; do sleep 0.1; done
HOOK
cat >"$HISTORY_REMOTE/hooks/post-receive" <<'HOOK'
#!/bin/sh
touch "$GIT_DIR/second"
HOOK
chmod +x "$HISTORY_REMOTE"/hooks/p*-receive
publish "$scratch/2026-01-02/numbers" >"$scratch/one.log" 2>&1 &
one=$!
publish "$scratch/2026-01-03/numbers" >"$scratch/other.log" 2>&1 || fail "$(cat -- "$scratch/other.log")"
wait "$one" || fail "$(cat -- "$scratch/one.log")"
cat -- "$scratch/one.log" "$scratch/other.log" | grep -F "at attempt 2" || fail "nobody was refused: no race"
rm -- "$HISTORY_REMOTE"/hooks/p*-receive
[[ $(rows) == 3 ]] || fail "3 nights were published, the history has $(rows)"
[[ $(last_night) == 2026-01-02 ]] || fail "the last night that passed is 2026-01-02, not $(last_night)"

echo "== a second row"
expect 2 "the history has the night 2026-01-03 of simulated already" publish "$scratch/2026-01-03/numbers"
[[ $(rows) == 3 ]] || fail "the refused row is there"
REPLACE=1 ACCEPT=1 expect 0 "published" publish "$scratch/2026-01-03/numbers"
[[ $(rows) == 3 && $(last_night) == 2026-01-03 ]] || fail "the night was not accepted"
cut -d, -f1-20 <"$scratch/2026-01-01/numbers/night.csv" >"$scratch/cut.csv"
mkdir -- "$scratch/cut"
mv -- "$scratch/cut.csv" "$scratch/cut/night.csv"
expect 2 "row 1: " publish "$scratch/cut"
[[ $(rows) == 3 ]] || fail "a row without its end is there"

git --git-dir "$HISTORY_REMOTE" show nights:index.html >"$scratch/index.html"
bash scripts/check_report.sh "$scratch/index.html"
[[ -z $(git for-each-ref refs/perf-history) && $(git worktree list | grep -cF -- "$scratch") == 0 ]] ||
    fail "publishing left something in this repository"

# shellcheck shell=bash
# What the steps of OPERATIONS.md that are not shown use. Sourced by check_operations.sh's shell; WORK is its directory.

readonly FILLER=0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz

# must COMMAND ...: ends everything if it fails.
must() {
    "$@" && return
    echo "does not hold: $*"
    exit 1
}

# load URL FIRST LAST: 40 lines of 400 bytes a transaction, each a log object; 16 of these become a table.
load() {
    seq "$2" "$3" | awk -v filler="$FILLER$FILLER$FILLER$FILLER" '{ printf "key%05d %d %s\n", $1, $1, filler }' |
        lines put "$1" --batch 40 >"$WORK/loaded" || must false
}

# fresh URL [RETENTION_SECONDS]: a manifest of 400 lines in log objects, and nothing of an earlier one.
fresh() {
    manifest-tool destroy "$1" --yes >"$WORK/destroyed" || must false
    lines create "$1" ${2:+--retention "$2"} >"$WORK/created" || must false
    load "$1" 1 400
}

# hold URL: a process that has the manifest open.
hold() {
    rm -f -- "$WORK/pipe"
    mkfifo "$WORK/pipe"
    : >"$WORK/said"
    lines put "$1" <"$WORK/pipe" >"$WORK/said" 2>&1 &
    holder=$!
    exec 7>"$WORK/pipe"
}

# tell KEY VALUE: has it commit this, and prints what it is told.
tell() {
    local before
    before=$(wc -l <"$WORK/said")
    echo "$*" >&7
    until (($(wc -l <"$WORK/said") > before)); do
        kill -0 "$holder" 2>/dev/null || must false
        sleep 0.05
    done
    tail -n +$((before + 1)) "$WORK/said"
}

# Its status says whether all was committed, which is not what is asked here.
let_go() {
    exec 7>&-
    wait "$holder" || true
}

# value URL KEY [--pin NAME]: the value, without its filler.
value() {
    local url=$1 key=$2
    shift 2
    lines get "$url" "$@" | awk -v key="$key" '$1 == key { print $2 }'
}

#!/usr/bin/env bash
# Fuzzes the decoders and sequences of operations, each target for so many seconds, and prints a table.
#
#   scripts/fuzz.sh [SECONDS] [TARGET ...]    60 s, every target of fusio-manifest/fuzz/Cargo.toml
#   scripts/fuzz.sh seeds                     writes what the engine writes itself into the corpus
#   scripts/fuzz.sh minimise [TARGET ...]     keeps of the corpus, and of what was found, what is needed for its coverage
#   scripts/fuzz.sh install                   the nightly toolchain and cargo-fuzz
#   scripts/fuzz.sh check                     needs no nightly: the targets, their table and their corpus belong together
#
# Needs a C++ compiler too. Exit status 1 if a target crashed: the input lies in target/fuzz/crashes, and the line that is
# printed replays it. Put it into fusio-manifest/fuzz/corpus/TARGET as crash-WHAT once it is mended: the ordinary tests run
# every file there.
#
# FUZZ_SANITIZER=address looks at memory too: half as fast, and nothing that is fuzzed here is unsafe but its libraries.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
readonly FUZZ=fusio-manifest/fuzz
readonly OUT=target/fuzz
readonly SANITIZER=${FUZZ_SANITIZER:-none}
readonly CARGO_FUZZ=0.13.2
# A corpus that everybody clones and every test run replays.
readonly FILES_MAX=1500 BYTES_MAX=2000000

mapfile -t all < <(sed -n '/^\[\[bin\]\]/{n;s/^name = "\(.*\)"$/\1/p}' "$FUZZ/Cargo.toml")

die() {
    echo "fuzz.sh: $*" >&2
    exit 2
}

known() {
    local target
    for target in "$@"; do
        [[ " ${all[*]} " == *" $target "* ]] || die "no target $target; there are: ${all[*]}"
    done
}

check() {
    local target files bytes
    for target in "${all[@]}"; do
        [[ -f $FUZZ/targets/$target.rs ]] || die "$FUZZ/targets/$target.rs is not there"
        [[ -n $(ls -A "$FUZZ/corpus/$target") ]] || die "the corpus of $target is empty"
        grep -q "| \`$target\` |" CONTRIBUTING.md || die "CONTRIBUTING.md has no row of target $target"
    done
    (($(find "$FUZZ/targets" -name '*.rs' | wc -l) == ${#all[@]})) || die "a file in $FUZZ/targets is no target"
    files=$(find "$FUZZ/corpus" -type f | wc -l)
    bytes=$(find "$FUZZ/corpus" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
    ((files <= FILES_MAX && bytes <= BYTES_MAX)) ||
        die "the corpus has $files files of $bytes bytes, $FILES_MAX of $BYTES_MAX at most: scripts/fuzz.sh minimise"
    cargo fmt --manifest-path "$FUZZ/Cargo.toml" --check
    cargo metadata --manifest-path "$FUZZ/Cargo.toml" --locked --format-version 1 >/dev/null
    echo "fuzz targets: ${#all[@]}, corpus: $files files of $bytes bytes"
}

build() {
    cargo +nightly fuzz build --fuzz-dir "$FUZZ" --sanitizer "$SANITIZER"
}

binary() {
    local host
    host=$(rustc -vV | sed -n 's/^host: //p')
    echo "$FUZZ/target/$host/release/$1"
}

stat_of() {
    sed -n "s/^stat::$2: *//p" "$1"
}

# The last of what libFuzzer has told: cov, ft or corp.
told() {
    grep -oE " $2: [0-9]+" "$1" | tail -n 1 | grep -oE '[0-9]+$' || echo 0
}

fuzz() {
    local seconds=$1 target log status crashed=()
    shift
    printf '%-11s %12s %8s %7s %9s %7s %8s\n' target executions per_s edges features corpus crashes
    for target in "$@"; do
        mkdir -p "$OUT/corpus/$target" "$OUT/crashes/$target"
        log=$OUT/$target.log
        status=0
        # New inputs go into the first folder; the corpus of the repository is only read.
        "$(binary "$target")" "$OUT/corpus/$target" "$FUZZ/corpus/$target" -max_total_time="$seconds" \
            -artifact_prefix="$OUT/crashes/$target/" -print_final_stats=1 -timeout=30 -rss_limit_mb=2048 \
            -max_len=8192 -verbosity=1 >"$log" 2>&1 || status=$?
        ((status == 0)) || crashed+=("$target")
        printf '%-11s %12s %8s %7s %9s %7s %8s\n' "$target" "$(stat_of "$log" number_of_executed_units)" \
            "$(stat_of "$log" average_exec_per_sec)" "$(told "$log" cov)" "$(told "$log" ft)" "$(told "$log" corp)" \
            "$((status != 0))"
    done
    for target in "${crashed[@]}"; do
        log=$OUT/$target.log
        printf '\n%s crashed:\n' "$target"
        grep -E 'panicked at|^ERROR|^[a-z_]+: ' -A 1 "$log" | head -n 8 || true
        find "$OUT/crashes/$target" -type f -newer "$OUT/began" | sort | while read -r artifact; do
            echo "replay: $(binary "$target") $artifact"
        done
    done
    ((${#crashed[@]} == 0))
}

# What was found comes in, what reaches nothing new goes: few inputs that reach all edges together. (With libFuzzer's counters
# besides, as it merges by itself, they are three times as many.)
minimise() {
    local target kept
    for target in "$@"; do
        kept=$OUT/kept/$target
        rm -rf -- "$kept"
        mkdir -p "$kept" "$OUT/corpus/$target"
        "$(binary "$target")" -set_cover_merge=1 -use_counters=0 -max_len=8192 "$kept" \
            "$FUZZ/corpus/$target" "$OUT/corpus/$target" >"$OUT/$target.merge.log" 2>&1
        # What was a crash stays, whatever it reaches today.
        find "$FUZZ/corpus/$target" -type f ! -name 'crash-*' -delete
        cp -n -- "$kept"/* "$FUZZ/corpus/$target/"
        echo "$target: $(find "$FUZZ/corpus/$target" -type f | wc -l) files"
    done
}

mkdir -p "$OUT"
touch "$OUT/began"
case ${1:-60} in
check)
    check
    ;;
install)
    rustup toolchain install nightly --profile minimal
    cargo install cargo-fuzz --version "$CARGO_FUZZ" --locked
    ;;
seeds)
    cargo run --quiet --manifest-path "$FUZZ/Cargo.toml" --example seeds
    ;;
minimise)
    targets=("${@:2}")
    ((${#targets[@]} > 0)) || targets=("${all[@]}")
    known "${targets[@]}"
    build
    minimise "${targets[@]}"
    ;;
*)
    seconds=${1:-60}
    [[ $seconds =~ ^[1-9][0-9]*$ ]] || die "$seconds is no number of seconds"
    targets=("${@:2}")
    ((${#targets[@]} > 0)) || targets=("${all[@]}")
    known "${targets[@]}"
    build
    fuzz "$seconds" "${targets[@]}"
    ;;
esac

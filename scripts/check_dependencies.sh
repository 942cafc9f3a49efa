#!/usr/bin/env bash
# Holds the dependencies of Cargo.lock against deny.toml.
#
#   scripts/check_dependencies.sh               licences, bans, sources: without the network, once they are fetched
#   scripts/check_dependencies.sh advisories    known vulnerabilities: fetches RustSec's database from GitHub
#   scripts/check_dependencies.sh breaks        that each of the first three checks can fail
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
deny=$(bash scripts/tools.sh)/cargo-deny

# check CONFIG WHICH ...
check() {
    local config=$1
    shift
    "$deny" --offline --locked --color never --config "$config" check --hide-inclusion-graph "$@"
}

# breaks WHICH PATTERN SCRIPT: with the configuration changed by this script of sed, this check fails and says PATTERN.
breaks() {
    local which=$1 pattern=$2 script=$3 said
    sed -E "$script" deny.toml >"$scratch/deny.toml"
    if cmp -s deny.toml "$scratch/deny.toml"; then
        echo "check_dependencies.sh: $script changes nothing in deny.toml" >&2
        return 1
    fi
    if said=$(check "$scratch/deny.toml" "$which" 2>&1); then
        echo "check_dependencies.sh: $which passes with deny.toml changed by $script" >&2
        return 1
    fi
    if ! grep -qE -- "$pattern" <<<"$said"; then
        printf 'check_dependencies.sh: %s fails without saying %s:\n%s\n' "$which" "$pattern" "$said" >&2
        return 1
    fi
    echo "red as it should be: $which, $script"
}

case ${1:-} in
"")
    check deny.toml licenses bans sources
    ;;
advisories)
    "$deny" --locked --config deny.toml check --hide-inclusion-graph advisories
    ;;
breaks)
    scratch=$(mktemp -d)
    trap 'rm -rf -- "$scratch"' EXIT
    breaks licenses 'license = "MPL-2.0' '/"imbl"/d'
    breaks licenses 'license = "ISC"' '/"ISC"/d'
    breaks bans 'banned|explicitly' 's/"native-tls"/"ring"/'
    breaks sources 'source' 's/^allow-registry = .*/allow-registry = []/'
    ;;
*)
    echo "usage: check_dependencies.sh [advisories | breaks]" >&2
    exit 2
    ;;
esac

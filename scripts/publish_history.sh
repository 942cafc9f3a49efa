#!/usr/bin/env bash
# Keeps the history of the nights on a branch of its own: history.csv, a page drawn from it, and in last/STORE the
# numbers of the last night that passed. Others may push at the same time.
#
#   scripts/publish_history.sh fetch FOLDER            puts the branch into FOLDER, which must not exist. Without such
#                                                      a branch FOLDER is made, empty, and that is said
#   scripts/publish_history.sh publish NUMBERS ...     adds nights, each by the folder `numbers` that nightly.sh leaves,
#                                                      draws the page anew, and pushes. A night that left no row is
#                                                      left out
#
# What else it looks at:
#   HISTORY_REMOTE=URL    where to; origin of this repository unless set
#   HISTORY_BRANCH=NAME   perf-history unless set
#   REPLACE=1             replaces a row of the same night and store, which is else refused
#   ACCEPT=1              later nights are held against this one although it failed
set -euo pipefail

readonly TRIES=8

fail() {
    echo "publish_history.sh: $*" >&2
    exit 2
}

readonly usage="usage: publish_history.sh fetch FOLDER | publish NUMBERS ..."
(($# >= 2)) || fail "$usage"
command=$1
shift
# Paths are those of whoever calls.
folders=()
for folder in "$@"; do
    [[ $folder == /* ]] || folder=$PWD/$folder
    folders+=("$folder")
done
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
branch=${HISTORY_BRANCH:-perf-history}
remote=${HISTORY_REMOTE:-$(git remote get-url origin)}
identity=(-c user.name="nightly sweep" -c user.email=nightly@localhost)
# Of this process alone, in a repository that others use too.
readonly OWN_REF=refs/perf-history/$$

# Whether the branch is there; fails if that cannot be told.
branch_exists() {
    local status=0
    git ls-remote --exit-code --heads "$remote" "refs/heads/$branch" >/dev/null || status=$?
    case $status in
    0) return 0 ;;
    2) return 1 ;;
    *) fail "$remote cannot be read" ;;
    esac
}

# The branch as it is now, as OWN_REF; an empty commit if there is none.
update() {
    local empty
    if branch_exists; then
        git fetch --quiet --no-tags "$remote" "+refs/heads/$branch:$OWN_REF"
    else
        empty=$(git hash-object -t tree -w /dev/null)
        empty=$(git "${identity[@]}" commit-tree -m "History of the nights" "$empty")
        git update-ref "$OWN_REF" "$empty"
    fi
}

clean_up() {
    if [[ -n ${work:-} ]]; then
        git worktree remove --force "$work/tree" 2>/dev/null || true
        rm -rf -- "$work"
        git worktree prune
    fi
    git update-ref -d "$OWN_REF"
}

fetch() {
    [[ ! -e $1 ]] || fail "$1 is there already"
    mkdir -p -- "$1"
    if branch_exists; then
        update
        git archive "$OWN_REF" | tar -x -C "$1"
        echo "the history has $(tail -n +2 -- "$1/history.csv" | wc -l) rows"
    else
        echo "there is no branch $branch yet: this is the first night"
    fi
}

# apply TREE: adds the nights to a checkout of the branch and commits.
apply() {
    local tree=$1 numbers store verdict flags=()
    [[ -z ${REPLACE:-} ]] || flags+=(--replace)
    "$nights" add "$tree/history.csv" "${folders[@]/%//night.csv}" "${flags[@]}"
    "$nights" draw "$tree/history.csv" "$tree/index.html"
    for numbers in "${folders[@]}"; do
        read -r store verdict < <(python3 -c '
import csv, sys
row = next(csv.DictReader(open(sys.argv[1], newline="", encoding="utf-8")))
print(row["store"], row["verdict"])' "$numbers/night.csv")
        if [[ $verdict == pass || -n ${ACCEPT:-} ]]; then
            rm -rf -- "$tree/last/$store"
            mkdir -p -- "$tree/last/$store"
            cp -- "$numbers"/*.csv "$tree/last/$store/"
        fi
    done
    git -C "$tree" add --all
    git -C "$tree" "${identity[@]}" commit --quiet --message "$(subject)"
}

subject() {
    local numbers
    printf 'Nights:'
    for numbers in "${folders[@]}"; do
        tail -n 1 -- "$numbers/night.csv" | cut -d, -f1,2 | tr ',\n' '  '
    done
}

publish() {
    local numbers try
    local whole=()
    for numbers in "${folders[@]}"; do
        if [[ -f $numbers/night.csv ]]; then
            whole+=("$numbers")
        else
            echo "publish_history.sh: $numbers holds no night.csv, left out" >&2
        fi
    done
    ((${#whole[@]} > 0)) || fail "no night was left to publish"
    folders=("${whole[@]}")
    nights=$(bash scripts/programs.sh)/nights
    work=$(mktemp -d)
    for ((try = 1; try <= TRIES; try++)); do
        update
        git worktree add --quiet --detach "$work/tree" "$OWN_REF"
        apply "$work/tree"
        if git push --quiet "$remote" "$(git -C "$work/tree" rev-parse HEAD):refs/heads/$branch"; then
            echo "published on $branch, at attempt $try"
            return
        fi
        # Someone else was faster: again, on what they pushed.
        git worktree remove --force "$work/tree"
        sleep "$((RANDOM % 3 + 1))"
    done
    fail "$branch could not be pushed to in $TRIES attempts"
}

trap clean_up EXIT
case $command:$# in
fetch:1) fetch "${folders[0]}" ;;
publish:*) publish ;;
*) fail "$usage" ;;
esac

#!/usr/bin/env bash
# Runs every procedure of OPERATIONS.md against a SeaweedFS of its own, and holds the page's outputs against what is printed.
#
#   scripts/check_operations.sh [OUTPUT] [--write]    OUTPUT gets all that was run and printed; --write puts the outputs
#                                                     of this run into the page
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
root=$PWD
output=target/operations-output.txt
write=()
for argument in "$@"; do
    case $argument in
    --write) write=(--write) ;;
    *) output=$argument ;;
    esac
done

for variable in $(compgen -e); do
    case $variable in
    AWS_*) unset "$variable" ;;
    esac
done
tools=$(bash scripts/tools.sh)
# Of the whole workspace: built alone they would be built with other features, and the AWS SDK a second time.
cargo build --quiet --workspace --bin manifest-tool --example lines
programs=${CARGO_TARGET_DIR:-$PWD/target}/debug

work=$(mktemp -d)
trap 'cd -- "$root"; bash scripts/seaweedfs.sh stop "$work/seaweedfs" || true; rm -rf -- "$work"' EXIT
endpoint=$(bash scripts/seaweedfs.sh start "$work/seaweedfs")

# The steps write files of their own, and the page calls a script of this repository.
mkdir -- "$work/here"
ln -s -- "$root/scripts" "$work/here/scripts"
touch -- "$output"
output=$(realpath -- "$output")
cd -- "$work/here"
# The machine's own AWS files are not part of the test.
env AWS_ENDPOINT_URL="$endpoint" AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_REGION=us-east-1 \
    AWS_DEFAULT_REGION=us-east-1 AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null \
    AWS_EC2_METADATA_DISABLED=true AWS_PAGER="" WORK="$work" \
    PATH="$programs:$programs/examples:$tools:$PATH" \
    "$tools/python" "$root/scripts/run_page.py" "$root/OPERATIONS.md" "$root/scripts/operations_prelude.sh" \
    "$output" "${write[@]}"

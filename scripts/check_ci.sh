#!/usr/bin/env bash
# Checks the workflows and the shell scripts themselves. actionlint is used if it is installed, and is required in
# GitHub's own runs: it is fetched from its releases, which not every build machine can reach.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
tools=$(bash scripts/tools.sh)

scripts=(.ci/run scripts/*.sh)
for script in "${scripts[@]}"; do
    bash -n "$script"
done
"$tools/shellcheck" "${scripts[@]}"
echo "shell scripts: ok"
"$tools/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml

if command -v actionlint >/dev/null; then
    actionlint -shellcheck "$tools/shellcheck" .github/workflows/*.yml
    echo "actionlint: ok"
elif [[ ${GITHUB_ACTIONS:-} == true ]]; then
    echo "check_ci.sh: actionlint is not installed" >&2
    exit 1
else
    echo "actionlint: not installed, only the schema was checked"
fi

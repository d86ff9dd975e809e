#!/bin/bash
# Sees to the commands that the tests and the local cloud call: installs what is missing (root with apt-get), or says how.
set -euo pipefail

declare -A package=(
    [cc]=gcc            # links Rust, compiles zstd and ring
    [gzip]=gzip         # reads outputs back
    [openssl]=openssl   # the local cloud's certificate
    [unzip]=unzip       # reads outputs back
    [zstd]=zstd         # reads outputs back
)

missing=()
for command in "${!package[@]}"; do
    command -v "$command" > /dev/null || missing+=("${package[$command]}")
done
python=$("$(dirname "$0")/python.sh")
"$python" -c 'import ensurepip, venv' 2> /dev/null || missing+=("$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')")

if ! command -v cargo > /dev/null; then
    echo "setup: cargo is missing; install Rust with rustup (https://rustup.rs)" >&2
    exit 1
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null; then
    echo "setup: installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${missing[@]}" > /dev/null
else
    echo "setup: missing. Please run: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi

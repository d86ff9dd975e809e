#!/bin/bash
# venv.sh FOLDER REQUIREMENTS: makes the virtual environment anew, with exactly the pinned and hashed packages.
set -euo pipefail
python=$("$(dirname "$0")/python.sh")
echo "setup: $1 ($("$python" --version))"
"$python" -m venv --clear "$1"
"$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes --requirement "$2"
"$1/bin/python" -m pip check --disable-pip-version-check > /dev/null

#!/bin/bash
# Prints the first Python of 3.11 or later that is not one of our own environments.
set -euo pipefail
for python in $(type -aP python3 python3.11 python3.12 python3.13 python3.14); do
    [[ $python == */.venv/* ]] && continue
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
        echo "$python"
        exit 0
    fi
done
echo "setup: Python 3.11 or later is missing. On Debian or Ubuntu: sudo apt-get install python3.11 python3.11-venv" >&2
exit 1

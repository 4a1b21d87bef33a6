#!/bin/sh
# Real MCP clients against the compiled bridge, offline: npm run test:clients. Words after it choose files.
# Installs tests/clients (1.5 GB) and builds the bridge where they are missing; BRIDGE_BIN names another build.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

command -v node >/dev/null || die "node is not on PATH" "the clients need Node.js: https://nodejs.org"
# Not `npm ci`: it refuses the lock, because Qwen Code names optional packages that are nowhere.
has_node_packages tests/clients ||
  npm install --no-save --prefix tests/clients --prefer-offline --no-audit --no-fund --loglevel=error >&2 ||
  die "the clients could not be installed" "they need the npm registry once"
use_bun_and_bridge

[ $# -gt 0 ] || set -- ./tests/clients
exec "$bun" test --timeout=120000 "$@"

#!/bin/sh
# Real MCP clients against the compiled bridge, offline. Words after it choose files.
# Installs tests/clients (1.5 GB) and builds the bridge where they are missing; BRIDGE_BIN names another build.
set -eu
cd "$(dirname "$0")/.."

die() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

bun=$(sh scripts/bun.sh)
command -v node >/dev/null || die "node is not on PATH" "the clients need Node.js: https://nodejs.org"

is_installed() {
  [ -n "$(find tests/clients/node_modules/.package-lock.json -newer tests/clients/package-lock.json 2>/dev/null)" ]
}

# Not `npm ci`: it refuses the lock, because Qwen Code names optional packages that are nowhere.
is_installed || npm install --no-save --prefix tests/clients --prefer-offline --no-audit --no-fund --loglevel=error >&2 ||
  die "the clients could not be installed" "they need the npm registry once"

if [ -z "${BRIDGE_BIN:-}" ]; then
  ./build.sh
  BRIDGE_BIN=$PWD/dist/codex-mcp-http-bridge
fi
export BRIDGE_BIN

[ $# -gt 0 ] || set -- ./tests/clients
exec "$bun" test --timeout=120000 "$@"

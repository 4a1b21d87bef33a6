#!/bin/sh
# Each option of mcp-remote, tried with mcp-remote itself and with the compiled bridge: npm run test:dropin. Words after it
# choose files. Installs tests/dropin (mcp-remote 0.15.1) and builds the bridge if they are missing; BRIDGE_BIN names
# another executable.
set -eu
cd "$(dirname "$0")/.."

die() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

bun=$(sh scripts/bun.sh)
command -v node >/dev/null || die "node is not on PATH" "mcp-remote needs Node.js: https://nodejs.org"

is_installed() {
  [ -n "$(find tests/dropin/node_modules/.package-lock.json -newer tests/dropin/package-lock.json 2>/dev/null)" ]
}

is_installed || npm ci --prefix tests/dropin --prefer-offline --no-audit --no-fund >&2 ||
  die "mcp-remote could not be installed" "it needs the npm registry once"

if [ -z "${BRIDGE_BIN:-}" ]; then
  ./build.sh
  BRIDGE_BIN=$PWD/dist/codex-mcp-http-bridge
fi
export BRIDGE_BIN

[ $# -gt 0 ] || set -- ./tests/dropin
exec "$bun" test --timeout=30000 "$@"

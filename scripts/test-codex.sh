#!/bin/sh
# The real Codex CLI against the compiled bridge, offline, and the scripts of docs/codex-vm.md: npm run test:codex. Words
# after it choose files.
# Installs tests/codex (404 MB) and builds the bridge if they are missing; BRIDGE_BIN names another executable.
set -eu
cd "$(dirname "$0")/.."

die() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

bun=$(sh scripts/bun.sh)
if ! command -v tmux >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -qq --no-install-recommends tmux >/dev/null 2>&1 ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends tmux; } >/dev/null 2>&1 || true
fi
command -v tmux >/dev/null || die "tmux is not on PATH" "Codex's TUI is driven in it: run sudo apt-get install tmux"
command -v node >/dev/null || die "node is not on PATH" "Codex's launcher needs Node.js: https://nodejs.org"

is_installed() {
  [ -n "$(find tests/codex/node_modules/.package-lock.json -newer tests/codex/package-lock.json 2>/dev/null)" ] &&
    tests/codex/node_modules/.bin/codex --version >/dev/null 2>&1
}

is_installed || npm ci --prefix tests/codex --prefer-offline --no-audit --no-fund >&2 ||
  die "Codex could not be installed" "it needs the npm registry once, and Linux, macOS or Windows on x64 or arm64"

if [ -z "${BRIDGE_BIN:-}" ]; then
  ./build.sh
  BRIDGE_BIN=$PWD/dist/codex-mcp-http-bridge
fi
export BRIDGE_BIN

[ $# -gt 0 ] || set -- ./tests/codex
exec "$bun" test --timeout=60000 "$@"

#!/bin/sh
# The real Codex CLI against the compiled bridge, offline, and the scripts of docs/codex-vm.md: npm run test:codex. Words
# after it choose files.
# Installs tests/codex (404 MB) and builds the bridge if they are missing; BRIDGE_BIN names another executable.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

# Codex's TUI is driven in tmux.
need_debian tmux:tmux
command -v node >/dev/null || die "node is not on PATH" "Codex's launcher needs Node.js: https://nodejs.org"

# npm counts the package of another platform as installed.
runs() {
  has_node_packages tests/codex && tests/codex/node_modules/.bin/codex --version >/dev/null 2>&1
}
runs || install_node_packages tests/codex ||
  die "Codex could not be installed" "it needs the npm registry once, and Linux, macOS or Windows on x64 or arm64"
use_bun_and_bridge

[ $# -gt 0 ] || set -- ./tests/codex
exec "$bun" test --timeout=60000 "$@"

#!/bin/sh
# Makes a release of the last commit, installs each of its artefacts and uses it; tries the faults that install.sh
# meets; drives the completions in real shells: npm run test:ship. It runs as root, and needs Debian's busybox, curl,
# fish, iproute2, minisign, python3-venv, skopeo, umoci, wget, xz-utils, zsh and zstd.
set -eu
cd "$(dirname "$0")/.."

bun=$(sh scripts/bun.sh)
PATH="$(dirname "$bun"):$PATH"
export PATH
BRIDGE_BIN=${BRIDGE_BIN:-$PWD/dist/codex-mcp-http-bridge}
export BRIDGE_BIN
[ -x "$BRIDGE_BIN" ] || ./build.sh

# The test's clones use the Bun that is installed here.
runtimes=packaging/runtimes
if ! cmp -s "$runtimes/package-lock.json" "$runtimes/node_modules/.installed-lock"; then
  (cd "$runtimes" && npm ci --force --prefer-offline --no-audit --no-fund)
  cp "$runtimes/package-lock.json" "$runtimes/node_modules/.installed-lock"
fi
peers=tests/ship/node_modules/.package-lock.json
[ -n "$(find "$peers" -newer tests/ship/package-lock.json 2>/dev/null)" ] ||
  npm ci --prefix tests/ship --prefer-offline --no-audit --no-fund >&2
exec "$bun" test --timeout=60000 tests/ship

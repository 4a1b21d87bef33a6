#!/bin/sh
# Each option of mcp-remote, tried with mcp-remote itself and with the compiled bridge: npm run test:dropin. Words after it
# choose files. Installs tests/dropin (mcp-remote 0.15.1) and builds the bridge if they are missing; BRIDGE_BIN names
# another executable.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

command -v node >/dev/null || die "node is not on PATH" "mcp-remote needs Node.js: https://nodejs.org"
has_node_packages tests/dropin || install_node_packages tests/dropin ||
  die "mcp-remote could not be installed" "it needs the npm registry once"
use_bun_and_bridge

[ $# -gt 0 ] || set -- ./tests/dropin
exec "$bun" test --timeout=30000 "$@"

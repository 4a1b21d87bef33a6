#!/bin/sh
# The official MCP conformance suite against the compiled executable: npm run test:conformance [-- LEG [SCENARIO]].
# The last line is `N passed, N failed`.
set -eu
cd "$(dirname "$0")/.."

bun=$(sh scripts/bun.sh)
PATH="$(dirname "$bun"):$PATH"
export PATH

if [ -z "${BRIDGE_BIN:-}" ]; then
  ./build.sh
  BRIDGE_BIN=$PWD/dist/codex-mcp-http-bridge
fi
export BRIDGE_BIN

exec "$bun" tests/conformance/run.ts "$@"

#!/bin/sh
# The official MCP conformance suite against the compiled executable: npm run test:conformance [-- LEG [SCENARIO]].
# The last line is `N passed, N failed`.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

use_bun_and_bridge
exec "$bun" tests/conformance/run.ts "$@"

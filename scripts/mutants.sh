#!/bin/sh
# npm run mutants: removes one defence at a time and requires that a test fails (tests/mutants/run.ts).
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh
use_bun
PATH="$PWD/node_modules/.bin:$PATH"
exec "$bun" tests/mutants/run.ts "$@"

#!/bin/sh
# npm run mutants: removes one defence at a time and requires that a test fails (tests/mutants/run.ts).
set -eu
cd "$(dirname "$0")/.."
bun=$(sh scripts/bun.sh)
PATH="$(dirname "$bun"):$PWD/node_modules/.bin:$PATH"
export PATH
exec "$bun" tests/mutants/run.ts "$@"

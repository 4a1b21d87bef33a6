#!/bin/sh
# Runs the tests against the compiled executable: npm test, or bun run test. Words choose test files.
# Installs and builds first where needed. Takes about two minutes on two processors.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

use_bun_and_bridge

if [ $# -gt 0 ]; then
  exec "$bun" test --parallel --timeout=30000 "$@"
fi

make_work_folder

# These suites need packages of their own, Debian's, or root; each has its script (npm run test:codex, ...).
separate='clients,codex,dropin,proxy,desktop,homes,interop,ship,upgrade,windows'

status=0
"$bun" test --parallel --timeout=30000 --path-ignore-patterns="tests/{$separate}/**" --dots \
  --coverage --coverage-reporter=lcov --coverage-dir="$work" >"$work/log" 2>&1 || status=$?
cat "$work/log"

# A test that calls process.exit(0) would end its file without a failure: compare the number of files.
files=$(find tests -name '*.test.ts' ! -path '*/node_modules/*' |
  grep -cvE "^tests/($(echo "$separate" | tr , '|'))/")
ran=$(sed -n 's/^Ran [0-9]* tests* across \([0-9]*\) files*.*/\1/p' "$work/log" | tail -n 1)
if [ "${ran:-0}" -ne "$files" ]; then
  echo "error: there are $files test files, but ${ran:-0} ran to their end" >&2
  status=1
fi
"$bun" scripts/coverage.ts "$work/lcov.info" || status=1
exit "$status"

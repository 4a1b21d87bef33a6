#!/bin/sh
# Runs the tests against the compiled executable: npm test, or bun run test. Words after it choose files.
# Installs and builds what is missing or stale. Under five minutes on two cores.
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

if [ $# -gt 0 ]; then
  exec "$bun" test --parallel --timeout=30000 "$@"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# tests/codex has packages of its own, tests/proxy and tests/desktop need Debian's (npm run test:codex, ...).
run() {
  "$bun" test --parallel --timeout=30000 --path-ignore-patterns='tests/{codex,proxy,desktop}/**' "$@"
}

status=0
run --dots >"$work/log" 2>&1 || status=$?
cat "$work/log"

# A test that ends the process must not go green: every file has to be accounted for.
files=$(find tests -name '*.test.ts' ! -path 'tests/codex/*' ! -path 'tests/proxy/*' \
  ! -path 'tests/desktop/*' ! -path '*/node_modules/*' | wc -l)
ran=$(sed -n 's/^Ran [0-9]* tests* across \([0-9]*\) files*.*/\1/p' "$work/log" | tail -n 1)
if [ "${ran:-0}" -ne "$files" ]; then
  echo "error: $files test files are there, ${ran:-0} ran to their end" >&2
  status=1
fi
[ "$status" -eq 0 ] || exit "$status"

# Which lines ran is told by a second turn, from source. It judges nothing: what holds for the executable
# alone fails in it. As nothing depends on its times, there may be more of it at once than processors.
mkdir "$work/children"
cat >"$work/bridge" <<END
#!/bin/sh
export BUN_JSC_useControlFlowProfiler=1 BRIDGE_COVERAGE='$work/children'
exec '$bun' --preload '$PWD/scripts/cover-child.ts' '$PWD/bridge.ts' "\$@"
END
chmod +x "$work/bridge"
BRIDGE_BIN=$work/bridge run --parallel=4 --path-ignore-patterns='tests/{soak,torture,bench}/**' \
  --path-ignore-patterns='tests/e2e/environment{,-directory}.test.ts' \
  --coverage --coverage-reporter=lcov --coverage-dir="$work" >"$work/second" 2>&1 || true
"$bun" scripts/coverage.ts "$work/lcov.info" "$work/children"

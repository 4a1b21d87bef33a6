#!/bin/sh
# Servers, authorization servers and clients of other projects with the compiled bridge: npm run test:interop.
# Words choose tests (bun test -t). Needs Python 3.10, Go 1.25 and Node.js; installs what tests/interop pins.
set -eu
cd "$(dirname "$0")/.."

die() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

bun=$(sh scripts/bun.sh)
for tool in python3 go node npm; do
  command -v "$tool" >/dev/null || die "$tool is not on PATH" "this suite needs Python 3.10, Go 1.25 and Node.js with npm"
done

out=tests/interop/out
mkdir -p "$out"

# One environment for each file of pins, made anew when the file changes.
python_environment() { # pins
  name=$(basename "$1" .txt)
  cmp -s "$1" "$out/$name/pins.txt" && return 0
  rm -rf "${out:?}/$name"
  python3 -m venv "$out/$name" &&
    "$out/$name/bin/python" -m pip install --quiet --no-deps --disable-pip-version-check -r "$1" &&
    cp "$1" "$out/$name/pins.txt"
}

node_packages() {
  [ -n "$(find tests/interop/node_modules/.package-lock.json -newer tests/interop/package-lock.json 2>/dev/null)" ] ||
    npm ci --prefix tests/interop --prefer-offline --no-audit --no-fund
}

go_server() {
  (cd tests/interop/go && go build -o ../out/go-server .)
}

# Side by side: most of the time is waiting for a registry.
pids=
for pins in tests/interop/python/*.txt; do
  python_environment "$pins" >&2 &
  pids="$pids $!"
done
node_packages >&2 &
pids="$pids $!"
go_server >&2 &
pids="$pids $!"
for pid in $pids; do
  wait "$pid" || die "the packages of tests/interop could not be installed" "it needs the npm, PyPI and Go registries once"
done

if [ -z "${BRIDGE_BIN:-}" ]; then
  ./build.sh
  BRIDGE_BIN=$PWD/dist/codex-mcp-http-bridge
fi
export BRIDGE_BIN

if [ $# -gt 0 ]; then
  exec "$bun" test --timeout=120000 ./tests/interop -t "$*"
fi
exec "$bun" test --timeout=120000 ./tests/interop

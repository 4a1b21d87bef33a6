#!/bin/sh
# The bridge through a real proxy (tinyproxy): npm run test:proxy. It needs root and Debian's tinyproxy.
# Requests to loopback never use a proxy, so a private /etc/hosts gives this machine another name.
set -eu
cd "$(dirname "$0")/.."

die() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

command -v tinyproxy >/dev/null || die "tinyproxy is not installed" "apt-get install tinyproxy"
unshare --mount true 2>/dev/null || die "this user may not make a mount namespace" "run it as root"

bun=$(sh scripts/bun.sh)
if [ -z "${BRIDGE_BIN:-}" ]; then
  ./build.sh
  BRIDGE_BIN=$PWD/dist/codex-mcp-http-bridge
fi
export BRIDGE_BIN

hosts=$(mktemp)
trap 'rm -f "$hosts"' EXIT
{
  cat /etc/hosts
  echo "127.0.0.1 elsewhere.example"
} >"$hosts"
# shellcheck disable=SC2016 # the inner shell expands these
unshare --mount sh -c 'mount --bind "$1" /etc/hosts && exec "$2" test --timeout=30000 ./tests/proxy' sh "$hosts" "$bun"

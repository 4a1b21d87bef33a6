#!/bin/sh
# Homes and secrets on the mounts of Kubernetes, OpenShift and Compose: npm run test:homes. Words after it choose files.
# Each test has a mount namespace of its own, so this needs root and util-linux (unshare, setpriv).
set -eu
cd "$(dirname "$0")/.."

die() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

bun=$(sh scripts/bun.sh)
[ "$(id -u)" = 0 ] || die "mounts need root" "run sudo npm run test:homes"
unshare -m mount --make-rprivate / || die "there are no mount namespaces here" "give the container CAP_SYS_ADMIN"
command -v setpriv >/dev/null || die "setpriv is missing" "run apt-get install util-linux"

if [ -z "${BRIDGE_BIN:-}" ]; then
  ./build.sh
  BRIDGE_BIN=$PWD/dist/codex-mcp-http-bridge
fi
export BRIDGE_BIN
[ $# -gt 0 ] || set -- ./tests/homes
exec "$bun" test --timeout=30000 "$@"

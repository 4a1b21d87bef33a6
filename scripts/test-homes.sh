#!/bin/sh
# Homes and secrets on the mounts of Kubernetes, OpenShift and Compose: npm run test:homes. Words after it choose files.
# Each test has a mount namespace of its own, so this needs root and util-linux (unshare, setpriv).
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

[ "$(id -u)" = 0 ] || die "mounts need root" "run sudo npm run test:homes"
need_debian unshare:util-linux setpriv:util-linux
unshare -m mount --make-rprivate / || die "there are no mount namespaces here" "give the container CAP_SYS_ADMIN"
use_bun_and_bridge

[ $# -gt 0 ] || set -- ./tests/homes
exec "$bun" test --timeout=30000 "$@"

#!/bin/sh
# The bridge through a real proxy (tinyproxy): npm run test:proxy. It needs root and Debian's tinyproxy.
# Requests to loopback never use a proxy, so a private /etc/hosts gives this machine another name.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

need_debian tinyproxy:tinyproxy
unshare --mount true 2>/dev/null || die "this user may not make a mount namespace" "run it as root"
use_bun_and_bridge
make_work_folder

{
  cat /etc/hosts
  echo "127.0.0.1 elsewhere.example"
} >"$work/hosts"
# shellcheck disable=SC2016 # the inner shell expands these
unshare --mount sh -c 'mount --bind "$1" /etc/hosts && exec "$2" test --timeout=30000 ./tests/proxy' sh "$work/hosts" "$bun"

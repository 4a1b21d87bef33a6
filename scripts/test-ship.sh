#!/bin/sh
# Makes a release of the last commit, installs each of its artefacts and uses it; tries the faults that install.sh
# meets; drives the completions in real shells: npm run test:ship. It runs as root, and needs Debian's busybox, curl,
# fish, iproute2, minisign, python3-venv, skopeo, umoci, wget, xz-utils, zsh and zstd.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

need_debian busybox:busybox curl:curl fish:fish ip:iproute2 minisign:minisign skopeo:skopeo umoci:umoci wget:wget \
  xz:xz-utils zsh:zsh zstd:zstd
use_bun_and_bridge
# The test's clones use the Bun that is installed here.
install_runtimes
has_node_packages tests/ship || install_node_packages tests/ship
exec "$bun" test --timeout=60000 tests/ship

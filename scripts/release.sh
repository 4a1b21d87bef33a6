#!/bin/sh
# Makes dist/release/ of the checked-out commit: scripts/release.sh [PLATFORM]... (none: all of them).
# What is made, by which variables, and how each file was tried: docs/release.md. After `npm ci`, `npm ci --force` in
# packaging/runtimes and with xz and zstd there, it needs no network.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

[ -z "$(git status --porcelain)" ] || die "there are changes that no commit holds" "commit or stash them: a release is made of a commit"
for program in xz zstd; do
  command -v "$program" >/dev/null || die "$program is not on PATH" "install it (Debian: apt-get install xz-utils zstd)"
done
if [ -n "${RELEASE_MINISIGN_KEY:-}" ]; then
  command -v minisign >/dev/null || die "minisign is not on PATH" "install it, or unset RELEASE_MINISIGN_KEY for an unsigned release"
fi

use_bun
install_runtimes
exec "$bun" packaging/main.ts "$@"

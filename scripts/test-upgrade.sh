#!/bin/sh
# This version and an earlier one on the same home, both ways, and an upgrade over a running bridge: npm run
# test:upgrade. The earlier one is built from git's history.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

# The first version whose configuration, caches and grants later ones promise to read.
earlier=92c8359d098b74827d06ad36d1fd87161a2bd3cf

git cat-file -e "$earlier^{commit}" 2>/dev/null ||
  die "this clone does not hold the commit $earlier" "a shallow clone needs the whole history: git fetch --unshallow"
use_bun_and_bridge
make_work_folder
git archive "$earlier" | tar -x -C "$work"
# Its packages are a subset of today's, with the same versions; a build checks the lock file by this stamp.
ln -s "$PWD/node_modules" "$work/node_modules"
cp package-lock.json "$work/package-lock.json"
(cd "$work" && SOURCE_COMMIT="$earlier" ./build.sh)
EARLIER_BIN=$work/dist/codex-mcp-http-bridge
export EARLIER_BIN
"$bun" test --timeout=60000 ./tests/upgrade

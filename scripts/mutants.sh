#!/bin/sh
# Removes one defence after the other (mutants/*.patch) in copies of the tree; the tests that a patch names
# must fail then. A patch begins with two lines: `Promise: ...` and `Tests: FILE... [-t PATTERN]`; with a third,
# `Compiled: yes`, the tests get an executable that is made of the changed tree.
# npm run mutants; words choose patches by name. Two at a time: most of a test is waiting.
set -eu
cd "$(dirname "$0")/.."

bun=$(sh scripts/bun.sh)
PATH="$(dirname "$bun"):$PWD/node_modules/.bin:$PATH"
export PATH
# The source is changed, so the source is tested.
unset BRIDGE_BIN
SOURCE_COMMIT=unknown
# One call of many shows what is gone.
TORTURE_MOST=1000
export SOURCE_COMMIT TORTURE_MOST

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[ $# -gt 0 ] || set -- mutants/*.patch
: >"$work/killed"
printf '%s\n' "$@" | xargs -n 1 -P 2 sh scripts/mutant.sh "$work" || : # one that is not killed does not stop the others
killed=$(($(wc -l <"$work/killed")))

echo "$killed mutants killed, $(($# - killed)) not"
[ "$killed" -eq $# ]

#!/bin/sh
# Removes one defence after the other (mutants/*.patch) in a copy of the tree; the tests that a patch names
# must fail then. A patch begins with two lines: `Promise: ...` and `Tests: FILE... [-t PATTERN]`; with a third,
# `Compiled: yes`, the tests get an executable that is made of the changed tree.
# npm run mutants; words choose patches by name.
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

root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$work/tree"
tar -cf - --exclude=node_modules --exclude=.git --exclude=dist --exclude=bench . | tar -xf - -C "$work/tree"
ln -s "$root/node_modules" "$work/tree/node_modules"
cd "$work/tree"

run() { # the words of a Tests line, whether compiled
  compiled=$2
  eval "set -- $1"
  if [ "$compiled" = yes ]; then
    ./build.sh >"$work/log" 2>&1 || return 0
    BRIDGE_BIN=$PWD/dist/codex-mcp-http-bridge bun test --timeout=120000 "$@" >"$work/log" 2>&1
    return
  fi
  bun test --timeout=120000 "$@" >"$work/log" 2>&1
}

killed=0
wrong=0
for patch in "$root"/mutants/*.patch; do
  name=$(basename "$patch" .patch)
  if [ $# -gt 0 ]; then
    case " $* " in *" $name "*) ;; *) continue ;; esac
  fi
  tests=$(sed -n 's/^Tests: //p' "$patch")
  compiled=$(sed -n 's/^Compiled: //p' "$patch")
  # A test that fails anyway proves nothing. Each Tests line is tried once.
  sane=$work/sane-$(printf '%s' "$tests" | cksum | cut -d' ' -f1)
  if [ ! -e "$sane" ]; then
    if run "$tests" "$compiled"; then : >"$sane"; else
      echo "BROKEN   $name: its tests fail without it"
      tail -n 20 "$work/log"
      wrong=$((wrong + 1))
      continue
    fi
  fi
  if ! patch -p1 -s --no-backup-if-mismatch <"$patch" >"$work/log" 2>&1; then
    echo "STALE    $name: the patch does not apply"
    cat "$work/log"
    wrong=$((wrong + 1))
  elif run "$tests" "$compiled"; then
    echo "SURVIVED $name: $(sed -n 's/^Promise: //p' "$patch")"
    wrong=$((wrong + 1))
  else
    echo "killed   $name"
    killed=$((killed + 1))
  fi
  sed -n 's|^+++ b/||p' "$patch" | while read -r file; do cp "$root/$file" "$file"; done
done

echo "$killed mutants killed, $wrong not"
[ "$wrong" -eq 0 ] && [ "$killed" -gt 0 ]

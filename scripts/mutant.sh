#!/bin/sh
# Tries one patch for mutants.sh, in a copy of the tree of its own: says what came of it, and adds the name of a
# mutant that was killed to FOLDER/killed.
# mutant.sh FOLDER PATCH, by name or path
set -eu
work=$1
root=$PWD
name=$(basename "$2" .patch)
patch=$root/mutants/$name.patch
tree=$work/$name
log=$tree.log

not() { # a word, what is wrong
  printf '%-8s %s: %s\n' "$1" "$name" "$2"
  exit 1
}

[ -e "$patch" ] || not UNKNOWN "there is no $patch"
promise=$(sed -n 's/^Promise: //p' "$patch")
tests=$(sed -n 's/^Tests: //p' "$patch")
compiled=$(sed -n 's/^Compiled: //p' "$patch")

trap 'rm -rf "$tree"' EXIT
mkdir "$tree"
tar -cf - --exclude=node_modules --exclude=.git --exclude=dist --exclude=bench . | tar -xf - -C "$tree"
ln -s "$root/node_modules" "$tree/node_modules"
cd "$tree"
eval "set -- $tests"

run() { # the words of the Tests line
  if [ "$compiled" = yes ]; then
    ./build.sh >"$log" 2>&1 || return 0
    export BRIDGE_BIN="$PWD/dist/codex-mcp-http-bridge"
  fi
  # One failure is enough, and a test that waits for what a patch took away takes all of its time.
  bun test --bail --timeout=120000 "$@" >"$log" 2>&1
}

# A test that fails anyway proves nothing. Each Tests line is tried once.
sane=$work/sane-$(printf '%s' "$tests" | cksum | cut -d' ' -f1)
if [ ! -e "$sane" ]; then
  run "$@" || not BROKEN "its tests fail without it
$(tail -n 20 "$log")"
  : >"$sane"
fi
patch -p1 -s --no-backup-if-mismatch <"$patch" >"$log" 2>&1 || not STALE "the patch does not apply
$(cat "$log")"
! run "$@" || not SURVIVED "$promise"
echo "killed   $name"
echo "$name" >>"$work/killed"

#!/bin/sh
# Removes one defence after the other (mutants/*.patch) in a copy of the tree; the tests that a patch names
# must fail then. A patch begins with two lines: `Promise: ...` and `Tests: FILE... [-t PATTERN]`; with a third,
# `Compiled: yes`, the tests get an executable that is made of the changed tree.
# npm run mutants; words choose patches by name. Two trees at a time: most of a test is waiting.
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
workers=
trap 'rm -rf "$work"' EXIT
trap 'end 130' INT
trap 'end 143' TERM

end() {
  # shellcheck disable=SC2086 # a list of numbers
  [ -z "$workers" ] || kill $workers 2>/dev/null || :
  wait
  exit "$1"
}

run() { # the words of a Tests line, whether compiled
  # One failure is enough, and a test that waits for what a patch took away takes all of its time.
  compiled=$2
  eval "set -- $1"
  if [ "$compiled" = yes ]; then
    ./build.sh >"$log" 2>&1 || return 0
    BRIDGE_BIN=$PWD/dist/codex-mcp-http-bridge bun test --bail --timeout=120000 "$@" >"$log" 2>&1
    return
  fi
  bun test --bail --timeout=120000 "$@" >"$log" 2>&1
}

wrong() { # a word, a line, whether the log is shown
  printf '%-8s %s\n' "$1" "$2"
  [ $# -lt 3 ] || tail -n 20 "$log"
  echo "$2" >>"$work/wrong"
}

try() { # a patch
  name=$(basename "$1" .patch)
  tests=$(sed -n 's/^Tests: //p' "$1")
  compiled=$(sed -n 's/^Compiled: //p' "$1")
  # A test that fails anyway proves nothing. Each Tests line is tried once.
  sane=$work/sane-$(printf '%s' "$tests" | cksum | cut -d' ' -f1)
  if [ ! -e "$sane" ]; then
    run "$tests" "$compiled" || {
      wrong BROKEN "$name: its tests fail without it" log
      return
    }
    : >"$sane"
  fi
  if ! patch -p1 -s --no-backup-if-mismatch <"$1" >"$log" 2>&1; then
    wrong STALE "$name: the patch does not apply" log
  elif run "$tests" "$compiled"; then
    wrong SURVIVED "$name: $(sed -n 's/^Promise: //p' "$1")"
  else
    echo "killed   $name"
    echo "$name" >>"$work/killed"
  fi
  sed -n 's|^+++ b/||p' "$1" | while read -r file; do cp "$root/$file" "$file"; done
}

worker() { # its number, then names
  tree=$work/tree-$1
  log=$work/log-$1
  shift
  mkdir "$tree"
  tar -cf - --exclude=node_modules --exclude=.git --exclude=dist --exclude=bench . | tar -xf - -C "$tree"
  ln -s "$root/node_modules" "$tree/node_modules"
  cd "$tree"
  for patch in "$root"/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    if [ $# -gt 0 ]; then
      case " $* " in *" $name "*) ;; *) continue ;; esac
    fi
    # Whoever makes the folder has the patch.
    mkdir "$work/taken-$name" 2>/dev/null || continue
    try "$patch"
  done
}

: >"$work/killed"
: >"$work/wrong"
worker 1 "$@" &
workers=$!
worker 2 "$@" &
workers="$workers $!"
# shellcheck disable=SC2086 # a list of numbers
wait $workers

killed=$(wc -l <"$work/killed")
wrong=$(wc -l <"$work/wrong")
echo "$((killed)) mutants killed, $((wrong)) not"
[ "$wrong" -eq 0 ] && [ "$killed" -gt 0 ]

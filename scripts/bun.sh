#!/bin/sh
# Installs the packages of package-lock.json where needed and prints the path of the pinned Bun.
# Needs Node.js with npm, or any Bun; a filled cache replaces the network.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

pinned=$(sed -n 's/^ *"bun": "\([0-9.]*\)".*/\1/p' package.json)
stamp=node_modules/.bridge-lock

is_pinned() {
  [ -n "$1" ] && [ "$("$1" --version 2>/dev/null || true)" = "$pinned" ]
}

# If install scripts are blocked, node_modules/bun has no executable; the package of the platform has one.
find_bun() {
  for candidate in node_modules/bun/bin/bun.exe node_modules/@oven/bun-*/bin/bun* "$(command -v bun || true)"; do
    if is_pinned "$candidate"; then
      case $candidate in
        /*) echo "$candidate" ;;
        *) echo "$PWD/$candidate" ;;
      esac
      return
    fi
  done
  return 1
}

# npm writes a copy of the lock; after other installers this script does.
is_fresh() {
  [ -d node_modules/citty ] || return 1
  cmp -s package-lock.json "$stamp" && return 0
  [ -n "$(find node_modules/.package-lock.json -newer package-lock.json 2>/dev/null)" ]
}

install() {
  if command -v npm >/dev/null && command -v node >/dev/null; then
    npm ci --prefer-offline --no-audit --no-fund >&2
  elif command -v bun >/dev/null; then
    bun install --frozen-lockfile >&2
  else
    die "neither npm nor bun is on PATH" "install Node.js (https://nodejs.org) or Bun (https://bun.sh)"
  fi || die "the dependencies could not be installed" \
    "without a network, fill npm's or Bun's cache first (docs/install.md, Air gap)"
  cp package-lock.json "$stamp"
}

# Two installations at the same time would remove the packages of each other.
alone() {
  lock=dist/.installing
  mkdir -p dist
  tries=0
  until mkdir "$lock" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || die "another installation does not end" "remove $lock if none runs"
    sleep 1
  done
  trap 'rmdir "$lock"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  is_fresh || install
}

is_fresh || alone
find_bun || die "Bun $pinned was not installed" "run: npm ci, or install Bun $pinned yourself"

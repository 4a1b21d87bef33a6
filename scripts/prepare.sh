#!/bin/sh
# What scripts share to get ready: packages, Bun, the executable under test. A script goes to the root of the repository
# and sources this file, which does nothing but define functions.

die() { # error, hint
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

# Sets `work` to a folder that is removed when the script ends.
make_work_folder() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# Sets `bun` to the Bun that package.json pins, and puts its folder first on PATH.
use_bun() {
  bun=$(sh scripts/bun.sh)
  PATH="$(dirname "$bun"):$PATH"
  export PATH
}

# use_bun, and a new build of the executable, unless BRIDGE_BIN names one.
use_bun_and_bridge() {
  use_bun
  if [ -z "${BRIDGE_BIN:-}" ]; then
    ./build.sh
    BRIDGE_BIN=$PWD/dist/codex-mcp-http-bridge
  fi
  export BRIDGE_BIN
}

# Prints the Debian packages of the programs that are not on PATH, each behind a space.
missing_packages() { # program:package...
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || printf ' %s' "${pair##*:}"
  done
}

# Fails where it cannot install: without root, without apt-get, without a mirror.
install_debian() { # package...
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  export DEBIAN_FRONTEND=noninteractive
  timeout 300 apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 ||
    { timeout 60 apt-get update -qq && timeout 300 apt-get install -y -qq --no-install-recommends "$@"; } >/dev/null 2>&1
}

# Ends the script if a program is missing that could not be installed, either.
need_debian() { # program:package...
  packages=$(missing_packages "$@")
  [ -n "$packages" ] || return 0
  # shellcheck disable=SC2086 # a list of names
  install_debian $packages || die "these Debian packages are missing:$packages" "run sudo apt-get install$packages"
}

# Whether npm has installed what the lock file of this folder says: npm's copy of the lock file is newer.
has_node_packages() { # folder
  [ -n "$(find "$1/node_modules/.package-lock.json" -newer "$1/package-lock.json" 2>/dev/null)" ]
}

install_node_packages() { # folder
  npm ci --prefix "$1" --prefer-offline --no-audit --no-fund >&2
}

# Installs the Bun of every platform below packaging/runtimes, with checksums from its lock file.
install_runtimes() {
  runtimes=packaging/runtimes
  cmp -s "$runtimes/package-lock.json" "$runtimes/node_modules/.installed-lock" && return 0
  # --force: npm refuses the packages of other platforms.
  (cd "$runtimes" && npm ci --force --prefer-offline --no-audit --no-fund >&2) ||
    die "the Bun of the platforms could not be installed" "run npm ci --force in $runtimes where there is a network"
  cp "$runtimes/package-lock.json" "$runtimes/node_modules/.installed-lock"
}

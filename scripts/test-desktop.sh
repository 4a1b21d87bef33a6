#!/bin/sh
# The keyring of a desktop and the callback page in a real browser: npm run test:desktop. Words after it choose files.
# Needs dbus, gnome-keyring and chromium (Debian); as root on Debian it installs what is missing.
set -eu
cd "$(dirname "$0")/.."

die() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

bun=$(sh scripts/bun.sh)

missing() {
  for pair in dbus-run-session:dbus gnome-keyring-daemon:gnome-keyring chromium:chromium; do
    command -v "${pair%%:*}" >/dev/null || printf ' %s' "${pair##*:}"
  done
}

packages=$(missing)
if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # a list of names
  apt-get install -y -qq --no-install-recommends $packages libsecret-1-0 >/dev/null 2>&1 ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages libsecret-1-0; } >/dev/null 2>&1 || true
  packages=$(missing)
fi
[ -z "$packages" ] || die "these are missing:$packages" "run sudo apt-get install$packages libsecret-1-0"

if [ -z "${BRIDGE_BIN:-}" ]; then
  ./build.sh
  BRIDGE_BIN=$PWD/dist/codex-mcp-http-bridge
fi
export BRIDGE_BIN

# A desktop session for the tests: a bus, a home, and a keyring unlocked with a password.
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
[ $# -gt 0 ] || set -- ./tests/desktop
mkdir -p "$home/.local/share/keyrings" "$home/run"
chmod 700 "$home/run"
# shellcheck disable=SC2016 # the inner shell expands these
HOME=$home XDG_RUNTIME_DIR=$home/run dbus-run-session -- sh -eu -c '
  printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null
  bun=$1
  shift
  exec "$bun" test --timeout=60000 "$@"
' sh "$bun" "$@"

#!/bin/sh
# The keyring of a desktop and the callback page in a real browser: npm run test:desktop. Words after it choose files.
# Needs dbus, gnome-keyring, libsecret and chromium (Debian); as root on Debian it installs what is missing.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

need_debian dbus-run-session:dbus "gnome-keyring-daemon:gnome-keyring libsecret-1-0" chromium:chromium
use_bun_and_bridge
make_work_folder

# A desktop session for the tests: a bus, a home, and a keyring unlocked with a password.
[ $# -gt 0 ] || set -- ./tests/desktop
mkdir -p "$work/.local/share/keyrings" "$work/run"
chmod 700 "$work/run"
# shellcheck disable=SC2016 # the inner shell expands these
HOME=$work XDG_RUNTIME_DIR=$work/run dbus-run-session -- sh -eu -c '
  printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null
  bun=$1
  shift
  exec "$bun" test --timeout=60000 "$@"
' sh "$bun" "$@"

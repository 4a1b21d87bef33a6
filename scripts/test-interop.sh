#!/bin/sh
# Servers, authorization servers and clients of other projects with the compiled bridge: npm run test:interop.
# --all: also those that need Java 17 and Maven (Keycloak, Spring). Further words choose tests (bun test -t).
# Needs Python 3.10, Go 1.25 and Node.js; installs what tests/interop pins.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

tools="python3 go node npm"
INTEROP_ALL=0
if [ "${1:-}" = --all ]; then
  INTEROP_ALL=1
  tools="$tools java mvn unzip"
  shift
fi
export INTEROP_ALL

for tool in $tools; do
  command -v "$tool" >/dev/null || die "$tool is not on PATH" "this suite needs Python 3.10, Go 1.25 and Node.js with npm; with --all Java 17, Maven and unzip, too"
done

out=tests/interop/out
mkdir -p "$out"

# One environment for each file of pins, made anew when the file changes.
python_environment() { # pins
  name=$(basename "$1" .txt)
  cmp -s "$1" "$out/$name/pins.txt" && return 0
  rm -rf "${out:?}/$name"
  python3 -m venv "$out/$name" &&
    "$out/$name/bin/python" -m pip install --quiet --no-deps --disable-pip-version-check -r "$1" &&
    cp "$1" "$out/$name/pins.txt"
}

node_packages() {
  has_node_packages tests/interop || install_node_packages tests/interop
}

go_server() {
  (cd tests/interop/go && go build -o ../out/go-server .)
}

java_systems() {
  mvn -q -B -f tests/interop/java/pom.xml package || return 1
  version=$(sed -n 's:.*<keycloak.version>\(.*\)</keycloak.version>.*:\1:p' tests/interop/java/pom.xml)
  [ -x "$out/keycloak/bin/kc.sh" ] && grep -q "$version" "$out/keycloak/version.txt" && return 0
  rm -rf "$out/keycloak" "$out/keycloak-$version"
  mvn -q -B dependency:copy "-Dartifact=org.keycloak:keycloak-quarkus-dist:$version:zip" "-DoutputDirectory=$out" &&
    unzip -q "$out/keycloak-quarkus-dist-$version.zip" -d "$out" &&
    mv "$out/keycloak-$version" "$out/keycloak" &&
    rm "$out/keycloak-quarkus-dist-$version.zip"
}

# Side by side: most of the time is waiting for a registry.
pids=
for pins in tests/interop/python/*.txt; do
  python_environment "$pins" >&2 &
  pids="$pids $!"
done
node_packages &
pids="$pids $!"
go_server >&2 &
pids="$pids $!"
if [ "$INTEROP_ALL" = 1 ]; then
  java_systems >&2 &
  pids="$pids $!"
fi
for pid in $pids; do
  wait "$pid" || die "the packages of tests/interop could not be installed" "it needs the npm, PyPI and Go registries once"
done

use_bun_and_bridge

if [ $# -gt 0 ]; then
  exec "$bun" test --timeout=480000 ./tests/interop -t "$*"
fi
exec "$bun" test --timeout=480000 ./tests/interop

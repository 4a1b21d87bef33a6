#!/bin/sh
# Measures the time from `curl | sh` to the answer of a first tool call at 10 Mbit/s, for each form of the executable
# and for a plain download: scripts/measure-install.sh [RELEASE] (default: dist/release). It takes four minutes, and needs
# Linux with iproute2, zstd and xz, and a release that is not signed for another address.
set -eu
cd "$(dirname "$0")/.."

if [ "${1:-}" != --inside ]; then
  release=$(cd "${1:-dist/release}" && pwd)
  bun=$(sh scripts/bun.sh)
  # A namespace of its own: only its loopback is slow.
  exec unshare --map-root-user --net sh "$0" --inside "$release" "$bun"
fi

release=$2
bun=$3
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
ip link set lo mtu 1500 up
tc qdisc add dev lo root tbf rate 10mbit burst 16kb latency 300ms
mkdir "$work/served"
for file in "$release"/*; do ln -s "$file" "$work/served/"; done
name=codex-mcp-http-bridge
packed=$(cd "$release" && echo "$name"-*-linux-x64.gz)
gzip -dc "$release/$packed" >"$work/served/$name"
(cd "$work/served" && sha256sum "$name" >plain.sums)
mkfifo "$work/ready"
"$bun" tests/ship/support/serve-release.ts "$work/served" 8443 >"$work/ready" &
server=$!
read -r _ <"$work/ready"

CURL_CA_BUNDLE=$PWD/tests/fault/certificates/ca.pem
CODEX_MCP_BRIDGE_RELEASES=https://127.0.0.1:8443/releases
export CURL_CA_BUNDLE CODEX_MCP_BRIDGE_RELEASES

first_call() { # executable
  printf '%s\n' \
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}' \
    '{"jsonrpc":"2.0","method":"notifications/initialized"}' \
    '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":"first"}}}' |
    "$1" run --demo 2>/dev/null | grep -q '"id":2,"result"'
}

# Hides the programs that unpack better forms, so that install.sh takes the one that is measured.
tools() { # program...
  folder=$work/tools-$1
  mkdir "$folder"
  for tool in uname sed grep tr cut head tail wc mktemp mkdir mv cp rm chmod dirname cat sleep sh curl sha256sum openssl minisign "$@"; do
    path=$(command -v "$tool") && ln -s "$path" "$folder/$tool"
  done
  echo "$folder"
}

timed() { # label, command...
  label=$1
  shift
  begin=$(date +%s%N)
  "$@" >/dev/null
  end=$(date +%s%N)
  printf '%-28s %5.1f s\n' "$label" "$(((end - begin) / 100000000))e-1"
}

install_and_call() { # PATH, home
  curl -fsSL "$CODEX_MCP_BRIDGE_RELEASES/install.sh" | HOME=$2 PATH=$1 sh
  first_call "$2/.local/bin/$name"
}

plain_and_call() {
  cd "$work"
  curl -fsSLO "$CODEX_MCP_BRIDGE_RELEASES/$name"
  curl -fsSL "$CODEX_MCP_BRIDGE_RELEASES/plain.sums" | sha256sum -c
  chmod 755 "$name"
  first_call "./$name"
}

for form in zstd xz gzip; do
  mkdir "$work/$form"
  timed "curl | sh, $form" install_and_call "$(tools "$form")" "$work/$form"
done
timed "plain download" plain_and_call

#!/bin/sh
# Builds the executable: ./build.sh [--target PLATFORM]... [--all] [--runtime FILE] [--to DIR]
set -eu
cd "$(dirname "$0")"

name=codex-mcp-http-bridge
platforms="linux-x64 linux-x64-musl linux-arm64 linux-arm64-musl darwin-x64 darwin-arm64 windows-x64 windows-arm64"

usage() {
  cat <<END
Usage: ./build.sh [--target PLATFORM]... [--all] [--runtime FILE] [--to DIR]

Without options it builds dist/$name for this machine and tries it.
  --target PLATFORM  builds dist/PLATFORM/$name instead; one of:
                     $platforms
  --all              all of them
  --runtime FILE     the Bun executable of that platform, where it cannot be downloaded:
                     npm pack @oven/bun-linux-aarch64, then package/bin/bun of the archive
  --to DIR           the folder for everything that is built (default: dist)
SOURCE_COMMIT names the commit where git cannot. CODEX_MCP_BRIDGE_RELEASES is the https address at which dist/
is going to be published: dist/install.sh downloads from there.
END
}

die() {
  printf 'error: %s\nhint: %s\n' "$1" "${2:-./build.sh --help}" >&2
  exit "${3:-1}"
}

targets=
runtime=
out=dist
while [ $# -gt 0 ]; do
  case $1 in
    --target | --runtime | --to) [ $# -gt 1 ] || die "the option $1 needs a value" "" 2 ;;
  esac
  case $1 in
    --target)
      case " $platforms " in
        *" ${2#bun-} "*) targets="$targets ${2#bun-}" ;;
        *) die "unknown platform \"$2\"" "one of: $platforms" 2 ;;
      esac
      shift
      ;;
    --runtime)
      [ -f "$2" ] || die "there is no file \"$2\"" "name the Bun executable of the target platform" 2
      runtime=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
      shift
      ;;
    --to)
      mkdir -p "$2"
      out=$(cd "$2" && pwd)
      shift
      ;;
    --all) targets=$platforms ;;
    --help | -h) usage && exit 0 ;;
    *) die "unknown option \"$1\"" "" 2 ;;
  esac
  shift
done

here() {
  system=$(uname -s)
  machine=$(uname -m)
  case $machine in
    x86_64 | amd64) machine=x64 ;;
    aarch64 | arm64) machine=arm64 ;;
  esac
  case $system in
    Linux) case $(ldd /bin/ls 2>/dev/null || true) in *musl*) machine=$machine-musl ;; esac ;;
    MINGW* | MSYS* | CYGWIN*) system=windows ;;
  esac
  echo "$system-$machine" | tr '[:upper:]' '[:lower:]'
}

commit() {
  if [ -n "${SOURCE_COMMIT:-}" ]; then
    echo "$SOURCE_COMMIT"
  elif [ -e .git ] && hash=$(git rev-parse HEAD 2>/dev/null); then
    git diff --quiet HEAD 2>/dev/null || hash=$hash-dirty
    echo "$hash"
  else
    echo unknown
  fi
}

native=$(here)
commit=$(commit)
releases=${CODEX_MCP_BRIDGE_RELEASES:-}
case $releases in
  "" | https://?*) ;;
  *) die "CODEX_MCP_BRIDGE_RELEASES is not an https address" "set one that begins with https://" 2 ;;
esac
case $releases in *[!A-Za-z0-9:/._~%-]*) die "CODEX_MCP_BRIDGE_RELEASES holds an odd character" "letters, digits and :/._~%-" 2 ;; esac
case $commit in *[!A-Za-z0-9._-]*) die "SOURCE_COMMIT is not a commit" "letters, digits, '.', '_' and '-'" 2 ;; esac
bun=$(sh scripts/bun.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Collects the licences of the packages that the program imports; the executable embeds the file, which therefore
# stands in dist/ whatever --to says.
licenses() {
  mkdir -p dist
  : >>dist/THIRD-PARTY-LICENSES
  "$bun" build --splitting --format=esm --target=bun --outdir="$work/bundle" \
    --metafile="$work/imports.json" bridge.ts >"$work/log" 2>&1 || failed "$native"
  # By a rename: another build may read the file meanwhile.
  "$bun" scripts/licenses.ts "$work/imports.json" "dist/.licenses.$$"
  mv "dist/.licenses.$$" dist/THIRD-PARTY-LICENSES
  cp LICENSE dist/LICENSE
}

# Every flag has its reason in CONTRIBUTING.md, Build.
build() { # platform, file
  mkdir -p "$(dirname "$2")" "$work/$1"
  "$bun" build --compile --minify --splitting --bytecode --format=esm --reject-unresolved \
    --no-compile-autoload-dotenv --no-compile-autoload-bunfig \
    --no-compile-autoload-tsconfig --no-compile-autoload-package-json \
    --compile-jit-policy=8 --bytecode-order=scripts/bytecode-order.txt \
    --define "BUILD_COMMIT=\"$commit\"" --define "BUILD_TARGET=\"$1\"" \
    --target="bun-$1" ${runtime:+"--compile-executable-path=$runtime"} \
    --metafile="$work/graph.json" --outfile="$work/$1/$name" bridge.ts >"$work/log" 2>&1 || failed "$1"
  # Bun reports this failure but exits with 0.
  if grep -q "Failed to generate bytecode" "$work/log"; then failed "$1"; fi
  case $1 in windows-*) [ -f "$work/$1/$name.exe" ] || mv "$work/$1/$name" "$work/$1/$name.exe" ;; esac
  mv "$work/$1/$name"* "$(dirname "$2")/"
  echo "built $2 (commit $commit)"
}

failed() {
  cat "$work/log" >&2
  die "the build for $1 failed" "a platform that is not this one needs its Bun: see --runtime in ./build.sh --help"
}

smoke() {
  said=$("$1" --version) || die "$1 does not run"
  [ "$said" = "$name $(sed -n 's/^  "version": "\(.*\)",/\1/p' package.json)" ] ||
    die "$1 --version says \"$said\""
  "$1" demo >"$work/demo" 2>&1 || {
    cat "$work/demo" >&2
    die "$1 demo failed"
  }
  echo "$1 runs: $said, and its demo passes"
}

# Sends a message through the emulated executable; `demo` cannot start itself under emulation.
smoke_emulated() { # executable, emulator with its words
  file=$1
  shift
  asked='{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"smoke","version":"1"}}}'
  said=$(printf '%s\n' "$asked" | "$@" "$file" run --demo)
  case $said in
    *'"serverInfo"'*) echo "$file runs under emulation ($*): its built-in server answers through the bridge" ;;
    *) die "$file does not run under emulation ($*)" ;;
  esac
}

can_emulate_arm64() {
  command -v qemu-aarch64-static >/dev/null && [ -e /usr/aarch64-linux-gnu/lib/libc.so.6 ]
}

sums() {
  if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

licenses
if [ -z "$targets" ]; then
  build "$native" "$out/$name"
  smoke "$out/$name"
else
  for platform in $targets; do
    suffix=
    case $platform in windows-*) suffix=.exe ;; esac
    build "$platform" "$out/$platform/$name$suffix"
    if [ "$platform" = "$native" ]; then
      smoke "$out/$platform/$name"
      # A processor of 2008, without AVX.
      if [ "$platform" = linux-x64 ] && command -v qemu-x86_64-static >/dev/null; then
        smoke_emulated "$out/$platform/$name" qemu-x86_64-static -cpu Nehalem
      fi
    elif [ "$platform" = linux-arm64 ] && can_emulate_arm64; then
      smoke_emulated "$out/$platform/$name" qemu-aarch64-static -L /usr/aarch64-linux-gnu
    fi
  done
fi
sed "s|^releases=.*|releases=\${CODEX_MCP_BRIDGE_RELEASES:-$releases}|" scripts/install.sh >"$out/install.sh"
"$bun" scripts/check-graph.ts "$work/graph.json"
(
  cd "$out"
  # shellcheck disable=SC2046 # the names hold no spaces
  sums $(find . -type f -name "$name*" | sed 's|^\./||' | LC_ALL=C sort) >SHA256SUMS
)
echo "wrote $out/SHA256SUMS"

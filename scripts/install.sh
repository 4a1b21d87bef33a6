#!/bin/sh
# Installs the executable for this machine into a folder, after its SHA-256 was compared with the published one:
#   curl -fsSL https://ADDRESS/install.sh | sh -s -- [--to DIR] [--from FILE]
# Everything is a function that the last line calls, so that an incomplete download does nothing.
set -eu

name=codex-mcp-http-bridge
# The https address of a folder with the files that `./build.sh --all` makes in dist/. build.sh fills it in.
releases=${CODEX_MCP_BRIDGE_RELEASES:-}

usage() {
  cat <<END
Usage: install.sh [--to DIR] [--from FILE]

  --to DIR     the folder for the executable (default: ~/.local/bin)
  --from FILE  an executable that is here already, with SHA256SUMS beside it or one folder up; needs no network
CODEX_MCP_BRIDGE_RELEASES is the https address to download from${releases:+ (now $releases)}.
END
}

die() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit "${3:-1}"
}

platform() {
  system=$(uname -s)
  machine=$(uname -m)
  case $machine in
    x86_64 | amd64) machine=x64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) die "there is no executable for $system on $machine" "see Build in README.md" ;;
  esac
  case $system in
    Linux) case $(ldd /bin/ls 2>/dev/null || true) in *musl*) machine=$machine-musl ;; esac ;;
    Darwin) ;;
    *) die "this script does not know $system" "copy the executable by hand: see README.md" ;;
  esac
  echo "$system-$machine" | tr '[:upper:]' '[:lower:]'
}

download() { # path below the address, file
  curl --fail --silent --show-error --location --proto '=https' --tlsv1.2 --output "$2" "${releases%/}/$1" ||
    die "${releases%/}/$1 could not be downloaded" "check the address and the network"
}

sum() {
  if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d ' ' -f 1
}

check() { # file, SHA256SUMS
  found=$(sum "$1")
  # The names of files for this machine; a name without a folder was built on it.
  for path in "$platform/$name" "$name"; do
    grep -qxF "$found  $path" "$2" && return
  done
  die "the SHA-256 of ${from:-the download} is not that of $platform in SHA256SUMS" "get both files again"
}

main() {
  to=
  from=
  while [ $# -gt 0 ]; do
    case $1 in
      --to | --from) [ -n "${2:-}" ] || die "the option $1 needs a value" "install.sh --help" 2 ;;
    esac
    case $1 in
      --to) to=$2 && shift ;;
      --from) from=$2 && shift ;;
      --help | -h) usage && exit 0 ;;
      *) die "unknown option \"$1\"" "install.sh --help" 2 ;;
    esac
    shift
  done
  platform=$(platform)
  if [ -n "$from" ]; then
    [ -f "$from" ] || die "there is no file \"$from\"" "name the executable by --from FILE"
    sums=$(dirname "$from")/SHA256SUMS
    [ -f "$sums" ] || sums=$(dirname "$from")/../SHA256SUMS
    [ -f "$sums" ] || die "there is no SHA256SUMS beside $from" "bring it along with the executable"
  else
    case $releases in
      https://*) ;;
      "") die "no address to download from is set" "set CODEX_MCP_BRIDGE_RELEASES, or use --from FILE" 2 ;;
      *) die "CODEX_MCP_BRIDGE_RELEASES is not an https address" "set one that begins with https://" 2 ;;
    esac
  fi
  to=${to:-${HOME:?is not set: name a folder by --to DIR}/.local/bin}
  case $to in /*) ;; *) to=$PWD/$to ;; esac
  mkdir -p "$to"
  # In the target folder, so that the last step is a rename and nobody sees half a file.
  work=$(mktemp -d "$to/.$name.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if [ -n "$from" ]; then
    cp "$from" "$work/$name"
  else
    sums=$work/SHA256SUMS
    download SHA256SUMS "$sums"
    download "$platform/$name" "$work/$name"
  fi
  check "$work/$name" "$sums"
  chmod 755 "$work/$name"
  version=$("$work/$name" --version) || die "the executable does not run here" "see Build in README.md"
  mv -f "$work/$name" "$to/$name"
  echo "installed $to/$name ($version)"
  case :$PATH: in
    *":$to:"*) echo "next: $name setup" ;;
    *) echo "next: put $to on your PATH, then $name setup" ;;
  esac
}

main "$@"

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
  --from FILE  an executable that is here already, as it is or as .zst, .xz or .gz, with SHA256SUMS beside it or one
               folder up; needs no network
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

# The path of this machine's executable in SHA256SUMS: the smallest form that can be unpacked here.
offered() { # SHA256SUMS
  for form in zst:zstd xz:xz gz:gzip; do
    command -v "${form#*:}" >/dev/null || continue
    path=$(sed -n "s/^[0-9a-f]\{64\}  \($name-[0-9][^/ ]*-$platform\.${form%%:*}\)$/\1/p" "$1" | head -n 1)
    [ -z "$path" ] || break
  done
  echo "${path:-$platform/$name}"
}

check() { # file, SHA256SUMS
  found=$(sum "$1")
  # The only names that are meant for this machine; one without a folder was built on it.
  grep -qE "^$found  ($platform/)?$name$" "$2" || grep -qE "^$found  $name-[0-9][^/ ]*-$platform\.(zst|xz|gz)$" "$2" ||
    die "the SHA-256 of ${from:-the download} is not that of $platform in SHA256SUMS" "get both files again"
}

# Puts the executable of a checked file beside it.
unpack() { # file, name that tells its form, executable
  case $2 in
    *.zst) set -- zstd "$@" ;;
    *.xz) set -- xz "$@" ;;
    *.gz) set -- gzip "$@" ;;
    *) mv -f "$1" "$3" && return ;;
  esac
  command -v "$1" >/dev/null || die "$3 cannot be unpacked: $1 is not here" "install $1, or bring another form of the file"
  "$1" -dc <"$2" >"$4" || die "$2 cannot be unpacked" "get the file again"
  rm -f "$2"
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
    path=$from
    cp "$from" "$work/file"
  else
    sums=$work/SHA256SUMS
    download SHA256SUMS "$sums"
    path=$(offered "$sums")
    download "$path" "$work/file"
  fi
  check "$work/file" "$sums"
  unpack "$work/file" "$path" "$work/$name"
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

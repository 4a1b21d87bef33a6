#!/bin/sh
# Installs, upgrades or removes the executable for this machine:
#   curl -fsSL https://ADDRESS/install.sh | sh -s -- [OPTION]...
# Everything is a function that the last line calls, so that an incomplete download of this script does nothing.
set -eu

name=codex-mcp-http-bridge
# The https address of a folder with the files of a release. build.sh fills it in.
releases=${CODEX_MCP_BRIDGE_RELEASES:-}
# The minisign public key (base64) that SHA256SUMS must be signed with; empty: the release is not signed. A signed
# release fills it in.
key=

usage() {
  cat <<END
Usage: install.sh [--to DIR] [--version X.Y.Z | --from FILE] [--downgrade]
       install.sh --uninstall [--to DIR]

  --to DIR         the folder for the executable (default: ~/.local/bin)
  --version X.Y.Z  this version instead of the newest one
  --from FILE      an executable that is here already, as it is or as .zst, .xz or .gz, with SHA256SUMS beside it or
                   one folder up (and SHA256SUMS.minisig if the release is signed); needs no network
  --downgrade      replace a newer version by an older one
  --uninstall      remove the executable with its completions and its manual page
CODEX_MCP_BRIDGE_RELEASES is the https address to download from${releases:+ (now $releases)}.
END
}

die() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit "${3:-1}"
}

warn() {
  printf 'warning: %s\n' "$1" >&2
}

has() {
  command -v "$1" >/dev/null 2>&1
}

need() {
  for tool; do
    has "$tool" || die "the program $tool is not on PATH" "install $tool, or add its folder to PATH"
  done
}

platform() {
  system=$(uname -s)
  machine=$(uname -m)
  case $machine in
    x86_64 | amd64) machine=x64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) die "there is no executable for $system on $machine" "see Build in docs/install.md" ;;
  esac
  case $system in
    Linux) case $(ldd /bin/ls 2>/dev/null || true) in *musl*) machine=$machine-musl ;; esac ;;
    Darwin) ;;
    *) die "this script does not know $system" "copy the executable by hand: see docs/install.md" ;;
  esac
  echo "$system-$machine" | tr '[:upper:]' '[:lower:]'
}

# BusyBox's wget is left out: without a helper program it does not verify certificates.
downloader() {
  if has curl; then
    echo curl
  elif has wget && wget --version 2>/dev/null | grep -q '^GNU Wget'; then
    echo wget
  else
    die "neither curl nor GNU wget is on PATH" "install one of them, or bring the files here and use --from FILE"
  fi
}

# Downloads a small file over https alone.
download() { # path below the address, file
  case $downloader in
    curl)
      curl --fail --silent --show-error --location --proto '=https' --tlsv1.2 --connect-timeout 20 --max-time 120 \
        --output "$2" "${releases%/}/$1"
      ;;
    wget)
      # wget has no option that refuses a redirect to http.
      wget --server-response --timeout=20 --tries=3 --output-document="$2" "${releases%/}/$1" 2>"$work/log" || {
        tail -n 2 "$work/log" >&2
        return 1
      }
      ! grep -qi '^ *location: *http:' "$work/log"
      ;;
  esac
}

# Appends the rest of the executable to what an earlier attempt left in the file. Its SHA-256 is checked later.
download_rest() { # path below the address, file
  case $downloader in
    curl)
      progress=--progress-bar
      [ -t 2 ] || progress=--silent
      curl --fail --show-error "$progress" --location --proto '=https' --tlsv1.2 --connect-timeout 20 \
        --speed-limit 1 --speed-time 30 --continue-at - --write-out '%{http_code}' --output "$2" "${releases%/}/$1" \
        >"$work/status"
      ;;
    wget)
      progress=--show-progress
      [ -t 2 ] || progress=--no-verbose
      wget --quiet "$progress" --timeout=30 --tries=1 --continue --output-document="$2" "${releases%/}/$1"
      ;;
  esac
}

size() {
  if [ -f "$1" ]; then wc -c <"$1" | tr -d ' '; else echo 0; fi
}

# Downloads the executable. Continues after a broken connection; gives up after three attempts that brought nothing.
download_executable() { # path below the address, file
  failures=0
  while :; do
    before=$(size "$2")
    code=0
    download_rest "$1" "$2" || code=$?
    case $downloader-$code in
      *-0) return ;;
      curl-23 | wget-3)
        rm -f "$2"
        die "the download could not be written to $to" "is the disk full? about 200 MB are needed"
        ;;
      # The server cannot send the rest of a file.
      curl-33) rm -f "$2" ;;
      curl-22)
        case $(cat "$work/status") in
          # Range Not Satisfiable: as many bytes as the file has, or more, are here, but not the right ones.
          416) rm -f "$2" ;;
          5??) ;;
          *) failures=3 ;;
        esac
        ;;
    esac
    if [ "$(size "$2")" -gt "$before" ]; then failures=0; else failures=$((failures + 1)); fi
    [ "$failures" -lt 3 ] ||
      die "${releases%/}/$1 could not be downloaded" "check the address and the network; the next run goes on from $(size "$2") bytes"
    sleep 1
  done
}

# The command that prints the SHA-256 of its standard input first.
sum_command() {
  if has sha256sum; then
    echo sha256sum
  elif has shasum; then
    echo shasum -a 256
  elif has openssl; then
    echo openssl dgst -sha256 -r
  else
    die "neither sha256sum nor shasum nor openssl is on PATH" "install one of them"
  fi
}

sum() {
  # shellcheck disable=SC2086 # a command with its words
  $sum_command <"$1" | cut -d ' ' -f 1
}

# The path of this machine's executable in SHA256SUMS: the smallest form that can be unpacked here.
offered() { # SHA256SUMS
  wanted=$(printf '%s\n' "$version" | sed 's/\./\\./g')
  wanted=${wanted:-'[0-9][^/ ]*'}
  listed=
  for form in zst:zstd xz:xz gz:gzip; do
    path=$(sed -n "s/^[0-9a-f]\{64\}  \($name-$wanted-$platform\.${form%%:*}\)$/\1/p" "$1" | head -n 1)
    [ -n "$path" ] || continue
    listed=$path
    if has "${form#*:}"; then
      echo "$path"
      return
    fi
  done
  [ -z "$listed" ] || die "none of zstd, xz and gzip is on PATH" "install one of them"
  [ -n "$version" ] || echo "$platform/$name"
}

# Checks the SHA-256 against the names in SHA256SUMS that are meant for this machine; a name without a folder was built
# on it.
check_sum() { # file, SHA256SUMS
  found=$(sum "$1")
  grep -qE "^$found  ($platform/)?$name$" "$2" || grep -qE "^$found  $name-[0-9][^/ ]*-$platform\.(zst|xz|gz)$" "$2" || {
    rm -f "$1"
    die "the SHA-256 of ${from:-the download} is not that of $platform in SHA256SUMS" "get both files again"
  }
}

# Verifies a minisign signature by openssl. Exit code 2: this openssl has no Ed25519, BLAKE2b or -rawin (before 3.0).
verify_by_openssl() { # file, signature file
  openssl pkeyutl -help 2>&1 | grep -q -- -rawin || return 2
  # Line 2, decoded: two bytes for the algorithm, eight for the key's id, 64 of the signature.
  signature=$(sed -n 2p "$2")
  case $signature in
    # "ED": the signature of the file's BLAKE2b-512 hash.
    RU[QRST]*) openssl dgst -blake2b512 -binary <"$1" >"$work/message" || return 2 ;;
    # "Ed": the signature of the file itself.
    RW[QRST]*) cp "$1" "$work/message" ;;
    *) return 1 ;;
  esac
  printf '%s' "$signature" | openssl base64 -d -A | tail -c 64 >"$work/signature"
  # The public key as SubjectPublicKeyInfo (RFC 8410 4): a fixed head of twelve bytes, then the 32 of the key.
  printf '\060\052\060\005\006\003\053\145\160\003\041\000' >"$work/key"
  printf '%s' "$key" | openssl base64 -d -A | tail -c 32 >>"$work/key"
  openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key" -rawin -in "$work/message" \
    -sigfile "$work/signature" >/dev/null 2>&1
}

check_signature() { # SHA256SUMS, signature file
  [ -f "$2" ] || die "SHA256SUMS has no signature, but this release is signed" "get SHA256SUMS.minisig, too"
  code=0
  if has minisign; then
    minisign -V -q -m "$1" -x "$2" -P "$key" >/dev/null 2>&1 || code=1
  elif has openssl; then
    verify_by_openssl "$1" "$2" || code=$?
  else
    code=2
  fi
  case $code in
    0) ;;
    2) warn "the signature of SHA256SUMS was not checked: neither minisign nor OpenSSL 3 is on PATH" ;;
    *) die "the signature of SHA256SUMS is not by the key of this release" "get install.sh and all files again" ;;
  esac
}

# Puts the executable of a checked file beside it.
unpack() { # file, name that tells its form, executable
  case $2 in
    *.zst) set -- zstd "$@" ;;
    *.xz) set -- xz "$@" ;;
    *.gz) set -- gzip "$@" ;;
    *) mv -f "$1" "$3" && return ;;
  esac
  has "$1" || die "$from cannot be unpacked: $1 is not on PATH" "install $1, or bring another form of the file"
  "$1" -dc <"$2" >"$4" || die "the executable could not be unpacked into $to" "is the disk full? about 200 MB are needed"
  rm -f "$2"
}

# Prints the version of an executable; nothing if it is another program or does not run.
version_of() { # file
  # Not the script's own stdin: with `curl | sh` the rest of the script comes from there.
  output=$("$1" --version </dev/null 2>/dev/null) || return 0
  case $output in "$name "*) printf '%s\n' "${output#"$name "}" ;; esac
}

# Whether version A is older than B (Semantic Versioning 11; two pre-releases of one version are not compared).
is_older() { # A, B
  [ "$1" != "$2" ] || return 1
  left=${1%%[-+]*}.
  right=${2%%[-+]*}.
  while [ -n "$left$right" ]; do
    a=${left%%.*}
    b=${right%%.*}
    case ${a:-0}${b:-0} in *[!0-9]*) return 1 ;; esac
    [ "${a:-0}" -eq "${b:-0}" ] || { [ "${a:-0}" -lt "${b:-0}" ] && return 0 || return 1; }
    left=${left#*.}
    right=${right#*.}
  done
  case $1,$2 in
    *-*,*-*) return 1 ;;
    *-*,*) return 0 ;;
  esac
  return 1
}

refuse_older() { # version
  [ -z "$downgrade" ] || return 0
  installed=$(version_of "$to/$name")
  [ -n "$installed" ] && is_older "$1" "$installed" || return 0
  die "$to/$name is version $installed, which is newer than $1" "--downgrade replaces it all the same"
}

# For each completion and the manual page: the argument of `completions` that prints it, and its file. They go below
# PREFIX/share if the target is PREFIX/bin and that folder exists.
extras() {
  case $to in */bin) share=${to%/bin}/share ;; *) return 0 ;; esac
  [ -d "$share" ] || return 0
  echo "bash $share/bash-completion/completions/$name"
  echo "fish $share/fish/vendor_completions.d/$name.fish"
  # zsh reads no folder of the user's by itself.
  [ ! -d "$share/zsh/site-functions" ] || echo "zsh $share/zsh/site-functions/_$name"
  echo "man $share/man/man1/$name.1"
}

install_extras() {
  extras | while read -r kind file; do
    { mkdir -p "$(dirname "$file")" && "$to/$name" completions "$kind" </dev/null >"$file"; } 2>/dev/null || {
      rm -f "$file" 2>/dev/null || true
      warn "$file could not be written"
    }
  done
}

# The first executable of this name on PATH.
on_path() (
  set -f
  IFS=:
  for folder in $PATH; do
    if [ -f "$folder/$name" ] && [ -x "$folder/$name" ]; then
      echo "$folder/$name"
      return
    fi
  done
)

# The line that puts a folder on the PATH of the user's shell.
path_line() {
  case $to in
    "${HOME:-/}"/*) folder="\$HOME${to#"$HOME"}" ;;
    *) folder=$to ;;
  esac
  case $to in *[!A-Za-z0-9/._+@~-]*) echo "put $to on your PATH" && return ;; esac
  case ${SHELL:-} in
    */fish) echo "fish_add_path \"$folder\"" && return ;;
    */zsh) profile=.zshrc ;;
    # Terminals of macOS open login shells.
    */bash) case $platform in darwin-*) profile=.bash_profile ;; *) profile=.bashrc ;; esac ;;
    *) profile=.profile ;;
  esac
  echo "echo 'export PATH=\"$folder:\$PATH\"' >>~/$profile, then open a new terminal"
}

next_steps() {
  first=$(on_path)
  case :$PATH: in
    *":$to:"*) ;;
    *) echo "next: $(path_line)" ;;
  esac
  if [ -n "$first" ] && [ "$(cd "$(dirname "$first")" && pwd -P)" != "$(cd "$to" && pwd -P)" ]; then
    other=$(version_of "$first")
    warn "another copy comes first on your PATH: $first${other:+ (version $other)}"
  fi
  echo "next: $name setup"
}

uninstall() {
  [ -f "$to/$name" ] || [ -L "$to/$name" ] || {
    first=$(on_path)
    die "$to/$name does not exist" "${first:+there is $first: }name its folder by --to DIR"
  }
  rm -f "$to/$name" 2>/dev/null || die "$to/$name could not be removed" "its folder must be writable"
  extras | while read -r _ file; do rm -f "$file" || true; done
  rm -f "$to/.$name-"*.part
  echo "removed $to/$name"
  home=${CODEX_MCP_BRIDGE_HOME:-${HOME:-}/.codex-mcp-bridge}
  [ ! -d "$home" ] || echo "kept $home, which holds your servers and sign-ins"
  echo "next: remove the entries that start $name from your clients' configuration"
}

# Ends an installation: a download that is not complete is kept for the next run.
clean_up() {
  [ -z "$part" ] || [ ! -s "$work/file" ] || mv -f "$work/file" "$part"
  rm -rf "$work"
}

# Gets SHA256SUMS and its signature, without carriage returns, and the path of the executable below the address.
get_sums() {
  if [ -n "$from" ]; then
    [ ! -f "$sums.minisig" ] || tr -d '\r' <"$sums.minisig" >"$work/SHA256SUMS.minisig"
    tr -d '\r' <"$sums" >"$work/SHA256SUMS"
  else
    download SHA256SUMS "$work/sums" ||
      die "${releases%/}/SHA256SUMS could not be downloaded" "check the address and the network"
    tr -d '\r' <"$work/sums" >"$work/SHA256SUMS"
    path=$(offered "$work/SHA256SUMS")
    # An address may keep earlier versions in folders of their own.
    if [ -z "$path" ]; then
      releases=${releases%/}/$version
      download SHA256SUMS "$work/sums" || die "there is no version $version at ${releases%/*}" "leave out --version for the newest one"
      tr -d '\r' <"$work/sums" >"$work/SHA256SUMS"
      path=$(offered "$work/SHA256SUMS")
    fi
    [ -z "$key" ] || download SHA256SUMS.minisig "$work/SHA256SUMS.minisig" || rm -f "$work/SHA256SUMS.minisig"
  fi
  [ -z "$key" ] || check_signature "$work/SHA256SUMS" "$work/SHA256SUMS.minisig"
}

install_executable() {
  [ ! -d "$to/$name" ] || die "$to/$name is a folder" "name another folder by --to DIR"
  mkdir -p "$to" 2>/dev/null || die "the folder $to cannot be made" "name a folder of yours by --to DIR"
  # In the target folder, so that the last step is a rename and nobody sees half a file.
  work=$(mktemp -d "$to/.$name.XXXXXX" 2>/dev/null) || die "the folder $to cannot be written" "name a folder of yours by --to DIR"
  part=
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  get_sums
  sums=$work/SHA256SUMS
  if [ -n "$from" ]; then
    path=$from
    cp "$from" "$work/file" 2>/dev/null || die "$from could not be copied to $to" "is the disk full? about 200 MB are needed"
  else
    [ -n "$path" ] || die "version $version at $releases has no executable for $platform" "see Build in docs/install.md"
    case $path in "$name"-*) new=${path#"$name-"} && refuse_older "${new%"-$platform".*}" ;; esac
    expected=$(sed -n "s|^\([0-9a-f]\{64\}\)  $path$|\1|p" "$sums" | head -n 1)
    echo "downloading ${releases%/}/$path"
    if [ -n "$expected" ]; then
      # Named by its SHA-256, so that parts of two different files are never joined. The rename claims it.
      mv "$to/.$name-$expected.part" "$work/file" 2>/dev/null || true
      part=$to/.$name-$expected.part
    fi
    if [ "$(size "$work/file")" -eq 0 ] || [ "$(sum "$work/file")" != "$expected" ]; then
      download_executable "$path" "$work/file"
    fi
    part=
  fi
  check_sum "$work/file" "$sums"
  unpack "$work/file" "$path" "$work/$name"
  chmod 755 "$work/$name"
  # The signature that Bun's executable for macOS x64 carries does not fit its changed contents.
  [ "$platform" != darwin-x64 ] || codesign --force --sign - "$work/$name" || die "codesign failed" "install Xcode's command line tools"
  new=$(version_of "$work/$name")
  [ -n "$new" ] || die "the executable does not run here" "$(why_not)"
  [ -z "$version" ] || [ "$new" = "$version" ] || die "the executable is version $new, not $version" "leave out --version, or bring the other file"
  refuse_older "$new"
  mv -f "$work/$name" "$to/$name" || die "$to/$name could not be replaced" "its folder must be writable"
  rm -f "$to/.$name-"*.part
  install_extras
  echo "installed $to/$name ($name $new)"
  next_steps
}

why_not() {
  case $platform in
    *-musl) echo "install libstdc++ (Alpine: apk add libstdc++)" ;;
    *) echo "run \"$name\" by hand to see why, from a folder that is not mounted noexec" ;;
  esac
}

main() {
  to=
  from=
  version=
  downgrade=
  action=install_executable
  while [ $# -gt 0 ]; do
    case $1 in
      --to | --from | --version) [ -n "${2:-}" ] || die "the option $1 needs a value" "install.sh --help" 2 ;;
    esac
    case $1 in
      --to) to=$2 && shift ;;
      --from) from=$2 && shift ;;
      --version) version=${2#v} && shift ;;
      --downgrade) downgrade=yes ;;
      --uninstall) action=uninstall ;;
      --help | -h) usage && exit 0 ;;
      *) die "unknown option \"$1\"" "install.sh --help" 2 ;;
    esac
    shift
  done
  case $version in *[!A-Za-z0-9.+-]*) die "\"$version\" is not a version" "a version looks like 1.2.3" 2 ;; esac
  need uname sed grep tr cut head tail wc mktemp mkdir mv cp rm chmod dirname cat sleep
  [ -n "$to" ] || [ -n "${HOME:-}" ] || die "HOME is not set" "name a folder by --to DIR" 2
  to=${to:-$HOME/.local/bin}
  case $to in /*) ;; *) to=$PWD/$to ;; esac
  to=${to%/}
  if [ "$action" = install_executable ]; then
    platform=$(platform)
    sum_command=$(sum_command)
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
      downloader=$(downloader)
    fi
  fi
  "$action"
}

main "$@"

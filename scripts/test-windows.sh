#!/bin/sh
# Tries the executable for Windows under wine: npm run test:windows. Words after it choose files. It needs Debian's
# wine64, wine and gcc-mingw-w64-x86-64-win32.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

for program in wine wineserver64 x86_64-w64-mingw32-gcc; do
  PATH=$PATH:/usr/lib/wine command -v "$program" >/dev/null ||
    die "$program is missing" "run apt-get install wine64 wine gcc-mingw-w64-x86-64-win32"
done
use_bun
install_runtimes
runtime=packaging/runtimes/node_modules/@oven/bun-windows-x64/bin/bun.exe

WINE_FOLDER=$(mktemp -d)
WINEPREFIX=$WINE_FOLDER/prefix
WINEDEBUG=-all
export WINE_FOLDER WINEPREFIX WINEDEBUG
trap 'PATH=$PATH:/usr/lib/wine wineserver64 -k -w || true; rm -rf "$WINE_FOLDER"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Not into dist/, where another part may build.
./build.sh --target windows-x64 --runtime "$runtime" --to "$WINE_FOLDER/dist"
mv "$WINE_FOLDER/dist/windows-x64/codex-mcp-http-bridge.exe" "$WINE_FOLDER/"
for program in feed bun-under-wine; do
  "$bun" build --compile --target=bun-windows-x64 --compile-executable-path="$runtime" \
    --outfile="$WINE_FOLDER/$program.exe" "tests/windows/support/$program.ts" >/dev/null
done
x86_64-w64-mingw32-gcc -shared -O2 -o "$WINE_FOLDER/bcryptprimitives.dll" \
  tests/windows/support/bcryptprimitives.c -ladvapi32
# It complains about a display, which nothing here needs.
wine wineboot -u >/dev/null 2>&1 || die "wine cannot make its folder" "run wine wineboot -u"
[ $# -gt 0 ] || set -- ./tests/windows
"$bun" test --timeout=120000 "$@"

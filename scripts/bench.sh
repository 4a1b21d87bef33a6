#!/bin/sh
# Builds what the benchmark compares, then runs it: npm run bench [-- --quick], see bench/main.ts.
#   sh scripts/bench.sh start-ratio [count]   start of the bridge against the floor (bench/start-ratio.ts)
#   sh scripts/bench.sh audit-ratio [rounds]  round trips with an audit against none (bench/audit-ratio.ts)
#   sh scripts/bench.sh combined-ratio [rounds]  a combined run of eight servers against one (bench/combined-ratio.ts)
#   sh scripts/bench.sh growth                the curves of docs/performance.md (bench/growth.ts)
# hyper-mcp-remote, written in Rust, is compared if cargo is installed: it compiles once, for minutes, and not for
# --quick. BENCH_NO_CARGO=1 leaves it out. BRIDGE_BIN names an executable of the bridge to measure instead.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
out=bench/out
mkdir -p "$out"

program=bench/main.ts
case "${1:-}" in
start-ratio | audit-ratio | combined-ratio | growth)
  program="bench/$1.ts"
  shift
  ;;
esac

[ -d bench/node_modules ] || npm ci --prefix bench --no-audit --no-fund >&2
# The executable in dist/ may be outdated.
[ -n "${BRIDGE_BIN:-}" ] || ./build.sh >&2
bun build --compile --minify --splitting --bytecode --format=esm \
  --no-compile-autoload-dotenv --no-compile-autoload-bunfig \
  bench/floor.ts --outfile "$out/floor" >&2
if [ ! -f "$out/ca.pem" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 \
    -subj "/CN=bench" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
    -keyout "$out/ca.key" -out "$out/ca.pem" 2>/dev/null
fi
hyper=0.5.0
case " $* " in *" --quick "*) BENCH_NO_CARGO=1 ;; esac
if [ ! -x "$out/cargo/bin/hyper-mcp-remote" ] && [ -z "${BENCH_NO_CARGO:-}" ] &&
  command -v cargo >/dev/null; then
  cargo install --locked --version "$hyper" hyper-mcp-remote --root "$out/cargo" \
    --target-dir "$out/cargo-target" >&2 || echo "no hyper-mcp-remote: cargo failed" >&2
fi

exec bun "$program" "$@"

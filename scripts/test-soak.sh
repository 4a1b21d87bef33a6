#!/bin/sh
# The long forms of the reliability tests: npm run test:soak. About six minutes on two cores.
# SOAK_CALLS, SOAK_ROUNDS, KILL_ROUNDS, REFRESH_ROUNDS, TORTURE_MOST and PROPERTY_RUNS shorten or lengthen them.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

use_bun_and_bridge
export SOAK_CALLS="${SOAK_CALLS:-100000}"
export KILL_ROUNDS="${KILL_ROUNDS:-300}"
export REFRESH_ROUNDS="${REFRESH_ROUNDS:-50}"
export TORTURE_MOST="${TORTURE_MOST:-100000}"
export PROPERTY_RUNS="${PROPERTY_RUNS:-5000}"
rounds=${SOAK_ROUNDS:-5}

make_work_folder

echo "torture, kill -9, properties and the soak of $SOAK_CALLS calls"
{ "$bun" test --timeout=600000 tests/torture tests/soak property tests/oauth/killed 2>&1 ||
  echo "ended with an error"; } |
  tee "$work/long" | grep -E '^(soak|\(fail|error:| *[0-9]+ (pass|fail))' || true
if grep -qx 'ended with an error' "$work/long" || ! grep -qE '^ [1-9][0-9]* pass$' "$work/long"; then
  cat "$work/long"
  exit 1
fi

echo "every fault, $rounds times with the same result"
round=1
while [ "$round" -le "$rounds" ]; do
  status=0
  "$bun" test --timeout=120000 tests/fault >"$work/log" 2>&1 || status=$?
  # Scenarios run side by side and end in any order; their times differ.
  sed -nE 's/^(\((pass|fail)\) .*)( \[[0-9.]+m?s\])$/\1/p' "$work/log" | sort -u >"$work/round-$round"
  echo "round $round: $(grep -c '^(pass)' "$work/round-$round") hold, $(grep -c '^(fail)' "$work/round-$round" || true) do not"
  # A file that fails to load has no failing test, and a file that ends the process leaves no count.
  if [ "$status" -ne 0 ] || ! grep -qE '^ [1-9][0-9]* pass$' "$work/log"; then cat "$work/log"; exit 1; fi
  cmp "$work/round-1" "$work/round-$round"
  round=$((round + 1))
done

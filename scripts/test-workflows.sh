#!/bin/sh
# Checks .github/workflows and the workflow of docs/codex-vm.md with actionlint, and their scripts with shellcheck: npm
# run test:workflows. It needs Go 1.24 or newer, and the Go module proxy once.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

PATH=$PATH:/usr/local/go/bin
command -v go >/dev/null || die "go is not on PATH" "actionlint is a Go program: install Go 1.24 or newer"
make_work_folder
awk '/^```yaml$/ { inside = 1; next } /^```$/ { inside = 0 } inside' docs/codex-vm.md >"$work/codex-vm.yml"
grep -q '^jobs:' "$work/codex-vm.yml"
go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 .github/workflows/*.yml "$work/codex-vm.yml"
echo "the workflows are in order"

#!/usr/bin/env bash
# Runs the command that it is given, tests that mostly wait, and beside it compiles what the end-to-end tests need next, with what the command
# leaves of the processors. What does not compile here is compiled again, and shown, by `make e2e`.
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/lib.sh"

compile_for_e2e() {
  make --no-print-directory binaries
  [[ $CLUSTER != local ]] || e2e/kubernetes/build.sh all listeners builds change-data cert-manager
  cargo test --no-run -p e2e --test 'e2e_*'
}
mkdir -p "$LOGS"
# In a process group of its own, which ends as a whole.
set -m
(
  renice --priority 19 "$BASHPID" >/dev/null
  compile_for_e2e
) >"$LOGS/beside.log" 2>&1 </dev/null &
set +m
# By the name of the job, which ends with it.
trap 'kill %1 2>/dev/null && wait %1 2>/dev/null || true' EXIT
"$@"
[[ -z $(jobs -r) ]] || say "waiting for what is compiled beside the tests: $LOGS/beside.log"
wait %1 || say "not everything was compiled beside the tests: $LOGS/beside.log"
trap - EXIT

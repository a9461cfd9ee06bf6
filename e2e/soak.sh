#!/usr/bin/env bash
# Runs the end-to-end tests whose names contain SOAK_TESTS, SOAK_RUNS times, and prints a table of passes and failures. e2e.sh calls
# it when a cluster is up; what each run printed, and the log of the operator, stay in .local/soak.
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/lib.sh"

runs=${SOAK_RUNS:-8}
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "SOAK_RUNS must be a number of runs, not '$runs'"
folder=$CHECKOUT/.local/soak
rm -rf "$folder"
mkdir -p "$folder"
failed=0
table=()
for ((run = 1; run <= runs; run++)); do
  began=$(date +%s)
  since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  verdict=passed
  cargo test -p e2e --test 'e2e_*' -- --nocapture --test-threads=2 "$SOAK_TESTS" >"$folder/$run.log" 2>&1 || verdict=FAILED
  grep -q '^test result: .* [1-9][0-9]* passed\|^test result: FAILED' "$folder/$run.log" || verdict=FAILED
  k logs --namespace kafka deployment/strimzi-cluster-operator --since-time "$since" >"$folder/$run-operator.log" 2>&1 || true
  [[ $verdict == passed ]] || failed=$((failed + 1))
  table+=("$(printf '%4d  %-6s  %5d s  load %s' "$run" "$verdict" "$(($(date +%s) - began))" "$(cut -d' ' -f1 /proc/loadavg)")")
  say "${table[-1]}"
done
printf '%s\n' "" "Runs of '$SOAK_TESTS':" "${table[@]}" "$((runs - failed)) of $runs passed; logs: $folder"
((failed == 0))

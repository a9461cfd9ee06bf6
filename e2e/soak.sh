#!/usr/bin/env bash
# Runs the end-to-end tests whose names contain SOAK_TESTS (words: one of them), SOAK_RUNS times or, with SOAK_SECONDS, until so much time
# is over, and prints a table of passes and failures, and of the gaps that clients saw. e2e.sh calls it when a cluster is up. What is left
# of each run stays in .local/soak: what the tests printed, the logs of the operator and of every pod with Kafka, also of those that were
# gone by the end, and the objects of the cluster after a failure.
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/lib.sh"

runs=${SOAK_RUNS:-8}
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "SOAK_RUNS must be a number of runs, not '$runs'"
seconds=${SOAK_SECONDS:-0}
[[ $seconds =~ ^(0|[1-9][0-9]*)$ ]] || die "SOAK_SECONDS must be a number of seconds, not '$seconds'"
read -ra names <<<"${SOAK_TESTS:-}"
((${#names[@]})) || die "SOAK_TESTS must be a part of the name of a test, and it is empty"
folder=$CHECKOUT/.local/soak
rm -rf "$folder"
mkdir -p "$folder/programs"

# Copies of the compiled tests: all runs are of the same code, also while that is worked on.
programs=()
compiled=$(cargo test --no-run --message-format=json -p e2e --test 'e2e_*' 2>"$folder/compiling.log") ||
  { tail -n 15 "$folder/compiling.log" >&2; die "the tests do not compile"; }
while read -r program; do
  tests=$("$program" --list "${names[@]}")
  [[ $tests == *": test"* ]] || continue
  cp "$program" "$folder/programs/"
  programs+=("$folder/programs/$(basename "$program")")
done < <(sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' <<<"$compiled")
((${#programs[@]})) || die "no end-to-end test has '${names[*]}' in its name"

# started: a line for each container with Kafka: namespace, pod, UID, number of restarts and, if it runs, since when.
started() {
  local pod='{.metadata.namespace} {.metadata.name} {.metadata.uid}'
  local container='{range .status.containerStatuses[?(@.name=="kafka")]} {.restartCount} {.state.running.startedAt}{end}'
  k get pods --all-namespaces --selector strimzi.io/kind=Kafka \
    --output "jsonpath={range .items[*]}$pod$container{'\n'}{end}" 2>/dev/null || true
}
# follow FOLDER: keeps what every container with Kafka prints, until it is killed.
follow() {
  local -A known=()
  local namespace pod uid restarts since
  mkdir -p "$1"
  while true; do
    while read -r namespace pod uid restarts since; do
      [[ -n $since && -z ${known[$uid-$restarts]:-} ]] || continue
      known[$uid-$restarts]=yes
      k logs --namespace "$namespace" "$pod" --container kafka --follow --timestamps \
        >"$1/$namespace-$pod-${uid:0:8}-$restarts.log" 2>&1 </dev/null &
    done < <(started)
    sleep 2
  done
}
# In a process group of its own, which ends as a whole.
follower=
begin_to_follow() {
  set -m
  follow "$1" &
  follower=$!
  set +m
}
end_to_follow() {
  [[ -z $follower ]] || { kill -- "-$follower" && wait "$follower"; } 2>/dev/null || true
  follower=
}
trap end_to_follow EXIT

# As cargo would run them.
RUST_MIN_STACK=$(sed -n 's/^RUST_MIN_STACK = "\(.*\)"$/\1/p' .cargo/config.toml)
export RUST_MIN_STACK

# goes_on RUN: whether there is to be a run of this number.
soak_began=$SECONDS
goes_on() {
  if ((seconds > 0)); then
    (($1 == 1 || SECONDS - soak_began < seconds))
  else
    (($1 <= runs))
  fi
}
# gaps: of each change that a client lived through, how often, and the longest gaps in writing and reading.
gaps() {
  sed -n 's/^.*day two: \(.*\): \([0-9]*\) acknowledged, longest gap \([0-9]*\) ms; \([0-9]*\) read, longest gap \([0-9]*\) ms.*$/\1\t\3\t\5/p' \
    "$folder"/[0-9]*.log | awk -F'\t' '
      !($1 in count) { order[++all] = $1 }
      { count[$1]++; if ($2 > wrote[$1]) wrote[$1] = $2; if ($3 > read[$1]) read[$1] = $3 }
      END {
        if (all) printf "\n%-60s %5s  %14s  %14s\n", "longest gaps of a client during", "times", "writing", "reading"
        for (i = 1; i <= all; i++) printf "%-60s %5d  %11d ms  %11d ms\n", order[i], count[order[i]], wrote[order[i]], read[order[i]]
      }'
}

failed=0
table=()
for ((run = 1; ; run++)); do
  goes_on "$run" || break
  began=$(date +%s)
  since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  verdict=passed
  begin_to_follow "$folder/$run-pods"
  for program in "${programs[@]}"; do
    (cd e2e && "$program" --nocapture --test-threads=2 "${names[@]}") >>"$folder/$run.log" 2>&1 || verdict=FAILED
  done
  if [[ $verdict != passed ]]; then
    k get kafkas,kafkanodepools,strimzipodsets,pods,events --all-namespaces --output yaml >"$folder/$run-objects.yaml" 2>&1 || true
  fi
  end_to_follow
  k logs --namespace kafka deployment/strimzi-cluster-operator --since-time "$since" >"$folder/$run-operator.log" 2>&1 || true
  [[ $verdict == passed ]] || failed=$((failed + 1))
  table+=("$(printf '%4d  %s  %-6s  %5d s  load %s' "$run" "$since" "$verdict" "$(($(date +%s) - began))" "$(cut -d' ' -f1 /proc/loadavg)")")
  say "${table[-1]}"
done
made=${#table[@]}
printf '%s\n' "" "Runs of '${names[*]}':" "${table[@]}"
gaps
printf '%s\n' "" "$((made - failed)) of $made passed; logs: $folder"
((failed == 0))

#!/usr/bin/env bash
# What a person sees while scripts run: which step, since when, and what a step that failed printed last. Source it; CACHE is set.
# What tools print goes into one log for each step. Colours, and the line that changes, are for terminals only.
# shellcheck disable=SC2034  # the colours are used by the scripts that source this file

LOGS=$CACHE/logs
# Seconds count from the first script: those that it runs go on counting.
export KASTELLAN_STARTED=${KASTELLAN_STARTED:-$(date +%s%N)}

BOLD='' RED='' DIM='' PLAIN='' LIVE=''
if [[ -t 2 && ${TERM:-dumb} != dumb ]]; then
  LIVE=yes
  if [[ -z ${NO_COLOR:-} ]]; then
    BOLD=$'\e[1m' RED=$'\e[31m' DIM=$'\e[2m' PLAIN=$'\e[0m'
  fi
fi

# say TEXT...: one progress line with the seconds since the first script began.
say() {
  local ms=$((($(date +%s%N) - KASTELLAN_STARTED) / 1000000))
  printf '%s[%3d.%d s]%s %s\n' "$DIM" $((ms / 1000)) $((ms % 1000 / 100)) "$PLAIN" "$*" >&2
}
die() {
  printf '%serror:%s %s\n' "$RED" "$PLAIN" "$*" >&2
  exit 1
}
# minutes SECONDS: as 3:07.
minutes() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# tick WHAT LOG: shows for how long WHAT has been going on, until it is killed or the script is gone. A terminal gets one line that
# changes each second and ends with the latest line of LOG; elsewhere there is a line each minute.
tick() {
  local what=$1 log=$2 begun=$SECONDS line width
  while sleep 1 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
    if [[ -n $LIVE ]]; then
      width=$(stty size <&2 2>/dev/null | cut -d' ' -f2)
      ((width > 20)) || width=80
      # A tool's own progress line ends with a carriage return; colours of tools would run into ours.
      line=$(tail -n 1 "$log" | tr '\r' '\n' | sed '/^$/d; s/\x1b\[[0-9;]*m//g' | tail -n 1 | tr -cd '[:print:]')
      line="           $what $(minutes $((SECONDS - begun)))  $line"
      printf '\r\e[K%s%s%s' "$DIM" "${line:0:width-1}" "$PLAIN" >&2
    elif (((SECONDS - begun) % 60 == 0)); then
      say "still $what, for $(minutes $((SECONDS - begun)))"
    fi
  done
}
# quietly NAME WHAT COMMAND...: runs COMMAND, which does WHAT ("building x"), with its output in the log NAME. If it fails, shows what
# it printed last and says where the rest is.
quietly() {
  local log=$LOGS/$1.log what=$2 status=0 ticker
  shift 2
  mkdir -p "$LOGS"
  : >"$log"
  tick "$what" "$log" &
  ticker=$!
  ("$@") >"$log" 2>&1 </dev/null || status=$?
  { kill "$ticker" && wait "$ticker"; } 2>/dev/null || true
  [[ -z $LIVE ]] || printf '\r\e[K' >&2
  ((status != 0)) || return 0
  tail -n 15 "$log" | sed 's/^/    /' >&2
  printf '%serror:%s %s failed; all that it printed: %s\n' "$RED" "$PLAIN" "$what" "$log" >&2
  return "$status"
}

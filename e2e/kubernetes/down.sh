#!/usr/bin/env bash
# Stops the local Kubernetes of this checkout and removes every trace of it, also after a run that was killed.
# shellcheck source=e2e/kubernetes/clean.sh
source "$(dirname "$0")/clean.sh"

require_root
found=$(leftovers | paste -sd, | sed 's/,/, /g')
if [[ -z $found ]]; then
  say "no local Kubernetes is running"
  exit 0
fi
say "removing $found"
clean
found=$(leftovers | paste -sd, | sed 's/,/, /g')
[[ -z $found ]] || die "could not remove $found"
say "the local Kubernetes is gone"

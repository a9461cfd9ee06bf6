#!/usr/bin/env bash
# Packages the Helm chart into .local/chart. `make chart` runs it.
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/lib.sh"

[[ -x $HELM ]] || HELM=$(type -P helm)
"$HELM" lint --quiet charts/kastellan
mkdir -p .local/chart
"$HELM" package charts/kastellan --destination .local/chart

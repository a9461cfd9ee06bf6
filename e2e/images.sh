#!/usr/bin/env bash
# Builds every container image as a tar file, without an engine. `make images` runs it.
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/lib.sh"

STEP_TOTAL=2
step "Compiling the operators"
images
step "Making the images of Kubernetes' pods and of Kafka"
e2e/kubernetes/build.sh images
say "images: $(printf '%s ' "$IMAGES"/*.tar "$CACHE"/images/*.tar)"

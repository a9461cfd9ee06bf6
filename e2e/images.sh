#!/usr/bin/env bash
# Builds every container image as a tar file, without an engine. `make images` runs it.
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/lib.sh"

images
e2e/kubernetes/build.sh images
say "images: $(printf '%s ' "$IMAGES"/*.tar "$CACHE"/images/*.tar)"

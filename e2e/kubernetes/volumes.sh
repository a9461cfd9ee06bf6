#!/usr/bin/env bash
# volumes.sh FOLDER: opens every new volume in FOLDER to all users, for as long as it runs. The host-path provisioner of the
# controller manager makes folders that only root may enter, and Kubernetes does not apply fsGroup to host paths.
set -euo pipefail
inotifywait -q -m -e create --format %w%f "$1" | while read -r folder; do
  chmod 0777 "$folder"
done

#!/usr/bin/env bash
# Makes docker-archive tars ("docker load" and "ctr images import" read them) without a container engine. Source it.
# The same input gives the same bytes: entries are sorted, times are fixed, owners are numbers.

set -euo pipefail

# layer FOLDER TAR [TAR_OPTION...]: the contents of FOLDER as an image layer.
layer() {
  local folder=$1 tar=$2
  shift 2
  LC_ALL=C tar --create --file "$tar" --directory "$folder" --sort=name --format=gnu --numeric-owner "$@" .
}
# archive TAR REFERENCE CONFIG LAYER...: CONFIG is the JSON object of the image's "config" (Env, User, Cmd ...).
archive() {
  local tar=$1 reference=$2 config=$3 work file digest diff_ids='' layers='' name
  shift 3
  work=$(mktemp -d "$(dirname "$tar")/archive.XXXXXX")
  for file; do
    digest=$(sha256sum "$file" | cut -d' ' -f1)
    ln "$file" "$work/$digest.tar"
    diff_ids+="${diff_ids:+,}\"sha256:$digest\""
    layers+="${layers:+,}\"$digest.tar\""
  done
  printf '{"architecture":"amd64","os":"linux","created":"2026-01-01T00:00:00Z","config":%s,"rootfs":{"type":"layers","diff_ids":[%s]}}' \
    "$config" "$diff_ids" >"$work/config.json"
  name=$(sha256sum "$work/config.json" | cut -d' ' -f1).json
  mv "$work/config.json" "$work/$name"
  printf '[{"Config":"%s","RepoTags":["%s"],"Layers":[%s]}]' "$name" "$reference" "$layers" >"$work/manifest.json"
  LC_ALL=C tar --create --file "$tar.new" --directory "$work" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
    --mtime=@0 --mode=0644 -T <(cd "$work" && printf '%s\n' *)
  rm -rf "$work"
  mv "$tar.new" "$tar"
}

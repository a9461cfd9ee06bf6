#!/usr/bin/env bash
# with-jars.sh KAFKA_TAR REFERENCE TAR JAR...: makes the image REFERENCE out of the one in KAFKA_TAR and of further jars for
# /opt/kafka/libs, as a user's own Dockerfile would; FOLDER=JAR puts one elsewhere. No container engine is needed.
# shellcheck source=images/archive.sh
source "$(dirname "$0")/archive.sh"

(($# >= 4)) || { printf 'usage: %s KAFKA_TAR REFERENCE TAR JAR...\n' "$0" >&2; exit 1; }
kafka=$1 reference=$2 tar=$3
shift 3

work=$(mktemp -d "$(dirname "$tar")/with-jars.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/image" "$work/jars/opt/kafka/libs"
tar --extract --file "$kafka" --directory "$work/image"
manifest=$(<"$work/image/manifest.json")
config=$(sed -n 's/.*"Config":"\([^"]*\)".*/\1/p' <<<"$manifest")
config=$(sed -n 's/.*"config":\(.*\),"rootfs":.*/\1/p' "$work/image/$config")
mapfile -t layers < <(sed -n 's/.*"Layers":\[\([^]]*\)\].*/\1/p' <<<"$manifest" | tr -d '"' | tr ',' '\n')
for jar; do
  folder=/opt/kafka/libs
  [[ $jar != /*=* ]] || folder=${jar%%=*} jar=${jar#*=}
  install -D -m 0644 -t "$work/jars$folder" "$jar"
done
layer "$work/jars" "$work/image/jars.tar" --owner=1000 --group=1000 --mtime=@0
archive "$tar" "$reference" "$config" "${layers[@]/#/$work/image/}" "$work/image/jars.tar"

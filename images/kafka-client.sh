#!/usr/bin/env bash
# kafka-client.sh VERSION TAR [FOLDER]: makes the image kastellan/kafka-client:VERSION, the client of the quick start and of the
# end-to-end tests, out of the static release binary in FOLDER (default: target/x86_64-unknown-linux-gnu/release).
# shellcheck source=images/archive.sh
source "$(dirname "$0")/archive.sh"

(($# >= 2)) || { printf 'usage: %s VERSION TAR [FOLDER]\n' "$0" >&2; exit 1; }
version=$1 tar=$2
folder=${3:-$(cd "$(dirname "$0")/.." && pwd -P)/target/x86_64-unknown-linux-gnu/release}
[[ -x $folder/kafka-client ]] || { printf 'error: %s is missing: run "make images"\n' "$folder/kafka-client" >&2; exit 1; }
mkdir -p "$(dirname "$tar")"
work=$(mktemp -d "$(dirname "$tar")/kafka-client.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{etc,tmp}
install -m 0755 "$folder/kafka-client" "$root/kafka-client"
printf 'kastellan:x:1000:1000:kastellan:/tmp:/\n' >"$root/etc/passwd"
chmod 1777 "$root/tmp"
layer "$root" "$work/layer.tar" --owner=0 --group=0 --mtime=@0
archive "$tar" "docker.io/kastellan/kafka-client:$version" \
  '{"User":"1000:1000","WorkingDir":"/","Env":["PATH=/"],"Entrypoint":["/kafka-client"]}' "$work/layer.tar"
printf 'kastellan/kafka-client:%s, %s MB\n' "$version" "$(du -m "$tar" | cut -f1)"

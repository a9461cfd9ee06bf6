#!/usr/bin/env bash
# envoy.sh VERSION PROGRAM TAR: makes the image kastellan/envoy:VERSION, with the program where Envoy's own images have it, out of
# PROGRAM and the libraries of this machine that it needs.
# shellcheck source=images/archive.sh
source "$(dirname "$0")/archive.sh"

(($# == 3)) || { printf 'usage: %s VERSION PROGRAM TAR\n' "$0" >&2; exit 1; }
version=$1 program=$2 tar=$3
mkdir -p "$(dirname "$tar")"
work=$(mktemp -d "$(dirname "$tar")/envoy.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{etc,tmp}
install -D -m 0755 "$program" "$root/usr/local/bin/envoy"
# "name => path (address)" or "path (address)".
ldd "$program" | sed -n 's/^.*=> \(\/[^ ]*\) .*/\1/p; s/^\t\(\/[^ ]*\) .*/\1/p' | while read -r library; do
  install -D -m 0755 "$(readlink -f "$library")" "$root$library"
done
printf 'envoy:x:101:101:envoy:/tmp:/\n' >"$root/etc/passwd"
chmod 1777 "$root/tmp"
layer "$root" "$work/layer.tar" --owner=0 --group=0 --mtime=@0
archive "$tar" "docker.io/kastellan/envoy:$version" \
  '{"User":"101:101","WorkingDir":"/","Env":["PATH=/usr/local/bin"],"Entrypoint":["/usr/local/bin/envoy"]}' "$work/layer.tar"
printf 'kastellan/envoy:%s, %s MB\n' "$version" "$(du -m "$tar" | cut -f1)"

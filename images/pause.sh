#!/usr/bin/env bash
# pause.sh PROGRAM TAR: compiles pause.c to PROGRAM and makes the image kastellan/pause:1.
# shellcheck source=images/archive.sh
source "$(dirname "$0")/archive.sh"

(($# == 2)) || { printf 'usage: %s PROGRAM TAR\n' "$0" >&2; exit 1; }
command -v cc >/dev/null || { printf 'error: a C compiler (cc) is missing: apt-get install gcc libc6-dev\n' >&2; exit 1; }
cc -static -Os -s -o "$1" "$(dirname "$0")/pause.c"
work=$(mktemp -d "$(dirname "$2")/pause.XXXXXX")
trap 'rm -rf "$work"' EXIT
install -D -m 0755 "$1" "$work/root/pause"
layer "$work/root" "$work/layer.tar" --owner=0 --group=0 --mtime=@0
archive "$2" docker.io/kastellan/pause:1 '{"Entrypoint":["/pause"],"User":"65534:65534"}' "$work/layer.tar"

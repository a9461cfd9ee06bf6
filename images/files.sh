#!/usr/bin/env bash
# files.sh REFERENCE TAR FILE...: makes the image REFERENCE of nothing but these files, for image volumes; an archive (.tar.gz) is unpacked.
# No container engine is needed.
# shellcheck source=images/archive.sh
source "$(dirname "$0")/archive.sh"

(($# >= 3)) || { printf 'usage: %s REFERENCE TAR FILE...\n' "$0" >&2; exit 1; }
reference=$1 tar=$2
shift 2

mkdir -p "$(dirname "$tar")"
work=$(mktemp -d "$(dirname "$tar")/files.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"
for file; do
  case $file in
    *.tar.gz) tar --extract --file "$file" --directory "$work/root" --no-same-owner ;;
    *) install -m 0644 -t "$work/root" "$file" ;;
  esac
done
layer "$work/root" "$work/layer.tar" --owner=0 --group=0 --mode=u=rwX,go=rX --mtime=@0
archive "$tar" "$reference" '{}' "$work/layer.tar"
printf '%s, %s MB\n' "$reference" "$(du -m "$tar" | cut -f1)"

#!/usr/bin/env bash
# buildah.sh VERSION DEBIAN TAR: makes the image kastellan/buildah:VERSION, which builds images for Kafka Connect, out of Debian's
# package of Buildah. DEBIAN is where the small Debian root system is kept for the next time (DEBIAN-<hash of its packages>).
# No container engine is needed, but root is.
# shellcheck source=images/archive.sh
source "$(dirname "$0")/archive.sh"

(($# == 3)) || { printf 'usage: %s VERSION DEBIAN TAR\n' "$0" >&2; exit 1; }
version=$1 debian=$2 tar=$3

packages='base-files,buildah,ca-certificates,libc6'
debian+=-$(printf '%s' "$packages" | sha256sum | cut -c1-8)
if [[ ! -d $debian ]]; then
  rm -rf "$debian.part"
  mmdebstrap --quiet --variant=extract --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --include="$packages" bookworm "$debian.part" >"$debian.log" 2>&1 \
    || { tail -3 "$debian.log" >&2; printf 'error: mmdebstrap failed (see %s)\n' "$debian.log" >&2; exit 1; }
  # Networks of containers: what a build runs has the network of its pod.
  rm -rf "$debian.part"/usr/lib/cni
  rm -rf "$debian.part"/usr/share/{doc,man,locale,info,lintian} "$debian.part"/var/{lib,cache}/apt "$debian.part"/dev/*
  mv "$debian.part" "$debian"
fi

work=$(mktemp -d "$(dirname "$tar")/buildah.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir "$root"
cp -a "$debian/." "$root"
# What the package's own script would make: no script ran.
mkdir -p "$root/etc/ssl/certs" "$root/root"
cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
printf 'root:x:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
layer "$root" "$work/layer.tar" --owner=0 --group=0 --mtime=@0
archive "$tar" "docker.io/kastellan/buildah:$version" \
  '{"Env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin","HOME=/root","BUILDAH_ISOLATION=chroot","STORAGE_DRIVER=vfs"],"Entrypoint":["/usr/bin/buildah"]}' \
  "$work/layer.tar"
printf 'kastellan/buildah:%s, %s MB\n' "$version" "$(du -m "$tar" | cut -f1)"

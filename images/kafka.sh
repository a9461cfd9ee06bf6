#!/usr/bin/env bash
# kafka.sh VERSION LIBS JRE DEBIAN TAR: makes the image kastellan/kafka:VERSION, with the layout of apache/kafka (jars in
# /opt/kafka/libs, java on the PATH, user appuser with id 1000), out of Kafka's jars in LIBS and the Java runtime in JRE.
# DEBIAN is where the small Debian root system is kept for the next time (DEBIAN-<hash of its packages>). No container engine is needed, but root is.
# shellcheck source=images/archive.sh
source "$(dirname "$0")/archive.sh"

(($# == 5)) || { printf 'usage: %s VERSION LIBS JRE DEBIAN TAR\n' "$0" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd -P)
version=$1 libs=$2 jre=$3 debian=$4 tar=$5
home=/opt/java/openjdk

# The root system: what a JVM needs, and a shell with the usual small tools for people.
packages='base-files,bash,coreutils,grep,sed,procps,libc6,libc-bin,libgcc-s1,libstdc++6,zlib1g'
debian+=-$(printf '%s' "$packages" | sha256sum | cut -c1-8)
if [[ ! -d $debian ]]; then
  rm -rf "$debian.part"
  mmdebstrap --quiet --variant=extract --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --include="$packages" bookworm "$debian.part" >"$debian.log" 2>&1 \
    || { tail -3 "$debian.log" >&2; printf 'error: mmdebstrap failed (see %s)\n' "$debian.log" >&2; exit 1; }
  rm -rf "$debian.part"/usr/share/{doc,man,locale,info,lintian} "$debian.part"/var/{lib,cache}/apt "$debian.part"/dev/*
  mv "$debian.part" "$debian"
fi

work=$(mktemp -d "$(dirname "$tar")/kafka.XXXXXX")
trap 'rm -rf "$work"' EXIT
base=$work/base
mkdir "$base"
cp -a "$debian/." "$base"
ln -sf bash "$base/bin/sh"
mkdir -p "$base$home"
cp -a "$jre/." "$base$home"
printf 'root:x:0:0:root:/root:/bin/bash\nappuser:x:1000:1000:appuser:/home/appuser:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$base/etc/passwd"
printf 'root:x:0:\nappuser:x:1000:\nnogroup:x:65534:\n' >"$base/etc/group"
mkdir -p "$base/home/appuser" "$base/tmp"
layer "$base" "$work/base.tar" --owner=0 --group=0 --mtime=@0

# Kafka. The class-data archives remember size and time of each jar, so both are fixed before they are made.
kafka=$work/kafka/opt/kafka
mkdir -p "$kafka/bin"
cp -r "$libs" "$kafka/libs"
install -m 0755 "$here/kafka-run-class.sh" "$kafka/bin/kafka-run-class.sh"
find "$work/kafka" -exec touch --no-dereference --date=@1767225600 {} +
cp -a "$work/kafka/opt/." "$base/opt"
"$here/kafka-train.sh" "$base" "$home"
cp -a "$base"/opt/kafka/*.jsa "$kafka/"
layer "$work/kafka" "$work/kafka.tar" --owner=1000 --group=1000
archive "$tar" "docker.io/kastellan/kafka:$version" \
  "{\"User\":\"1000:1000\",\"WorkingDir\":\"/\",\"Env\":[\"PATH=$home/bin:/opt/kafka/bin:/usr/local/bin:/usr/bin:/bin\",\"JAVA_HOME=$home\",\"LANG=C.UTF-8\"],\"Cmd\":[\"java\",\"-cp\",\"/opt/kafka/libs/*\",\"kafka.Kafka\"]}" \
  "$work/base.tar" "$work/kafka.tar"

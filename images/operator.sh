#!/usr/bin/env bash
# operator.sh VERSION TAR [FOLDER]: makes the image kastellan/operator:VERSION from scratch, out of the static release binaries
# in FOLDER (default: target/x86_64-unknown-linux-gnu/release of the checkout). No container engine is needed.
# shellcheck source=images/archive.sh
source "$(dirname "$0")/archive.sh"

(($# >= 2)) || { printf 'usage: %s VERSION TAR [FOLDER]\n' "$0" >&2; exit 1; }
version=$1 tar=$2
folder=${3:-$(cd "$(dirname "$0")/.." && pwd -P)/target/x86_64-unknown-linux-gnu/release}
mkdir -p "$(dirname "$tar")"
work=$(mktemp -d "$(dirname "$tar")/operator.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{etc,tmp}
for program in cluster-operator topic-operator user-operator kafka-agent kafka-exporter kafka-bridge plug-in-fetcher; do
  binary=$folder/$program
  if [[ ! -x $binary ]]; then
    printf 'error: %s is missing: run "make images", which builds the static binaries first\n' "$binary" >&2
    exit 1
  fi
  if readelf -l "$binary" 2>/dev/null | grep -q 'INTERP'; then
    printf 'error: %s is not static: build it with RUSTFLAGS=-Ctarget-feature=+crt-static\n' "$binary" >&2
    exit 1
  fi
  install -m 0755 "$binary" "$root/$program"
done
# The class with which Kafka reads certificates again; the agent copies it into the pods.
if [[ ! -f $folder/kastellan-tls.jar ]]; then
  printf 'error: %s/kastellan-tls.jar is missing: run "make images", which compiles it (images/tls-jar.sh)\n' "$folder" >&2
  exit 1
fi
install -m 0644 "$folder/kastellan-tls.jar" "$root/kastellan-tls.jar"
# The public authorities, for connections to servers whose resources name no certificates. Debian keeps them up to date.
authorities=${AUTHORITIES:-/etc/ssl/certs/ca-certificates.crt}
if [[ $(grep -c 'BEGIN CERTIFICATE' "$authorities" 2>/dev/null) -lt 50 ]]; then
  printf 'error: %s has no public authorities: apt-get install ca-certificates\n' "$authorities" >&2
  exit 1
fi
install -D -m 0644 "$authorities" "$root/etc/ssl/certs/ca-certificates.crt"
printf 'root:x:0:0:root:/:/\nkastellan:x:1000:1000:kastellan:/tmp:/\nnobody:x:65534:65534:nobody:/:/\n' >"$root/etc/passwd"
printf 'root:x:0:\nkastellan:x:1000:\nnogroup:x:65534:\n' >"$root/etc/group"
chmod 1777 "$root/tmp"
layer "$root" "$work/layer.tar" --owner=0 --group=0 --mtime=@0
archive "$tar" "docker.io/kastellan/operator:$version" \
  '{"User":"1000:1000","WorkingDir":"/","Env":["PATH=/"],"Entrypoint":["/cluster-operator"]}' "$work/layer.tar"
printf 'kastellan/operator:%s, %s MB\n' "$version" "$(du -m "$tar" | cut -f1)"

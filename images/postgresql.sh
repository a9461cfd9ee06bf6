#!/usr/bin/env bash
# postgresql.sh DEBIAN TAR: makes the image kastellan/postgresql:15, a database for tests, out of Debian's package. Its program makes an
# empty database cluster in /data, which has to be a volume, and serves it with logical replication to whoever knows a password; inside of
# the pod `psql --host /data --user admin postgres` asks for none. DEBIAN is where the small Debian root system is kept for the next time
# (DEBIAN-<hash of its packages>). No container engine is needed, but root is.
# shellcheck source=images/archive.sh
source "$(dirname "$0")/archive.sh"

(($# == 2)) || { printf 'usage: %s DEBIAN TAR\n' "$0" >&2; exit 1; }
debian=$1 tar=$2

packages='base-files,dash,libc6,postgresql-15'
debian+=-$(printf '%s' "$packages" | sha256sum | cut -c1-8)
if [[ ! -d $debian ]]; then
  rm -rf "$debian.part"
  mmdebstrap --quiet --variant=extract --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --include="$packages" bookworm "$debian.part" >"$debian.log" 2>&1 \
    || { tail -3 "$debian.log" >&2; printf 'error: mmdebstrap failed (see %s)\n' "$debian.log" >&2; exit 1; }
  # Perl and the compiler of queries, which the database itself runs without.
  rm -rf "$debian.part"/usr/lib/x86_64-linux-gnu/{libLLVM*,perl*} "$debian.part"/usr/{lib/llvm*,share/perl*}
  rm -rf "$debian.part"/usr/lib/postgresql/15/lib/{bitcode,llvmjit*}
  rm -rf "$debian.part"/usr/share/{doc,man,locale,info,lintian} "$debian.part"/var/{lib,cache}/apt "$debian.part"/dev/*
  mv "$debian.part" "$debian"
fi

work=$(mktemp -d "$(dirname "$tar")/postgresql.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir "$root"
cp -a "$debian/." "$root"
ln -sf dash "$root/bin/sh"
mkdir -p "$root/data"
printf 'postgres:x:999:999:postgres:/data:/bin/sh\n' >"$root/etc/passwd"
printf 'postgres:x:999:\n' >"$root/etc/group"
cat >"$root/usr/bin/serve" <<'END'
#!/bin/sh
set -eu
if [ ! -e /data/cluster/PG_VERSION ]; then
  initdb --pgdata=/data/cluster --username=admin --auth-local=trust --auth-host=scram-sha-256 --locale=C.UTF-8 --no-sync --no-instructions
  echo 'host all all all scram-sha-256' >>/data/cluster/pg_hba.conf
fi
exec postgres -D /data/cluster -c listen_addresses='*' -c unix_socket_directories=/data -c wal_level=logical -c fsync=off
END
chmod 755 "$root/usr/bin/serve"
layer "$root" "$work/layer.tar" --owner=0 --group=0 --mtime=@0
archive "$tar" docker.io/kastellan/postgresql:15 \
  '{"User":"999:999","Env":["PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin","LANG=C.UTF-8"],"Entrypoint":["/usr/bin/serve"]}' \
  "$work/layer.tar"
printf 'kastellan/postgresql:15, %s MB\n' "$(du -m "$tar" | cut -f1)"

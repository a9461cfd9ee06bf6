#!/usr/bin/env bash
# tls-jar.sh LIBS JAR: compiles the class with which Kafka reads certificates again (crates/kafka-agent/java) against the jars of a Kafka
# in LIBS. The jar runs with every Kafka from 4.0 on, and belongs beside the binaries of the operator image.
set -euo pipefail

(($# == 2)) || { printf 'usage: %s LIBS JAR\n' "$0" >&2; exit 1; }
libs=$1 jar=$2
sources=$(cd "$(dirname "$0")/../crates/kafka-agent/java" && pwd -P)
if ! command -v javac >/dev/null || ! command -v jar >/dev/null; then
  echo 'error: javac and jar are missing: apt-get install default-jdk-headless' >&2
  exit 1
fi
if ! compgen -G "$libs/kafka-clients-*.jar" >/dev/null; then
  printf 'error: %s has no kafka-clients-*.jar: run "e2e/kubernetes/build.sh kafka" first\n' "$libs" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
find "$sources" -name '*.java' -print0 | sort -z | xargs -0 javac --release 17 -Xlint:all -Werror -cp "$libs/*" -d "$work/classes"
# The same sources give the same jar.
find "$work/classes" -exec touch -d @315532800 {} +
mkdir -p "$(dirname "$jar")"
(cd "$work/classes" && find . -name '*.class' | sort | jar --create --file "$work/tls.jar" --no-manifest @/dev/stdin)
mv "$work/tls.jar" "$jar.part"
mv "$jar.part" "$jar"
chmod 0644 "$jar"

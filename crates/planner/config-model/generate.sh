#!/bin/sh
# Writes kafka-VERSION.json from the jars of that Kafka version: the names, types, ranges and run-time scope of every
# broker option, the metadata versions and the levels of the other features. Usage: ./generate.sh 4.3.1 [FOLDER_WITH_JARS]
# Without a folder it takes what `e2e/kubernetes/build.sh kafka` has fetched.
set -eu
version=$1
cache=${KASTELLAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kastellan}
libs=${2:-$cache/kafka/$version/libs}
[ -d "$libs" ] || libs=$cache/kafka-models/$version/libs
[ -d "$libs" ] || { echo "$libs is missing: run e2e/kubernetes/build.sh kafka" >&2; exit 1; }
cd "$(dirname "$0")"
java -cp "$libs/*" ConfigModel.java "$version" >"kafka-$version.json.new"
mv "kafka-$version.json.new" "kafka-$version.json"

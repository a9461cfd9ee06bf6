#!/bin/sh
# Writes kafka-VERSION.json from the jars of that Kafka version: the names, types, ranges and run-time scope of every
# broker option, and the metadata versions. Usage: ./generate.sh 4.3.1 [FOLDER_WITH_JARS]
set -eu
version=$1
libs=${2:-${KASTELLAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kastellan}/kafka/$version/libs}
cd "$(dirname "$0")"
java -cp "$libs/*" ConfigModel.java "$version" >"kafka-$version.json.new"
mv "kafka-$version.json.new" "kafka-$version.json"

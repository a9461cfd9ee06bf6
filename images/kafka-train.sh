#!/usr/bin/env bash
# kafka-train.sh ROOT JAVA_HOME: writes ROOT/opt/kafka/{kafka,storage}.jsa, the class-data archives with which a JVM starts Kafka
# faster. It runs the storage tool and a broker inside ROOT once, with the listeners that Kastellan configures (TLS with PEM
# files, SCRAM, plain) and some clients, and lets the JVM write down which classes it loaded.
# A JVM uses an archive only with the same runtime and the same class path: the jars of /opt/kafka/libs but connect-file, sorted by
# name, joined by ':'.
set -euo pipefail

(($# == 2)) || { printf 'usage: %s ROOT JAVA_HOME\n' "$0" >&2; exit 1; }
if [[ ${KAFKA_TRAIN_INSIDE:-} != yes ]]; then
  # An own network (so that no port can be taken), host name and mounts, which end with this process.
  KAFKA_TRAIN_INSIDE=yes exec unshare --mount --net --uts --propagation private "$0" "$@"
fi
root=$1 java=$2/bin/java
ip link set lo up
hostname localhost
for folder in proc dev tmp; do
  mkdir -p "$root/$folder"
done
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"

tmp=$root/tmp
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -keyout "$tmp/key" -out "$tmp/ca.crt" 2>/dev/null
cat "$tmp/key" "$tmp/ca.crt" >"$tmp/node.pem"
cat >"$tmp/server.properties" <<EOF
node.id=0
process.roles=broker,controller
controller.quorum.bootstrap.servers=localhost:9090
controller.listener.names=CONTROLPLANE-9090
listeners=CONTROLPLANE-9090://localhost:9090,REPLICATION-9091://localhost:9091,PLAIN-9092://localhost:9092,TLS-9093://localhost:9093,SCRAM-9094://localhost:9094
inter.broker.listener.name=REPLICATION-9091
listener.security.protocol.map=CONTROLPLANE-9090:SSL,REPLICATION-9091:SSL,PLAIN-9092:PLAINTEXT,TLS-9093:SSL,SCRAM-9094:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location=/tmp/node.pem
ssl.truststore.type=PEM
ssl.truststore.location=/tmp/ca.crt
ssl.client.auth=required
listener.name.scram-9094.ssl.client.auth=none
listener.name.scram-9094.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram-9094.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:CN=localhost
allow.everyone.if.no.acl.found=true
log.dirs=/tmp/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
EOF
cat >"$tmp/client.properties" <<EOF
security.protocol=SSL
ssl.keystore.type=PEM
ssl.keystore.location=/tmp/node.pem
ssl.truststore.type=PEM
ssl.truststore.location=/tmp/ca.crt
EOF
cat >"$tmp/scram.properties" <<EOF
security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="user" password="password";
ssl.truststore.type=PEM
ssl.truststore.location=/tmp/ca.crt
EOF
cat >"$tmp/log4j2.properties" <<EOF
appenders = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %-5p [%t] %c{1}:%L - %m%n
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
EOF
# Kafka's own start script and the agent leave out the file connectors.
jars=$(cd "$root" && LC_ALL=C && printf '%s\n' opt/kafka/libs/*.jar | grep -v connect-file | sed 's|^|:/|' | tr -d '\n')
jars=${jars#:}
flags=(-Dlog4j2.configurationFile=file:/tmp/log4j2.properties -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$jars")
inside() { chroot "$root" "$java" "${flags[@]}" "$@"; }
broker=
fail() {
  [[ -z $broker ]] || kill -KILL "$broker" 2>/dev/null || true
  grep -v "\]\[cds" "$tmp/log" | tail -n 20 >&2
  printf 'error: %s while the class-data archives were made\n' "$1" >&2
  exit 1
}

inside -XX:ArchiveClassesAtExit=/opt/kafka/storage.jsa kafka.tools.StorageTool format --standalone \
  --cluster-id MkU3OEVBNTcwNTJENDM2Qg --config /tmp/server.properties >"$tmp/log" 2>&1 || fail "the storage tool failed"

chroot "$root" "$java" "${flags[@]}" -XX:ArchiveClassesAtExit=/opt/kafka/kafka.jsa kafka.Kafka /tmp/server.properties >>"$tmp/log" 2>&1 &
broker=$!
for _ in {1..600}; do
  ! grep -q 'Kafka Server started' "$tmp/log" || break
  kill -0 "$broker" 2>/dev/null || fail "the broker ended"
  ! grep -q '^Exception in thread "main"' "$tmp/log" || fail "the broker failed"
  sleep 0.1
done
grep -q 'Kafka Server started' "$tmp/log" || fail "the broker did not start in 60 s"
inside org.apache.kafka.tools.TopicCommand --bootstrap-server localhost:9093 --command-config /tmp/client.properties \
  --create --topic train --partitions 3 >>"$tmp/log" 2>&1 || fail "creating a topic failed"
inside kafka.admin.ConfigCommand --bootstrap-server localhost:9092 --alter --entity-type users --entity-name user \
  --add-config 'SCRAM-SHA-512=[password=password]' >>"$tmp/log" 2>&1 || fail "creating a user failed"
printf 'one\ntwo\nthree\n' | inside org.apache.kafka.tools.ConsoleProducer --bootstrap-server localhost:9094 \
  --command-config /tmp/scram.properties --topic train >>"$tmp/log" 2>&1 || fail "producing failed"
inside org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server localhost:9094 --command-config /tmp/scram.properties \
  --topic train --from-beginning --group train --max-messages 3 --timeout-ms 30000 >>"$tmp/log" 2>&1 || fail "consuming failed"
kill -TERM "$broker"
wait "$broker" || [[ $? -eq 143 ]] || fail "the broker did not end well"
[[ -s $root/opt/kafka/kafka.jsa && -s $root/opt/kafka/storage.jsa ]] || fail "an archive is missing"

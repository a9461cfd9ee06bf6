#!/bin/bash
# kafka-run-class.sh CLASS ARGUMENTS...: runs a class of Kafka's jars, such as
#   kafka-run-class.sh org.apache.kafka.tools.TopicCommand --bootstrap-server localhost:9092 --list
exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/opt/kafka/libs/*' "$@"

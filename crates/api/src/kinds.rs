//! The names of the kinds: as the `kind` of resources says them, and as the label `strimzi.io/kind` of what they own does.

/// A Kafka cluster.
pub const KAFKA: &str = "Kafka";
/// Nodes of a Kafka cluster.
pub const KAFKA_NODE_POOL: &str = "KafkaNodePool";
/// Workers of Kafka Connect.
pub const KAFKA_CONNECT: &str = "KafkaConnect";
/// A connector of Kafka Connect.
pub const KAFKA_CONNECTOR: &str = "KafkaConnector";
/// Workers that mirror topics of other clusters.
pub const KAFKA_MIRROR_MAKER2: &str = "KafkaMirrorMaker2";
/// The same in the older form of MirrorMaker 1.
pub const KAFKA_MIRROR_MAKER: &str = "KafkaMirrorMaker";
/// A bridge from HTTP to Kafka.
pub const KAFKA_BRIDGE: &str = "KafkaBridge";
/// A topic.
pub const KAFKA_TOPIC: &str = "KafkaTopic";
/// A user.
pub const KAFKA_USER: &str = "KafkaUser";
/// A proposal of where replicas go.
pub const KAFKA_REBALANCE: &str = "KafkaRebalance";
/// Pods that are made and replaced one by one.
pub const STRIMZI_POD_SET: &str = "StrimziPodSet";

#[cfg(test)]
mod tests {
    use kube_core::Resource;

    use super::*;

    fn kind<K: Resource<DynamicType = ()>>() -> String {
        K::kind(&()).into_owned()
    }

    #[test]
    fn the_types_have_these_names() {
        let names = [
            (KAFKA, kind::<crate::Kafka>()),
            (KAFKA_NODE_POOL, kind::<crate::KafkaNodePool>()),
            (KAFKA_CONNECT, kind::<crate::KafkaConnect>()),
            (KAFKA_CONNECTOR, kind::<crate::KafkaConnector>()),
            (KAFKA_MIRROR_MAKER2, kind::<crate::KafkaMirrorMaker2>()),
            (KAFKA_MIRROR_MAKER, kind::<crate::KafkaMirrorMaker>()),
            (KAFKA_BRIDGE, kind::<crate::KafkaBridge>()),
            (KAFKA_TOPIC, kind::<crate::KafkaTopic>()),
            (KAFKA_USER, kind::<crate::KafkaUser>()),
            (KAFKA_REBALANCE, kind::<crate::KafkaRebalance>()),
            (STRIMZI_POD_SET, kind::<crate::StrimziPodSet>()),
        ];
        for (name, of_type) in names {
            assert_eq!(name, of_type);
        }
    }
}

use kubectl_kafka::convert::{Weight, convert};
use serde_json::json;

use crate::{converted, find, input, notes, says};

#[test]
fn the_manifest_of_its_readme_becomes_a_cluster_with_its_topics() {
    let conversion = converted(&input("krallistic"));
    let kafka = find(&conversion, "Kafka", "test-cluster-1");
    assert_eq!(kafka["apiVersion"], "kafka.strimzi.io/v1");
    assert_eq!(
        kafka["spec"]["kafka"]["listeners"],
        json!([{"name": "plain", "port": 9092, "type": "internal", "tls": false}])
    );
    assert_eq!(
        kafka["spec"]["kafka"]["config"],
        json!({
            "auto.create.topics.enable": false, "compression.type": "gzip", "log.retention.hours": 24,
            "leader.imbalance.check.interval.seconds": 600,
        })
    );
    let brokers = find(&conversion, "KafkaNodePool", "broker");
    assert_eq!(brokers["metadata"]["labels"]["strimzi.io/cluster"], "test-cluster-1");
    let spec = &brokers["spec"];
    assert_eq!((&spec["replicas"], &spec["roles"]), (&json!(3), &json!(["broker"])));
    assert_eq!(spec["storage"], json!({"type": "ephemeral", "sizeLimit": "50G"}));
    assert_eq!(
        spec["resources"],
        json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}})
    );
    let tolerations = spec["template"]["pod"]["tolerations"].as_array().unwrap();
    assert!(
        tolerations.len() == 2 && tolerations.iter().all(|one| one["tolerationSeconds"] == 1200),
        "{tolerations:?}"
    );
    let controllers = find(&conversion, "KafkaNodePool", "controller");
    assert_eq!(
        (&controllers["spec"]["replicas"], &controllers["spec"]["roles"]),
        (&json!(3), &json!(["controller"]))
    );
    assert_eq!(controllers["metadata"]["annotations"]["strimzi.io/next-node-ids"], "[1000-1002]");
    assert_eq!(controllers["spec"]["storage"]["volumes"][0]["type"], "ephemeral");
    let topic = find(&conversion, "KafkaTopic", "test2");
    assert_eq!(topic["spec"], json!({"partitions": 2, "replicas": 2}));
    says(
        &conversion,
        Weight::Changed,
        &["spec.zookeeperConnect", "zk-headless.default", "KafkaNodePool controller"],
    );
    says(&conversion, Weight::Changed, &["spec.image", "confluentinc/cp-kafka:latest", "apache/kafka"]);
    says(&conversion, Weight::Changed, &["spec.leaderImbalanceRatio", "= 10", "every leader"]);
    says(&conversion, Weight::Changed, &["records stay in the former one"]);
    assert!(!conversion.has_lost(), "{:#?}", notes(&conversion));
}

#[test]
fn persistent_disks_single_brokers_and_odd_topics_are_understood() {
    let text = input("krallistic")
        .replace("storageClass: emptyDir", "storageClass: fast\n  nodeSelector: {disk: ssd}")
        .replace("brokerCount: 3", "brokerCount: 1")
        .replace("name: \"test1\"", "name: \"Test_1\"")
        .replace("jmxSidecar: false", "jmxSidecar: true\n  surprise: 7");
    let conversion = converted(&text);
    let brokers = find(&conversion, "KafkaNodePool", "broker");
    assert_eq!(
        brokers["spec"]["storage"],
        json!({"type": "persistent-claim", "size": "50G", "class": "fast"})
    );
    let affinity = brokers["spec"]["template"]["pod"]["affinity"].to_string();
    assert!(affinity.contains(r#"{"key":"disk","operator":"In","values":["ssd"]}"#), "{affinity}");
    let controllers = find(&conversion, "KafkaNodePool", "controller");
    assert_eq!(controllers["spec"]["replicas"], 1);
    assert_eq!(controllers["spec"]["storage"]["volumes"][0]["class"], "fast");
    // What Kafka keeps for itself has no three copies with one broker.
    let config = &find(&conversion, "Kafka", "test-cluster-1")["spec"]["kafka"]["config"];
    assert_eq!(config["offsets.topic.replication.factor"], 1);
    assert_eq!(config["transaction.state.log.min.isr"], 1);
    assert_eq!(find(&conversion, "KafkaTopic", "test-1")["spec"]["topicName"], "Test_1");
    says(&conversion, Weight::Lost, &["spec.topics[1].replicationFactor", "= 2", "more than the 1 brokers"]);
    says(&conversion, Weight::Lost, &["spec.jmxSidecar", "spec.kafka.metricsConfig"]);
    says(&conversion, Weight::Lost, &["spec.surprise", "= 7", "not known"]);
}

#[test]
fn a_cluster_without_brokers_is_refused_with_the_field() {
    let conversion = convert(&input("krallistic").replace("brokerCount: 3", "brokerCount: 0")).unwrap();
    assert!(conversion.has_failed());
    let said = kubectl_kafka::convert::summary(&conversion);
    assert!(said.contains("spec.brokerCount") && said.contains("Kafkacluster test-cluster-1"), "{said}");
    assert_eq!(conversion.resources().count(), 0);
}

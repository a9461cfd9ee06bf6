//! `Kafkacluster` of krallistic's kafka-operator (<https://github.com/krallistic/kafka-operator>, `spec/spec.go`).

mod kafka_options;

use std::collections::{BTreeMap, BTreeSet};

use api::common::pod_template::PodTemplate;
use api::common::storage::{Storage, StorageType};
use api::env::own::{MAX_NODES, MAX_NODES_DEFAULT};
use api::kafka::{EntityOperatorSpec, EntityTopicOperatorSpec, KafkaClusterSpec, KafkaExporterSpec};
use api::kafka_node_pool::{KafkaNodePoolTemplate, ProcessRole};
use api::{KafkaNodePool, KafkaNodePoolSpec, KafkaTopic, KafkaTopicSpec, labels};
use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::fields::Fields;
use super::notes::Notes;
use super::resources::{self, Resource};
use super::{affinity, controllers, kubernetes_names, metadata, options, storage as volumes};

/// Its pool of brokers.
const POOL: &str = "broker";
/// What it gave a node that asks for nothing (`kube/kafka/kafka.go`).
const DEFAULT_DISK: &str = "100G";
const DEFAULT_CPU: &str = "1";
const DEFAULT_MEMORY: &str = "4Gi";

/// Converts a cluster.
///
/// # Errors
/// When it has no name or no spec, or no brokers.
pub(super) fn cluster(manifest: Value, notes: &mut Notes) -> Result<Vec<Resource>, String> {
    let Value::Object(values) = manifest else { return Err("the manifest is no object".to_owned()) };
    let mut manifest = Fields::new("", values);
    for known in ["apiVersion", "kind", "state", "scale", "status"] {
        manifest.take(known);
    }
    let meta = metadata::take(&mut manifest, notes)?;
    let mut spec = manifest.object("spec", notes).ok_or("spec is missing: there is nothing to convert")?;
    manifest.rest(notes);
    let name = meta.name.clone().unwrap_or_default();
    let brokers = broker_count(&mut spec, notes)?;
    zookeeper(&mut spec, notes);
    let (storage, machine) = machine(&mut spec, notes);
    let pod = pods(&mut spec, &name, notes);
    let given = kafka_options::take(&mut spec, notes);
    let sorted = options::sort(given, brokers, notes);
    let topics = topics(&mut spec, &meta, brokers, notes);
    spec.rest(notes);

    let kafka = KafkaClusterSpec {
        listeners: vec![resources::plain_listener()],
        config: Some(sorted.config).filter(|config| !config.is_empty()),
        authorization: sorted.authorization,
        ..KafkaClusterSpec::default()
    };
    let entity_operator = EntityOperatorSpec {
        topic_operator: Some(EntityTopicOperatorSpec::default()),
        ..EntityOperatorSpec::default()
    };
    let mut kafka = resources::kafka(meta.clone(), kafka, entity_operator);
    // Its operator watched the lag of consumers.
    kafka.spec.kafka_exporter = Some(KafkaExporterSpec::default());
    notes.changed(
        "metadata.name",
        &Value::from(name.as_str()),
        format!(
            "clients in Kubernetes connect to {}:9092; to let others in, add a listener of type nodeport or loadbalancer",
            api::names::bootstrap_service(&name)
        ),
    );
    controllers::say_that_data_stays(&name, notes);
    let template = KafkaNodePoolTemplate { pod: Some(pod), ..KafkaNodePoolTemplate::default() };
    let pool = KafkaNodePool {
        metadata: ObjectMeta {
            name: Some(POOL.to_owned()),
            namespace: meta.namespace.clone(),
            labels: Some(BTreeMap::from([(labels::CLUSTER.to_owned(), name.clone())])),
            ..ObjectMeta::default()
        },
        spec: KafkaNodePoolSpec {
            replicas: i32::try_from(brokers).unwrap_or(i32::MAX),
            storage,
            roles: vec![ProcessRole::Broker],
            resources: Some(machine),
            jvm_options: None,
            template: Some(template),
        },
        status: None,
    };
    let ids = (0..pool.spec.replicas).collect();
    let controllers = controllers::pool(&meta, std::slice::from_ref(&pool), &ids);
    let mut resources = vec![
        Resource::Kafka(Box::new(kafka)),
        Resource::Pool(Box::new(controllers)),
        Resource::Pool(Box::new(pool)),
    ];
    resources.extend(topics.into_iter().map(|topic| Resource::Topic(Box::new(topic))));
    Ok(resources)
}

/// How many brokers the cluster has.
fn broker_count(spec: &mut Fields, notes: &mut Notes) -> Result<usize, String> {
    let count = spec.number("brokerCount", notes).unwrap_or_default();
    let Ok(brokers) = usize::try_from(count) else {
        return Err(format!("spec.brokerCount: {count} is no number of brokers: write 1 or more"));
    };
    if brokers > MAX_NODES_DEFAULT {
        return Err(format!(
            "spec.brokerCount: {brokers} is more than the {MAX_NODES_DEFAULT} nodes that an operator runs unless {MAX_NODES} \
             says otherwise: write fewer, and scale the KafkaNodePool afterwards"
        ));
    }
    if brokers == 0 {
        return Err("spec.brokerCount is missing or 0: write how many brokers the cluster has".to_owned());
    }
    Ok(brokers)
}

/// What was there for ZooKeeper, for the image and beside the brokers.
fn zookeeper(spec: &mut Fields, notes: &mut Notes) {
    spec.changed(
        "zookeeperConnect",
        "Kafka runs without ZooKeeper: the KafkaNodePool controller takes its place; stop ZooKeeper once nothing else uses it",
        notes,
    );
    spec.changed(
        "image",
        "the operator's own image of the newest Kafka runs, which is Apache's: images of Confluent start in another way; to run an \
         image of your own, make it from apache/kafka and name it in spec.kafka.image",
        notes,
    );
    spec.lost(
        "jmxSidecar",
        "there is no side container: write spec.kafka.metricsConfig or spec.kafka.jmxOptions",
        notes,
    );
}

/// Storage, processors and memory.
fn machine(spec: &mut Fields, notes: &mut Notes) -> (Storage, ResourceRequirements) {
    let mut raw = spec
        .object("resources", notes)
        .unwrap_or_else(|| Fields::new("spec.resources", serde_json::Map::new()));
    let mut quantity = |name: &str, otherwise: &str, notes: &mut Notes| {
        let text = raw.text(name, notes).filter(|text| !text.is_empty())?;
        if volumes::is_quantity(&text) {
            return Some(text);
        }
        notes.lost(
            raw.at(name),
            &Value::from(text),
            format!("is not a quantity: {otherwise} was written, as the operator did"),
        );
        None
    };
    let disk = quantity("diskSpace", DEFAULT_DISK, notes);
    let cpu = quantity("cpu", DEFAULT_CPU, notes);
    let memory = quantity("memory", DEFAULT_MEMORY, notes).unwrap_or_else(|| DEFAULT_MEMORY.to_owned());
    raw.rest(notes);
    let class = spec.text("storageClass", notes).filter(|class| !class.is_empty());
    let mut storage = volumes::of_kind(StorageType::PersistentClaim);
    if class.as_deref() == Some("emptyDir") {
        storage.type_ = StorageType::Ephemeral;
        storage.size_limit = disk;
    } else {
        storage.size = Some(disk.unwrap_or_else(|| DEFAULT_DISK.to_owned()));
        storage.class = class;
    }
    let memory = Quantity(memory);
    let requests = BTreeMap::from([
        ("cpu".to_owned(), Quantity(cpu.unwrap_or_else(|| DEFAULT_CPU.to_owned()))),
        ("memory".to_owned(), memory.clone()),
    ]);
    let resources = ResourceRequirements {
        requests: Some(requests),
        limits: Some(BTreeMap::from([("memory".to_owned(), memory)])),
        ..ResourceRequirements::default()
    };
    (storage, resources)
}

/// Where pods run, and how long they stay with a node that is lost.
fn pods(spec: &mut Fields, cluster: &str, notes: &mut Notes) -> PodTemplate {
    let mut pod = PodTemplate { affinity: Some(affinity::spread(cluster, false)), ..PodTemplate::default() };
    if let Some(selector) = spec.object("nodeSelector", notes) {
        let labels = metadata::pairs(&selector, metadata::Kind::Labels, notes);
        affinity::add_nodes(&mut pod.affinity, &labels);
    }
    if let Some(seconds) = spec.seconds("minimumGracePeriod", notes) {
        let toleration = |key: &str| Toleration {
            key: Some(key.to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some("NoExecute".to_owned()),
            toleration_seconds: Some(seconds),
            ..Toleration::default()
        };
        let keys = ["node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"];
        pod.tolerations = Some(keys.into_iter().map(toleration).collect());
    }
    pod
}

/// The topics in the manifest of the cluster.
fn topics(spec: &mut Fields, cluster: &ObjectMeta, brokers: usize, notes: &mut Notes) -> Vec<KafkaTopic> {
    let mut taken = BTreeSet::new();
    let mut topics = Vec::new();
    let mut raw = spec.objects("topics", notes);
    raw.extend(spec.objects("managedTopics", notes));
    for mut raw in raw {
        let Some(name) = raw.text("name", notes).filter(|name| is_topic_name(name)) else {
            notes.lost(
                raw.at("name"),
                &Value::Null,
                "is missing or no name of a topic: the topic was left out",
            );
            continue;
        };
        let partitions = raw.number("partitions", notes).filter(|count| *count > 0);
        let mut replicas = raw.number("replicationFactor", notes).filter(|count| *count > 0);
        if let Some(more) =
            replicas.filter(|count| usize::try_from(*count).is_ok_and(|count| count > brokers))
        {
            notes.lost(
                raw.at("replicationFactor"),
                &Value::from(more),
                format!("is more than the {brokers} brokers: {brokers} was written; raise it when there are more brokers"),
            );
            replicas = i64::try_from(brokers).ok();
        }
        raw.rest(notes);
        let object = kubernetes_names::object(&name, "topic");
        let object = kubernetes_names::unique(&object, api::limits::DNS_NAME, "-", &mut taken);
        topics.push(KafkaTopic {
            metadata: ObjectMeta {
                namespace: cluster.namespace.clone(),
                labels: Some(BTreeMap::from([(
                    labels::CLUSTER.to_owned(),
                    cluster.name.clone().unwrap_or_default(),
                )])),
                name: Some(object.clone()),
                ..ObjectMeta::default()
            },
            spec: KafkaTopicSpec {
                topic_name: (object != name).then_some(name),
                partitions: partitions.and_then(|count| i32::try_from(count).ok()),
                replicas: replicas
                    .and_then(|count| i32::try_from(count).ok())
                    .filter(|count| *count <= 32767),
                config: None,
            },
            status: None,
        });
    }
    topics
}

/// Whether Kafka accepts the name.
pub(super) fn is_topic_name(name: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=249).contains(&name.len()) && name.chars().all(known) && name != "." && name != ".."
}

//! The pod of a Kafka node.

use std::collections::{BTreeMap, BTreeSet};

use api::agent::container as places;
use api::common::pod_template::PodTemplate;
use api::{annotations, labels, names, ports};
use k8s_openapi::api::core::v1::{
    Affinity, Container, ContainerPort, EnvVar, EnvVarSource, Pod, PodSpec, Probe, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use objects::{Pairs, add_labels, merge_metadata};
use serde_json::Value;

use super::meta::{own_pool_labels, pool_labels};
use crate::kafka::certificates::NodeCertificate;
use crate::kafka::cluster::{Cluster, JMX_CREDENTIALS, Node, Pool, Rack, VolumeKind};
use crate::kafka::observed::PlanSettings;
use crate::overrides::Overriding;
use crate::workload::templates::Taken;
use crate::workload::{container, pod, probe, revision, volume};

/// Where the agent is copied to.
const AGENT_FOLDER: &str = "/opt/kastellan";
/// The volume with the agent, and the container that brings it.
const AGENT: &str = "kafka-agent";
/// The user that Kafka's image runs as; its group owns the volumes.
const KAFKA_USER: i64 = 1000;
/// The section of a template with the container that brings the agent.
const INIT_TEMPLATE: &str = "initContainer";
/// The section of a template with the container of Kafka.
const KAFKA_TEMPLATE: &str = "kafkaContainer";
/// Seconds a node gets to stop, unless the template says otherwise.
const GRACE_SECONDS: i64 = 30;
/// Size of the volumes in memory that hold a few words.
const SMALL: &str = "1Mi";
/// The volume with the user and the password of remote JMX.
const JMX_VOLUME: &str = "jmx-credentials";
/// Permissions of the files with the node's certificates and keys.
const CERTIFICATES_MODE: i32 = 0o440;
/// Permissions of the files with the trusted certificates.
const TRUST_MODE: i32 = 0o444;
/// Times that the start may fail to be over, one a second: a long recovery of logs is not cut short.
const START_FAILURES: i32 = 1_000_000;

/// A pod as it stands in the pod set, and its JSON.
#[derive(Debug, Clone)]
pub(crate) struct DesiredPod {
    /// The pod.
    pub pod: Pod,
    /// The same as it is written.
    pub json: Value,
}

/// The complete pod of a node, whose configuration needs a restart to change where the fingerprint changes. The annotations
/// carry what the pod was started with.
pub(crate) fn of_node(
    cluster: &Cluster,
    node: Node<'_>,
    certificate: &NodeCertificate,
    configuration: String,
    settings: &PlanSettings,
    overriding: &mut Overriding<'_>,
) -> DesiredPod {
    let pool = node.pool;
    let name = cluster.pod_name(node);
    let template = pool.templates.pod.as_ref();
    let mut users = Pairs::new();
    let mut own_labels = own_pool_labels(cluster, pool);
    own_labels.insert(labels::POD_NAME.to_owned(), name.clone());
    own_labels.insert(labels::CONTROLLER.to_owned(), labels::CONTROLLER_POD_SET.to_owned());
    own_labels.insert(labels::CONTROLLER_NAME.to_owned(), cluster.pod_set_name(pool));
    own_labels.insert(labels::BROKER_ROLE.to_owned(), pool.broker.to_string());
    own_labels.insert(labels::CONTROLLER_ROLE.to_owned(), pool.controller.to_string());
    let metadata = template.and_then(|template| template.metadata.as_ref());
    merge_metadata(metadata, &mut own_labels, &mut users);
    add_labels(&mut own_labels, &settings.custom_kafka_labels);

    let mut pod = Pod {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(cluster.namespace.clone()),
            labels: Some(own_labels),
            annotations: Some(users),
            ..ObjectMeta::default()
        },
        spec: Some(spec(cluster, node, settings)),
        ..Pod::default()
    };
    pod = overriding.pod(pod, &template.map(users_volumes).unwrap_or_default());
    // What follows has reasons of its own for a restart, or is worth none; the revision is about everything else.
    let mut json = objects::json(&pod);
    // Nor does the image count that the agent comes from: a new version of the operator restarts nothing. A pod keeps its
    // agent until it restarts for another reason, and what the agent is asked to do stands in the rest of the pod.
    let (revision, resource_revision) = revision::revisions(&mut json, AGENT);
    let mut all_labels = pool_labels(cluster, pool);
    all_labels.extend(pod.metadata.labels.take().unwrap_or_default());
    let mut annotations = pod.metadata.annotations.take().unwrap_or_default();
    annotations.extend([
        (annotations::REVISION.to_owned(), revision),
        (annotations::RESOURCE_REVISION.to_owned(), resource_revision),
        (annotations::KAFKA_VERSION.to_owned(), cluster.version.version.clone()),
        (annotations::CONFIGURATION_HASH.to_owned(), configuration),
    ]);
    annotations.extend(certificate.pod_annotations.clone());
    json["metadata"]["labels"] = objects::json(&all_labels);
    json["metadata"]["annotations"] = objects::json(&annotations);
    pod.metadata.labels = Some(all_labels);
    pod.metadata.annotations = Some(annotations);
    DesiredPod { pod, json }
}

/// Names of the volumes that a template adds.
fn users_volumes(template: &PodTemplate) -> BTreeSet<String> {
    let plain = template.volumes.iter().flatten().map(|volume| volume.name.clone());
    let templated = template.templated_volumes.iter().flatten().map(|volume| volume.name.clone());
    plain.chain(templated).flatten().collect()
}

/// What the pods of a pool have whatever the templates say.
pub(crate) fn taken(cluster: &Cluster, pool: &Pool, settings: &PlanSettings) -> Taken {
    let node = Node { id: pool.nodes.first().copied().unwrap_or_default(), pool };
    let token = asks_about_nodes(cluster, pool);
    Taken {
        volumes: volume::names(&volumes(cluster, node, &cluster.pod_name(node), None, token)),
        variables: BTreeMap::from([
            (INIT_TEMPLATE, container::variable_names(&install(pool, settings))),
            (KAFKA_TEMPLATE, container::variable_names(&kafka(cluster, node, settings, token))),
        ]),
    }
}

/// Only a look-up of a Kubernetes node's label or address needs the API server.
fn asks_about_nodes(cluster: &Cluster, pool: &Pool) -> bool {
    pool.broker && cluster.asks_about_nodes()
}

fn spec(cluster: &Cluster, node: Node<'_>, settings: &PlanSettings) -> PodSpec {
    let pool = node.pool;
    let name = cluster.pod_name(node);
    let template = pool.templates.pod.as_ref();
    let token = asks_about_nodes(cluster, pool);
    let mut install = install(pool, settings);
    container::apply_template(&mut install, pool.templates.init_container.as_ref());
    let mut kafka = kafka(cluster, node, settings, token);
    container::apply_template(&mut kafka, pool.templates.kafka_container.as_ref());
    let mut spec = PodSpec {
        hostname: Some(name.clone()),
        subdomain: Some(names::brokers_service(&cluster.name)),
        service_account_name: Some(names::kafka(&cluster.name)),
        automount_service_account_token: Some(false),
        restart_policy: Some("Always".to_owned()),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        security_context: Some(pod::security(KAFKA_USER, Some(KAFKA_USER))),
        image_pull_secrets: pod::pull_secrets(&settings.pod_defaults()),
        affinity: affinity(cluster, pool),
        volumes: Some(volumes(cluster, node, &name, template, token)),
        init_containers: Some(vec![install]),
        containers: vec![kafka],
        ..PodSpec::default()
    };
    let placeholders = [("{nodeId}", node.id.to_string()), ("{nodePodName}", name)];
    pod::apply_template(&mut spec, template, &placeholders);
    spec
}

/// A broker whose rack is a label runs only where there is such a label.
fn affinity(cluster: &Cluster, pool: &Pool) -> Option<Affinity> {
    let Some(Rack::TopologyLabel(key)) = cluster.rack.as_ref().filter(|_| pool.broker) else { return None };
    Some(pod::where_label_exists(key))
}

fn volumes(
    cluster: &Cluster,
    node: Node<'_>,
    pod: &str,
    template: Option<&PodTemplate>,
    token: bool,
) -> Vec<Volume> {
    let mut volumes = Vec::new();
    for data in &node.pool.volumes {
        let name = Pool::volume_name(data);
        volumes.push(match &data.kind {
            VolumeKind::Ephemeral { size_limit } => volume::empty(&name, size_limit.as_deref()),
            VolumeKind::Claim { .. } => volume::claim(&name, &names::persistent_volume_claim(data.id, pod)),
        });
    }
    volumes.push(volume::tmp("strimzi-tmp", template));
    volumes.push(volume::config_map("kafka-metrics-and-logging", pod));
    volumes.push(volume::secret("node-certs", pod, CERTIFICATES_MODE));
    volumes.push(volume::secret("trust-bundle", &names::trust_bundle_secret(&cluster.name), TRUST_MODE));
    volumes.push(volume::memory("ready-files", SMALL));
    volumes.push(volume::empty(AGENT, None));
    if cluster.jmx.is_some_and(|jmx| jmx.password) {
        volumes.push(volume::secret(JMX_VOLUME, &names::kafka_jmx_secret(&cluster.name), CERTIFICATES_MODE));
    }
    if node.pool.broker && (cluster.rack.is_some() || token) {
        volumes.push(volume::memory("rack-volume", SMALL));
    }
    if token {
        volumes.push(volume::token());
    }
    volumes
}

/// Copies the agent into the pod.
fn install(pool: &Pool, settings: &PlanSettings) -> Container {
    let command = ["/kafka-agent", "install", AGENT_FOLDER];
    let install = Container {
        name: AGENT.to_owned(),
        image: Some(settings.operator_image.clone()),
        command: Some(command.map(str::to_owned).to_vec()),
        volume_mounts: Some(vec![volume::mount(AGENT, AGENT_FOLDER)]),
        security_context: Some(container::security()),
        ..Container::default()
    };
    container::completed(install, pool.resources.as_ref(), &settings.pod_defaults())
}

fn kafka(cluster: &Cluster, node: Node<'_>, settings: &PlanSettings, token: bool) -> Container {
    let pool = node.pool;
    let agent = format!("{AGENT_FOLDER}/kafka-agent");
    let data = pool.volumes.iter();
    let mut mounts: Vec<_> =
        data.map(|data| volume::mount(&Pool::volume_name(data), &Pool::mount_path(data))).collect();
    mounts.extend([
        volume::mount("strimzi-tmp", "/tmp"),
        // With a "/" at the end, as they have been from the first: another path would restart every pod.
        volume::mount("kafka-metrics-and-logging", &format!("{}/", places::CUSTOM_CONFIG)),
        volume::read_only("node-certs", &format!("{}/", places::NODE_CERTIFICATES)),
        volume::read_only("trust-bundle", &format!("{}/", places::TRUST_BUNDLE)),
        volume::mount("ready-files", places::MADE_BY_AGENT),
        volume::read_only(AGENT, AGENT_FOLDER),
    ]);
    if cluster.jmx.is_some_and(|jmx| jmx.password) {
        mounts.push(volume::read_only(JMX_VOLUME, JMX_CREDENTIALS));
    }
    if pool.broker && (cluster.rack.is_some() || token) {
        mounts.push(volume::mount("rack-volume", places::KUBERNETES_NODE));
    }
    let mut environment = vec![container::variable(api::env::node::KAFKA_CLUSTER_NAME, &cluster.name)];
    if token {
        mounts.push(volume::token_mount());
        environment.push(EnvVar {
            name: api::env::node::NODE_NAME.to_owned(),
            value_from: Some(EnvVarSource {
                field_ref: Some(volume::field_of_pod("spec.nodeName")),
                ..EnvVarSource::default()
            }),
            ..EnvVar::default()
        });
    }
    let kafka = Container {
        name: names::containers::KAFKA.to_owned(),
        image: Some(cluster.image.clone()),
        command: Some(vec![agent.clone(), "run".to_owned()]),
        env: Some(environment),
        ports: Some(container_ports(cluster, pool, node.id)),
        volume_mounts: Some(mounts),
        // Fast until the node is up, then in the user's rhythm.
        startup_probe: Some(Probe {
            exec: Some(probe::exec(&[&agent, "probe", "readiness"])),
            period_seconds: Some(1),
            timeout_seconds: Some(5),
            failure_threshold: Some(START_FAILURES),
            ..Probe::default()
        }),
        readiness_probe: Some(cluster.readiness.exec(&[&agent, "probe", "readiness"])),
        liveness_probe: Some(cluster.liveness.exec(&[&agent, "probe", "liveness"])),
        security_context: Some(container::security()),
        ..Container::default()
    };
    container::completed(kafka, pool.resources.as_ref(), &settings.pod_defaults())
}

fn container_ports(cluster: &Cluster, pool: &Pool, id: i32) -> Vec<ContainerPort> {
    let mut all = vec![container::port(ports::KAFKA_AGENT_NAME, ports::KAFKA_AGENT)];
    if pool.controller {
        all.push(container::port(ports::CONTROL_PLANE_NAME, ports::CONTROL_PLANE));
    }
    if pool.broker {
        all.push(container::port(ports::REPLICATION_NAME, ports::REPLICATION));
        for listener in cluster.open_listeners(id) {
            all.push(container::port(&listener.port_name(), i32::from(listener.port)));
        }
    }
    all.extend(cluster.metrics.as_ref().map(|_| container::port(ports::METRICS_NAME, ports::METRICS)));
    all.extend(cluster.jmx.map(|_| container::port(ports::JMX_NAME, ports::JMX)));
    all
}

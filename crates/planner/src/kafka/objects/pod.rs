//! The pod of a Kafka node.

use std::collections::{BTreeMap, BTreeSet};

use api::agent::container as places;
use api::common::pod_template::PodTemplate;
use api::{annotations, labels, names, ports};
use k8s_openapi::api::core::v1::{Affinity, Container, ContainerPort, PodSpec, Volume};
use objects::{Pairs, add_labels, merge_metadata};

use super::meta::{own_pool_labels, pool_labels};
use crate::kafka::certificates::NodeCertificate;
use crate::kafka::cluster::{Cluster, Node, Pool, Rack, VolumeKind};
use crate::overrides::Overriding;
use crate::settings::PlanSettings;
use crate::workload::agent_pod::{
    self, AGENT, DesiredPod, Frame, INIT_TEMPLATE, JMX_VOLUME, NODE_VOLUME, PRIVATE_MODE, SMALL,
};
use crate::workload::templates::Taken;
use crate::workload::{container, pod, volume};

/// The section of a template with the container of Kafka.
const KAFKA_TEMPLATE: &str = "kafkaContainer";
/// Permissions of the files with the trusted certificates.
const TRUST_MODE: i32 = 0o444;
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
    own_labels.extend(agent_pod::labels_of_set(&name, &cluster.pod_set_name(pool)));
    own_labels.insert(labels::BROKER_ROLE.to_owned(), pool.broker.to_string());
    own_labels.insert(labels::CONTROLLER_ROLE.to_owned(), pool.controller.to_string());
    let metadata = template.and_then(|template| template.metadata.as_ref());
    merge_metadata(metadata, &mut own_labels, &mut users);
    add_labels(&mut own_labels, &settings.custom_kafka_labels);

    let spec = spec(cluster, node, settings);
    let pod = agent_pod::new(&cluster.namespace, name, own_labels, users, spec);
    let pod = overriding.pod(pod, &template.map(users_volumes).unwrap_or_default());
    let started_with = [
        (annotations::KAFKA_VERSION.to_owned(), cluster.version.version.clone()),
        (annotations::CONFIGURATION_HASH.to_owned(), configuration),
    ];
    let departs = pool.departing.contains(&node.id);
    let departs = departs.then(|| (annotations::LEAVES_QUORUM.to_owned(), "true".to_owned()));
    let started_with = started_with.into_iter().chain(departs).chain(certificate.pod_annotations.clone());
    agent_pod::finished(pod, pool_labels(cluster, pool), started_with)
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
            (
                INIT_TEMPLATE,
                container::variable_names(&agent_pod::install(pool.resources.as_ref(), settings)),
            ),
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
    let mut install = agent_pod::install(pool.resources.as_ref(), settings);
    container::apply_template(&mut install, pool.templates.init_container.as_ref());
    let mut kafka = kafka(cluster, node, settings, token);
    container::apply_template(&mut kafka, pool.templates.kafka_container.as_ref());
    let frame = Frame {
        name: name.clone(),
        service: names::brokers_service(&cluster.name),
        account: names::kafka(&cluster.name),
        affinity: affinity(cluster, pool),
    };
    let volumes = volumes(cluster, node, &name, template, token);
    let mut spec = frame.spec(install, kafka, volumes, &settings.pod_defaults());
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
    for data in node.pool.volumes_of(node.id) {
        let name = Pool::volume_name(data);
        volumes.push(match &data.kind {
            VolumeKind::Ephemeral { size_limit } => volume::empty(&name, size_limit.as_deref()),
            VolumeKind::Claim { .. } => volume::claim(&name, &names::persistent_volume_claim(data.id, pod)),
        });
    }
    volumes.push(volume::tmp("strimzi-tmp", template));
    volumes.push(volume::config_map("kafka-metrics-and-logging", pod));
    volumes.push(volume::secret("node-certs", pod, PRIVATE_MODE));
    volumes.push(volume::secret("trust-bundle", &names::trust_bundle_secret(&cluster.name), TRUST_MODE));
    volumes.push(volume::memory("ready-files", SMALL));
    volumes.push(volume::empty(AGENT, None));
    if cluster.jmx.is_some_and(|jmx| jmx.password) {
        volumes.push(volume::secret(JMX_VOLUME, &names::kafka_jmx_secret(&cluster.name), PRIVATE_MODE));
    }
    if node.pool.broker && (cluster.rack.is_some() || token) {
        volumes.push(volume::memory(NODE_VOLUME, SMALL));
    }
    if token {
        volumes.push(volume::token());
    }
    volumes
}

fn kafka(cluster: &Cluster, node: Node<'_>, settings: &PlanSettings, token: bool) -> Container {
    let pool = node.pool;
    let data = pool.volumes_of(node.id);
    let mut mounts: Vec<_> =
        data.map(|data| volume::mount(&Pool::volume_name(data), &Pool::mount_path(data))).collect();
    mounts.extend([
        volume::mount("strimzi-tmp", "/tmp"),
        // With a "/" at the end, as they have been from the first: another path would restart every pod.
        volume::mount("kafka-metrics-and-logging", &format!("{}/", places::CUSTOM_CONFIG)),
        volume::read_only("node-certs", &format!("{}/", places::NODE_CERTIFICATES)),
        volume::read_only("trust-bundle", &format!("{}/", places::TRUST_BUNDLE)),
        volume::mount("ready-files", places::MADE_BY_AGENT),
        volume::read_only(AGENT, places::AGENT_FOLDER),
    ]);
    if cluster.jmx.is_some_and(|jmx| jmx.password) {
        mounts.push(volume::read_only(JMX_VOLUME, places::JMX_CREDENTIALS));
    }
    if pool.broker && (cluster.rack.is_some() || token) {
        mounts.push(volume::mount(NODE_VOLUME, places::KUBERNETES_NODE));
    }
    let mut environment = vec![container::variable(api::env::node::KAFKA_CLUSTER_NAME, &cluster.name)];
    if token {
        mounts.push(volume::token_mount());
        environment.push(agent_pod::node_name());
    }
    let kafka = Container {
        name: names::containers::KAFKA.to_owned(),
        image: Some(cluster.image.clone()),
        command: Some(vec![agent_pod::program(), "run".to_owned()]),
        env: Some(environment),
        ports: Some(container_ports(cluster, pool, node.id)),
        volume_mounts: Some(mounts),
        ..Container::default()
    };
    let kafka = agent_pod::probed(kafka, cluster.readiness, cluster.liveness);
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

//! `KafkaCluster`.

use std::collections::{BTreeMap, BTreeSet};

use api::common::logging::Logging;
use api::common::rack::Rack;
use api::common::template::{InternalServiceTemplate, MetadataTemplate, PodDisruptionBudgetTemplate};
use api::kafka::{
    EntityOperatorSpec, EntityTopicOperatorSpec, EntityUserOperatorSpec, KafkaClusterSpec,
    KafkaClusterTemplate,
};
use api::kafka_node_pool::ProcessRole;
use api::{KafkaNodePool, KafkaNodePoolSpec, annotations, labels, limits};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::brokers::{self, Group};
use super::listeners::{self, Nodes};
use super::node_config;
use super::pods::{self, OfCluster, Parts};
use super::vault::Vault;
use crate::convert::fields::Fields;
use crate::convert::notes::Notes;
use crate::convert::options::{self, Options};
use crate::convert::resources::{self, Resource};
use crate::convert::{controllers, metadata};

/// The most characters of a pool's name.
const POOL_NAME: usize = 30;
/// Characters of the longest name made of those of a cluster and a pool, beside these: a listener and an id.
const AROUND_POOL_NAME: usize = 1 + 1 + 11 + 1 + 5;
/// Labels of Kubernetes nodes that have a newer name.
const RENAMED_LABELS: [(&str, &str); 2] = [
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
];

/// Converts a cluster.
///
/// # Errors
/// When it has no name, no spec or no brokers.
pub(crate) fn cluster(manifest: Value, notes: &mut Notes) -> Result<Vec<Resource>, String> {
    let Value::Object(values) = manifest else { return Err("the manifest is no object".to_owned()) };
    let mut manifest = Fields::new("", values);
    for known in ["apiVersion", "kind", "status"] {
        manifest.take(known);
    }
    let meta = metadata::take(&mut manifest, notes)?;
    let name = meta.name.clone().unwrap_or_default();
    let mut spec = manifest.object("spec", notes).ok_or("spec is missing: there is nothing to convert")?;
    manifest.rest(notes);
    let room = limits::DNS_LABEL.saturating_sub(name.len() + AROUND_POOL_NAME).clamp(1, POOL_NAME);
    let groups = brokers::take(&mut spec, room, notes);
    if groups.is_empty() {
        return Err("spec.brokers is missing or has no broker: write the brokers of the cluster".to_owned());
    }
    let knows_roles = spec.flag("kRaft", notes).unwrap_or(false);
    let of_cluster = OfCluster {
        name: name.clone(),
        one_per_node: spec.flag("oneBrokerPerNode", notes).unwrap_or(false),
        variables: spec.list("envs", notes),
    };
    let mut options = cluster_options(&mut spec, notes);
    let mut pools = Vec::new();
    let mut nodes = Nodes::default();
    let mut logging: Option<Logging> = None;
    let (mut own, mut own_of_controllers) = (Vec::new(), Vec::new());
    for Group { name: pool, nodes: of_group, config } in groups {
        let parts = pods::read(config, &of_cluster, notes);
        logging = logging.or_else(|| parts.logging.clone());
        let roles = roles(&parts, knows_roles);
        let is_broker = roles.contains(&ProcessRole::Broker);
        pools.push(node_pool(
            &meta,
            &pool,
            roles,
            parts,
            &of_group.iter().map(|node| node.id).collect::<Vec<_>>(),
        ));
        for node in of_group {
            if is_broker {
                nodes.add(&node);
                own.push(node);
            } else {
                own_of_controllers.push(node);
            }
        }
    }
    let node_config = node_config::of(own, own_of_controllers, &mut options, notes);
    let ids: BTreeSet<i32> = nodes.ids();
    if !pools.iter().any(|pool| pool.spec.roles.contains(&ProcessRole::Controller)) {
        pools.insert(0, controllers::pool(&meta, &pools, &ids));
    }
    let mut vault = Vault::new(&name);
    let found = listeners::take(&mut spec, &meta, &nodes, &mut options, &mut vault, notes);
    let sorted = options::sort(options, ids.len(), notes);
    let mut config = sorted.config;
    for (name, given) in sorted.secret {
        let value = vault.keep(&name, &given.path, notes);
        config.insert(name, value);
    }
    if vault.is_needed() {
        Vault::provider(&mut config);
        for pool in &mut pools {
            vault.mount(&mut pool.spec.template);
        }
    }
    let kafka = KafkaClusterSpec {
        listeners: found.listeners,
        config: Some(config).filter(|config| !config.is_empty()),
        node_config,
        authorization: sorted.authorization,
        rack: rack(&mut spec, notes),
        logging,
        template: template(&mut spec, ids.len(), found.service_annotations, notes),
        ..KafkaClusterSpec::default()
    };
    beside_the_brokers(&mut spec, notes);
    spec.rest(notes);
    controllers::say_that_data_stays(&name, notes);
    let kafka = Resource::Kafka(Box::new(resources::kafka(meta, kafka, entity_operator())));
    Ok(std::iter::once(kafka).chain(pools.into_iter().map(|pool| Resource::Pool(Box::new(pool)))).collect())
}

/// koperator looks after topics and users as well.
fn entity_operator() -> EntityOperatorSpec {
    EntityOperatorSpec {
        topic_operator: Some(EntityTopicOperatorSpec::default()),
        user_operator: Some(EntityUserOperatorSpec::default()),
        ..EntityOperatorSpec::default()
    }
}

/// Options of all brokers: those that change at run time win.
fn cluster_options(spec: &mut Fields, notes: &mut Notes) -> Options {
    let mut all = Options::new();
    for name in ["readOnlyConfig", "clusterWideConfig"] {
        if let Some(text) = spec.text(name, notes) {
            all.extend(options::parse(&text, &spec.at(name), notes));
        }
    }
    all
}

fn roles(parts: &Parts, knows_roles: bool) -> Vec<ProcessRole> {
    match (knows_roles, parts.roles.is_empty()) {
        (false, _) => vec![ProcessRole::Broker],
        (true, true) => vec![ProcessRole::Controller, ProcessRole::Broker],
        (true, false) => parts.roles.clone(),
    }
}

fn node_pool(
    cluster: &ObjectMeta,
    name: &str,
    roles: Vec<ProcessRole>,
    parts: Parts,
    ids: &[i32],
) -> KafkaNodePool {
    KafkaNodePool {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: cluster.namespace.clone(),
            labels: Some(BTreeMap::from([(
                labels::CLUSTER.to_owned(),
                cluster.name.clone().unwrap_or_default(),
            )])),
            annotations: Some(BTreeMap::from([(
                annotations::NEXT_NODE_IDS.to_owned(),
                format!("[{}]", node_config::ranges(ids).join(", ")),
            )])),
            ..ObjectMeta::default()
        },
        spec: KafkaNodePoolSpec {
            replicas: i32::try_from(ids.len()).unwrap_or(i32::MAX),
            storage: parts.storage,
            roles,
            resources: parts.resources,
            jvm_options: parts.jvm,
            template: parts.template,
        },
        status: None,
    }
}

/// `rackAwareness.labels`: the last one is the narrowest.
fn rack(spec: &mut Fields, notes: &mut Notes) -> Option<Rack> {
    let mut raw = spec.object("rackAwareness", notes)?;
    let path = raw.at("labels");
    let names: Vec<String> = raw
        .list("labels", notes)
        .into_iter()
        .filter_map(|(_, label)| label.as_str().map(str::to_owned))
        .collect();
    raw.rest(notes);
    let last = names.last().filter(|name| limits::is_key(name))?;
    let renamed = RENAMED_LABELS.iter().find(|(old, _)| old == last).map(|(_, new)| *new);
    let key = renamed.unwrap_or(last);
    if names.len() > 1 || renamed.is_some() {
        notes.changed(
            path,
            &Value::from(names.clone()),
            format!("a rack is one label of a Kubernetes node: {key} was taken"),
        );
    }
    Some(Rack { topology_key: Some(key.to_owned()), ..Rack::default() })
}

fn template(
    spec: &mut Fields,
    brokers: usize,
    service_annotations: BTreeMap<String, String>,
    notes: &mut Notes,
) -> Option<KafkaClusterTemplate> {
    let mut template = KafkaClusterTemplate::default();
    if let Some(mut budget) = spec.object("disruptionBudget", notes) {
        let is_made = budget.flag("create", notes).unwrap_or(false);
        let path = budget.at("budget");
        let text = budget.text("budget", notes);
        budget.rest(notes);
        let allowed = text.as_deref().filter(|_| is_made).and_then(|text| match text.strip_suffix('%') {
            Some(share) => {
                share.parse::<usize>().ok().filter(|share| *share <= 100).map(|share| share * brokers / 100)
            }
            None => text.parse().ok(),
        });
        match (is_made, allowed) {
            (true, Some(allowed)) => {
                // The former budget left one broker at least.
                let most = allowed.min(brokers.saturating_sub(1));
                template.pod_disruption_budget = Some(PodDisruptionBudgetTemplate {
                    max_unavailable: i32::try_from(most).ok(),
                    ..PodDisruptionBudgetTemplate::default()
                });
            }
            (true, None) => notes.lost(
                path,
                &text.into(),
                "is no number and no share: the budget lets one pod go at a time",
            ),
            (false, _) => {}
        }
    }
    if !service_annotations.is_empty() {
        let service = InternalServiceTemplate {
            metadata: Some(MetadataTemplate {
                annotations: Some(service_annotations),
                ..MetadataTemplate::default()
            }),
            ..InternalServiceTemplate::default()
        };
        template.bootstrap_service = Some(service.clone());
        template.brokers_service = Some(service);
    }
    Some(template).filter(|template| *template != KafkaClusterTemplate::default())
}

/// What koperator runs or does beside the brokers.
fn beside_the_brokers(spec: &mut Fields, notes: &mut Notes) {
    // The operator does so anyway, or need not.
    for name in [
        "headlessServiceEnabled",
        "propagateLabels",
        "removeUnusedIngressResources",
        "ingressController",
        "localDebugEnabled",
        "description",
    ] {
        spec.take(name);
    }
    for (name, text) in [
        (
            "zkAddresses",
            "Kafka runs without ZooKeeper: a KafkaNodePool of controllers takes its place; stop ZooKeeper once nothing else uses it",
        ),
        ("zkAddress", "Kafka runs without ZooKeeper: a KafkaNodePool of controllers takes its place"),
        ("zkPath", "Kafka runs without ZooKeeper: it is not needed"),
        (
            "clusterImage",
            "the operator's own image of the newest Kafka runs; to run an image of your own, make it from apache/kafka and name it in spec.kafka.image",
        ),
        ("clusterMetricsReporterImage", "nothing reports to Cruise Control"),
        (
            "rollingUpgradeConfig",
            "nodes restart one after the other, each only while no partition falls below its min.insync.replicas",
        ),
        ("clusterID", "the result is a new cluster with an id of its own"),
        ("clientSSLCertSecret", "the operator reaches brokers with a certificate of its own"),
        (
            "envoyConfig",
            "the operator runs Envoy for listeners with a single address: how many pods and with which resources stands there, and the image is a setting of the operator",
        ),
        ("exporterImage", "write spec.kafkaExporter: {} to have the lag of consumers exported"),
    ] {
        spec.changed(name, text, notes);
    }
    for (name, text) in [
        (
            "cruiseControlConfig",
            "no Cruise Control is run: topics keep their assignment until a KafkaRebalance or the Kafka tools change it",
        ),
        (
            "monitoringConfig",
            "write spec.kafka.metricsConfig, with the configuration of the exporter in a ConfigMap",
        ),
        (
            "alertManagerConfig",
            "alerts change nothing by themselves: scale the KafkaNodePool, by hand or by an autoscaler",
        ),
        ("additionalPorts", "pods have no further ports: write a listener where it is one for clients"),
        ("kubernetesClusterDomain", "the domain is a setting of the operator: KUBERNETES_SERVICE_DNS_DOMAIN"),
        (
            "istioControlPlane",
            "no objects of Istio are made: write a listener of type tlsroute with Istio's Gateway in parentRefs",
        ),
        (
            "istioIngressConfig",
            "no objects of Istio are made: write a listener of type tlsroute with Istio's Gateway in parentRefs",
        ),
        (
            "contourIngressConfig",
            "no objects of Contour are made: write a listener of type tlsroute with its Gateway in parentRefs",
        ),
        (
            "taintedBrokersSelector",
            "to have a pod made anew, set the annotation strimzi.io/manual-rolling-update: \"true\" on it",
        ),
        ("kafkaManager", "no such program is run: deploy a console of your choice"),
        ("kafkaManger", "no such program is run: deploy a console of your choice"),
    ] {
        spec.lost(name, text, notes);
    }
}

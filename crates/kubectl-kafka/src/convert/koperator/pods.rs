//! `BrokerConfig`: what the nodes of a pool have in common.

use std::collections::BTreeSet;

use api::common::jvm::JvmOptions;
use api::common::logging::Logging;
use api::common::pod_template::{
    AdditionalVolume, ContainerEnvVar, ContainerEnvVarSource, ContainerTemplate, PodTemplate,
};
use api::common::storage::{Storage, Volume, VolumeType};
use api::common::template::MetadataTemplate;
use api::env;
use api::kafka_node_pool::{KafkaNodePoolTemplate, ProcessRole};
use k8s_openapi::api::core::v1::{
    Affinity, EnvVar, PersistentVolumeClaimSpec, ResourceRequirements, VolumeMount,
};
use serde_json::Value;

use crate::convert::fields::{self, Fields};
use crate::convert::notes::Notes;
use crate::convert::{affinity, jvm, logging, metadata, secrets, storage};

/// The disk of a node that names none.
const SIZE: &str = "10Gi";
/// Variables that the operator sets in Kafka's container.
const SET_BY_OPERATOR: [&str; 2] = ["KAFKA_CLUSTER_NAME", "NODE_NAME"];
/// What an additional volume can be.
const SOURCES: [&str; 6] = ["secret", "configMap", "emptyDir", "persistentVolumeClaim", "csi", "image"];

/// What a pool gets of it.
#[derive(Debug)]
pub(super) struct Parts {
    /// `spec.roles`, where the nodes have some of their own.
    pub roles: Vec<ProcessRole>,
    /// `spec.storage`.
    pub storage: Storage,
    /// `spec.resources`.
    pub resources: Option<ResourceRequirements>,
    /// `spec.jvmOptions`.
    pub jvm: Option<JvmOptions>,
    /// `spec.template`.
    pub template: Option<KafkaNodePoolTemplate>,
    /// Log levels, which are the cluster's.
    pub logging: Option<Logging>,
}

/// What the cluster says of the pods of all its nodes.
#[derive(Debug, Clone)]
pub(super) struct OfCluster {
    /// Name of the cluster.
    pub name: String,
    /// `spec.oneBrokerPerNode`.
    pub one_per_node: bool,
    /// `spec.envs`.
    pub variables: Vec<(String, Value)>,
}

/// Reads a configuration.
pub(super) fn read(mut config: Fields, cluster: &OfCluster, notes: &mut Notes) -> Parts {
    let roles = roles(&mut config, notes);
    let storage = disks(&mut config, notes);
    let resources = config.typed("resourceRequirements", notes);
    let mut options = JvmOptions::default();
    for name in ["kafkaHeapOpts", "kafkaJvmPerfOpts"] {
        let path = config.at(name);
        if let Some(arguments) = config.text(name, notes) {
            jvm::add(&mut options, &arguments, &path, notes);
        }
    }
    let log4j = config.at("log4jConfig");
    let logging = config.text("log4jConfig", notes).and_then(|text| logging::of(&text, &log4j, notes));
    let pod = pod(&mut config, cluster, notes);
    let kafka_container = container(&mut config, cluster, pod.volumes.as_deref().unwrap_or_default(), notes);
    for (name, text) in [
        (
            "image",
            "the operator's own image of the newest Kafka runs; to run an image of your own, make it from apache/kafka and name it in spec.kafka.image of the Kafka resource",
        ),
        ("metricsReporterImage", "nothing reports to Cruise Control"),
        (
            "networkConfig",
            "capacities of the network are those of the optimizer: they are not needed to run Kafka",
        ),
    ] {
        config.changed(name, text, notes);
    }
    for (name, text) in [
        ("containers", "pods have no further containers: run them as a Deployment of their own"),
        (
            "initContainers",
            "pods have no further init containers: do their work in the image, or in a Job before",
        ),
        (
            "serviceAccountName",
            "pods run under an account of the operator's, <cluster>-kafka: bind what rights they need to that one; its annotations are spec.kafka.template.serviceAccount",
        ),
        ("brokerHostnameTemplate", "write advertisedHostTemplate in the configuration of the listener"),
        // A product's own fields.
        (
            "externalPort",
            "write a listener of type nodeport, with the port in configuration.bootstrap.nodePort",
        ),
        ("nodeAffinity", "write affinity.nodeAffinity in spec.template.pod of the KafkaNodePool"),
    ] {
        config.lost(name, text, notes);
    }
    for name in ["zkUsername", "zkPassword"] {
        config.changed(name, "Kafka runs without ZooKeeper: it is not needed", notes);
    }
    config.rest(notes);
    let template = KafkaNodePoolTemplate {
        pod: Some(pod).filter(|pod| *pod != PodTemplate::default()),
        kafka_container: Some(kafka_container).filter(|container| *container != ContainerTemplate::default()),
        ..KafkaNodePoolTemplate::default()
    };
    Parts {
        roles,
        storage,
        resources,
        jvm: Some(options).filter(|options| !jvm::is_empty(options)),
        template: Some(template).filter(|template| *template != KafkaNodePoolTemplate::default()),
        logging,
    }
}

fn roles(config: &mut Fields, notes: &mut Notes) -> Vec<ProcessRole> {
    let mut roles = BTreeSet::new();
    for (path, role) in config.list("processRoles", notes) {
        match role.as_str() {
            Some("controller") => drop(roles.insert("controller")),
            Some("broker") => drop(roles.insert("broker")),
            _ => notes.lost(path, &role, "is no role: write controller or broker"),
        }
    }
    let role =
        |name: &&str| if *name == "controller" { ProcessRole::Controller } else { ProcessRole::Broker };
    // Brokers sort before controllers; resources are written the other way round.
    roles.iter().rev().map(role).collect()
}

/// `storageConfigs`, each as a volume with the number of its place.
fn disks(config: &mut Fields, notes: &mut Notes) -> Storage {
    let mut volumes = Vec::new();
    for mut disk in config.objects("storageConfigs", notes) {
        let id = i32::try_from(volumes.len()).unwrap_or_default();
        let mount = disk.text("mountPath", notes);
        let claim = disk.object("pvcSpec", notes);
        let empty = disk.object("emptyDir", notes);
        if let Some(place) = mount {
            notes.changed(
                disk.at("mountPath"),
                &Value::from(place),
                format!("is volume {id} now: /var/lib/kafka/data-{id}"),
            );
        }
        let path = disk.path().to_owned();
        disk.rest(notes);
        volumes.push(match (claim, empty) {
            (Some(claim), _) => Volume { id: Some(id), ..of_claim(&claim, notes) },
            (None, Some(mut empty)) => {
                let limit = empty.text("sizeLimit", notes).filter(|limit| storage::is_quantity(limit));
                empty.lost(
                    "medium",
                    "volumes in memory are not possible: an ordinary one was written",
                    notes,
                );
                empty.rest(notes);
                Volume { id: Some(id), size_limit: limit, ..Volume::new(VolumeType::Ephemeral) }
            }
            (None, None) => {
                notes.lost(
                    path,
                    &Value::Null,
                    format!("has neither pvcSpec nor emptyDir: a claim of {SIZE} was written"),
                );
                claim_of(id, SIZE)
            }
        });
    }
    if volumes.is_empty() {
        notes.lost(
            config.at("storageConfigs"),
            &Value::Null,
            format!("is missing: a claim of {SIZE} was written"),
        );
        volumes.push(claim_of(0, SIZE));
    }
    storage::jbod(volumes)
}

fn claim_of(id: i32, size: &str) -> Volume {
    Volume { id: Some(id), size: Some(size.to_owned()), ..Volume::new(VolumeType::PersistentClaim) }
}

fn of_claim(raw: &Fields, notes: &mut Notes) -> Volume {
    let path = raw.path().to_owned();
    let value = Value::Object(raw.remaining().clone());
    let spec = if value.to_string().contains("{{") {
        None
    } else {
        fields::typed::<PersistentVolumeClaimSpec>(&path, &value, notes)
    };
    let mut volume = Volume { size: Some(SIZE.to_owned()), ..Volume::new(VolumeType::PersistentClaim) };
    let Some(spec) = spec else {
        notes.lost(path, &value, format!("is a template or no specification of a claim: one of {SIZE} was written; write size, class and selector"));
        return volume;
    };
    let asked = spec.resources.and_then(|resources| resources.requests?.remove("storage"));
    match asked.map(|quantity| quantity.0).filter(|size| storage::is_quantity(size)) {
        Some(size) => volume.size = Some(size),
        None => notes.lost(
            format!("{path}.resources.requests.storage"),
            &Value::Null,
            format!("is missing or no quantity: {SIZE} was written"),
        ),
    }
    volume.class = spec.storage_class_name.filter(|class| !class.is_empty());
    volume.volume_attributes_class = spec.volume_attributes_class_name;
    if let Some(selector) = spec.selector {
        volume.selector = selector.match_labels;
        if let Some(expressions) = selector.match_expressions.filter(|all| !all.is_empty()) {
            notes.lost(
                format!("{path}.selector.matchExpressions"),
                &Value::from(expressions.len()),
                "only labels select a volume: write them in selector",
            );
        }
    }
    if let Some(modes) = spec.access_modes.filter(|modes| modes.iter().any(|mode| mode != "ReadWriteOnce")) {
        notes.changed(format!("{path}.accessModes"), &Value::from(modes), "claims are ReadWriteOnce");
    }
    for (name, is_set) in [
        ("volumeName", spec.volume_name.is_some()),
        ("dataSource", spec.data_source.is_some() || spec.data_source_ref.is_some()),
        ("volumeMode", spec.volume_mode.is_some_and(|mode| mode != "Filesystem")),
    ] {
        if is_set {
            notes.lost(format!("{path}.{name}"), &Value::Null, "claims cannot say so: make the claim yourself before, under the name data-<volume>-<cluster>-<pool>-<id>");
        }
    }
    volume
}

fn pod(config: &mut Fields, cluster: &OfCluster, notes: &mut Notes) -> PodTemplate {
    let mut of_pod = |name: &str, kind| {
        config.object(name, notes).map(|fields| metadata::pairs(&fields, kind, notes)).unwrap_or_default()
    };
    let mut annotations = of_pod("brokerAnnotations", metadata::Kind::Annotations);
    let labels = of_pod("brokerLabels", metadata::Kind::Labels);
    let scraped: Vec<String> =
        annotations.keys().filter(|key| key.starts_with("prometheus.io/")).cloned().collect();
    for key in scraped {
        let value = annotations.remove(&key).unwrap_or_default();
        notes.lost(
            format!("{}.brokerAnnotations.{key}", config.path()),
            &Value::from(value),
            "the port is another one: write spec.kafka.metricsConfig in the Kafka resource, and have port 9404 (tcp-prometheus) scraped",
        );
    }
    let mut affinity: Option<Affinity> = config.typed("affinity", notes);
    match &mut affinity {
        Some(affinity) => affinity::translate(affinity, &cluster.name),
        None if cluster.one_per_node => affinity = Some(affinity::spread(&cluster.name, true)),
        None => {}
    }
    if let Some(selector) = config.object("nodeSelector", notes) {
        affinity::add_nodes(&mut affinity, &metadata::pairs(&selector, metadata::Kind::Labels, notes));
    }
    let metadata = MetadataTemplate {
        labels: Some(labels).filter(|labels| !labels.is_empty()),
        annotations: Some(annotations).filter(|annotations| !annotations.is_empty()),
    };
    let volumes = volumes(config, notes);
    PodTemplate {
        metadata: Some(metadata).filter(|metadata| *metadata != MetadataTemplate::default()),
        image_pull_secrets: config.typed("imagePullSecrets", notes),
        security_context: config.typed("podSecurityContext", notes),
        termination_grace_period_seconds: config.seconds("terminationGracePeriodSeconds", notes),
        affinity,
        tolerations: config.typed("tolerations", notes),
        priority_class_name: config.text("priorityClassName", notes),
        volumes: Some(volumes).filter(|volumes| !volumes.is_empty()),
        ..PodTemplate::default()
    }
}

fn volumes(config: &mut Fields, notes: &mut Notes) -> Vec<AdditionalVolume> {
    let mut found: Vec<AdditionalVolume> = Vec::new();
    for (path, value) in config.list("volumes", notes) {
        let has_source = value.as_object().is_some_and(|fields| {
            fields.len() == 2
                && fields.contains_key("name")
                && SOURCES.iter().any(|source| fields.contains_key(*source))
                && secrets::without(&value) == value
        });
        let volume = has_source.then(|| fields::typed::<AdditionalVolume>(&path, &value, notes)).flatten();
        let is_new = |volume: &AdditionalVolume| {
            let name = volume.name.as_deref().unwrap_or_default();
            api::limits::is_dns_label(name) && !found.iter().any(|other| other.name.as_deref() == Some(name))
        };
        match volume {
            Some(volume) if is_new(&volume) => found.push(volume),
            _ => notes.lost(path, &value, "volumes can be a secret, configMap, emptyDir, persistentVolumeClaim, csi or image with a name of their own: it was left out"),
        }
    }
    found
}

fn container(
    config: &mut Fields,
    cluster: &OfCluster,
    volumes: &[AdditionalVolume],
    notes: &mut Notes,
) -> ContainerTemplate {
    let mut mounts: Vec<VolumeMount> = Vec::new();
    for (path, value) in config.list("volumeMounts", notes) {
        let mount = fields::typed::<VolumeMount>(&path, &value, notes);
        let fits = |mount: &VolumeMount| {
            mount.mount_path.starts_with("/mnt/")
                && !mount.mount_path.contains(':')
                && !mount.mount_path.split('/').any(|part| part == "..")
                && !mounts.iter().any(|other| other.mount_path == mount.mount_path)
                && volumes.iter().any(|volume| volume.name.as_deref() == Some(&mount.name))
        };
        match mount {
            Some(mount) if fits(&mount) => mounts.push(mount),
            _ => notes.lost(path, &value, "volumes that are in the result can be mounted below /mnt only: it was left out; mount it there and change what reads it"),
        }
    }
    let mut variables: Vec<ContainerEnvVar> = Vec::new();
    for (path, value) in config.list("envs", notes).into_iter().chain(cluster.variables.iter().cloned()) {
        if let Some(variable) = variable(&path, &value, notes)
            && !variables.iter().any(|other| other.name == variable.name)
        {
            variables.push(variable);
        }
    }
    ContainerTemplate {
        env: Some(variables).filter(|variables| !variables.is_empty()),
        security_context: config.typed("securityContext", notes),
        volume_mounts: Some(mounts).filter(|mounts| !mounts.is_empty()),
    }
}

/// An environment variable. A variable cannot add to another, and a value that may be a secret is not printed.
fn variable(path: &str, value: &Value, notes: &mut Notes) -> Option<ContainerEnvVar> {
    let Some(variable) = fields::typed::<EnvVar>(path, value, notes) else {
        notes.lost(path, value, "is no environment variable: it was left out");
        return None;
    };
    let name = variable.name.as_str();
    if name.starts_with('+') || name.ends_with('+') {
        notes.lost(
            path,
            value,
            "variables cannot be added to: for jars, use an image of your own or an image volume",
        );
        return None;
    }
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if !is_name || env::is_reserved(name) || SET_BY_OPERATOR.contains(&name) {
        notes.lost(path, value, "is no name that a template may set: it was left out");
        return None;
    }
    let text = variable.value.unwrap_or_default();
    if let Some(source) = variable.value_from {
        let source = ContainerEnvVarSource {
            secret_key_ref: source.secret_key_ref,
            config_map_key_ref: source.config_map_key_ref,
        };
        if source.secret_key_ref.is_some() == source.config_map_key_ref.is_some() {
            notes.lost(
                path,
                value,
                "values come from a key of a Secret or a ConfigMap only: it was left out",
            );
            return None;
        }
        return Some(ContainerEnvVar { name: Some(name.to_owned()), value: None, value_from: Some(source) });
    }
    if !secrets::is_harmless_variable(name, &text) {
        notes.lost(path, &Value::Null, format!("the value of {name} may be a secret, and is not printed: put it into a Secret and write valueFrom.secretKeyRef"));
        return None;
    }
    Some(ContainerEnvVar { name: Some(name.to_owned()), value: Some(text), value_from: None })
}

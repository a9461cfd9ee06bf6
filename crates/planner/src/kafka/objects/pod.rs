//! The pod of a Kafka node.

use std::collections::{BTreeMap, BTreeSet};

use api::{annotations, labels, names, ports};
use serde_json::{Map, Value, json};

use super::meta::{Pairs, add_labels, merge_metadata, own_pool_labels, pool_labels};
use crate::kafka::certificates::NodeCertificate;
use crate::kafka::cluster::{Cluster, Node, Pool, Probe, Rack, VolumeKind};
use crate::kafka::config::live;
use crate::kafka::observed::PlanSettings;
use crate::workload;
use crate::workload::templates::Taken;

/// Where the agent is copied to.
const AGENT_FOLDER: &str = "/opt/kastellan";
/// The container that brings the agent.
const INSTALL_CONTAINER: &str = "kafka-agent";
/// The user that Kafka's image runs as; its group owns the volumes.
const KAFKA_USER: i64 = 1000;
/// The section of a template with the container that brings the agent.
const INIT_TEMPLATE: &str = "initContainer";
/// The section of a template with the container of Kafka.
const KAFKA_TEMPLATE: &str = "kafkaContainer";
/// Seconds a node gets to stop, unless the template says otherwise.
const GRACE_SECONDS: i64 = 30;

/// The complete Pod object, as it stands in the pod set. `annotations` carries what the pod was started with.
pub fn of_node(
    cluster: &Cluster,
    node: Node<'_>,
    certificate: &NodeCertificate,
    settings: &PlanSettings,
) -> Value {
    let pool = node.pool;
    let name = cluster.pod_name(node);
    let template = pool.templates.get("pod");
    let mut users = Pairs::new();
    let mut own_labels = own_pool_labels(cluster, pool);
    own_labels.insert(labels::POD_NAME.to_owned(), name.clone());
    own_labels.insert(labels::CONTROLLER.to_owned(), labels::CONTROLLER_POD_SET.to_owned());
    own_labels.insert(labels::CONTROLLER_NAME.to_owned(), cluster.pod_set_name(pool));
    own_labels.insert(labels::BROKER_ROLE.to_owned(), pool.broker.to_string());
    own_labels.insert(labels::CONTROLLER_ROLE.to_owned(), pool.controller.to_string());
    merge_metadata(template, &mut own_labels, &mut users);
    add_labels(&mut own_labels, &settings.custom_kafka_labels);

    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": cluster.namespace,
            "labels": own_labels,
            "annotations": users,
        },
        "spec": spec(cluster, node, settings),
    });
    // What follows has reasons of its own for a restart, or is worth none; the revision is about everything else.
    let (revision, resource_revision) = workload::revisions(&without_agent_image(&pod));
    let mut all_labels = pool_labels(cluster, pool);
    all_labels.extend(own_labels);
    pod["metadata"]["labels"] = json!(all_labels);
    let mut started_with = Pairs::from([
        (annotations::REVISION.to_owned(), revision),
        (annotations::RESOURCE_REVISION.to_owned(), resource_revision),
        (annotations::KAFKA_VERSION.to_owned(), cluster.version.version.clone()),
        (annotations::CONFIGURATION_HASH.to_owned(), live::restart_fingerprint(cluster, node)),
    ]);
    started_with.extend(certificate.pod_annotations.clone());
    if let Some(known) = pod["metadata"]["annotations"].as_object_mut() {
        for (key, value) in started_with {
            known.insert(key, Value::String(value));
        }
    }
    pod
}

/// The pod without the image that its agent comes from. A new version of the operator restarts nothing: a pod keeps its
/// agent until it restarts for another reason, and what the agent is asked to do stands in the rest of the pod.
fn without_agent_image(pod: &Value) -> Value {
    let mut rest = pod.clone();
    for container in rest["spec"]["initContainers"].as_array_mut().into_iter().flatten() {
        if container["name"] == INSTALL_CONTAINER
            && let Some(fields) = container.as_object_mut()
        {
            fields.remove("image");
        }
    }
    rest
}

/// What the pods of a pool have whatever the templates say.
pub fn taken(cluster: &Cluster, pool: &Pool, settings: &PlanSettings) -> Taken {
    let node = Node { id: pool.nodes.first().copied().unwrap_or_default(), pool };
    let token = looks_up_rack(cluster, pool);
    let volumes = volumes(cluster, node, &cluster.pod_name(node), &Value::Null, token);
    let variables = |container: &Value| match container["env"].as_array() {
        Some(all) => workload::names_in(all),
        None => BTreeSet::new(),
    };
    Taken {
        volumes: workload::names_in(&volumes),
        variables: BTreeMap::from([
            (INIT_TEMPLATE, variables(&install(pool, settings))),
            (KAFKA_TEMPLATE, variables(&kafka(cluster, node, settings, token))),
        ]),
    }
}

/// Only a look-up of a Kubernetes node's label needs the API server.
fn looks_up_rack(cluster: &Cluster, pool: &Pool) -> bool {
    pool.broker && matches!(cluster.rack, Some(Rack::TopologyLabel(_)))
}

fn spec(cluster: &Cluster, node: Node<'_>, settings: &PlanSettings) -> Value {
    let pool = node.pool;
    let name = cluster.pod_name(node);
    let template = pool.templates.get("pod");
    let looks_up_rack = looks_up_rack(cluster, pool);
    let mut spec = Map::new();
    spec.insert("hostname".to_owned(), json!(name));
    spec.insert("subdomain".to_owned(), json!(names::brokers_service(&cluster.name)));
    spec.insert("serviceAccountName".to_owned(), json!(names::kafka(&cluster.name)));
    spec.insert("automountServiceAccountToken".to_owned(), json!(false));
    spec.insert("restartPolicy".to_owned(), json!("Always"));
    spec.insert("terminationGracePeriodSeconds".to_owned(), json!(GRACE_SECONDS));
    spec.insert("securityContext".to_owned(), workload::pod_security(KAFKA_USER, Some(KAFKA_USER)));
    if !settings.image_pull_secrets.is_empty() {
        let secrets: Vec<Value> =
            settings.image_pull_secrets.iter().map(|name| json!({"name": name})).collect();
        spec.insert("imagePullSecrets".to_owned(), Value::Array(secrets));
    }
    if let Some(Rack::TopologyLabel(key)) = cluster.rack.as_ref().filter(|_| pool.broker) {
        let term = json!({"matchExpressions": [{"key": key, "operator": "Exists"}]});
        let required = json!({"nodeSelectorTerms": [term]});
        let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}});
        spec.insert("affinity".to_owned(), affinity);
    }
    let volumes = volumes(cluster, node, &name, template, looks_up_rack);
    spec.insert("volumes".to_owned(), Value::Array(volumes));
    let mut install = install(pool, settings);
    workload::apply_container_template(&mut install, pool.templates.get(INIT_TEMPLATE));
    let mut kafka = kafka(cluster, node, settings, looks_up_rack);
    workload::apply_container_template(&mut kafka, pool.templates.get(KAFKA_TEMPLATE));
    spec.insert("initContainers".to_owned(), json!([install]));
    spec.insert("containers".to_owned(), json!([kafka]));
    let placeholders = [("{nodeId}", node.id.to_string()), ("{nodePodName}", name)];
    workload::apply_pod_template(&mut spec, template, &placeholders);
    Value::Object(spec)
}

fn volumes(cluster: &Cluster, node: Node<'_>, pod: &str, template: &Value, token: bool) -> Vec<Value> {
    let mut volumes = Vec::new();
    for volume in &node.pool.volumes {
        let name = Pool::volume_name(volume);
        volumes.push(match &volume.kind {
            VolumeKind::Ephemeral { size_limit: Some(limit) } => {
                json!({"name": name, "emptyDir": {"sizeLimit": limit}})
            }
            VolumeKind::Ephemeral { size_limit: None } => json!({"name": name, "emptyDir": {}}),
            VolumeKind::Claim { .. } => {
                let claim = names::persistent_volume_claim(volume.id, pod);
                json!({"name": name, "persistentVolumeClaim": {"claimName": claim}})
            }
        });
    }
    volumes.push(workload::tmp_volume("strimzi-tmp", template));
    volumes
        .push(json!({"name": "kafka-metrics-and-logging", "configMap": {"name": pod, "defaultMode": 420}}));
    volumes.push(json!({"name": "node-certs", "secret": {"secretName": pod, "defaultMode": 288}}));
    let trust = names::trust_bundle_secret(&cluster.name);
    volumes.push(json!({"name": "trust-bundle", "secret": {"secretName": trust, "defaultMode": 292}}));
    volumes.push(workload::memory_volume("ready-files", "1Mi"));
    volumes.push(json!({"name": "kafka-agent", "emptyDir": {}}));
    if node.pool.broker && cluster.rack.is_some() {
        volumes.push(workload::memory_volume("rack-volume", "1Mi"));
    }
    if token {
        volumes.push(workload::token_volume());
    }
    volumes
}

/// Copies the agent into the pod.
fn install(pool: &Pool, settings: &PlanSettings) -> Value {
    let mut container = json!({
        "name": INSTALL_CONTAINER,
        "image": settings.operator_image,
        "command": ["/kafka-agent", "install", AGENT_FOLDER],
        "env": [],
        "volumeMounts": [{"name": "kafka-agent", "mountPath": AGENT_FOLDER}],
        "securityContext": workload::container_security(),
    });
    finish(&mut container, pool, settings);
    container
}

fn kafka(cluster: &Cluster, node: Node<'_>, settings: &PlanSettings, token: bool) -> Value {
    let pool = node.pool;
    let agent = format!("{AGENT_FOLDER}/kafka-agent");
    let mut mounts: Vec<Value> = pool
        .volumes
        .iter()
        .map(|volume| json!({"name": Pool::volume_name(volume), "mountPath": Pool::mount_path(volume)}))
        .collect();
    mounts.extend([
        json!({"name": "strimzi-tmp", "mountPath": "/tmp"}),
        json!({"name": "kafka-metrics-and-logging", "mountPath": "/opt/kafka/custom-config/"}),
        json!({"name": "node-certs", "mountPath": "/opt/kafka/node-certs/", "readOnly": true}),
        json!({"name": "trust-bundle", "mountPath": "/opt/kafka/trust-bundle/", "readOnly": true}),
        json!({"name": "ready-files", "mountPath": "/var/opt/kafka"}),
        json!({"name": "kafka-agent", "mountPath": AGENT_FOLDER, "readOnly": true}),
    ]);
    if pool.broker && cluster.rack.is_some() {
        mounts.push(json!({"name": "rack-volume", "mountPath": "/opt/kafka/init"}));
    }
    let mut environment = vec![json!({"name": "KAFKA_CLUSTER_NAME", "value": cluster.name})];
    if token {
        mounts.push(workload::token_mount());
        environment.push(json!({
            "name": "NODE_NAME",
            "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}},
        }));
    }
    let mut container = json!({
        "name": "kafka",
        "image": cluster.image,
        "command": [agent, "run"],
        "env": environment,
        "ports": container_ports(cluster, pool),
        "volumeMounts": mounts,
        // Fast until the node is up, then in the user's rhythm; a long recovery of logs is not cut short.
        "startupProbe": {
            "exec": {"command": [agent, "probe", "readiness"]},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
            "failureThreshold": 1_000_000,
        },
        "readinessProbe": probe(&[&agent, "probe", "readiness"], cluster.readiness),
        "livenessProbe": probe(&[&agent, "probe", "liveness"], cluster.liveness),
        "securityContext": workload::container_security(),
    });
    finish(&mut container, pool, settings);
    container
}

fn finish(container: &mut Value, pool: &Pool, settings: &PlanSettings) {
    if let Some(resources) = &pool.resources {
        container["resources"] = resources.clone();
    }
    if let Some(policy) = &settings.image_pull_policy {
        container["imagePullPolicy"] = json!(policy);
    }
    workload::add_environment(container, &settings.shared_environment);
}

fn probe(command: &[&str], timing: Probe) -> Value {
    json!({
        "exec": {"command": command},
        "initialDelaySeconds": timing.initial_delay,
        "timeoutSeconds": timing.timeout,
        "periodSeconds": timing.period,
        "failureThreshold": timing.failures,
        "successThreshold": timing.successes,
    })
}

fn container_ports(cluster: &Cluster, pool: &Pool) -> Vec<Value> {
    let port = |name: &str, number: i32| json!({"name": name, "containerPort": number, "protocol": "TCP"});
    let mut all = vec![port(ports::KAFKA_AGENT_NAME, ports::KAFKA_AGENT)];
    if pool.controller {
        all.push(port(ports::CONTROL_PLANE_NAME, ports::CONTROL_PLANE));
    }
    if pool.broker {
        all.push(port(ports::REPLICATION_NAME, ports::REPLICATION));
        for listener in &cluster.listeners {
            all.push(port(&listener.port_name(), i32::from(listener.port)));
        }
    }
    all
}

//! The Deployment with the topic operator and the user operator.

use std::collections::BTreeMap;

use api::env::{self, topic_operator as topic_env, user_operator as user_env};
use api::{annotations, labels, names, ports};
use serde_json::{Map, Value, json};

use super::meta::{Object, Pairs, add_labels, component_labels, merge_metadata};
use crate::fingerprint;
use crate::kafka::cluster::{
    Authorization, Cluster, EntityContainer, EntityOperator, Probe, REPLICATION_PORT,
};
use crate::kafka::observed::PlanSettings;
use crate::workload;
use crate::workload::templates::Taken;
use objects::DesiredObject;

/// The user the containers run as; the images are made from nothing, so any will do.
const USER: i64 = 1001;

/// `<c>-entity-operator`. `started_with` are the annotations whose change restarts the pod.
pub fn deployment(
    cluster: &Cluster,
    entity: &EntityOperator,
    started_with: &Pairs,
    settings: &PlanSettings,
) -> DesiredObject {
    let name = names::entity_operator::deployment(&cluster.name);
    let all = component_labels(cluster, &name, labels::component::ENTITY_OPERATOR);
    let selector = labels::selector(&all);
    let template = entity.templates.get("pod");
    let mut pod_labels = all.clone();
    let mut pod_annotations = started_with.clone();
    merge_metadata(template, &mut pod_labels, &mut pod_annotations);
    add_labels(&mut pod_labels, &settings.custom_entity_operator_labels);

    let mut containers = Vec::new();
    for (section, mut container) in containers_of(cluster, entity, settings) {
        workload::apply_container_template(&mut container, entity.templates.get(section));
        containers.push(container);
    }
    let volumes = volumes_of(cluster, entity, template);
    let mut spec = Map::new();
    spec.insert("serviceAccountName".to_owned(), json!(name));
    spec.insert("automountServiceAccountToken".to_owned(), json!(false));
    spec.insert("terminationGracePeriodSeconds".to_owned(), json!(30));
    spec.insert("securityContext".to_owned(), workload::pod_security(USER, None));
    if !settings.image_pull_secrets.is_empty() {
        let secrets: Vec<Value> =
            settings.image_pull_secrets.iter().map(|name| json!({"name": name})).collect();
        spec.insert("imagePullSecrets".to_owned(), Value::Array(secrets));
    }
    spec.insert("containers".to_owned(), Value::Array(containers));
    spec.insert("volumes".to_owned(), Value::Array(volumes));
    workload::apply_pod_template(&mut spec, template, &[]);

    Object::new(cluster, "apps/v1", "Deployment", name, all)
        .template(entity.templates.get("deployment"))
        .set(
            "spec",
            json!({
                "replicas": 1,
                // Two of them at a time would undo each other's work.
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": selector},
                "template": {"metadata": {"labels": pod_labels, "annotations": pod_annotations}, "spec": spec},
            }),
        )
        .build()
}

/// What the pod has whatever the templates say.
pub fn taken(cluster: &Cluster, entity: &EntityOperator, settings: &PlanSettings) -> Taken {
    let mut taken =
        Taken { volumes: workload::names_in(&volumes_of(cluster, entity, &Value::Null)), ..Taken::default() };
    for (section, container) in containers_of(cluster, entity, settings) {
        let variables = container["env"].as_array().map(|all| workload::names_in(all));
        taken.variables.insert(section, variables.unwrap_or_default());
    }
    taken
}

/// The containers without their templates, by the sections of these.
fn containers_of(
    cluster: &Cluster,
    entity: &EntityOperator,
    settings: &PlanSettings,
) -> Vec<(&'static str, Value)> {
    let mut containers = Vec::new();
    if let Some(topic) = &entity.topic {
        containers.push(("topicOperatorContainer", topic_operator(cluster, topic, settings)));
    }
    if let Some(user) = &entity.user {
        containers.push(("userOperatorContainer", user_operator(cluster, user, entity, settings)));
    }
    containers
}

fn volumes_of(cluster: &Cluster, entity: &EntityOperator, template: &Value) -> Vec<Value> {
    let mut volumes = vec![workload::token_volume()];
    if entity.topic.is_some() {
        volumes.push(workload::tmp_volume("strimzi-to-tmp", template));
        let config = names::entity_operator::topic_operator_config_map(&cluster.name);
        volumes.push(config_volume("entity-topic-operator-metrics-and-logging", &config));
    }
    if entity.user.is_some() {
        let config = names::entity_operator::user_operator_config_map(&cluster.name);
        volumes.push(config_volume("entity-user-operator-metrics-and-logging", &config));
        volumes.push(workload::tmp_volume("strimzi-uo-tmp", template));
    }
    volumes
}

/// What the pod of the entity operator was started with: certificates and authorities.
pub fn started_with(certificates: &[&str], cert_generation: i64, key_generation: i64) -> Pairs {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str(certificate);
    }
    Pairs::from([
        (annotations::CLUSTER_CA_CERT_GENERATION.to_owned(), cert_generation.to_string()),
        (annotations::CLUSTER_CA_KEY_GENERATION.to_owned(), key_generation.to_string()),
        (annotations::SERVER_CERT_HASH.to_owned(), fingerprint::short(text.as_bytes())),
    ])
}

fn config_volume(name: &str, config_map: &str) -> Value {
    json!({"name": name, "configMap": {"name": config_map, "defaultMode": 420}})
}

fn bootstrap(cluster: &Cluster) -> String {
    format!("{}:{REPLICATION_PORT}", names::bootstrap_service(&cluster.name))
}

fn topic_operator(cluster: &Cluster, container: &EntityContainer, settings: &PlanSettings) -> Value {
    let mut variables = vec![
        (topic_env::RESOURCE_LABELS, format!("{}={}", labels::CLUSTER, cluster.name)),
        (env::KAFKA_BOOTSTRAP_SERVERS, bootstrap(cluster)),
        (env::NAMESPACE, container.watched_namespace.clone()),
        (topic_env::CLUSTER_NAMESPACE, cluster.namespace.clone()),
        (topic_env::SECURITY_PROTOCOL, "SSL".to_owned()),
        (topic_env::TLS_TRUSTED_CERTS_SECRET_NAME, names::cluster_ca_cert_secret(&cluster.name)),
        (topic_env::TLS_SECRET_NAME, names::entity_operator::topic_operator_certs_secret(&cluster.name)),
        (topic_env::TLS_KEY_NAME, names::keys::ENTITY_OPERATOR_KEY.to_owned()),
        (topic_env::TLS_CERT_NAME, names::keys::ENTITY_OPERATOR_CRT.to_owned()),
    ];
    common_variables(container, settings, &mut variables);
    let mounts = json!([
        workload::token_mount(),
        {"name": "strimzi-to-tmp", "mountPath": "/tmp"},
        {"name": "entity-topic-operator-metrics-and-logging", "mountPath": "/opt/topic-operator/custom-config/"},
    ]);
    let mut finished = operator(
        "topic-operator",
        container,
        &variables,
        &mounts,
        (ports::TOPIC_OPERATOR_HTTP_NAME, ports::TOPIC_OPERATOR_HTTP),
        settings,
    );
    if let Some(startup) = container.startup {
        finished["startupProbe"] = probe("/healthy", ports::TOPIC_OPERATOR_HTTP_NAME, startup);
    }
    finished
}

fn user_operator(
    cluster: &Cluster,
    container: &EntityContainer,
    entity: &EntityOperator,
    settings: &PlanSettings,
) -> Value {
    let supports_acls = match &cluster.authorization {
        Authorization::None => false,
        Authorization::Simple { .. } => true,
        Authorization::Custom { supports_admin_api, .. } => *supports_admin_api,
    };
    let mut variables = vec![
        (env::KAFKA_BOOTSTRAP_SERVERS, bootstrap(cluster)),
        (env::NAMESPACE, container.watched_namespace.clone()),
        (user_env::LABELS, format!("{}={}", labels::CLUSTER, cluster.name)),
        (user_env::CA_KEY_NAME, names::clients_ca_key_secret(&cluster.name)),
        (user_env::CA_CERT_NAME, names::clients_ca_cert_secret(&cluster.name)),
        (user_env::CA_NAMESPACE, cluster.namespace.clone()),
        (user_env::CA_VALIDITY, cluster.clients_ca.validity_days.to_string()),
        (user_env::CA_RENEWAL, cluster.clients_ca.renewal_days.to_string()),
        (user_env::CLUSTER_CA_CERT_SECRET_NAME, names::cluster_ca_cert_secret(&cluster.name)),
        (user_env::EO_KEY_SECRET_NAME, names::entity_operator::user_operator_certs_secret(&cluster.name)),
        (user_env::SECRET_PREFIX, entity.secret_prefix.clone()),
        (user_env::ACLS_ADMIN_API_SUPPORTED, supports_acls.to_string()),
        (env::PKCS12_KEYSTORE_GENERATION, settings.pkcs12.to_string()),
    ];
    if !cluster.maintenance_expressions.is_empty() {
        variables.push((user_env::MAINTENANCE_TIME_WINDOWS, cluster.maintenance_expressions.join(";")));
    }
    common_variables(container, settings, &mut variables);
    let mounts = json!([
        workload::token_mount(),
        {"name": "strimzi-uo-tmp", "mountPath": "/tmp"},
        {"name": "entity-user-operator-metrics-and-logging", "mountPath": "/opt/user-operator/custom-config/"},
    ]);
    operator(
        "user-operator",
        container,
        &variables,
        &mounts,
        (ports::USER_OPERATOR_HTTP_NAME, ports::USER_OPERATOR_HTTP),
        settings,
    )
}

fn common_variables(
    container: &EntityContainer,
    settings: &PlanSettings,
    variables: &mut Vec<(&str, String)>,
) {
    if let Some(interval) = container.reconciliation_interval_ms {
        variables.push((env::FULL_RECONCILIATION_INTERVAL_MS, interval.to_string()));
    }
    if !settings.feature_gates.is_empty() {
        variables.push((env::FEATURE_GATES, settings.feature_gates.clone()));
    }
    if let Some(level) = log_level(container) {
        variables.push((env::LOG_LEVEL, level));
    }
}

/// The level of the root logger, for the operators' own environment; other loggers do not exist there.
fn log_level(container: &EntityContainer) -> Option<String> {
    match &container.logging {
        crate::kafka::cluster::Logging::Inline(loggers) => loggers.get("rootLogger.level").cloned(),
        crate::kafka::cluster::Logging::External(text) => text
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| key.trim() == "rootLogger.level")
            .map(|(_, level)| level.trim().to_owned()),
    }
}

fn operator(
    name: &str,
    container: &EntityContainer,
    variables: &[(&str, String)],
    mounts: &Value,
    port: (&str, i32),
    settings: &PlanSettings,
) -> Value {
    let environment: Vec<Value> =
        variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let mut finished = json!({
        "name": name,
        "image": container.image,
        "command": [format!("/{name}")],
        "env": environment,
        "ports": [{"name": port.0, "containerPort": port.1, "protocol": "TCP"}],
        "livenessProbe": probe("/healthy", port.0, container.liveness),
        "readinessProbe": probe("/ready", port.0, container.readiness),
        "volumeMounts": mounts,
        "securityContext": workload::container_security(),
    });
    if let Some(resources) = &container.resources {
        finished["resources"] = resources.clone();
    }
    if let Some(policy) = &settings.image_pull_policy {
        finished["imagePullPolicy"] = json!(policy);
    }
    let mut shared = BTreeMap::new();
    for (key, value) in &settings.shared_environment {
        shared.insert(key.clone(), value.clone());
    }
    workload::add_environment(&mut finished, &shared);
    finished
}

fn probe(path: &str, port: &str, timing: Probe) -> Value {
    json!({
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "initialDelaySeconds": timing.initial_delay,
        "timeoutSeconds": timing.timeout,
        "periodSeconds": timing.period,
        "failureThreshold": timing.failures,
        "successThreshold": timing.successes,
    })
}

//! The Deployment with the topic operator and the user operator.

use api::cert_manager::{self, ObjectReference};
use api::common::pod_template::{ContainerTemplate, PodTemplate};
use api::common::template::DeploymentStrategy;
use api::env::{self, topic_operator as topic_env, user_operator as user_env};
use api::{annotations, labels, names, ports};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, Volume, VolumeMount};
use objects::{DesiredObject, Pairs};

use crate::fingerprint;
use crate::kafka::cluster::{Authorization, Cluster, EntityContainer, EntityOperator, REPLICATION_PORT};
use crate::settings::PlanSettings;
use crate::workload::templates::Taken;
use crate::workload::{container, deployment, pod, volume};

/// The user the containers run as; the images are made from nothing, so any will do.
const USER: i64 = 1001;
/// Seconds the operators get to stop, unless the template says otherwise.
const GRACE_SECONDS: i64 = 30;
/// `/tmp` of the topic operator.
const TOPIC_TMP: &str = "strimzi-to-tmp";
/// `/tmp` of the user operator.
const USER_TMP: &str = "strimzi-uo-tmp";
/// The logging of the topic operator.
const TOPIC_CONFIG: &str = "entity-topic-operator-metrics-and-logging";
/// The logging of the user operator.
const USER_CONFIG: &str = "entity-user-operator-metrics-and-logging";

/// The template of the user operator's container.
const USER_OPERATOR_CONTAINER: &str = "userOperatorContainer";

/// `<c>-entity-operator`. `started_with` are the annotations whose change restarts the pod; `trusted_clients_ca` is the identifier of the
/// clients CA that every pod of Kafka trusts (empty: there is none), where the user supplies it; `live` is the Deployment that is there.
pub(crate) fn deployment(
    cluster: &Cluster,
    entity: &EntityOperator,
    started_with: &Pairs,
    trusted_clients_ca: Option<&str>,
    settings: &PlanSettings,
    live: Option<&Deployment>,
) -> DesiredObject {
    let name = names::entity_operator::deployment(&cluster.name);
    let template = entity.templates.pod.as_ref();
    let mut containers = Vec::new();
    for section in sections(cluster, entity, trusted_clients_ca, settings) {
        let mut container = section.container;
        container::apply_template(&mut container, section.template);
        containers.push(container);
    }
    let mut spec = PodSpec {
        service_account_name: Some(name.clone()),
        automount_service_account_token: Some(false),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        security_context: Some(pod::security(USER, None)),
        image_pull_secrets: pod::pull_secrets(&settings.pod_defaults()),
        containers,
        volumes: Some(volumes_of(cluster, entity, template)),
        ..PodSpec::default()
    };
    pod::apply_template(&mut spec, template, &[]);
    deployment::deployment(deployment::Parts {
        owner: &cluster.owner(),
        name: &name,
        component_type: labels::component::ENTITY_OPERATOR,
        // Two of them at a time would undo each other's work.
        replicas: 1,
        strategy: DeploymentStrategy::Recreate,
        template: entity.templates.deployment.as_ref().and_then(|template| template.metadata.as_ref()),
        pod_template: template,
        custom_labels: &settings.custom_entity_operator_labels,
        started_with: started_with.clone(),
        pod: spec,
        live,
    })
}

/// What the pod has whatever the templates say.
pub(crate) fn taken(cluster: &Cluster, entity: &EntityOperator, settings: &PlanSettings) -> Taken {
    let mut taken = Taken { volumes: volume::names(&volumes_of(cluster, entity, None)), ..Taken::default() };
    for section in sections(cluster, entity, Some(""), settings) {
        taken.variables.insert(section.name, container::variable_names(&section.container));
    }
    // Also where no issuer signs for users: who signs is for the resource to say.
    let of_issuers =
        [user_env::CA_TYPE, user_env::CM_ISSUER_NAME, user_env::CM_ISSUER_KIND, user_env::CM_ISSUER_GROUP];
    if let Some(names) = taken.variables.get_mut(USER_OPERATOR_CONTAINER) {
        names.extend(of_issuers.map(str::to_owned));
    }
    taken
}

/// A container with the template that it does not have yet.
struct Section<'a> {
    /// Name of the template.
    name: &'static str,
    container: Container,
    template: Option<&'a ContainerTemplate>,
}

fn sections<'a>(
    cluster: &Cluster,
    entity: &'a EntityOperator,
    trusted_clients_ca: Option<&str>,
    settings: &PlanSettings,
) -> Vec<Section<'a>> {
    let topic = entity.topic.as_ref().map(|topic| Section {
        name: "topicOperatorContainer",
        container: topic_operator(cluster, topic, settings),
        template: entity.templates.topic_operator_container.as_ref(),
    });
    let user = entity.user.as_ref().map(|user| Section {
        name: USER_OPERATOR_CONTAINER,
        container: user_operator(cluster, user, entity, trusted_clients_ca, settings),
        template: entity.templates.user_operator_container.as_ref(),
    });
    topic.into_iter().chain(user).collect()
}

fn volumes_of(cluster: &Cluster, entity: &EntityOperator, template: Option<&PodTemplate>) -> Vec<Volume> {
    let mut volumes = vec![volume::token()];
    if entity.topic.is_some() {
        volumes.push(volume::tmp(TOPIC_TMP, template));
        let config = names::entity_operator::topic_operator_config_map(&cluster.name);
        volumes.push(volume::config_map(TOPIC_CONFIG, &config));
    }
    if entity.user.is_some() {
        let config = names::entity_operator::user_operator_config_map(&cluster.name);
        volumes.push(volume::config_map(USER_CONFIG, &config));
        volumes.push(volume::tmp(USER_TMP, template));
    }
    volumes
}

/// What the pod of the entity operator was started with: certificates and authorities.
pub(crate) fn started_with(certificates: &[&str], cert_generation: i64, key_generation: i64) -> Pairs {
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

fn bootstrap(cluster: &Cluster) -> String {
    format!("{}:{REPLICATION_PORT}", names::bootstrap_service(&cluster.name))
}

fn topic_operator(cluster: &Cluster, container: &EntityContainer, settings: &PlanSettings) -> Container {
    let mut variables = vec![
        (topic_env::RESOURCE_LABELS, format!("{}={}", labels::CLUSTER, cluster.name)),
        (env::KAFKA_BOOTSTRAP_SERVERS, bootstrap(cluster)),
        (env::NAMESPACE, container.watched_namespace.clone()),
        (topic_env::CLUSTER_NAMESPACE, cluster.namespace.clone()),
    ];
    if cluster.internal_security.encrypts() {
        variables.extend([
            (topic_env::SECURITY_PROTOCOL, "SSL".to_owned()),
            (topic_env::TLS_TRUSTED_CERTS_SECRET_NAME, names::cluster_ca_cert_secret(&cluster.name)),
            (topic_env::TLS_SECRET_NAME, names::entity_operator::topic_operator_certs_secret(&cluster.name)),
            (topic_env::TLS_KEY_NAME, names::keys::ENTITY_OPERATOR_KEY.to_owned()),
            (topic_env::TLS_CERT_NAME, names::keys::ENTITY_OPERATOR_CRT.to_owned()),
        ]);
    } else {
        variables.push((topic_env::SECURITY_PROTOCOL, "PLAINTEXT".to_owned()));
    }
    common_variables(container, settings, &mut variables);
    let mounts = vec![
        volume::token_mount(),
        volume::mount(TOPIC_TMP, "/tmp"),
        volume::mount(TOPIC_CONFIG, "/opt/topic-operator/custom-config/"),
    ];
    let port = (ports::TOPIC_OPERATOR_HTTP_NAME, ports::TOPIC_OPERATOR_HTTP);
    operator(names::containers::TOPIC_OPERATOR, container, variables, mounts, port, settings)
}

fn user_operator(
    cluster: &Cluster,
    container: &EntityContainer,
    entity: &EntityOperator,
    trusted_clients_ca: Option<&str>,
    settings: &PlanSettings,
) -> Container {
    let supports_acls = match &cluster.authorization {
        Authorization::None => false,
        Authorization::Simple { .. } => true,
        Authorization::Custom { supports_admin_api, .. } => *supports_admin_api,
    };
    let mut variables = vec![
        (env::KAFKA_BOOTSTRAP_SERVERS, bootstrap(cluster)),
        (env::NAMESPACE, container.watched_namespace.clone()),
        (user_env::LABELS, format!("{}={}", labels::CLUSTER, cluster.name)),
    ];
    match &cluster.clients_ca.issuer {
        None => variables.push((user_env::CA_KEY_NAME, names::clients_ca_key_secret(&cluster.name))),
        Some(issuer) => {
            let issuer = ObjectReference::from(&issuer.issuer_ref);
            variables.extend([
                (user_env::CA_TYPE, cert_manager::GROUP.to_owned()),
                (user_env::CM_ISSUER_NAME, issuer.name),
                (user_env::CM_ISSUER_KIND, issuer.kind),
                (user_env::CM_ISSUER_GROUP, issuer.group),
            ]);
        }
    }
    // Nothing is written into a Secret that the user supplies; the Secrets of other authorities say it.
    if let Some(trusted) = trusted_clients_ca {
        let trusted = if trusted.is_empty() { user_env::TRUSTED_CLIENTS_CA_NONE } else { trusted };
        variables.push((user_env::TRUSTED_CLIENTS_CA, trusted.to_owned()));
    }
    variables.extend([
        (user_env::CA_CERT_NAME, names::clients_ca_cert_secret(&cluster.name)),
        (user_env::CA_NAMESPACE, cluster.namespace.clone()),
        (user_env::CA_VALIDITY, cluster.clients_ca.validity_days.to_string()),
        (user_env::CA_RENEWAL, cluster.clients_ca.renewal_days.to_string()),
    ]);
    if cluster.internal_security.encrypts() {
        // Naming these Secrets is what asks for TLS.
        variables.extend([
            (user_env::CLUSTER_CA_CERT_SECRET_NAME, names::cluster_ca_cert_secret(&cluster.name)),
            (user_env::EO_KEY_SECRET_NAME, names::entity_operator::user_operator_certs_secret(&cluster.name)),
        ]);
    }
    variables.extend([
        (user_env::SECRET_PREFIX, entity.secret_prefix.clone()),
        (user_env::ACLS_ADMIN_API_SUPPORTED, supports_acls.to_string()),
        (env::PKCS12_KEYSTORE_GENERATION, settings.pkcs12.to_string()),
    ]);
    if !cluster.maintenance_expressions.is_empty() {
        variables.push((user_env::MAINTENANCE_TIME_WINDOWS, cluster.maintenance_expressions.join(";")));
    }
    common_variables(container, settings, &mut variables);
    let mounts = vec![
        volume::token_mount(),
        volume::mount(USER_TMP, "/tmp"),
        volume::mount(USER_CONFIG, "/opt/user-operator/custom-config/"),
    ];
    let port = (ports::USER_OPERATOR_HTTP_NAME, ports::USER_OPERATOR_HTTP);
    operator(names::containers::USER_OPERATOR, container, variables, mounts, port, settings)
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
}

fn operator(
    name: &str,
    wanted: &EntityContainer,
    variables: Vec<(&str, String)>,
    mounts: Vec<VolumeMount>,
    port: (&str, i32),
    settings: &PlanSettings,
) -> Container {
    let environment: Vec<EnvVar> =
        variables.into_iter().map(|(name, value)| container::variable(name, value)).collect();
    let operator = Container {
        name: name.to_owned(),
        image: Some(wanted.image.clone()),
        command: Some(vec![format!("/{name}")]),
        env: Some(environment),
        ports: Some(vec![container::port(port.0, port.1)]),
        startup_probe: wanted.startup.map(|timing| timing.http("/healthy", port.0)),
        liveness_probe: Some(wanted.liveness.http("/healthy", port.0)),
        readiness_probe: Some(wanted.readiness.http("/ready", port.0)),
        volume_mounts: Some(mounts),
        security_context: Some(container::security()),
        ..Container::default()
    };
    container::completed(operator, wanted.resources.as_ref(), &settings.pod_defaults())
}

//! The Deployment of the exporter of lag and offsets.

use api::common::pod_template::PodTemplate;
use api::common::template::DeploymentStrategy;
use api::env::kafka_exporter as env;
use api::{labels, names, ports};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, Volume};
use objects::{DesiredObject, Pairs};

use crate::kafka::cluster::{Cluster, KafkaExporter, REPLICATION_PORT};
use crate::settings::PlanSettings;
use crate::workload::templates::Taken;
use crate::workload::{container, deployment, pod, volume};

/// The user that the container runs as; the image is made from nothing, so any will do.
const USER: i64 = 1001;
/// Our program in the image.
const PROGRAM: &str = "/kafka-exporter";
/// Name of the section of the template with additions to the container.
const CONTAINER: &str = "container";
/// Path of the health check, which Strimzi's exporter has too.
const HEALTH: &str = "/healthz";
/// `/tmp`.
const TMP: &str = "strimzi-tmp";
/// The trust bundle, and where it is mounted.
const TRUST: (&str, &str) = ("cluster-ca-certs", "/etc/kafka-exporter/cluster-ca-certs/");
/// The exporter's own certificate, and where it is mounted.
const OWN: (&str, &str) = ("kafka-exporter-certs", "/etc/kafka-exporter/kafka-exporter-certs/");
/// Permissions of the files with a private key: for the user and the group of the container.
const KEY_MODE: i32 = 0o440;
/// Permissions of the files with certificates.
const TRUST_MODE: i32 = 0o444;

/// `<c>-kafka-exporter`. `started_with` are annotations whose change restarts the pod; `live` is the Deployment that is there.
pub(crate) fn deployment(
    cluster: &Cluster,
    exporter: &KafkaExporter,
    started_with: Pairs,
    settings: &PlanSettings,
    live: Option<&Deployment>,
) -> DesiredObject {
    let name = names::kafka_exporter::deployment(&cluster.name);
    let template = exporter.templates.pod.as_ref();
    let mut container = container_of(cluster, exporter, settings);
    container::apply_template(&mut container, exporter.templates.container.as_ref());
    let mut spec = PodSpec {
        service_account_name: Some(name.clone()),
        automount_service_account_token: Some(false),
        security_context: Some(pod::security(USER, Some(USER))),
        image_pull_secrets: pod::pull_secrets(&settings.pod_defaults()),
        containers: vec![container],
        volumes: Some(volumes_of(cluster, template)),
        ..PodSpec::default()
    };
    pod::apply_template(&mut spec, template, &[]);
    let of_deployment = exporter.templates.deployment.as_ref();
    deployment::deployment(deployment::Parts {
        owner: &cluster.owner(),
        name: &name,
        component_type: labels::component::KAFKA_EXPORTER,
        replicas: 1,
        strategy: of_deployment
            .and_then(|template| template.deployment_strategy)
            .unwrap_or(DeploymentStrategy::RollingUpdate),
        template: of_deployment.and_then(|template| template.metadata.as_ref()),
        pod_template: template,
        custom_labels: &settings.custom_kafka_exporter_labels,
        started_with,
        pod: spec,
        live,
    })
}

/// What the pod has whatever the templates say.
pub(crate) fn taken(cluster: &Cluster, exporter: &KafkaExporter, settings: &PlanSettings) -> Taken {
    let mut taken = Taken { volumes: volume::names(&volumes_of(cluster, None)), ..Taken::default() };
    let container = container_of(cluster, exporter, settings);
    taken.variables.insert(CONTAINER, container::variable_names(&container));
    taken
}

fn volumes_of(cluster: &Cluster, template: Option<&PodTemplate>) -> Vec<Volume> {
    vec![
        volume::tmp(TMP, template),
        volume::secret(TRUST.0, &names::trust_bundle_secret(&cluster.name), TRUST_MODE),
        volume::secret(OWN.0, &names::kafka_exporter::certs_secret(&cluster.name), KEY_MODE),
    ]
}

fn container_of(cluster: &Cluster, exporter: &KafkaExporter, settings: &PlanSettings) -> Container {
    let program = exporter.program.as_deref().unwrap_or(PROGRAM);
    let container = Container {
        name: names::kafka_exporter::deployment(&cluster.name),
        image: Some(exporter.image.clone()),
        command: Some(vec![program.to_owned()]),
        env: Some(variables(cluster, exporter)),
        ports: Some(vec![container::port(ports::METRICS_NAME, ports::METRICS)]),
        liveness_probe: Some(exporter.liveness.http(HEALTH, ports::METRICS_NAME)),
        readiness_probe: Some(exporter.readiness.http(HEALTH, ports::METRICS_NAME)),
        volume_mounts: Some(vec![
            volume::mount(TMP, "/tmp"),
            volume::read_only(OWN.0, OWN.1),
            volume::read_only(TRUST.0, TRUST.1),
        ]),
        security_context: Some(container::security()),
        ..Container::default()
    };
    container::completed(container, exporter.resources.as_ref(), &settings.pod_defaults())
}

fn variables(cluster: &Cluster, exporter: &KafkaExporter) -> Vec<EnvVar> {
    let or = |text: &Option<String>, default: &str| text.clone().unwrap_or_else(|| default.to_owned());
    let server = format!("{}:{REPLICATION_PORT}", names::bootstrap_service(&cluster.name));
    let mut all = vec![
        (env::LOGGING, (exporter.level as u8).to_string()),
        (env::KAFKA_VERSION, cluster.version.version.clone()),
        (env::GROUP_REGEX, or(&exporter.group_regex, env::REGEX_DEFAULT)),
        (env::TOPIC_REGEX, or(&exporter.topic_regex, env::REGEX_DEFAULT)),
        (env::KAFKA_SERVER, server),
        (env::ENABLE_SARAMA, exporter.client_logs.to_string()),
        (env::OFFSET_SHOW_ALL, exporter.show_all.to_string()),
    ];
    for (name, text) in [
        (env::GROUP_EXCLUDE_REGEX, &exporter.group_exclude_regex),
        (env::TOPIC_EXCLUDE_REGEX, &exporter.topic_exclude_regex),
    ] {
        all.extend(text.clone().map(|text| (name, text)));
    }
    if exporter.program.is_none() && cluster.internal_security.encrypts() {
        // Brokers show certificates of the cluster CA alone.
        all.push((env::TRUSTED_CERTIFICATES, format!("{}{}", TRUST.1, names::keys::TRUST_BUNDLE_CLUSTER_CA)));
        all.push((env::CERTIFICATE, format!("{}{}", OWN.1, names::keys::KAFKA_EXPORTER_CRT)));
        all.push((env::KEY, format!("{}{}", OWN.1, names::keys::KAFKA_EXPORTER_KEY)));
    }
    all.into_iter().map(|(name, value)| container::variable(name, value)).collect()
}

//! The Deployment of a bridge.

use std::collections::BTreeMap;

use ::objects::{DesiredObject, Pairs};
use api::agent::container::KUBERNETES_NODE;
use api::bridge::{CUSTOM_CONFIG, JAVA_SCRIPT, PROGRAM, RACK_FOLDER};
use api::common::template::DeploymentStrategy;
use api::names::{bridge as names, keys};
use api::{annotations, env, labels, ports};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, KeyToPath, PodSpec, Probe, SecretVolumeSource, SecurityContext, Volume,
    VolumeMount,
};

use super::bridge::{Bridge, HttpCertificate, Program};
use crate::clients::files::trusted_volume;
use crate::fingerprint;
use crate::rack::Rack;
use crate::settings::PlanSettings;
use crate::workload::templates::Taken;
use crate::workload::{container, deployment, pod, volume};

/// The user that the container runs as: our image is made from nothing, so any will do.
const USER: i64 = 1001;
/// The section of the template with the container of the bridge.
const BRIDGE_TEMPLATE: &str = "bridgeContainer";
/// The section of the template with the container that looks up the rack.
const INIT_TEMPLATE: &str = "initContainer";
/// The container that looks up the rack.
const AGENT: &str = "kafka-agent";
/// `/tmp`.
const TMP: &str = "strimzi-tmp";
/// The volume with the configuration.
const CONFIGURATION: &str = "kafka-bridge-configurations";
/// The volume with the rack.
const RACK: &str = "rack-volume";
/// The volume with the certificate of the HTTP server.
const HTTP_CERTIFICATE: &str = "bridge-http-certs";
/// Permissions of the files with keys: for the user and the group of the container.
const KEY_MODE: i32 = 0o440;
/// Seconds a pod gets to end its requests, unless the template says otherwise.
const GRACE_SECONDS: i64 = 30;
/// Times that the start may fail to be over, one a second.
const START_FAILURES: i32 = 120;
/// The paths of the probes.
const HEALTHY: &str = "/healthy";
const READY: &str = "/ready";

/// `<c>-bridge`. `live` is the Deployment that is there.
pub(super) fn of(bridge: &Bridge, settings: &PlanSettings, live: Option<&Deployment>) -> DesiredObject {
    let template = bridge.templates.pod.as_ref();
    let of_deployment = bridge.templates.deployment.as_ref();
    deployment::deployment(deployment::Parts {
        owner: &bridge.owner,
        name: &bridge.component(),
        component_type: labels::component::KAFKA_BRIDGE,
        replicas: bridge.replicas,
        strategy: of_deployment
            .and_then(|template| template.deployment_strategy)
            .unwrap_or(DeploymentStrategy::RollingUpdate),
        template: of_deployment.and_then(|template| template.metadata.as_ref()),
        pod_template: template,
        custom_labels: &settings.custom_kafka_bridge_labels,
        started_with: started_with(bridge),
        pod: pod_spec(bridge, settings),
        live,
    })
}

/// What the pods have whatever the templates say.
pub(super) fn taken(bridge: &Bridge, settings: &PlanSettings) -> Taken {
    Taken {
        volumes: volume::names(&volumes(bridge)),
        variables: BTreeMap::from([
            (INIT_TEMPLATE, container::variable_names(&look_up_rack(settings, ""))),
            (BRIDGE_TEMPLATE, container::variable_names(&container_of(bridge, settings))),
        ]),
    }
}

/// Annotations of the pods whose change restarts them. Loggers change in running pods, and so does the certificate of the HTTP
/// server, which our program reads again.
fn started_with(bridge: &Bridge) -> Pairs {
    let rules = bridge.rules.as_deref().unwrap_or_default();
    let configuration = fingerprint::short(format!("{}{rules}", bridge.properties).as_bytes());
    let mut all = Pairs::from([
        (annotations::AUTH_HASH.to_owned(), bridge.auth_hash.clone()),
        (annotations::CONFIGURATION_HASH.to_owned(), configuration),
    ]);
    if let (Program::Java(_), Some(certificate)) = (&bridge.program, &bridge.http.certificate) {
        all.insert(annotations::SERVER_CERT_HASH.to_owned(), certificate.hash.clone());
    }
    all
}

fn pod_spec(bridge: &Bridge, settings: &PlanSettings) -> PodSpec {
    let template = bridge.templates.pod.as_ref();
    let mut container = container_of(bridge, settings);
    container::apply_template(&mut container, bridge.templates.bridge_container.as_ref());
    let init = topology_key(bridge).map(|key| {
        let mut init = look_up_rack(settings, key);
        container::apply_template(&mut init, bridge.templates.init_container.as_ref());
        vec![init]
    });
    let mut spec = PodSpec {
        service_account_name: Some(bridge.component()),
        automount_service_account_token: Some(false),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        security_context: Some(pod::security(USER, Some(USER))),
        image_pull_secrets: pod::pull_secrets(&settings.pod_defaults()),
        affinity: topology_key(bridge).map(pod::where_label_exists),
        init_containers: init,
        containers: vec![container],
        volumes: Some(volumes(bridge)),
        ..PodSpec::default()
    };
    pod::apply_template(&mut spec, template, &[]);
    spec
}

/// The label of Kubernetes nodes that is the rack.
fn topology_key(bridge: &Bridge) -> Option<&str> {
    match &bridge.rack {
        Some(Rack::TopologyLabel(key)) => Some(key),
        _ => None,
    }
}

fn volumes(bridge: &Bridge) -> Vec<Volume> {
    let mut all = vec![
        volume::tmp(TMP, bridge.templates.pod.as_ref()),
        volume::config_map(CONFIGURATION, &names::config_map(&bridge.owner.name)),
    ];
    if bridge.trusted.is_some() {
        all.push(trusted_volume(&names::trusted_certs_secret(&bridge.owner.name)).0);
    }
    all.extend(bridge.files.own_volume(&bridge.access).map(|(volume, _)| volume));
    all.extend(bridge.http.certificate.as_ref().map(http_certificate));
    if topology_key(bridge).is_some() {
        all.extend([volume::token(), volume::memory(RACK, "1Mi")]);
    }
    all
}

/// The certificate of the HTTP server and its key, and nothing else of the Secret.
fn http_certificate(certificate: &HttpCertificate) -> Volume {
    let item = |key: &String| KeyToPath { key: key.clone(), path: key.clone(), ..KeyToPath::default() };
    let mut items = vec![item(&certificate.certificate)];
    if certificate.key != certificate.certificate {
        items.push(item(&certificate.key));
    }
    let source = SecretVolumeSource {
        secret_name: Some(certificate.secret.clone()),
        default_mode: Some(KEY_MODE),
        items: Some(items),
        ..SecretVolumeSource::default()
    };
    Volume { name: HTTP_CERTIFICATE.to_owned(), secret: Some(source), ..Volume::default() }
}

fn mounts(bridge: &Bridge) -> Vec<VolumeMount> {
    let mut all = vec![volume::mount(TMP, "/tmp"), volume::read_only(CONFIGURATION, CUSTOM_CONFIG)];
    if bridge.trusted.is_some() {
        all.push(trusted_volume(&names::trusted_certs_secret(&bridge.owner.name)).1);
    }
    all.extend(bridge.files.own_volume(&bridge.access).map(|(_, mount)| mount));
    let certificate = bridge.http.certificate.as_ref();
    all.extend(certificate.map(|certificate| volume::read_only(HTTP_CERTIFICATE, &certificate.folder())));
    all.extend(topology_key(bridge).map(|_| volume::read_only(RACK, RACK_FOLDER)));
    all
}

/// Asks the API server for the label of the Kubernetes node.
fn look_up_rack(settings: &PlanSettings, key: &str) -> Container {
    let node = EnvVar {
        name: env::node::NODE_NAME.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(volume::field_of_pod("spec.nodeName")),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    };
    let container = Container {
        name: AGENT.to_owned(),
        image: Some(settings.operator_image.clone()),
        command: Some(["/kafka-agent", "rack", key].map(str::to_owned).to_vec()),
        env: Some(vec![node]),
        volume_mounts: Some(vec![volume::mount(RACK, KUBERNETES_NODE), volume::token_mount()]),
        security_context: Some(container::security()),
        ..Container::default()
    };
    container::completed(container, None, &settings.pod_defaults())
}

fn container_of(bridge: &Bridge, settings: &PlanSettings) -> Container {
    let management = ports::REST_API_MANAGEMENT_NAME;
    let (command, args, environment, security) = match &bridge.program {
        Program::Own => {
            let file = format!("{CUSTOM_CONFIG}/{}", keys::APPLICATION_PROPERTIES);
            let command = vec![PROGRAM.to_owned(), "--config-file".to_owned(), file];
            (Some(command), None, Vec::new(), container::security())
        }
        Program::Java(variables) => {
            let variables = variables.iter().map(|(name, value)| container::variable(name, value.as_str()));
            // Its script is made for a file system that it may write to.
            let security = SecurityContext { read_only_root_filesystem: None, ..container::security() };
            (None, Some(vec![JAVA_SCRIPT.to_owned()]), variables.collect(), security)
        }
    };
    let container = Container {
        name: bridge.component(),
        image: Some(bridge.image.clone()),
        command,
        args,
        env: Some(environment),
        ports: Some(vec![
            container::port(ports::REST_API_NAME, bridge.http.port),
            container::port(management, ports::BRIDGE_MANAGEMENT),
        ]),
        volume_mounts: Some(mounts(bridge)),
        // Fast until the program is up, then in the user's rhythm.
        startup_probe: Some(Probe {
            initial_delay_seconds: None,
            period_seconds: Some(1),
            failure_threshold: Some(START_FAILURES),
            success_threshold: None,
            ..bridge.readiness.http(READY, management)
        }),
        liveness_probe: Some(bridge.liveness.http(HEALTHY, management)),
        readiness_probe: Some(bridge.readiness.http(READY, management)),
        security_context: Some(security),
        ..Container::default()
    };
    container::completed(container, bridge.resources.as_ref(), &settings.pod_defaults())
}

//! The pod of a worker.

use std::collections::{BTreeMap, BTreeSet};

use api::agent::{Heap, WorkerConfig};
use api::connect::{ADVERTISED_HOSTNAME, PLUG_INS_FOLDER};
use api::{annotations, env, labels, ports};
use k8s_openapi::api::core::v1::{
    Affinity, Container, ContainerPort, EnvVar, EnvVarSource, ImageVolumeSource, Pod, PodSpec, Probe, Volume,
    VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use objects::{Pairs, add_labels, merge_metadata};
use serde_json::Value;

use super::Workers;
use crate::clients::files::trusted_volume;
use crate::fingerprint;
use crate::kafka::observed::PlanSettings;
use crate::process::JMX_CREDENTIALS;
use crate::rack::Rack;
use crate::workload::labels::own_component_labels;
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
/// The section of a template with the container of the worker.
const CONNECT_TEMPLATE: &str = "connectContainer";
/// Seconds a worker gets to stop, unless the template says otherwise.
const GRACE_SECONDS: i64 = 30;
/// Size of the volumes in memory that hold a few words.
const SMALL: &str = "1Mi";
/// The volume with the user and the password of remote JMX.
const JMX_VOLUME: &str = "jmx-credentials";
/// Permissions of the files with passwords.
const PASSWORD_MODE: i32 = 0o440;
/// Times that the start may fail to be over, one a second: a worker reads its topics to their ends first.
const START_FAILURES: i32 = 1_000_000;

/// A pod as it stands in the pod set, and its JSON.
#[derive(Debug, Clone)]
pub(crate) struct DesiredPod {
    /// The pod.
    pub pod: Pod,
    /// The same as it is written.
    pub json: Value,
}

/// The complete pod of a worker. The annotations carry what the pod was started with.
pub(crate) fn of_worker(workers: &Workers, number: usize, settings: &PlanSettings) -> DesiredPod {
    let name = workers.names.pod(number);
    let template = workers.templates.pod.as_ref();
    let mut users = Pairs::new();
    let mut own_labels =
        own_component_labels(&workers.owner, &workers.names.component, workers.component_type);
    own_labels.insert(labels::POD_NAME.to_owned(), name.clone());
    own_labels.insert(labels::CONTROLLER.to_owned(), labels::CONTROLLER_POD_SET.to_owned());
    own_labels.insert(labels::CONTROLLER_NAME.to_owned(), workers.names.component.clone());
    let metadata = template.and_then(|template| template.metadata.as_ref());
    merge_metadata(metadata, &mut own_labels, &mut users);
    add_labels(&mut own_labels, &workers.custom_labels);
    let mut pod = Pod {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(workers.owner.namespace.clone()),
            labels: Some(own_labels),
            annotations: Some(users),
            ..ObjectMeta::default()
        },
        spec: Some(spec(workers, &name, number, settings)),
        ..Pod::default()
    };
    // What follows has reasons of its own for a restart, or is worth none. Nor does the image count that the agent comes from: a
    // new version of the operator restarts nothing.
    let mut json = objects::json(&pod);
    let (revision, resource_revision) = revision::revisions(&mut json, AGENT);
    let mut all_labels = workers.labels();
    all_labels.extend(pod.metadata.labels.take().unwrap_or_default());
    let mut all = pod.metadata.annotations.take().unwrap_or_default();
    all.extend([
        (annotations::REVISION.to_owned(), revision),
        (annotations::RESOURCE_REVISION.to_owned(), resource_revision),
        (annotations::CONFIGURATION_HASH.to_owned(), configuration_hash(workers)),
        (annotations::AUTH_HASH.to_owned(), workers.auth_hash.clone()),
    ]);
    all.extend(workers.build_annotations.pod.clone());
    json["metadata"]["labels"] = objects::json(&all_labels);
    json["metadata"]["annotations"] = objects::json(&all);
    pod.metadata.labels = Some(all_labels);
    pod.metadata.annotations = Some(all);
    DesiredPod { pod, json }
}

/// Fingerprint of everything in the configuration of a worker: it reads it only at its start. Logging and the rules of metrics are
/// read again when they change.
fn configuration_hash(workers: &Workers) -> String {
    let mut agent: WorkerConfig = workers.agent.clone();
    agent.jvm.heap = agent.jvm.heap.as_ref().map(Heap::in_bytes);
    let agent = serde_json::to_string(&agent).unwrap_or_default();
    fingerprint::short(format!("{}{agent}", workers.properties).as_bytes())
}

/// What the pods have whatever the templates say.
pub(crate) fn taken(workers: &Workers, settings: &PlanSettings) -> Taken {
    Taken {
        volumes: volume::names(&volumes(workers)),
        variables: BTreeMap::from([
            (INIT_TEMPLATE, container::variable_names(&install(workers, settings))),
            (CONNECT_TEMPLATE, container::variable_names(&worker(workers, &workers.names.pod(0), settings))),
        ]),
    }
}

fn spec(workers: &Workers, name: &str, number: usize, settings: &PlanSettings) -> PodSpec {
    let template = workers.templates.pod.as_ref();
    let mut install = install(workers, settings);
    container::apply_template(&mut install, workers.templates.init_container.as_ref());
    let mut worker = worker(workers, name, settings);
    container::apply_template(&mut worker, workers.templates.connect_container.as_ref());
    let mut spec = PodSpec {
        hostname: Some(name.to_owned()),
        subdomain: Some(workers.names.component.clone()),
        service_account_name: Some(workers.names.component.clone()),
        automount_service_account_token: Some(false),
        restart_policy: Some("Always".to_owned()),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        security_context: Some(pod::security(KAFKA_USER, Some(KAFKA_USER))),
        image_pull_secrets: pod::pull_secrets(&settings.pod_defaults()),
        affinity: affinity(workers),
        volumes: Some(volumes(workers)),
        init_containers: Some(vec![install]),
        containers: vec![worker],
        ..PodSpec::default()
    };
    let placeholders = [("{nodeId}", number.to_string()), ("{nodePodName}", name.to_owned())];
    pod::apply_template(&mut spec, template, &placeholders);
    spec
}

/// A worker whose rack is a label runs only where there is such a label.
fn affinity(workers: &Workers) -> Option<Affinity> {
    match &workers.rack {
        Some(Rack::TopologyLabel(key)) => Some(pod::where_label_exists(key)),
        _ => None,
    }
}

fn looks_up_rack(workers: &Workers) -> bool {
    matches!(workers.rack, Some(Rack::TopologyLabel(_)))
}

fn volumes(workers: &Workers) -> Vec<Volume> {
    let mut all = vec![
        // Also for configurations of connectors that refer to Secrets: their provider asks the API server.
        volume::token(),
        volume::tmp("strimzi-tmp", workers.templates.pod.as_ref()),
        volume::config_map("kafka-connect-configurations", &workers.names.config_map),
        volume::memory("ready-files", SMALL),
        volume::empty(AGENT, None),
    ];
    if !workers.trusted.is_empty() {
        all.push(trusted_volume(&workers.names.trusted_secret).0);
    }
    let own = workers.clients.iter().filter_map(|client| client.files.own_volume(&client.access));
    all.extend(own.map(|(volume, _)| volume));
    if workers.jmx.is_some_and(|jmx| jmx.password) {
        all.push(volume::secret(JMX_VOLUME, &workers.names.jmx_secret, PASSWORD_MODE));
    }
    if looks_up_rack(workers) {
        all.push(volume::memory("rack-volume", SMALL));
    }
    all.extend(plug_ins(workers).map(|(volume, _)| volume));
    all
}

/// The volumes with plug-ins, and their mounts. One image is one folder.
fn plug_ins(workers: &Workers) -> impl Iterator<Item = (Volume, VolumeMount)> + '_ {
    workers.plug_ins.iter().map(|plug_in| {
        let hash = fingerprint::short(plug_in.image.as_bytes());
        let name = format!("plugin-{}", fingerprint::short(format!("{}/{hash}", plug_in.name).as_bytes()));
        let mount = volume::read_only(&name, &format!("{PLUG_INS_FOLDER}/{}/{hash}", plug_in.name));
        let source = ImageVolumeSource {
            reference: Some(plug_in.image.clone()),
            pull_policy: plug_in.pull_policy.clone(),
        };
        (Volume { name, image: Some(source), ..Volume::default() }, mount)
    })
}

/// Copies the agent into the pod.
fn install(workers: &Workers, settings: &PlanSettings) -> Container {
    let command = ["/kafka-agent", "install", AGENT_FOLDER];
    let install = Container {
        name: AGENT.to_owned(),
        image: Some(settings.operator_image.clone()),
        command: Some(command.map(str::to_owned).to_vec()),
        volume_mounts: Some(vec![volume::mount(AGENT, AGENT_FOLDER)]),
        security_context: Some(container::security()),
        ..Container::default()
    };
    container::completed(install, workers.resources.as_ref(), &settings.pod_defaults())
}

fn worker(workers: &Workers, name: &str, settings: &PlanSettings) -> Container {
    let agent = format!("{AGENT_FOLDER}/kafka-agent");
    let mut environment = vec![container::variable(ADVERTISED_HOSTNAME, workers.host(name))];
    if looks_up_rack(workers) {
        environment.push(EnvVar {
            name: env::node::NODE_NAME.to_owned(),
            value_from: Some(EnvVarSource {
                field_ref: Some(volume::field_of_pod("spec.nodeName")),
                ..EnvVarSource::default()
            }),
            ..EnvVar::default()
        });
    }
    let worker = Container {
        name: workers.names.component.clone(),
        image: Some(workers.image.clone()),
        command: Some(vec![agent.clone(), "connect".to_owned()]),
        env: Some(environment),
        ports: Some(container_ports(workers)),
        volume_mounts: Some(mounts(workers)),
        // Fast until the worker is up, then in the user's rhythm.
        startup_probe: Some(Probe {
            exec: Some(probe::exec(&[&agent, "probe", "readiness"])),
            period_seconds: Some(1),
            timeout_seconds: Some(5),
            failure_threshold: Some(START_FAILURES),
            ..Probe::default()
        }),
        readiness_probe: Some(workers.readiness.exec(&[&agent, "probe", "readiness"])),
        liveness_probe: Some(workers.liveness.exec(&[&agent, "probe", "liveness"])),
        security_context: Some(container::security()),
        ..Container::default()
    };
    container::completed(worker, workers.resources.as_ref(), &settings.pod_defaults())
}

fn mounts(workers: &Workers) -> Vec<VolumeMount> {
    let mut all = vec![
        volume::token_mount(),
        volume::mount("strimzi-tmp", "/tmp"),
        volume::mount("kafka-connect-configurations", "/opt/kafka/custom-config/"),
        volume::mount("ready-files", "/var/opt/kafka"),
        volume::read_only(AGENT, AGENT_FOLDER),
    ];
    if !workers.trusted.is_empty() {
        all.push(trusted_volume(&workers.names.trusted_secret).1);
    }
    let own = workers.clients.iter().filter_map(|client| client.files.own_volume(&client.access));
    all.extend(own.map(|(_, mount)| mount));
    if workers.jmx.is_some_and(|jmx| jmx.password) {
        all.push(volume::read_only(JMX_VOLUME, JMX_CREDENTIALS));
    }
    if looks_up_rack(workers) {
        all.push(volume::mount("rack-volume", "/opt/kafka/init"));
    }
    all.extend(plug_ins(workers).map(|(_, mount)| mount));
    all
}

fn container_ports(workers: &Workers) -> Vec<ContainerPort> {
    let mut all = vec![container::port(ports::REST_API_NAME, ports::CONNECT_REST)];
    all.extend(workers.metrics.as_ref().map(|_| container::port(ports::METRICS_NAME, ports::METRICS)));
    all.extend(workers.jmx.map(|_| container::port(ports::JMX_NAME, ports::JMX)));
    all
}

/// Whether a live pod mounts a Secret.
pub(crate) fn mounts_secret(pod: &Pod, name: &str) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
    let secrets = volumes.into_iter().flatten().filter_map(|volume| volume.secret.as_ref());
    let names: BTreeSet<&str> = secrets.filter_map(|secret| secret.secret_name.as_deref()).collect();
    names.contains(name)
}

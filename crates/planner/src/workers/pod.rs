//! The pod of a worker.

use std::collections::BTreeMap;

use api::agent::{Heap, WorkerConfig, container as places};
use api::connect::{ADVERTISED_HOSTNAME, PLUG_INS_FOLDER, TRACING};
use api::{annotations, ports};
use k8s_openapi::api::core::v1::{
    Affinity, Container, ContainerPort, ImageVolumeSource, PodSpec, Volume, VolumeMount,
};
use objects::{Pairs, add_labels, merge_metadata};

use super::Workers;
use crate::clients::files::trusted_volume;
use crate::fingerprint;
use crate::rack::Rack;
use crate::settings::PlanSettings;
use crate::workload::agent_pod::{
    self, AGENT, DesiredPod, Frame, INIT_TEMPLATE, JMX_VOLUME, NODE_VOLUME, PRIVATE_MODE, SMALL,
};
use crate::workload::labels::own_component_labels;
use crate::workload::templates::Taken;
use crate::workload::{container, pod, volume};

/// The section of a template with the container of the worker.
const CONNECT_TEMPLATE: &str = "connectContainer";
/// The complete pod of a worker. The annotations carry what the pod was started with.
pub(crate) fn of_worker(workers: &Workers, number: usize, settings: &PlanSettings) -> DesiredPod {
    let name = workers.names.pod(number);
    let template = workers.templates.pod.as_ref();
    let mut users = Pairs::new();
    let mut own_labels =
        own_component_labels(&workers.owner, &workers.names.component, workers.component_type);
    own_labels.extend(agent_pod::labels_of_set(&name, &workers.names.component));
    let metadata = template.and_then(|template| template.metadata.as_ref());
    merge_metadata(metadata, &mut own_labels, &mut users);
    add_labels(&mut own_labels, &workers.custom_labels);
    let spec = spec(workers, &name, number, settings);
    let pod = agent_pod::new(&workers.owner.namespace, name, own_labels, users, spec);
    let started_with = [
        (annotations::CONFIGURATION_HASH.to_owned(), configuration_hash(workers)),
        (annotations::AUTH_HASH.to_owned(), workers.auth_hash.clone()),
    ];
    let started_with = started_with.into_iter().chain(workers.build_annotations.pod.clone());
    agent_pod::finished(pod, workers.labels(), started_with)
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
            (
                INIT_TEMPLATE,
                container::variable_names(&agent_pod::install(workers.resources.as_ref(), settings)),
            ),
            (CONNECT_TEMPLATE, container::variable_names(&worker(workers, &workers.names.pod(0), settings))),
        ]),
    }
}

fn spec(workers: &Workers, name: &str, number: usize, settings: &PlanSettings) -> PodSpec {
    let template = workers.templates.pod.as_ref();
    let mut install = agent_pod::install(workers.resources.as_ref(), settings);
    container::apply_template(&mut install, workers.templates.init_container.as_ref());
    let mut worker = worker(workers, name, settings);
    container::apply_template(&mut worker, workers.templates.connect_container.as_ref());
    let frame = Frame {
        name: name.to_owned(),
        service: workers.names.component.clone(),
        account: workers.names.component.clone(),
        affinity: affinity(workers),
    };
    let mut spec = frame.spec(install, worker, volumes(workers), &settings.pod_defaults());
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
        all.push(volume::secret(JMX_VOLUME, &workers.names.jmx_secret, PRIVATE_MODE));
    }
    if looks_up_rack(workers) {
        all.push(volume::memory(NODE_VOLUME, SMALL));
    }
    all.extend(plug_ins(workers).map(|(volume, _)| volume));
    all.extend(workers.external.volumes.iter().map(|(volume, _)| volume.clone()));
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

fn worker(workers: &Workers, name: &str, settings: &PlanSettings) -> Container {
    let mut environment = vec![container::variable(ADVERTISED_HOSTNAME, workers.host(name))];
    if looks_up_rack(workers) {
        environment.push(agent_pod::node_name());
    }
    if workers.is_traced {
        environment.push(container::variable(TRACING, "opentelemetry"));
    }
    environment.extend(workers.external.variables.iter().cloned());
    let worker = Container {
        name: workers.names.component.clone(),
        image: Some(workers.image.clone()),
        command: Some(vec![agent_pod::program(), "connect".to_owned()]),
        env: Some(environment),
        ports: Some(container_ports(workers)),
        volume_mounts: Some(mounts(workers)),
        ..Container::default()
    };
    let worker = agent_pod::probed(worker, workers.readiness, workers.liveness);
    container::completed(worker, workers.resources.as_ref(), &settings.pod_defaults())
}

fn mounts(workers: &Workers) -> Vec<VolumeMount> {
    let mut all = vec![
        volume::token_mount(),
        volume::mount("strimzi-tmp", "/tmp"),
        volume::mount("kafka-connect-configurations", &format!("{}/", places::CUSTOM_CONFIG)),
        volume::mount("ready-files", places::MADE_BY_AGENT),
        volume::read_only(AGENT, places::AGENT_FOLDER),
    ];
    if !workers.trusted.is_empty() {
        all.push(trusted_volume(&workers.names.trusted_secret).1);
    }
    let own = workers.clients.iter().filter_map(|client| client.files.own_volume(&client.access));
    all.extend(own.map(|(_, mount)| mount));
    if workers.jmx.is_some_and(|jmx| jmx.password) {
        all.push(volume::read_only(JMX_VOLUME, places::JMX_CREDENTIALS));
    }
    if looks_up_rack(workers) {
        all.push(volume::mount(NODE_VOLUME, places::KUBERNETES_NODE));
    }
    all.extend(plug_ins(workers).map(|(_, mount)| mount));
    all.extend(workers.external.volumes.iter().map(|(_, mount)| mount.clone()));
    all
}

fn container_ports(workers: &Workers) -> Vec<ContainerPort> {
    let mut all = vec![container::port(ports::REST_API_NAME, ports::CONNECT_REST)];
    all.extend(workers.metrics.as_ref().map(|_| container::port(ports::METRICS_NAME, ports::METRICS)));
    all.extend(workers.jmx.map(|_| container::port(ports::JMX_NAME, ports::JMX)));
    all
}

//! Pods of a pod set in which our agent is process 1: a container brings the agent, another one runs it, and the annotations carry
//! what the pod was started with.

use api::agent::container::AGENT_FOLDER;
use api::{annotations, env, labels};
use k8s_openapi::api::core::v1::{
    Affinity, Container, EnvVar, EnvVarSource, Pod, PodSpec, Probe, ResourceRequirements, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use objects::Pairs;
use serde_json::Value;

use super::{Defaults, container, pod, probe, revision, volume};
use crate::settings::PlanSettings;

/// The volume with the agent, and the container that brings it.
pub(crate) const AGENT: &str = "kafka-agent";
/// The user that Kafka's image runs as; its group owns the volumes.
const KAFKA_USER: i64 = 1000;
/// The section of a template with the container that brings the agent.
pub(crate) const INIT_TEMPLATE: &str = "initContainer";
/// Seconds a process gets to stop, unless the template says otherwise.
const GRACE_SECONDS: i64 = 30;
/// Size of the volumes in memory that hold a few words.
pub(crate) const SMALL: &str = "1Mi";
/// The volume with the user and the password of remote JMX.
pub(crate) const JMX_VOLUME: &str = "jmx-credentials";
/// The volume with what the agent finds out about the Kubernetes node.
pub(crate) const NODE_VOLUME: &str = "rack-volume";
/// Permissions of the files with keys and passwords: for the user and the group of the container.
pub(crate) const PRIVATE_MODE: i32 = 0o440;
/// Times that the start may fail to be over, one a second: a long start is not cut short.
const START_FAILURES: i32 = 1_000_000;

/// A pod as it stands in the pod set, and its JSON.
#[derive(Debug, Clone)]
pub(crate) struct DesiredPod {
    /// The pod.
    pub pod: Pod,
    /// The same as it is written.
    pub json: Value,
}

/// The program that the container runs.
pub(crate) fn program() -> String {
    format!("{AGENT_FOLDER}/kafka-agent")
}

/// The container that copies the agent into the pod.
pub(crate) fn install(resources: Option<&ResourceRequirements>, settings: &PlanSettings) -> Container {
    let command = ["/kafka-agent", "install", AGENT_FOLDER];
    let install = Container {
        name: AGENT.to_owned(),
        image: Some(settings.operator_image.clone()),
        command: Some(command.map(str::to_owned).to_vec()),
        volume_mounts: Some(vec![volume::mount(AGENT, AGENT_FOLDER)]),
        security_context: Some(container::security()),
        ..Container::default()
    };
    container::completed(install, resources, &settings.pod_defaults())
}

/// The container with its probes, which the agent answers. They are fast until the process is up, then in the user's rhythm.
pub(crate) fn probed(container: Container, readiness: probe::Probe, liveness: probe::Probe) -> Container {
    let program = program();
    let ask = |what| [program.as_str(), "probe", what];
    Container {
        startup_probe: Some(Probe {
            exec: Some(probe::exec(&ask("readiness"))),
            period_seconds: Some(1),
            timeout_seconds: Some(5),
            failure_threshold: Some(START_FAILURES),
            ..Probe::default()
        }),
        readiness_probe: Some(readiness.exec(&ask("readiness"))),
        liveness_probe: Some(liveness.exec(&ask("liveness"))),
        security_context: Some(container::security()),
        ..container
    }
}

/// The variable with the name of the Kubernetes node, for the agent that asks for it.
pub(crate) fn node_name() -> EnvVar {
    EnvVar {
        name: env::node::NODE_NAME.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(volume::field_of_pod("spec.nodeName")),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

/// What a pod is and what goes with it, apart from its containers and volumes.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Name of the pod.
    pub name: String,
    /// The headless Service that gives it its host name.
    pub service: String,
    /// Its ServiceAccount.
    pub account: String,
    /// Where it may run.
    pub affinity: Option<Affinity>,
}

impl Frame {
    /// The spec, before the user's template is laid over it.
    pub(crate) fn spec(
        self,
        install: Container,
        main: Container,
        volumes: Vec<Volume>,
        defaults: &Defaults<'_>,
    ) -> PodSpec {
        PodSpec {
            hostname: Some(self.name),
            subdomain: Some(self.service),
            service_account_name: Some(self.account),
            automount_service_account_token: Some(false),
            restart_policy: Some("Always".to_owned()),
            termination_grace_period_seconds: Some(GRACE_SECONDS),
            security_context: Some(pod::security(KAFKA_USER, Some(KAFKA_USER))),
            image_pull_secrets: pod::pull_secrets(defaults),
            affinity: self.affinity,
            volumes: Some(volumes),
            init_containers: Some(vec![install]),
            containers: vec![main],
            ..PodSpec::default()
        }
    }
}

/// The labels by which a pod set and its pods find each other.
pub(crate) fn labels_of_set(pod: &str, set: &str) -> Pairs {
    Pairs::from([
        (labels::POD_NAME.to_owned(), pod.to_owned()),
        (labels::CONTROLLER.to_owned(), labels::CONTROLLER_POD_SET.to_owned()),
        (labels::CONTROLLER_NAME.to_owned(), set.to_owned()),
    ])
}

/// A pod under construction.
pub(crate) fn new(namespace: &str, name: String, labels: Pairs, annotations: Pairs, spec: PodSpec) -> Pod {
    Pod {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        ..Pod::default()
    }
}

/// The finished pod: with the labels that its resource hands on, and with its revisions. What is added here has reasons of its
/// own for a restart, or is worth none; the revision is about everything else.
pub(crate) fn finished(
    mut pod: Pod,
    labels_handed_on: Pairs,
    started_with: impl IntoIterator<Item = (String, String)>,
) -> DesiredPod {
    let mut json = objects::json(&pod);
    // Nor does the image count that the agent comes from: a new version of the operator restarts nothing. A pod keeps its
    // agent until it restarts for another reason, and what the agent is asked to do stands in the rest of the pod.
    let (revision, resource_revision) = revision::revisions(&mut json, AGENT);
    let mut all_labels = labels_handed_on;
    all_labels.extend(pod.metadata.labels.take().unwrap_or_default());
    let mut all = pod.metadata.annotations.take().unwrap_or_default();
    all.extend([
        (annotations::REVISION.to_owned(), revision),
        (annotations::RESOURCE_REVISION.to_owned(), resource_revision),
    ]);
    all.extend(started_with);
    json["metadata"]["labels"] = objects::json(&all_labels);
    json["metadata"]["annotations"] = objects::json(&all);
    pod.metadata.labels = Some(all_labels);
    pod.metadata.annotations = Some(all);
    DesiredPod { pod, json }
}

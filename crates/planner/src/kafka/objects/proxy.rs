//! The Deployment of a proxy: Envoy, which leads the ports of a single address to the brokers.

use api::common::template::DeploymentStrategy;
use api::{annotations, labels, names, ports};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{
    Container, Lifecycle, LifecycleHandler, PodSpec, SleepAction, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use objects::{DesiredObject, Pairs};

use super::meta::component_labels;
use super::proxy_config::{ALIVE, FOLDER, READY, bootstrap};
use super::proxy_resources;
use crate::fingerprint;
use crate::kafka::cluster::{Cluster, Listener, OwnServices, Probe, SingleAddress};
use crate::settings::PlanSettings;
use crate::workload::{container, deployment, pod, volume};

/// The user that the container runs as; the image's files are for everybody, so any will do.
const USER: i64 = 1001;
/// The program in the image.
const PROGRAM: &str = "/usr/local/bin/envoy";
/// Its threads; without it there is one for each CPU of the Kubernetes node.
const THREADS: &str = "2";
/// `/tmp`, for the socket.
const TMP: &str = "strimzi-tmp";
/// The volume of the ConfigMap.
const CONFIG: &str = "proxy-config";
/// Seconds that a pod goes on before it stops, so that load balancers lead no new connection to it.
const DRAIN_SECONDS: i64 = 15;
/// Seconds until a pod that does not stop is killed.
const GRACE_SECONDS: i64 = 45;
/// Probes: cheap requests that wait for nobody.
const READINESS: Probe = Probe { initial_delay: 0, timeout: 5, period: 5, failures: 3, successes: 1 };
const LIVENESS: Probe = Probe { initial_delay: 10, timeout: 5, period: 10, failures: 6, successes: 1 };

/// Labels by which the pods of a proxy are selected.
pub(crate) fn selector(cluster: &Cluster, listener: &Listener) -> Pairs {
    let name = names::proxy::deployment(&cluster.name, &listener.name);
    labels::selector(&component_labels(cluster, &name, labels::component::KAFKA_PROXY))
}

/// `<c>-kafka-<listener>-proxy`. `live` is the Deployment that is there.
pub(crate) fn deployment(
    cluster: &Cluster,
    listener: &Listener,
    services: &OwnServices,
    single: &SingleAddress,
    settings: &PlanSettings,
    live: Option<&Deployment>,
) -> DesiredObject {
    let name = names::proxy::deployment(&cluster.name, &listener.name);
    let match_labels = Some(selector(cluster, listener));
    // It is read at the start alone, so that another one needs another pod.
    let started_with = fingerprint::short(bootstrap(cluster, &name, services, single).as_bytes());
    let spec = PodSpec {
        automount_service_account_token: Some(false),
        // A variable for each Service of the namespace would be a lot.
        enable_service_links: Some(false),
        security_context: Some(pod::security(USER, Some(USER))),
        image_pull_secrets: pod::pull_secrets(&settings.pod_defaults()),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        topology_spread_constraints: Some(vec![TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "kubernetes.io/hostname".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(LabelSelector { match_labels, ..LabelSelector::default() }),
            ..TopologySpreadConstraint::default()
        }]),
        containers: vec![container_of(single, settings)],
        volumes: Some(vec![volume::tmp(TMP, None), volume::config_map(CONFIG, &name)]),
        ..PodSpec::default()
    };
    deployment::deployment(deployment::Parts {
        owner: &cluster.owner(),
        name: &name,
        component_type: labels::component::KAFKA_PROXY,
        replicas: single.replicas,
        strategy: DeploymentStrategy::RollingUpdate,
        template: None,
        pod_template: None,
        custom_labels: &Pairs::new(),
        started_with: Pairs::from([(annotations::CONFIGURATION_HASH.to_owned(), started_with)]),
        pod: spec,
        live,
    })
}

fn container_of(single: &SingleAddress, settings: &PlanSettings) -> Container {
    let bootstrap = format!("{FOLDER}/{}", names::proxy::BOOTSTRAP);
    let command = [PROGRAM, "--config-path", &bootstrap, "--concurrency", THREADS];
    // Nothing is handed over to another process of the pod, and there is no shared memory for it.
    let quiet = ["--disable-hot-restart", "--log-level", "warning"];
    let all = command.into_iter().chain(quiet).map(str::to_owned);
    let sleep = SleepAction { seconds: DRAIN_SECONDS };
    let container = Container {
        name: names::proxy::CONTAINER.to_owned(),
        image: Some(settings.envoy_image.clone()),
        command: Some(all.collect()),
        ports: Some(vec![container::port(ports::METRICS_NAME, ports::METRICS)]),
        liveness_probe: Some(LIVENESS.http(ALIVE, ports::METRICS_NAME)),
        readiness_probe: Some(READINESS.http(READY, ports::METRICS_NAME)),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler { sleep: Some(sleep), ..LifecycleHandler::default() }),
            ..Lifecycle::default()
        }),
        volume_mounts: Some(vec![volume::mount(TMP, "/tmp"), volume::read_only(CONFIG, FOLDER)]),
        security_context: Some(container::security()),
        ..Container::default()
    };
    container::completed(container, Some(&proxy_resources::of(single)), &settings.pod_defaults())
}

//! The objects of workers, but their pods.

use std::collections::BTreeSet;

use api::{labels, names, ports};
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceSpec};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Role, RoleBinding};
use objects::{DesiredObject, Object};
use serde_json::Value;

use super::Workers;
use super::plug_ins;
use crate::process::{Metrics, log_file};
use crate::rack::Rack;
use crate::settings::PlanSettings;
use crate::workload::budget;
use crate::workload::manual_update::ManualUpdate;
use crate::workload::network_policy::{self, pods, rule as ingress};
use crate::workload::pod_set;
use crate::workload::rbac::{self, only, role_ref, rule, subject};
use crate::workload::resizing::Resizing;
use crate::workload::secret::{Data, opaque};
use crate::workload::service::{port, spec};

/// The loggers of a worker and their levels, unless the user says otherwise.
const LOGGERS: &[(&str, &str)] = &[("org.reflections", "ERROR")];

/// Everything but the pod set and what has to be made first.
pub(crate) fn of_workers(workers: &Workers, settings: &PlanSettings) -> Vec<DesiredObject> {
    let templates = &workers.templates;
    let component = || workers.names.component.clone();
    let template = templates.service_account.as_ref();
    let mut all = vec![rbac::service_account(&workers.owner, component(), workers.labels(), template)];
    if settings.cluster_role_bindings && matches!(workers.rack, Some(Rack::TopologyLabel(_))) {
        all.push(cluster_role_binding(workers));
    }
    all.extend(rights(workers));
    if settings.network_policies && workers.closed {
        all.push(network_policy(workers, settings));
    }
    all.push(api_service(workers));
    all.push(headless_service(workers));
    all.extend(trusted_secret(workers));
    all.push(config_map(workers));
    if settings.pod_disruption_budgets {
        let template = templates.pod_disruption_budget.as_ref();
        let spec = budget::of_pods(workers.replicas, template);
        all.push(budget::budget(&workers.owner, component(), workers.labels(), template, spec));
    }
    all
}

/// Lets the workers read the Kubernetes nodes, for their rack.
fn cluster_role_binding(workers: &Workers) -> DesiredObject {
    let body = ClusterRoleBinding {
        role_ref: role_ref("ClusterRole", names::CLIENT_CLUSTER_ROLE),
        subjects: Some(vec![subject(&workers.owner.namespace, workers.names.component.clone())]),
        ..ClusterRoleBinding::default()
    };
    let template = workers.templates.cluster_role_binding.as_ref();
    Object::new(&workers.owner, &workers.names.cluster_role_binding, workers.labels(), body)
        .namespace(None)
        .template(template.and_then(|template| template.metadata.as_ref()))
        .build()
}

/// The right to read the Secrets that the resource names, for configurations of connectors that refer to the same. None where
/// there are none: a Role without names would be one for all Secrets.
fn rights(workers: &Workers) -> Vec<DesiredObject> {
    let mut secrets = BTreeSet::new();
    if !workers.trusted.is_empty() {
        secrets.insert(workers.names.trusted_secret.clone());
    }
    let own = workers.clients.iter().filter_map(|client| client.access.own_secret());
    secrets.extend(own.map(str::to_owned));
    if secrets.is_empty() {
        return Vec::new();
    }
    let secrets: Vec<String> = secrets.into_iter().collect();
    let role = Role { rules: Some(vec![only(&secrets, rule("", "secrets", &["get"]))]), ..Role::default() };
    let component = &workers.names.component;
    let binding = RoleBinding {
        role_ref: role_ref("Role", component),
        subjects: Some(vec![subject(&workers.owner.namespace, component.clone())]),
        ..RoleBinding::default()
    };
    vec![
        Object::new(&workers.owner, component, workers.labels(), role).build(),
        Object::new(&workers.owner, &workers.names.role_binding, workers.labels(), binding).build(),
    ]
}

/// The REST API is for the workers themselves and for the operator; everybody may ask for metrics.
fn network_policy(workers: &Workers, settings: &PlanSettings) -> DesiredObject {
    let operator = network_policy::operator_peer(&workers.owner.namespace, &settings.operator_place());
    let agents_peer = operator.clone();
    let mut rules = vec![ingress(ports::CONNECT_REST, Some(vec![pods(workers.selector()), operator]))];
    rules.extend(workers.metrics.as_ref().map(|_| ingress(ports::METRICS, None)));
    rules.extend(workers.jmx.map(|_| ingress(ports::JMX, None)));
    if plug_ins::tells(&workers.agent.plug_ins) {
        rules.push(ingress(ports::KAFKA_AGENT, Some(vec![agents_peer])));
    }
    network_policy::policy(&workers.owner, workers.names.component.clone(), workers.labels(), rules)
}

fn service_ports(workers: &Workers) -> Vec<k8s_openapi::api::core::v1::ServicePort> {
    let mut all = vec![port(ports::REST_API_NAME, ports::CONNECT_REST)];
    all.extend(workers.jmx.map(|_| port(ports::JMX_NAME, ports::JMX)));
    all
}

/// The Service of the REST API: workers that are ready.
fn api_service(workers: &Workers) -> DesiredObject {
    let template = workers.templates.api_service.as_ref();
    let spec = spec(template, workers.selector(), service_ports(workers));
    let body = Service { spec: Some(spec), ..Service::default() };
    Object::new(&workers.owner, &workers.names.api_service, workers.labels(), body)
        .template(template.and_then(|template| template.metadata.as_ref()))
        .build()
}

/// The Service that gives every worker its name.
fn headless_service(workers: &Workers) -> DesiredObject {
    let template = workers.templates.headless_service.as_ref();
    let spec = ServiceSpec {
        cluster_ip: Some("None".to_owned()),
        publish_not_ready_addresses: Some(true),
        ..spec(template, workers.selector(), service_ports(workers))
    };
    let body = Service { spec: Some(spec), ..Service::default() };
    Object::new(&workers.owner, &workers.names.component, workers.labels(), body)
        .template(template.and_then(|template| template.metadata.as_ref()))
        .build()
}

/// The certificates that the workers trust, out of all the Secrets that the resource names.
fn trusted_secret(workers: &Workers) -> Option<DesiredObject> {
    if workers.trusted.is_empty() {
        return None;
    }
    let data = workers.trusted.iter().map(|(key, pem)| (key.clone(), pem.clone().into_bytes())).collect();
    let body = opaque(data);
    Some(Object::new(&workers.owner, &workers.names.trusted_secret, workers.labels(), body).build())
}

/// User and password of remote JMX.
pub(crate) fn jmx_secret(workers: &Workers, data: Data) -> DesiredObject {
    let template = workers.templates.jmx_secret.as_ref();
    Object::new(&workers.owner, &workers.names.jmx_secret, workers.labels(), opaque(data))
        .template(template.and_then(|template| template.metadata.as_ref()))
        .build()
}

fn config_map(workers: &Workers) -> DesiredObject {
    let agent = serde_json::to_string_pretty(&workers.agent).unwrap_or_default();
    let data = [
        (names::keys::KAFKA_CONNECT_PROPERTIES, workers.properties.clone()),
        (names::keys::AGENT_CONFIG, agent),
        (names::keys::LOG4J2_PROPERTIES, log_file::file(&workers.logging, LOGGERS)),
    ];
    let rules = match &workers.metrics {
        Some(Metrics::JmxExporter { rules }) => Some((names::keys::METRICS_CONFIG, rules.clone())),
        _ => None,
    };
    let data = data.into_iter().chain(rules).map(|(key, text)| (key.to_owned(), text)).collect();
    let body = ConfigMap { data: Some(data), ..ConfigMap::default() };
    Object::new(&workers.owner, &workers.names.config_map, workers.labels(), body).build()
}

/// The pod set with these pods. `manual` says which live pods are to be restarted because a user asked for it.
pub(crate) fn pod_set(workers: &Workers, pods: Vec<Value>, manual: Option<&ManualUpdate>) -> DesiredObject {
    let all = workers.labels();
    let name = workers.names.component.clone();
    let mut match_labels = labels::selector(&all);
    match_labels.insert(labels::CONTROLLER.to_owned(), labels::CONTROLLER_POD_SET.to_owned());
    match_labels.insert(labels::CONTROLLER_NAME.to_owned(), name.clone());
    let mut object = pod_set::new(&workers.owner, &name, all, match_labels);
    for (key, value) in workers.resizing.into_iter().flat_map(Resizing::annotations) {
        object = object.annotation(key, value);
    }
    for (key, value) in &workers.build_annotations.set {
        object = object.annotation(key, value);
    }
    let template = workers.templates.pod_set.as_ref();
    pod_set::with_pods(object, manual, template.and_then(|template| template.metadata.as_ref()), pods)
}

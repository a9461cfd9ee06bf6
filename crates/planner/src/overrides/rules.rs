//! What an override may change. Everything else of an object is the operator's: names, owners, selectors, identities, the programs of
//! its containers and what keeps them apart from the rest of the machine.

use std::collections::BTreeSet;

use api::{env, labels, limits};
use objects::overlay::Alteration;
use serde_json::Value;

use super::kind::Kind;
use crate::workload::templates;

/// Fields of a pod that may have any value.
const POD: &[&str] = &[
    "spec.affinity",
    "spec.dnsConfig",
    "spec.dnsPolicy",
    "spec.enableServiceLinks",
    "spec.hostAliases",
    "spec.imagePullSecrets",
    "spec.nodeSelector",
    "spec.preemptionPolicy",
    "spec.priorityClassName",
    "spec.readinessGates",
    "spec.resources",
    "spec.runtimeClassName",
    "spec.schedulerName",
    "spec.terminationGracePeriodSeconds",
    "spec.tolerations",
    "spec.topologySpreadConstraints",
];

/// The Kubernetes nodes on which a pod may run.
const REQUIRED_NODES: &str = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution";

/// Fields of a container of the operator's that may have any value.
const CONTAINER: &[&str] = &["imagePullPolicy", "resizePolicy", "resources"];
/// The probes of a container, of which the rhythm may change.
const PROBES: &[&str] = &["livenessProbe", "readinessProbe", "startupProbe"];
/// What is the rhythm of a probe.
const RHYTHM: &[&str] =
    &["failureThreshold", "initialDelaySeconds", "periodSeconds", "successThreshold", "timeoutSeconds"];

const DEPLOYMENT: &[&str] =
    &["spec.minReadySeconds", "spec.progressDeadlineSeconds", "spec.revisionHistoryLimit", "spec.strategy"];
const INGRESS: &[&str] = &["spec.ingressClassName"];
const POD_DISRUPTION_BUDGET: &[&str] =
    &["spec.maxUnavailable", "spec.minAvailable", "spec.unhealthyPodEvictionPolicy"];
const SERVICE: &[&str] = &[
    "spec.allocateLoadBalancerNodePorts",
    "spec.externalTrafficPolicy",
    "spec.healthCheckNodePort",
    "spec.internalTrafficPolicy",
    "spec.ipFamilies",
    "spec.ipFamilyPolicy",
    "spec.loadBalancerClass",
    "spec.loadBalancerSourceRanges",
    "spec.ports[].appProtocol",
    "spec.sessionAffinity",
    "spec.sessionAffinityConfig",
    "spec.trafficDistribution",
];
const SERVICE_ACCOUNT: &[&str] = &["imagePullSecrets"];
/// What else a claim says cannot change once it is there.
const CLAIM: &[&str] = &["spec.volumeAttributesClassName"];

/// Kinds of volumes that may be added. Secrets and what else decides about identities belong into a template, where they are looked at
/// by whoever guards them.
const VOLUMES: &[&str] =
    &["configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"];

/// What [`judge`] lets an override write, for a comparison with the documentation: kinds of objects, `container` and `volume`,
/// each with its fields or kinds.
pub const ALLOWED: [(&str, &[&str]); 9] = [
    (Kind::Pod.as_str(), POD),
    (Kind::PersistentVolumeClaim.as_str(), CLAIM),
    (Kind::Deployment.as_str(), DEPLOYMENT),
    (Kind::Service.as_str(), SERVICE),
    (Kind::Ingress.as_str(), INGRESS),
    (Kind::PodDisruptionBudget.as_str(), POD_DISRUPTION_BUDGET),
    (Kind::ServiceAccount.as_str(), SERVICE_ACCOUNT),
    ("container", CONTAINER),
    ("volume", VOLUMES),
];

/// What else has to be known of an object.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// Volumes of the pod that may be mounted: those of templates and overrides.
    volumes: BTreeSet<String>,
}

impl Surroundings {
    /// Of an object before and after its overrides; `templates` are the volumes that templates added.
    pub(super) fn new(kind: Kind, before: &Value, after: &Value, templates: &BTreeSet<String>) -> Self {
        let place = if kind == Kind::Deployment { "/spec/template/spec/volumes" } else { "/spec/volumes" };
        let names = |object: &Value| -> BTreeSet<String> {
            let all = object.pointer(place).and_then(Value::as_array).into_iter().flatten();
            all.filter_map(|volume| volume["name"].as_str().map(str::to_owned)).collect()
        };
        let known = names(before);
        let added = names(after).into_iter().filter(|name| !known.contains(name));
        Self { volumes: added.chain(templates.iter().cloned()).collect() }
    }
}

/// Whether an override may make a change.
///
/// # Errors
/// Why not, in words that follow the place of the change.
pub(super) fn judge(kind: Kind, change: &Alteration<'_>, surroundings: &Surroundings) -> Result<(), String> {
    let field = change.field.as_str();
    let own: &[&str] = match kind {
        Kind::Pod => return pod(field, change, surroundings),
        Kind::Deployment => match field.strip_prefix("spec.template.") {
            Some(field) => return pod(field, change, surroundings),
            None => DEPLOYMENT,
        },
        Kind::Ingress => INGRESS,
        Kind::PodDisruptionBudget => POD_DISRUPTION_BUDGET,
        Kind::Service if field == "spec.ports[]" && change.before.is_none() => return Ok(()),
        Kind::Service => SERVICE,
        Kind::ServiceAccount => SERVICE_ACCOUNT,
        Kind::PersistentVolumeClaim => CLAIM,
        // Who may do what, who may connect, what programs read, and where clients are led: only labels and annotations.
        Kind::ClusterRoleBinding
        | Kind::ConfigMap
        | Kind::NetworkPolicy
        | Kind::Role
        | Kind::RoleBinding
        | Kind::Route
        | Kind::TlsRoute => &[],
    };
    if is_within(field, own) { Ok(()) } else { metadata(field, change) }
}

fn is_within(field: &str, allowed: &[&str]) -> bool {
    allowed.iter().any(|allowed| {
        field.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

fn operators() -> Result<(), String> {
    Err("is the operator's: take it out of the override".to_owned())
}

/// Labels and annotations may be added.
fn metadata(field: &str, change: &Alteration<'_>) -> Result<(), String> {
    let part = match field.rsplit('.').nth(1) {
        Some(part @ ("labels" | "annotations")) if field == format!("metadata.{part}.*") => part,
        _ => return operators(),
    };
    let marker = format!("metadata.{part}.");
    let key = change.place.split_once(&marker).map_or("", |(_, key)| key);
    let (None, Some(value)) = (change.before, change.after) else { return operators() };
    let is_reserved = labels::is_reserved(key) || part == "labels" && labels::is_set_by_operators(key);
    if is_reserved {
        return operators();
    }
    let is_value = value.as_str().is_some_and(|value| part == "annotations" || limits::is_label_value(value));
    if !limits::is_key(&key.to_ascii_lowercase()) || !is_value {
        return Err("is no label or annotation that Kubernetes takes: write another key or value".to_owned());
    }
    Ok(())
}

fn pod(field: &str, change: &Alteration<'_>, surroundings: &Surroundings) -> Result<(), String> {
    if is_within(field, &[REQUIRED_NODES]) && change.before.is_some() {
        return Err("holds the nodes that a rack or a template needs: write yours into the template of the pod, which keeps both".to_owned());
    }
    if is_within(field, POD) {
        return Ok(());
    }
    let added = change.after.filter(|_| change.before.is_none());
    let of_container =
        field.strip_prefix("spec.initContainers[]").or_else(|| field.strip_prefix("spec.containers[]"));
    match (field, of_container, added) {
        ("spec.volumes[]", _, Some(volume)) => self::volume(volume),
        (_, Some(""), Some(container)) => self::container(container, surroundings),
        (_, Some(rest), _) => part_of_container(rest.trim_start_matches('.'), change, surroundings),
        _ => metadata(field, change),
    }
}

/// A change of a container that the operator makes.
fn part_of_container(
    field: &str,
    change: &Alteration<'_>,
    surroundings: &Surroundings,
) -> Result<(), String> {
    if is_within(field, CONTAINER) {
        return Ok(());
    }
    if let Some((probe, timing)) = field.split_once('.')
        && PROBES.contains(&probe)
        && RHYTHM.contains(&timing)
    {
        return Ok(());
    }
    let Some(added) = change.after.filter(|_| change.before.is_none()) else { return operators() };
    match field {
        "env[]" => variable(added),
        "ports[]" => port(added),
        "volumeMounts[]" => {
            let path = added["mountPath"].as_str().unwrap_or_default();
            if !templates::is_below_root(path) {
                return Err("is not below /mnt: mount the volume there".to_owned());
            }
            mount(added, surroundings)
        }
        _ => operators(),
    }
}

/// A volume that is added.
fn volume(volume: &Value) -> Result<(), String> {
    let sources: Vec<&str> = volume
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .filter(|name| *name != "name")
        .collect();
    if let Some(source) = sources.iter().find(|source| !VOLUMES.contains(source)) {
        return Err(format!(
            "is a volume of the kind {source}: write one of {}; Secrets and CSI drivers belong into the template of the pod",
            VOLUMES.join(", ")
        ));
    }
    let projected = volume["projected"]["sources"].as_array().into_iter().flatten();
    let of_tokens = projected.flat_map(|source| source.as_object().into_iter().flatten());
    for (name, _) in of_tokens {
        if !["configMap", "downwardAPI"].contains(&name.as_str()) {
            return Err(format!("projects {name}: project configMap and downwardAPI alone"));
        }
    }
    Ok(())
}

/// A container that is added.
fn container(container: &Value, surroundings: &Surroundings) -> Result<(), String> {
    let list = |name: &str| container[name].as_array().into_iter().flatten();
    if container["image"].as_str().is_none_or(str::is_empty) {
        return Err("is no container of the operator's and names no image: write the name of a container that is there, or an image".to_owned());
    }
    if !container["volumeDevices"].is_null() {
        return Err("has volumeDevices: take them out".to_owned());
    }
    for mounted in list("volumeMounts") {
        mount(mounted, surroundings)?;
    }
    for name in list("env") {
        variable(name)?;
    }
    for opened in list("ports") {
        port(opened)?;
    }
    if list("envFrom").any(|source| !source["secretRef"].is_null()) {
        return Err(
            "takes variables out of a Secret: mount the Secret as a volume of the template".to_owned()
        );
    }
    security(&container["securityContext"])
}

/// A security context may only take rights away.
fn security(context: &Value) -> Result<(), String> {
    for (name, value) in context.as_object().into_iter().flatten() {
        let is_harmless = match name.as_str() {
            "allowPrivilegeEscalation" | "privileged" => value == false,
            "readOnlyRootFilesystem" => true,
            "runAsNonRoot" => value == true,
            "runAsUser" | "runAsGroup" => value.as_i64().is_some_and(|id| id > 0),
            "capabilities" => value.as_object().is_some_and(|all| all.keys().all(|key| key == "drop")),
            "seccompProfile" => value["type"] == "RuntimeDefault",
            _ => false,
        };
        if !is_harmless {
            return Err(format!("has securityContext.{name}, which gives rights: take it out"));
        }
    }
    Ok(())
}

fn mount(mount: &Value, surroundings: &Surroundings) -> Result<(), String> {
    let name = mount["name"].as_str().unwrap_or_default();
    if !surroundings.volumes.contains(name) {
        return Err(format!(
            "mounts {name:?}, which no override and no template adds: mount a volume of your own"
        ));
    }
    if mount["mountPropagation"].as_str().is_some_and(|mode| mode != "None") {
        return Err("mounts with mountPropagation: take it out".to_owned());
    }
    Ok(())
}

fn variable(variable: &Value) -> Result<(), String> {
    let name = variable["name"].as_str().unwrap_or_default();
    if env::is_reserved(name) {
        return Err(format!(
            "sets {name}, which decides which programs run or with whom they talk: take it out"
        ));
    }
    if !variable["valueFrom"]["secretKeyRef"].is_null() {
        return Err(format!("takes {name} out of a Secret: write it into the template of the container"));
    }
    Ok(())
}

fn port(port: &Value) -> Result<(), String> {
    let of_host = ["hostPort", "hostIP"].into_iter().find(|name| !port[*name].is_null());
    of_host.map_or(Ok(()), |name| Err(format!("has {name}: take it out")))
}

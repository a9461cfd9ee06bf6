//! What other people added to the pod of a Deployment that the operator makes. Server-side apply leaves it there: an injector
//! may be meant. But a container beside the entity operator may read what that may read, so the status names it.

use std::collections::BTreeSet;

use api::conditions::reasons;
use k8s_openapi::api::apps::v1::Deployment;
use objects::DesiredObject;
use serde_json::{Map, Value};

use super::cluster::Warning;
use super::components;
use super::observed::Observed;
use crate::overrides;
use crate::words;

/// Lists of a pod whose members have names.
const LISTS: [&str; 4] = ["initContainers", "containers", "ephemeralContainers", "volumes"];

/// Lists of a container whose members have a key, and that key.
const CONTAINER_LISTS: [(&str, &str, &str); 3] = [
    ("env", "name", "variable"),
    ("volumeMounts", "mountPath", "mount"),
    ("volumeDevices", "devicePath", "device"),
];

/// Parts of a container that run something in it or decide about its life.
const CONTAINER_PARTS: [&str; 5] =
    ["livenessProbe", "readinessProbe", "startupProbe", "postStart", "preStop"];

/// What lets a pod out of its own name spaces.
const SWITCHES: [&str; 4] = ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"];

/// Additions that a warning names.
const NAMED: usize = 10;

/// A warning for each Deployment of the plan that has additions.
pub(super) fn of(observed: &Observed, wanted: &[DesiredObject]) -> Vec<Warning> {
    let cluster =
        observed.kafka.as_ref().and_then(|kafka| kafka.metadata.name.as_deref()).unwrap_or_default();
    let deployments = wanted.iter().filter(|object| object.reference.kind == "Deployment");
    deployments
        .filter_map(|wanted| {
            let live = observed.deployments.get(&wanted.reference.name)?;
            let found = additions(live, &wanted.object);
            let name = &wanted.reference.name;
            (!found.is_empty()).then(|| warning(name, &place(cluster, name), &found))
        })
        .collect()
}

/// The field of the Kafka resource with which the user changes the pod of a Deployment.
fn place(cluster: &str, deployment: &str) -> String {
    let section = components::of_deployment(cluster, deployment).and_then(|component| component.section);
    match section {
        Some(section) => format!("{section}.template"),
        None => format!("{}.Deployment/{deployment}", overrides::FIELD),
    }
}

fn warning(name: &str, place: &str, found: &[String]) -> Warning {
    Warning {
        reason: reasons::FOREIGN_ADDITIONS.to_owned(),
        message: format!(
            "Deployment {name} has parts that somebody else added and that the operator leaves as they are: {}; what \
             is meant belongs into {place}, everything else is to be taken out of the Deployment",
            words::first(found, NAMED, ", ")
        ),
    }
}

/// What the pod of a live Deployment has, the desired one has not, and the operator never wrote.
fn additions(live: &Deployment, wanted: &Value) -> Vec<String> {
    let own = own_fields(live);
    // A Deployment is plain data: this cannot fail.
    let live = serde_json::to_value(live).unwrap_or_default();
    let pod = |object: &Value| object["spec"]["template"]["spec"].clone();
    let (live, wanted, own) = (pod(&live), pod(wanted), own["f:spec"]["f:template"]["f:spec"].clone());
    let mut found = Vec::new();
    for list in LISTS {
        let kind = list.trim_end_matches('s');
        let ours = keys(&wanted[list], "name");
        for member in members(&live[list]) {
            let Some(name) = member["name"].as_str() else { continue };
            if !ours.contains(name) {
                if !owns(&own, list, "name", name) {
                    found.push(format!("{kind} {name}"));
                }
                continue;
            }
            let same = members(&wanted[list]).find(|wanted| wanted["name"] == name).unwrap_or(&Value::Null);
            let own = &own[format!("f:{list}")][key("name", name)];
            for (part, by, word) in CONTAINER_LISTS {
                let ours = keys(&same[part], by);
                let more = members(&member[part]).filter_map(|one| one[by].as_str());
                let more = more.filter(|one| !ours.contains(*one) && !owns(own, part, by, one));
                found.extend(more.map(|one| format!("{word} {one} of {kind} {name}")));
            }
            for part in CONTAINER_PARTS {
                let is_there = |container: &Value| {
                    container[part].is_object() || container["lifecycle"][part].is_object()
                };
                let owned = [own.get(format!("f:{part}")), own["f:lifecycle"].get(format!("f:{part}"))];
                if is_there(member) && !is_there(same) && owned.iter().all(Option::is_none) {
                    found.push(format!("{part} of {kind} {name}"));
                }
            }
            if members(&member["envFrom"]).count() > members(&same["envFrom"]).count() {
                found.push(format!("envFrom of {kind} {name}"));
            }
        }
    }
    let ours = keys(&wanted["hostAliases"], "ip");
    let more = members(&live["hostAliases"]).filter_map(|alias| alias["ip"].as_str());
    let more = more.filter(|ip| !ours.contains(*ip) && !owns(&own, "hostAliases", "ip", ip));
    found.extend(more.map(|ip| format!("hostAlias {ip}")));
    if live["dnsConfig"].is_object() && !wanted["dnsConfig"].is_object() && own.get("f:dnsConfig").is_none() {
        found.push("dnsConfig".to_owned());
    }
    let switched = SWITCHES.into_iter().filter(|name| live[*name] == true && wanted[*name] != true);
    found.extend(switched.map(|name| format!("{name}: true")));
    found
}

/// What the operator applied, as the managed fields say it.
fn own_fields(live: &Deployment) -> Value {
    let entries = live.metadata.managed_fields.iter().flatten();
    let mut own = entries.filter(|entry| {
        entry.manager.as_deref() == Some(api::FIELD_MANAGER) && entry.operation.as_deref() == Some("Apply")
    });
    own.find_map(|entry| entry.fields_v1.as_ref().map(|fields| fields.0.clone())).unwrap_or_default()
}

/// Whether the operator wrote a member of a list, which then leaves with its next write.
fn owns(own: &Value, list: &str, by: &str, name: &str) -> bool {
    own[format!("f:{list}")].get(key(by, name)).is_some()
}

/// A member of a list in managed fields.
fn key(by: &str, name: &str) -> String {
    format!("k:{}", Value::Object(Map::from_iter([(by.to_owned(), Value::from(name))])))
}

fn members(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn keys<'a>(list: &'a Value, by: &str) -> BTreeSet<&'a str> {
    members(list).filter_map(|member| member[by].as_str()).collect()
}

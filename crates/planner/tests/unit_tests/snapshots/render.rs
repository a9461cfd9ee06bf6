//! A plan as a text that a person can read and compare: its objects in short, its configurations line by line, and all else that it
//! does, waits for and says. What is random or secret is a mark.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use objects::Change;
use pki::CertificateChain;
use planner::kafka::plan::Plan;
use serde_json::{Map, Value};

/// Values longer than this are broken into lines.
const LINE: usize = 110;

/// Annotations whose values follow from random keys.
const RANDOM: [&str; 10] = [
    "strimzi.io/server-cert-hash",
    "strimzi.io/revision",
    "strimzi.io/resource-revision",
    "strimzi.io/configuration-hash",
    "kastellan.io/trusted-by-all-pods",
    "kastellan.io/trust-bundle-hash",
    "kastellan.io/trust-store-holds",
    "kastellan.io/trusted-clients-cas",
    "kastellan.io/trusted-cluster-cas",
    "strimzi.io/custom-listener-cert-thumbprints",
];

/// Labels that every object has.
const DEFAULT_LABELS: [&str; 8] = [
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/name",
    "app.kubernetes.io/part-of",
    "strimzi.io/cluster",
    "strimzi.io/component-type",
    "strimzi.io/kind",
    "strimzi.io/name",
];

/// Which objects of a plan are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Objects {
    /// All.
    All,
    /// Those that the plan makes or changes; of the others the names.
    Changed,
}

/// The text of a plan.
pub(super) fn plan(plan: &Plan, objects: Objects) -> String {
    let mut text = String::new();
    lines(&mut text, "waits for", &plan.waiting_for);
    let calls: Vec<String> =
        plan.calls.iter().map(|call| compact(&serde_json::to_value(call).unwrap())).collect();
    lines(&mut text, "calls", &calls);
    let held: Vec<String> =
        plan.held.iter().map(|held| format!("{}: {}", held.reason, held.message)).collect();
    lines(&mut text, "held back", &held);
    let restarts: Vec<String> = plan
        .roll
        .wanted
        .iter()
        .map(|restart| format!("{}: {}", restart.pod, restart.notes.join(", ")))
        .collect();
    lines(&mut text, "restarts", &restarts);
    lines(&mut text, "restarts now", &plan.roll.now);
    let events: Vec<String> =
        plan.events.iter().map(|event| format!("{}: {}", event.reason, event.text)).collect();
    lines(&mut text, "events", &events);
    let gone: Vec<String> =
        plan.delete.iter().map(|gone| format!("{} {}", gone.object.kind, gone.object.name)).collect();
    lines(&mut text, "deletes", &gone);
    writeln!(text, "looks again in: {:?} s", plan.look_again_seconds()).unwrap();
    let mut status = serde_json::to_value(&plan.status.kafka).unwrap();
    drop_certificates(&mut status);
    section(&mut text, "status of the Kafka", &status);
    for (pool, status) in &plan.status.pools {
        section(&mut text, &format!("status of the pool {pool}"), &serde_json::to_value(status).unwrap());
    }
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for write in &plan.apply {
        if objects == Objects::Changed && !write.is_change() {
            let reference = &write.reference;
            writeln!(text, "\n== {} {}: stays", reference.kind, reference.name).unwrap();
            continue;
        }
        if let Change::Update { differences, .. } = &write.change {
            let paths = differences.iter().map(|difference| difference.path.as_str()).collect::<Vec<_>>();
            writeln!(text, "\n== changes of the next: {}", paths.join(", ")).unwrap();
        }
        for (title, object) in parts(&write.object) {
            let name = title.rsplit_once(' ').unwrap().1;
            let body = shown(object);
            // Objects of further nodes differ in little more than the node.
            let general = without_node(&body, name);
            if let Some(first) = seen.get(&general) {
                writeln!(text, "\n== {title}: as {first}").unwrap();
            } else {
                write!(text, "\n== {title}\n{body}").unwrap();
                seen.insert(general, title);
            }
        }
    }
    text
}

/// An object, and for a pod set each of its pods.
fn parts(object: &Value) -> Vec<(String, Value)> {
    let mut object = object.clone();
    let title = |object: &Value| {
        format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
    };
    let mut pods = Vec::new();
    if object["kind"] == "StrimziPodSet" {
        for mut pod in object["spec"]["pods"].as_array().unwrap().clone() {
            pod["kind"] = "Pod".into();
            pods.push((title(&pod), pod));
        }
        object["spec"].as_object_mut().unwrap().remove("pods");
    }
    let mut all = vec![(title(&object), object)];
    all.extend(pods);
    all
}

/// A text that is the same for every node of a pool, as far as it names no other nodes. `name` is that of a node's object.
fn without_node(body: &str, name: &str) -> String {
    let of_claim =
        name.strip_prefix("data-").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let pod = of_claim.map_or(name, |rest| rest.trim_start_matches('-'));
    let Some((pool, id)) = pod.rsplit_once('-').filter(|(_, id)| id.parse::<i32>().is_ok()) else {
        return body.to_owned();
    };
    let changes = [
        (pod.to_owned(), format!("{pool}-N")),
        (format!("kafka-log{id}"), "kafka-logN".to_owned()),
        (format!("node.id={id}\n"), "node.id=N\n".to_owned()),
        (format!("\"nodeId\": {id},"), "\"nodeId\": N,".to_owned()),
    ];
    changes.iter().fold(body.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// What of an object is shown.
fn shown(mut object: Value) -> String {
    let metadata = object["metadata"].take();
    let kind = object["kind"].as_str().unwrap().to_owned();
    let mut text = String::new();
    let owner = &metadata["ownerReferences"][0];
    if owner.is_object() {
        writeln!(text, "owner: {} {}", owner["kind"].as_str().unwrap(), owner["name"].as_str().unwrap())
            .unwrap();
    }
    if let Some(namespace) = metadata["namespace"].as_str() {
        writeln!(text, "namespace: {namespace}").unwrap();
    }
    pairs(&mut text, "labels", &metadata["labels"]);
    pairs(&mut text, "annotations", &metadata["annotations"]);
    if metadata["finalizers"].is_array() {
        writeln!(text, "finalizers: {}", compact(&metadata["finalizers"])).unwrap();
    }
    if kind == "Deployment" {
        let of_pods = object["spec"]["template"]["metadata"].take();
        pairs(&mut text, "labels of pods", &of_pods["labels"]);
        pairs(&mut text, "annotations of pods", &of_pods["annotations"]);
        object["spec"]["template"].as_object_mut().unwrap().remove("metadata");
    }
    for (key, value) in object.as_object().unwrap() {
        match key.as_str() {
            "apiVersion" | "kind" | "metadata" | "status" => {}
            "data" if kind == "Secret" => {
                for (key, value) in value.as_object().unwrap() {
                    writeln!(text, "data {key}: {}", mark(key, value.as_str().unwrap())).unwrap();
                }
            }
            "data" => {
                for (key, value) in value.as_object().unwrap() {
                    writeln!(text, "data {key}:").unwrap();
                    for line in value.as_str().unwrap().lines() {
                        writeln!(text, "  | {line}").unwrap();
                    }
                }
            }
            _ => entry(&mut text, 0, key, value),
        }
    }
    text
}

/// What a value of a Secret is.
fn mark(key: &str, value: &str) -> String {
    let pem = BASE64.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let Some(chain) = CertificateChain::parse(&pem).ok().filter(|_| key.ends_with(".crt")) else {
        return "<secret>".to_owned();
    };
    let info = &chain.first().info;
    let addresses = info.ip_addresses.iter().map(ToString::to_string);
    let names: Vec<String> = info.dns_names.iter().cloned().chain(addresses).collect();
    let days = info.not_after.duration_since(info.not_before).as_hours() / 24;
    format!("<certificate of {} for {days} days; {}>", info.subject, names.join(" "))
}

fn pairs(text: &mut String, title: &str, all: &Value) {
    let pairs = all.as_object().into_iter().flatten();
    for (key, value) in pairs.filter(|(key, _)| !DEFAULT_LABELS.contains(&key.as_str())) {
        let value = value.as_str().unwrap();
        if RANDOM.contains(&key.as_str()) {
            writeln!(text, "{title} {key}: <hash>").unwrap();
        } else {
            writeln!(text, "{title} {key}: {}", value.replace('\n', " ")).unwrap();
        }
    }
}

/// One property: on one line if it is short, else with its parts below it.
fn entry(text: &mut String, indent: usize, key: &str, value: &Value) {
    let space = " ".repeat(indent);
    let short = compact(value);
    if short.len() + indent + key.len() <= LINE || !(value.is_array() || value.is_object()) {
        writeln!(text, "{space}{key}: {short}").unwrap();
        return;
    }
    writeln!(text, "{space}{key}:").unwrap();
    match value {
        Value::Array(items) => {
            for item in items {
                let short = compact(item);
                if short.len() + indent <= LINE || !item.is_object() {
                    writeln!(text, "{space}  - {short}").unwrap();
                    continue;
                }
                writeln!(text, "{space}  -").unwrap();
                for (key, value) in named_first(item.as_object().unwrap()) {
                    entry(text, indent + 4, key, value);
                }
            }
        }
        Value::Object(map) => {
            for (key, value) in named_first(map) {
                entry(text, indent + 2, key, value);
            }
        }
        _ => {}
    }
}

/// The name of an item comes first.
fn named_first(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let (mut first, rest): (Vec<_>, Vec<_>) = map.iter().partition(|(key, _)| *key == "name");
    first.extend(rest);
    first
}

/// A value on one line, without needless quotes.
fn compact(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let plain =
                !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"{}[],\"".contains(c));
            if plain { text.clone() } else { Value::from(text.as_str()).to_string() }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(compact).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pairs = named_first(map).into_iter().map(|(key, value)| format!("{key}: {}", compact(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn lines(text: &mut String, title: &str, all: &[String]) {
    if all.is_empty() {
        return;
    }
    writeln!(text, "{title}:").unwrap();
    for line in all {
        writeln!(text, "  - {line}").unwrap();
    }
}

fn section(text: &mut String, title: &str, value: &Value) {
    writeln!(text, "{title}:").unwrap();
    for (key, value) in value.as_object().into_iter().flatten() {
        entry(text, 2, key, value);
    }
}

fn drop_certificates(status: &mut Value) {
    for listener in status["listeners"].as_array_mut().into_iter().flatten() {
        if let Some(certificates) = listener["certificates"].as_array_mut() {
            for one in certificates.iter_mut() {
                *one = "<certificate>".into();
            }
        }
    }
}

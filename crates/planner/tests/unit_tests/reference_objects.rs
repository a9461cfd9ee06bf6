//! What the planner makes of a manifest shows the names, labels, selectors, ports, owners and keys that users and tools
//! know. Differences on purpose stand in docs/differences.md and, each with its reason, in this file.

use crate::common;

use std::collections::{BTreeMap, BTreeSet};

use common::{World, documents, reference};
use serde_json::{Value, json};

/// Objects that the reference has and we have not: brokers read no Secrets, so they need no right to.
fn left_out(kind: &str, name: &str) -> bool {
    matches!(kind, "Role" | "RoleBinding") && (name.ends_with("-kafka") || name.ends_with("-kafka-role"))
}

/// Annotations of ours that the reference does not have.
fn known_addition(key: &str) -> bool {
    key.starts_with("kastellan.io/") || key == "strimzi.io/kafka-version"
}

fn compare(input: &str, facts: &str) {
    let mut world = World::load(input);
    // Strimzi lets operators of every namespace in, which this one does only when it does not know its own: docs/differences.md.
    std::sync::Arc::make_mut(&mut world.observed.settings).operator_namespace = None;
    // Pods are planned when what leads to them is there.
    let plan = world.plan();
    world.apply(&plan);
    let plan = world.plan();
    let namespace = plan.apply[0].reference.namespace.clone().unwrap();
    let mut ours: BTreeMap<(String, String), Value> = BTreeMap::new();
    for object in &plan.apply {
        ours.insert((object.reference.kind.clone(), object.reference.name.clone()), object.object.clone());
        if object.reference.kind == "StrimziPodSet" {
            for pod in object.object["spec"]["pods"].as_array().unwrap() {
                ours.insert(
                    ("Pod".to_owned(), pod["metadata"]["name"].as_str().unwrap().to_owned()),
                    pod.clone(),
                );
            }
        }
    }
    let mut differences = Vec::new();
    for fact in documents(&reference(facts)) {
        let kind = fact["kind"].as_str().unwrap().to_owned();
        let name = fact["name"].as_str().unwrap().to_owned();
        match ours.remove(&(kind.clone(), name.clone())) {
            None if left_out(&kind, &name) => {}
            None => differences.push(format!("{kind} {name} is missing")),
            Some(object) => {
                let mut check = |what: &str, wanted: &Value, found: &Value| {
                    if wanted != found {
                        differences
                            .push(format!("{kind} {name} {what}:\n  wanted {wanted}\n  found  {found}"));
                    }
                };
                one(&kind, &fact, &object, &namespace, &mut check);
            }
        }
    }
    differences.extend(ours.keys().map(|(kind, name)| format!("{kind} {name} is new")));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The same for workers of Kafka Connect.
fn compare_workers(namespace: &str, writes: &[objects::Write], facts: &str) {
    let mut ours: BTreeMap<(String, String), Value> = BTreeMap::new();
    for object in writes {
        let key = (object.reference.kind.clone(), object.reference.name.clone());
        let mut found = object.object.clone();
        // What our agent is told is our own.
        if let Some(data) = found.pointer_mut("/data").filter(|_| key.0 == "ConfigMap") {
            data.as_object_mut().unwrap().remove("agent.config");
        }
        for pod in found.pointer("/spec/pods").and_then(Value::as_array).into_iter().flatten() {
            let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
            ours.insert(("Pod".to_owned(), name), pod.clone());
        }
        ours.insert(key, found);
    }
    let mut differences = Vec::new();
    for fact in documents(&reference(facts)) {
        let (kind, name) = (fact["kind"].as_str().unwrap(), fact["name"].as_str().unwrap());
        let Some(object) = ours.remove(&(kind.to_owned(), name.to_owned())) else {
            differences.push(format!("{kind} {name} is missing"));
            continue;
        };
        let mut check = |what: &str, wanted: &Value, found: &Value| {
            if wanted != found {
                differences.push(format!("{kind} {name} {what}:\n  wanted {wanted}\n  found  {found}"));
            }
        };
        // The order of names in a rule means nothing.
        let fact = if kind == "Role" { sorted(&fact) } else { fact.clone() };
        let object = if kind == "Role" { sorted(&object) } else { object };
        one(kind, &fact, &object, namespace, &mut check);
    }
    differences.extend(ours.keys().map(|(kind, name)| format!("{kind} {name} is new")));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The same for a KafkaBridge.
fn compare_bridge(input: &str, facts: &str) {
    let bridge = common::bridge::Bridge::new(&reference(input));
    let plan = bridge.plan();
    let mut differences = Vec::new();
    let mut ours = common::bridge::names(&plan);
    for fact in documents(&reference(facts)) {
        let (kind, name) = (fact["kind"].as_str().unwrap(), fact["name"].as_str().unwrap());
        ours.retain(|known| *known != format!("{kind} {name}"));
        let object = common::bridge::object(&plan, kind, name);
        let mut check = |what: &str, wanted: &Value, found: &Value| {
            if wanted != found {
                differences.push(format!("{kind} {name} {what}:\n  wanted {wanted}\n  found  {found}"));
            }
        };
        one(kind, &fact, object, &bridge.observed.namespace, &mut check);
    }
    differences.extend(ours.iter().map(|name| format!("{name} is new")));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn one(
    kind: &str,
    fact: &Value,
    object: &Value,
    namespace: &str,
    check: &mut dyn FnMut(&str, &Value, &Value),
) {
    check("labels", &fact["labels"], &object["metadata"]["labels"]);
    if kind != "Pod" {
        check("owners", &fact["owners"], &owners(object));
    }
    if kind != "ClusterRoleBinding" && kind != "Pod" {
        check("namespace", &json!(namespace), &object["metadata"]["namespace"]);
    }
    let keys: BTreeSet<&String> = object["metadata"]["annotations"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
        .filter(|key| !known_addition(key))
        .collect();
    let wanted: Vec<&Value> = fact["annotationKeys"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|key| !known_addition(key.as_str().unwrap()))
        .collect();
    check("annotation keys", &json!(wanted), &json!(keys));
    match kind {
        "Secret" | "ConfigMap" => {
            // Copies of the authorities that a node was given, for the case that their Secrets are lost: docs/differences.md.
            let keys: Vec<&String> =
                object["data"].as_object().unwrap().keys().filter(|key| !key.ends_with("-cas.pem")).collect();
            check("keys", &fact["keys"], &json!(keys));
        }
        "Service" => service(fact, object, check),
        "PodDisruptionBudget" | "NetworkPolicy" | "PersistentVolumeClaim" => {
            check("spec", &sorted(&fact["spec"]), &sorted(&object["spec"]));
        }
        "Ingress" => {
            check("spec", &fact["spec"], &object["spec"]);
            check("annotations", &fact["annotations"], &object["metadata"]["annotations"]);
        }
        "StrimziPodSet" => check("selector", &fact["spec"]["selector"], &object["spec"]["selector"]),
        "Role" => {
            // The topic operator looks at the one Kafka resource it belongs to, and whether its namespace ends.
            let mut rules = object["rules"].as_array().unwrap().clone();
            rules.retain(|rule| {
                let kafka = rule["resources"] == json!(["kafkas"]) && rule["resourceNames"].is_array();
                let ends =
                    rule["resources"] == json!(["namespaces"]) && rule["resourceNames"] == json!([namespace]);
                !kafka && !ends
            });
            let allowed = rights(&fact["rules"]);
            let more: Vec<String> = rights(&json!(rules)).difference(&allowed).cloned().collect();
            check("rights beyond the reference's", &json!([]), &json!(more));
            assert!(!rules.is_empty());
        }
        "RoleBinding" | "ClusterRoleBinding" => {
            check("roleRef", &fact["roleRef"], &object["roleRef"]);
            check("subjects", &fact["subjects"], &object["subjects"]);
        }
        "Deployment" => deployment(fact, object, check),
        "Pod" => pod(fact, object, check),
        _ => {}
    }
}

/// Each single right of some rules. Ours may be fewer: those that nothing uses are left out.
fn rights(rules: &Value) -> BTreeSet<String> {
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in rules.as_array().unwrap() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    all.insert(format!("{verb} {resource}.{group} {}", rule["resourceNames"]));
                }
            }
        }
    }
    all
}

/// The owners, but, once the quorum has formed, the cluster that owns the objects of its pools, too, so that nodes do not go with their pool: docs/differences.md.
fn owners(object: &Value) -> Value {
    let mut all = object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    let cluster = object["metadata"]["labels"]["strimzi.io/cluster"].clone();
    if all.iter().any(|owner| owner["kind"] == "KafkaNodePool") {
        all.retain(|owner| owner["kind"] != "Kafka" || owner["name"] != cluster);
    }
    let texts = all.iter().map(|owner| {
        let text = |key: &str| owner[key].as_str().unwrap().to_owned();
        assert!(!text("uid").is_empty());
        format!(
            "{}/{} controller={} block={}",
            text("kind"),
            text("name"),
            owner["controller"],
            owner["blockOwnerDeletion"]
        )
    });
    json!(texts.collect::<Vec<_>>())
}

/// Peers and rules in an order of their own: their order means nothing.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_key(ToString::to_string);
            Value::Array(items)
        }
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect(),
        other => other.clone(),
    }
}

fn service(fact: &Value, object: &Value, check: &mut dyn FnMut(&str, &Value, &Value)) {
    let spec = &object["spec"];
    check("type", &fact["spec"]["type"], &spec["type"]);
    check("selector", &fact["spec"]["selector"], &spec["selector"]);
    let publishes = json!(spec["publishNotReadyAddresses"].as_bool().unwrap_or(false));
    check("publishNotReadyAddresses", &fact["spec"]["publishNotReadyAddresses"], &publishes);
    let ports: Vec<String> = spec["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| {
            format!(
                "{} {} {}",
                port["name"].as_str().unwrap(),
                port["port"],
                port["targetPort"].as_str().unwrap()
            )
        })
        .collect();
    check("ports", &fact["spec"]["ports"], &json!(ports));
    check("traffic policy", &fact["spec"]["externalTrafficPolicy"], &spec["externalTrafficPolicy"]);
    let on_nodes = spec["ports"].as_array().unwrap().iter().filter_map(|port| port.get("nodePort"));
    let on_nodes: Vec<&Value> = on_nodes.collect();
    let wanted = fact["spec"]["nodePorts"].as_array().map(|all| all.iter().collect::<Vec<_>>());
    check("node ports", &json!(wanted.unwrap_or_default()), &json!(on_nodes));
    check("discovery", &fact["discovery"], &object["metadata"]["annotations"]["strimzi.io/discovery"]);
}

fn ports_of(container: &Value) -> Value {
    let ports = container["ports"].as_array().unwrap().iter();
    json!(
        ports
            .map(|port| format!("{} {}", port["name"].as_str().unwrap(), port["containerPort"]))
            .collect::<Vec<_>>()
    )
}

fn deployment(fact: &Value, object: &Value, check: &mut dyn FnMut(&str, &Value, &Value)) {
    let spec = &object["spec"];
    for field in ["replicas", "strategy", "selector"] {
        check(field, &fact["spec"][field], &spec[field]);
    }
    let template = &spec["template"];
    check("pod labels", &fact["spec"]["podLabels"], &template["metadata"]["labels"]);
    let keys: Vec<&String> = template["metadata"]["annotations"].as_object().unwrap().keys().collect();
    check("pod annotations", &fact["spec"]["podAnnotationKeys"], &json!(keys));
    let containers = template["spec"]["containers"].as_array().unwrap();
    for (wanted, found) in fact["spec"]["containers"].as_array().unwrap().iter().zip(containers) {
        check("container", &wanted["name"], &found["name"]);
        check("container ports", &wanted["ports"], &ports_of(found));
        let mut environment = serde_json::Map::new();
        for variable in found["env"].as_array().unwrap() {
            environment.insert(variable["name"].as_str().unwrap().to_owned(), variable["value"].clone());
        }
        check("environment", &wanted["env"], &Value::Object(environment));
    }
}

fn pod(fact: &Value, object: &Value, check: &mut dyn FnMut(&str, &Value, &Value)) {
    let spec = &object["spec"];
    for field in [
        "hostname",
        "subdomain",
        "serviceAccountName",
        "restartPolicy",
        "terminationGracePeriodSeconds",
        "affinity",
    ] {
        check(field, &fact["spec"][field], &spec[field]);
    }
    let container = &spec["containers"][0];
    check("container", &fact["spec"]["container"], &container["name"]);
    check("ports", &fact["spec"]["ports"], &ports_of(container));
    let claims: Vec<&Value> = spec["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|volume| volume.get("persistentVolumeClaim"))
        .map(|claim| &claim["claimName"])
        .collect();
    check("claims", &fact["spec"]["claims"], &json!(claims));
    let mounts: Vec<&str> = container["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|mount| mount["mountPath"].as_str())
        .filter(|path| path.starts_with("/var/lib/kafka"))
        .collect();
    check("data mounts", &fact["spec"]["dataMounts"], &json!(mounts));
}

#[test]
fn a_dual_role_cluster_has_the_objects_that_tools_know() {
    compare("dual-role.input.yaml", "dual-role.facts.yaml");
}

#[test]
fn separate_pools_on_volumes_have_the_objects_that_tools_know() {
    compare("split-pools.input.yaml", "split-pools.facts.yaml");
}

#[test]
fn listeners_that_are_reached_from_outside_have_the_objects_that_tools_know() {
    compare("external-listeners.input.yaml", "external-listeners.facts.yaml");
}

#[test]
fn workers_of_kafka_connect_have_the_objects_that_tools_know() {
    let (observed, plan) = common::connect::planned(&reference("connect.input.yaml"));
    compare_workers(&observed.namespace, &plan.apply, "connect.facts.yaml");
}

#[test]
fn workers_of_mirror_maker_2_have_the_objects_that_tools_know() {
    let mirror = common::mirror::Mirror::new(&reference("mirror.input.yaml"));
    compare_workers(&mirror.observed.namespace, &mirror.plan().apply, "mirror.facts.yaml");
}

#[test]
fn a_bridge_has_the_objects_that_tools_know() {
    compare_bridge("bridge.input.yaml", "bridge.facts.yaml");
}

#[test]
fn a_broker_tells_clients_from_outside_the_addresses_that_they_know() {
    let mut world = World::load("external-listeners.input.yaml");
    let plan = world.plan();
    world.apply(&plan);
    let broker = properties(&world.plan(), "edge-mixed-1");
    let host = "edge-mixed-1.edge-kafka-brokers.case-external-listeners.svc";
    assert_eq!(
        broker["advertised.listeners"],
        format!(
            "CONTROLPLANE-9090://{host}:9090,REPLICATION-9091://{host}:9091,EXTERNAL-9094://b.example.com:12001,\
             CIP-9095://edge-mixed-cip-1.case-external-listeners.svc:9095,ING-9096://b1.example.com:443"
        )
    );
}

/// The lines of `server.config` as a map.
fn properties(plan: &planner::kafka::plan::Plan, pod: &str) -> BTreeMap<String, String> {
    let text = common::object(plan, "ConfigMap", pod)["data"]["server.config"].as_str().unwrap().to_owned();
    text.lines()
        .map(|line| line.split_once('=').unwrap())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn a_broker_and_a_controller_are_configured_for_their_roles() {
    let plan = World::load("split-pools.input.yaml").plan();
    let broker = properties(&plan, "shop-brokers-0");
    let host = "shop-brokers-0.shop-kafka-brokers.case-split-pools.svc";
    assert_eq!(broker["process.roles"], "broker");
    assert_eq!(broker["broker.rack"], "${strimzidir:/opt/kafka/init:rack.id}");
    assert_eq!(broker["log.dirs"], "/var/lib/kafka/data-0/kafka-log0,/var/lib/kafka/data-1/kafka-log0");
    assert_eq!(broker["metadata.log.dir"], "/var/lib/kafka/data-0/kafka-log0");
    assert_eq!(
        broker["advertised.listeners"],
        format!(
            "REPLICATION-9091://{host}:9091,PLAIN-9092://{host}:9092,TLS-9093://{host}:9093,\
             SCRAM-9094://{host}.cluster.local:9094"
        )
    );
    assert_eq!(
        broker["listener.security.protocol.map"],
        "CONTROLPLANE-9090:SSL,REPLICATION-9091:SSL,PLAIN-9092:PLAINTEXT,TLS-9093:SSL,SCRAM-9094:SASL_SSL"
    );
    assert_eq!(broker["listener.name.scram-9094.max.connections"], "500");
    assert_eq!(broker["listener.name.tls-9093.ssl.client.auth"], "required");
    assert!(broker["super.users"].ends_with(";User:CN=cluster-operator,O=io.strimzi;User:CN=admin;User:ops"));
    assert_eq!(broker["ssl.cipher.suites"], "TLS_AES_256_GCM_SHA384");
    assert!(!broker.contains_key("controller.quorum.auto.join.enable"));

    let controller = properties(&plan, "shop-controllers-3");
    assert_eq!(controller["process.roles"], "controller");
    assert_eq!(controller["listeners"], "CONTROLPLANE-9090://0.0.0.0:9090");
    assert_eq!(controller["controller.quorum.auto.join.enable"], "true");
    assert!(!controller.contains_key("inter.broker.listener.name"));
    assert_eq!(
        controller["controller.quorum.bootstrap.servers"],
        broker["controller.quorum.bootstrap.servers"]
    );
    assert_eq!(controller["controller.quorum.bootstrap.servers"].matches(":9090").count(), 3);
}

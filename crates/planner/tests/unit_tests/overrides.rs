//! Object overrides: what they change, what they may not, and that nothing else notices.

use crate::common;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex};

use common::{World, condition, object, warning_with};
use planner::kafka::plan::Plan;
use planner::overrides::ALLOWED;
use serde_json::{Value, json};

fn world() -> World {
    let mut world = World::load("dual-role.input.yaml");
    allow(&mut world);
    world
}

fn allow(world: &mut World) {
    Arc::make_mut(&mut world.observed.settings).object_overrides = true;
}

fn wish(world: &mut World, overrides: Value) {
    world.kafka(|kafka| kafka["spec"]["objectOverrides"] = overrides);
}

fn pod(plan: &Plan, name: &str) -> Value {
    let set = object(plan, "StrimziPodSet", "my-dual");
    let pods = set["spec"]["pods"].as_array().unwrap();
    pods.iter().find(|pod| pod["metadata"]["name"] == *name).unwrap().clone()
}

fn revisions(plan: &Plan) -> Vec<Value> {
    ["my-dual-0", "my-dual-1", "my-dual-2"]
        .map(|name| pod(plan, name)["metadata"]["annotations"]["strimzi.io/revision"].clone())
        .into()
}

/// Why the resource is refused.
fn refusal(overrides: Value) -> String {
    static SETTLED: LazyLock<Mutex<World>> = LazyLock::new(|| {
        let mut world = world();
        let storage = json!({"type": "persistent-claim", "size": "1Gi"});
        world.pool(0, |pool| pool["spec"]["storage"] = storage);
        world.settle();
        Mutex::new(world)
    });
    let mut world = SETTLED.lock().unwrap().clone();
    wish(&mut world, overrides);
    let plan = world.plan();
    let sets = plan.apply.iter().filter(|write| write.reference.kind == "StrimziPodSet");
    assert_eq!(sets.count(), 0, "what runs is left as it is");
    condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned()
}

/// Words in backquotes.
fn words(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_documentation_lists_exactly_what_an_override_may_change() {
    let page = include_str!("../../../../docs/extensions.md");
    let allowed = |what: &str| {
        let (_, fields) = ALLOWED.iter().find(|(kind, _)| *kind == what).unwrap();
        let name = |field: &&'static str| field.trim_start_matches("spec.").trim_start_matches("ports[].");
        fields.iter().map(name).collect::<BTreeSet<&str>>()
    };
    let (_, table) = page.split_once("| kind | what may be changed |\n|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let mut kinds = BTreeSet::new();
    for row in rows {
        let (kind, told) = row.trim_matches(['|', ' ']).split_once(" | ").unwrap();
        let kind = kind.trim_matches('`');
        let mut expected = allowed(kind);
        match kind {
            "Pod" => expected.extend(allowed("container").into_iter().chain(["/mnt"])),
            "Deployment" => expected.extend(["template", "Pod"]),
            _ => {}
        }
        assert_eq!(words(told), expected, "{kind}");
        kinds.insert(kind);
    }
    let all: BTreeSet<&str> = ALLOWED.iter().map(|(kind, _)| *kind).collect();
    let others = BTreeSet::from(["container", "volume"]);
    assert_eq!(kinds, all.difference(&others).copied().collect());
    let (_, volumes) = page.split_once("Volumes that are added are of the kinds ").unwrap();
    let (volumes, _) = volumes.split_once('(').unwrap();
    assert_eq!(words(volumes), allowed("volume"));
}

#[test]
fn a_patch_of_a_pod_restarts_the_pods_that_it_is_for_and_no_other() {
    let mut world = world();
    world.settle();
    let before = world.plan();
    wish(
        &mut world,
        json!({"Pod/my-dual-1": {
            "metadata": {"labels": {"team": "a"}, "annotations": {"example.org/x": "y"}},
            "spec": {"runtimeClassName": "gvisor", "containers": [
                {"name": "kafka", "env": [{"name": "TZ", "value": "UTC"}], "readinessProbe": {"periodSeconds": 7}}]}}}),
    );
    let after = world.plan();
    let (old, new) = (revisions(&before), revisions(&after));
    assert!(old[0] == new[0] && old[1] != new[1] && old[2] == new[2]);
    let wanted: Vec<i32> = after.roll.wanted.iter().map(|restart| restart.node).collect();
    assert_eq!(wanted, [1]);
    let changed = pod(&after, "my-dual-1");
    assert_eq!(changed["metadata"]["labels"]["team"], "a");
    assert_eq!(changed["metadata"]["labels"]["strimzi.io/cluster"], "my");
    assert_eq!(changed["metadata"]["annotations"]["example.org/x"], "y");
    assert_eq!(changed["spec"]["runtimeClassName"], "gvisor");
    let kafka = &changed["spec"]["containers"][0];
    assert!(kafka["env"].as_array().unwrap().contains(&json!({"name": "TZ", "value": "UTC"})));
    assert_eq!(kafka["readinessProbe"]["periodSeconds"], 7);
    assert!(kafka["readinessProbe"]["exec"].is_object(), "the rest of the probe stays");
    assert_eq!(kafka["image"], pod(&before, "my-dual-1")["spec"]["containers"][0]["image"]);
    // What says the same as the operator changes nothing.
    wish(&mut world, json!({"Pod": {"spec": {"containers": [{"name": "kafka"}]}}}));
    assert_eq!(revisions(&world.plan()), old);
    wish(&mut world, Value::Null);
    assert_eq!(revisions(&world.plan()), old);
}

#[test]
fn a_container_of_the_users_own_runs_beside_kafka_with_volumes_of_their_own() {
    let mut world = world();
    wish(
        &mut world,
        json!({"Pod/my-dual-*": {"spec": {
            "volumes": [{"name": "logs", "emptyDir": {"sizeLimit": "10Mi"}}],
            "containers": [
                {"name": "kafka", "volumeMounts": [{"name": "logs", "mountPath": "/mnt/logs"}]},
                {"name": "shipper", "image": "example.org/shipper:1", "volumeMounts": [{"name": "logs", "mountPath": "/logs"}],
                    "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}}}),
    );
    let plan = world.settle();
    assert!(condition(&plan, "Ready").is_some(), "{:?}", condition(&plan, "NotReady"));
    for name in ["my-dual-0", "my-dual-2"] {
        let pod = pod(&plan, name);
        let containers = pod["spec"]["containers"].as_array().unwrap();
        assert_eq!((containers.len(), &containers[0]["name"]), (2, &json!("kafka")));
        assert_eq!(containers[1]["image"], "example.org/shipper:1");
    }
}

#[test]
fn other_kinds_are_patched_by_kind_or_name() {
    let mut world = world();
    wish(
        &mut world,
        json!({
            "Service": {"metadata": {"annotations": {"mesh": "on"}}},
            "Service/my-kafka-bootstrap": {"spec": {"internalTrafficPolicy": "Local",
                "ports": [{"port": 9092, "appProtocol": "kafka"}]}},
            "Deployment/my-entity-operator": {"spec": {"progressDeadlineSeconds": 90,
                "template": {"spec": {"runtimeClassName": "gvisor"}}}},
            "PodDisruptionBudget": {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}},
            "ServiceAccount/my-kafka": {"imagePullSecrets": [{"name": "registry"}]},
        }),
    );
    let plan = world.settle();
    assert!(condition(&plan, "Ready").is_some(), "{:?}", condition(&plan, "NotReady"));
    let bootstrap = object(&plan, "Service", "my-kafka-bootstrap");
    assert_eq!(bootstrap["metadata"]["annotations"]["mesh"], "on");
    assert_eq!(bootstrap["spec"]["internalTrafficPolicy"], "Local");
    let ports = bootstrap["spec"]["ports"].as_array().unwrap();
    let plain = ports.iter().find(|port| port["port"] == 9092).unwrap();
    assert_eq!((&plain["appProtocol"], &plain["name"]), (&json!("kafka"), &json!("tcp-clients")));
    let brokers = object(&plan, "Service", "my-kafka-brokers");
    assert_eq!(brokers["metadata"]["annotations"]["mesh"], "on");
    assert!(brokers["spec"]["internalTrafficPolicy"].is_null());
    let deployment = object(&plan, "Deployment", "my-entity-operator");
    assert_eq!(deployment["spec"]["template"]["spec"]["runtimeClassName"], "gvisor");
    let budget = object(&plan, "PodDisruptionBudget", "my-kafka");
    assert_eq!(budget["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow");
    assert_eq!(object(&plan, "ServiceAccount", "my-kafka")["imagePullSecrets"][0]["name"], "registry");
    // Carried out, it is no difference any more.
    world.apply(&plan);
    let again = world.plan();
    let kinds = ["Deployment", "PodDisruptionBudget", "Service", "ServiceAccount"];
    let patched = again.apply.iter().filter(|write| kinds.contains(&write.reference.kind.as_str()));
    let changed = patched.filter(|write| !matches!(write.change, objects::Change::Keep));
    assert_eq!(changed.map(|write| &write.reference.name).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// What may not be changed, and where the message says it is.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("Pod", r#"{"metadata": {"name": "other"}}"#, "metadata.name is the operator's"),
    ("Pod", r#"{"metadata": {"namespace": "other"}}"#, "metadata.namespace is the operator's"),
    ("Pod", r#"{"metadata": {"finalizers": ["a/b"]}}"#, "metadata.finalizers"),
    (
        "Pod",
        r#"{"metadata": {"labels": {"strimzi.io/cluster": "other"}}}"#,
        "metadata.labels.strimzi.io/cluster is",
    ),
    ("Pod", r#"{"metadata": {"labels": {"strimzi.io/new": "x"}}}"#, "metadata.labels.strimzi.io/new is"),
    (
        "Pod",
        r#"{"metadata": {"labels": {"strimzi.io/cluster": null}}}"#,
        "metadata.labels.strimzi.io/cluster is",
    ),
    ("Pod", r#"{"metadata": {"labels": {"a b": "x"}}}"#, "metadata.labels.a b is no label"),
    (
        "Pod",
        r#"{"metadata": {"annotations": {"kastellan.io/trusted-cluster-cas": "x"}}}"#,
        "annotations.kastellan.io/",
    ),
    ("Pod", r#"{"spec": {"serviceAccountName": "other"}}"#, "spec.serviceAccountName is the operator's"),
    ("Pod", r#"{"spec": {"automountServiceAccountToken": true}}"#, "spec.automountServiceAccountToken"),
    ("Pod", r#"{"spec": {"securityContext": {"runAsUser": 0}}}"#, "spec.securityContext.runAsUser"),
    ("Pod", r#"{"spec": {"hostNetwork": true}}"#, "spec.hostNetwork"),
    ("Pod", r#"{"spec": {"hostPID": true, "hostIPC": true}}"#, "spec.hostIPC"),
    ("Pod", r#"{"spec": {"shareProcessNamespace": true}}"#, "spec.shareProcessNamespace"),
    ("Pod", r#"{"spec": {"nodeName": "worker"}}"#, "spec.nodeName"),
    ("Pod", r#"{"spec": {"restartPolicy": "Never"}}"#, "spec.restartPolicy"),
    (
        "Pod",
        r#"{"spec": {"ephemeralContainers": [{"name": "x", "image": "y"}]}}"#,
        "spec.ephemeralContainers",
    ),
    ("Pod", r#"{"spec": {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}}"#, "of the kind hostPath"),
    ("Pod", r#"{"spec": {"volumes": [{"name": "x", "secret": {"secretName": "s"}}]}}"#, "of the kind secret"),
    ("Pod", r#"{"spec": {"volumes": [{"name": "x", "csi": {"driver": "s"}}]}}"#, "of the kind csi"),
    (
        "Pod",
        r#"{"spec": {"volumes": [{"name": "x", "projected": {"sources": [{"secret": {"name": "s"}}]}}]}}"#,
        "projects secret",
    ),
    (
        "Pod",
        r#"{"spec": {"volumes": [{"name": "x", "projected": {"sources": [{"serviceAccountToken": {"path": "s"}}]}}]}}"#,
        "projects serviceAccountToken",
    ),
    (
        "Pod",
        r#"{"spec": {"volumes": [{"name": "node-certs", "secret": {"secretName": "s"}}]}}"#,
        "spec.volumes[node-certs]",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "kafka", "image": "other"}]}}"#,
        "spec.containers[kafka].image is",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "kafka", "command": ["sh"]}]}}"#,
        "spec.containers[kafka].command is",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "kafka", "args": ["x"]}]}}"#,
        "spec.containers[kafka].args is",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "kafka", "lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}]}}"#,
        "spec.containers[kafka].lifecycle",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "kafka", "livenessProbe": {"exec": {"command": ["true"]}}}]}}"#,
        "spec.containers[kafka].livenessProbe.exec.command",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "kafka", "securityContext": {"privileged": true}}]}}"#,
        "spec.containers[kafka].securityContext.privileged",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "kafka", "env": [{"name": "KAFKA_CLUSTER_NAME", "value": "x"}]}]}}"#,
        "spec.containers[kafka].env[KAFKA_CLUSTER_NAME].value is",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "kafka", "env": [{"name": "JAVA_HOME", "value": "x"}]}]}}"#,
        "JAVA_HOME",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "kafka", "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]}}"#,
        "out of a Secret",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "kafka", "envFrom": [{"configMapRef": {"name": "s"}}]}]}}"#,
        "spec.containers[kafka].envFrom",
    ),
    (
        "Pod",
        r#"{"spec": {"volumes": [{"name": "x", "emptyDir": {}}], "containers": [{"name": "kafka", "volumeMounts": [{"name": "x", "mountPath": "/opt/kafka/libs"}]}]}}"#,
        "is not below /mnt",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "side", "image": "x", "volumeMounts": [{"name": "node-certs", "mountPath": "/x"}]}]}}"#,
        "mounts \"node-certs\"",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "side", "image": "x", "securityContext": {"privileged": true}}]}}"#,
        "securityContext.privileged",
    ),
    (
        "Pod",
        r#"{"spec": {"initContainers": [{"name": "side", "image": "x", "securityContext": {"runAsUser": 0}}]}}"#,
        "securityContext.runAsUser",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "side", "image": "x", "ports": [{"containerPort": 1, "hostPort": 1}]}]}}"#,
        "has hostPort",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "side", "image": "x", "envFrom": [{"secretRef": {"name": "s"}}]}]}}"#,
        "out of a Secret",
    ),
    (
        "Pod",
        r#"{"spec": {"containers": [{"name": "kakfa", "resources": {}}]}}"#,
        "spec.containers[kakfa] is no container",
    ),
    ("Pod", r#"{"spec": {"containers": null}}"#, "spec.containers is the operator's"),
    (
        "Pod",
        r#"{"spec": {"tolerations": "x"}}"#,
        "makes no Pod of it: a value of another type stands where a sequence is expected; docs",
    ),
    ("Pod", r#"{"spec": {"toleration": []}}"#, "spec.toleration is not known to a Pod"),
    ("Pod", r#"{"status": {"phase": "Failed"}}"#, "status.phase is"),
    ("Service", r#"{"spec": {"selector": {"a": "b"}}}"#, "spec.selector.a is"),
    ("Service", r#"{"spec": {"type": "ExternalName"}}"#, "spec.type is"),
    ("Service", r#"{"spec": {"externalIPs": ["1.2.3.4"]}}"#, "spec.externalIPs is"),
    (
        "Service",
        r#"{"spec": {"ports": [{"port": 9091, "targetPort": 1}]}}"#,
        "spec.ports[9091,TCP].targetPort is",
    ),
    (
        "Deployment",
        r#"{"spec": {"selector": {"matchLabels": {"a": "b"}}}}"#,
        "spec.selector.matchLabels.a is",
    ),
    ("Deployment", r#"{"spec": {"replicas": 0}}"#, "spec.replicas is"),
    (
        "Deployment",
        r#"{"spec": {"template": {"spec": {"containers": [{"name": "topic-operator", "image": "x"}]}}}}"#,
        "spec.template.spec.containers[topic-operator].image is",
    ),
    (
        "Deployment",
        r#"{"spec": {"template": {"spec": {"serviceAccountName": "x"}}}}"#,
        "spec.template.spec.serviceAccountName",
    ),
    ("PodDisruptionBudget", r#"{"spec": {"selector": null}}"#, "spec.selector is"),
    ("ServiceAccount", r#"{"secrets": [{"name": "x"}]}"#, "secrets"),
    ("Secret", "{}", "does not name a kind that can be overridden"),
    ("ConfigMap", r#"{"data": {"server.config": "x"}}"#, "data.server.config is"),
    ("NetworkPolicy", r#"{"spec": {"ingress": []}}"#, "spec.ingress is"),
    ("PersistentVolumeClaim", r#"{"spec": {"storageClassName": "x"}}"#, "spec.storageClassName is"),
    (
        "PersistentVolumeClaim",
        r#"{"metadata": {"annotations": {"strimzi.io/delete-claim": "true"}}}"#,
        "metadata.annotations.strimzi.io/delete-claim is",
    ),
    ("RoleBinding", r#"{"subjects": []}"#, "subjects is"),
    ("Role", r#"{"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}"#, "rules is"),
    ("StrimziPodSet", "{}", "does not name a kind"),
    ("Pod/", "{}", "has no name of an object"),
    ("Pod/A*", "{}", "has no name of an object"),
];

#[test]
fn what_an_override_may_not_change_is_refused_and_named() {
    for (key, patch, part) in FORBIDDEN {
        let patch: Value = serde_json::from_str(patch).unwrap();
        let message = refusal(json!({*key: patch}));
        assert!(message.contains(&format!("spec.objectOverrides.{key}: ")), "{key} {patch}\n{message}");
        assert!(message.contains(part), "{key} {patch}\n{message}");
    }
    let message = refusal(
        json!({"Pod": {"spec": {"hostPID": true}}, "Service": {"spec": {"type": "X"}}, "Secret": {}}),
    );
    assert!(message.contains("spec.objectOverrides.Secret"), "{message}");
    let message = refusal(json!({"Pod": {"spec": {"hostPID": true}}, "Service": {"spec": {"type": "X"}}}));
    assert!(message.contains("spec.hostPID") && message.contains("spec.type"), "all at once: {message}");
    let long = "x".repeat(20_000);
    let message = refusal(json!({"Pod": {"metadata": {"annotations": {"a": long}}}}));
    assert!(message.contains("longer than 16 KiB") && message.len() < 1000, "{message}");
}

#[test]
fn the_nodes_that_a_rack_needs_cannot_be_taken_from_it() {
    let mut world = world();
    world.kafka(|kafka| kafka["spec"]["kafka"]["rack"] = json!({"topologyKey": "zone"}));
    let terms = json!([{"matchExpressions": [{"key": "disk", "operator": "Exists"}]}]);
    let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
    let spread = json!({"preferredDuringSchedulingIgnoredDuringExecution": []});
    wish(
        &mut world,
        json!({"Pod": {"spec": {"affinity": {"nodeAffinity": required, "podAntiAffinity": spread}}}}),
    );
    let plan = world.plan();
    let message = condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("nodeSelectorTerms holds the nodes that a rack"), "{message}");
    assert!(!message.contains("podAntiAffinity"), "{message}");
    wish(&mut world, json!({"Pod": {"spec": {"affinity": {"podAntiAffinity": spread}}}}));
    assert!(condition(&world.settle(), "Ready").is_some());
}

#[test]
fn no_value_of_an_override_reaches_the_status() {
    let message = refusal(json!({"Pod": {"spec": {"containers": [
        {"name": "kafka", "env": [{"name": "KAFKA_CLUSTER_NAME", "value": "hunter2"}], "command": ["hunter2"]}]}}}));
    assert!(!message.contains("hunter2"), "{message}");
    let message = refusal(json!({"Pod": {"spec": {"tolerations": "hunter2"}}}));
    assert!(message.contains("makes no Pod of it") && !message.contains("hunter2"), "{message}");
}

#[test]
fn an_installation_that_does_not_allow_it_refuses_it() {
    let mut world = World::load("dual-role.input.yaml");
    wish(&mut world, json!({"Pod": {"spec": {"runtimeClassName": "gvisor"}}}));
    let message = condition(&world.plan(), "NotReady").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("KASTELLAN_OBJECT_OVERRIDES=true"), "{message}");
    wish(&mut world, json!({}));
    assert!(condition(&world.settle(), "Ready").is_some());
}

#[test]
fn an_override_that_names_nothing_is_warned_of() {
    let mut world = world();
    wish(&mut world, json!({"Pod/my-dial-*": {"spec": {"runtimeClassName": "gvisor"}}}));
    let plan = world.settle();
    assert!(condition(&plan, "Ready").is_some());
    assert!(warning_with(&plan, "ObjectOverrideWithoutObject").unwrap().contains("Pod/my-dial-*"));
}

#[test]
fn the_example_is_carried_out() {
    let mut world = World::new(common::documents(include_str!("../../../../examples/object-overrides.yaml")));
    allow(&mut world);
    let plan = world.settle();
    assert!(condition(&plan, "Ready").is_some(), "{:?}", condition(&plan, "NotReady"));
    assert!(warning_with(&plan, "ObjectOverrideWithoutObject").is_none());
    let set = object(&plan, "StrimziPodSet", "patched-dual");
    let spec = &set["spec"]["pods"][0]["spec"];
    assert_eq!(spec["runtimeClassName"], "gvisor");
    assert_eq!(spec["containers"][1]["name"], "shipper");
    assert_eq!(
        object(&plan, "Service", "patched-kafka-bootstrap")["spec"]["trafficDistribution"],
        "PreferClose"
    );
}

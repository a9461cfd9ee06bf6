//! Values of what a resource can say beyond the contract, and of annotations with JSON: a schema says too little of either.

use planner::overrides::ALLOWED;
use serde_json::{Map, Value, json};

use super::generate::{Random, TEXTS, anything, free_object};

/// Kinds whose labels and annotations alone can be overridden, and names that are none.
const OTHER_KINDS: &[&str] = &[
    "ClusterRoleBinding",
    "ConfigMap",
    "NetworkPolicy",
    "Role",
    "RoleBinding",
    "Route",
    "TLSRoute",
    "Secret",
    "StrimziPodSet",
    "pod",
    "",
];

/// What comes behind a kind.
const NAMES: &[&str] = &[
    "my-nodes-0",
    "my-nodes-*",
    "my-kafka-*",
    "my-controller-*",
    "my-kafka-bootstrap",
    "my-kafka-first-bootstrap",
    "data-my-nodes-0",
    "my-entity-operator",
    "my-kafka",
    "my-*",
    "*",
    "",
    "a/b",
    "**",
];

/// Patches that an override may have, and some that it may not.
const PATCHES: &[&str] = &[
    r#"{"metadata": {"labels": {"team": "a"}, "annotations": {"example.org/x": "y"}}}"#,
    r#"{"metadata": {"labels": {"strimzi.io/cluster": "b"}}}"#,
    r#"{"metadata": {"name": "other", "ownerReferences": []}}"#,
    r#"{"spec": {"runtimeClassName": "gvisor", "nodeSelector": {"disk": "fast"}, "terminationGracePeriodSeconds": 5}}"#,
    r#"{"spec": {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}}}"#,
    r#"{"spec": {"tolerations": [{"operator": "Exists"}], "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]}}"#,
    r#"{"spec": {"containers": [{"name": "kafka", "resources": {"limits": {"memory": "2Gi"}}, "livenessProbe": {"periodSeconds": 30}}]}}"#,
    r#"{"spec": {"containers": [{"name": "kafka", "env": [{"name": "MY_VARIABLE", "value": "a"}], "ports": [{"name": "own", "containerPort": 7000}]}]}}"#,
    r#"{"spec": {"volumes": [{"name": "outbox", "emptyDir": {}}], "containers": [{"name": "kafka", "volumeMounts": [{"name": "outbox", "mountPath": "/mnt/outbox"}]},
        {"name": "shipper", "image": "a/b:1", "volumeMounts": [{"name": "outbox", "mountPath": "/outbox"}], "securityContext": {"allowPrivilegeEscalation": false}}]}}"#,
    r#"{"spec": {"initContainers": [{"name": "first", "image": "a/b:1"}], "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a"]}]}}"#,
    r#"{"spec": {"containers": null, "serviceAccountName": "root", "hostNetwork": true}}"#,
    r#"{"spec": {"containers": [{"$patch": "delete", "name": "kafka"}], "$setElementOrder/containers": []}}"#,
    r#"{"spec": {"minReadySeconds": 5, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}, "template": {"spec": {"priorityClassName": "high"}}}}"#,
    r#"{"spec": {"trafficDistribution": "PreferClose", "sessionAffinity": "ClientIP", "ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"]}}"#,
    r#"{"spec": {"ports": [{"name": "own", "port": 7000, "targetPort": 7000}, {"name": "tcp-plain", "port": 9092, "appProtocol": "kafka"}]}}"#,
    r#"{"spec": {"loadBalancerClass": "a/b", "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000}}"#,
    r#"{"spec": {"maxUnavailable": 2, "minAvailable": null}}"#,
    r#"{"spec": {"maxUnavailable": "50%", "unhealthyPodEvictionPolicy": "AlwaysAllow"}}"#,
    r#"{"imagePullSecrets": [{"name": "registry"}]}"#,
    r#"{"spec": {"ingressClassName": "public"}}"#,
    r#"{"spec": {"volumeAttributesClassName": "fast"}}"#,
    r#"{"data": {"server.config": "broker.id=7"}}"#,
    r#"{"spec": null}"#,
    "{}",
];

/// `spec.objectOverrides`.
pub(super) fn object_overrides(random: &mut Random) -> Value {
    let kinds: Vec<&str> = ALLOWED.iter().map(|(kind, _)| *kind).chain(OTHER_KINDS.iter().copied()).collect();
    let mut overrides = Map::new();
    for _ in 0..=random.below(3) {
        let kind = *random.pick(&kinds);
        let key = if random.happens(60) { kind.to_owned() } else { format!("{kind}/{}", random.pick(NAMES)) };
        let mut patch: Value = serde_json::from_str(random.pick::<&str>(PATCHES)).unwrap();
        if random.happens(30) {
            damage(&mut patch, random);
        }
        if !patch.is_object() || random.happens(5) {
            patch = free_object(random, 0);
        }
        overrides.insert(key, patch);
    }
    Value::Object(overrides)
}

/// Puts something else in the place of some part of a value.
fn damage(value: &mut Value, random: &mut Random) {
    let inner: Vec<&mut Value> = match value {
        Value::Object(object) => object.values_mut().collect(),
        Value::Array(items) => items.iter_mut().collect(),
        _ => Vec::new(),
    };
    let count = inner.len();
    if count == 0 || random.happens(30) {
        *value = anything(random, 1);
    } else if let Some(part) = inner.into_iter().nth(random.below(count)) {
        damage(part, random);
    }
}

/// `spec.kafka.nodeConfig`.
pub(super) fn node_config(random: &mut Random) -> Value {
    const NODES: &[&str] = &[
        "0",
        "0-3",
        "0, 3-5",
        "1000",
        "999-1001",
        "5-1",
        "0-2147483647",
        "0-99999999999999999999",
        "-1",
        "0,,1",
        "٣",
    ];
    const OPTIONS: &[&str] = &[
        r#"{"num.io.threads": 9}"#,
        r#"{"num.io.threads": "many", "broker.id": 3}"#,
        r#"{"log.retention.ms": 1000, "my.plugin": "${x}"}"#,
        r#"{"min.insync.replicas": 2}"#,
        r#"{"log.cleaner.threads": 2, "compression.type": "zstd"}"#,
    ];
    let mut all = Map::new();
    // What is right comes first, and often.
    for _ in 0..=random.below(2) {
        let nodes = match random.below(100) {
            0..50 => random.pick(&NODES[..3]),
            50..85 => random.pick(NODES),
            _ => random.pick(TEXTS),
        };
        let options = if random.happens(40) {
            serde_json::from_str(OPTIONS[0]).unwrap()
        } else if random.happens(70) {
            serde_json::from_str(random.pick::<&str>(OPTIONS)).unwrap()
        } else {
            free_object(random, 0)
        };
        all.insert((*nodes).to_owned(), options);
    }
    Value::Object(all)
}

/// A listener that can have a single address.
pub(super) fn listener_with_one_address(random: &mut Random) -> Value {
    let type_ = random.pick(&["loadbalancer", "nodeport", "cluster-ip"]);
    json!([{"name": "first", "port": 9094, "type": type_, "tls": random.happens(70),
        "configuration": {"singleAddress": {}}}])
}

/// What the annotation for the security inside of a cluster says: valid JSON, mostly of types that there are.
pub(super) fn internal_security(random: &mut Random) -> String {
    let encryption = random.pick(&["strimzi-tls", "none", "none", "tls"]);
    let authentication = random.pick(&["strimzi-mtls", "none", "none", ""]);
    let mut said = json!({"encryption": {"type": encryption}, "authentication": {"type": authentication}});
    if random.happens(15) {
        damage(&mut said, random);
    }
    said.to_string()
}

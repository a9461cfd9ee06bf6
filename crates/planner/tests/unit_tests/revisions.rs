//! Revisions of pods: what means the same restarts nothing, what means something else does, and a new version of the
//! operator restarts nothing at all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test stops at the first surprise"
)]

use crate::common;

use common::connect::{self, Connect};
use common::mirror::Mirror;
use common::{World, object};
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

/// A cluster with these resources, template and options of the virtual machine in its pool.
fn world(pool: &Value) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.pool(0, |resource| {
        for (key, value) in pool.as_object().unwrap() {
            resource["spec"][key.as_str()] = value.clone();
        }
    });
    world
}

/// Why a change from one pool to the other restarts pods; empty: it does not.
fn notes(before: &Value, after: &Value) -> Vec<String> {
    let mut world = world(before);
    world.settle();
    world.pool(0, |resource| {
        for (key, value) in after.as_object().unwrap() {
            resource["spec"][key.as_str()] = value.clone();
        }
    });
    world.plan().roll.wanted.into_iter().flat_map(|restart| restart.notes).collect()
}

fn resources(requests: Value, limits: Value) -> Value {
    json!({"resources": {"requests": requests, "limits": limits}})
}

fn template(pod: Value, container: Value) -> Value {
    json!({"template": {"pod": pod, "kafkaContainer": container}})
}

/// Pools that mean the same.
fn same() -> Vec<(Value, Value)> {
    let volume = |name: &str| json!({"name": name, "secret": {"secretName": name}});
    let mount = |name: &str| json!({"name": name, "mountPath": format!("/mnt/{name}")});
    let variable = |name: &str| json!({"name": name, "value": "x"});
    let toleration = |key: &str| json!({"key": key, "operator": "Exists"});
    vec![
        (
            resources(
                json!({"cpu": "250m", "memory": "0.75Gi"}),
                json!({"cpu": "1000m", "memory": "1610612736"}),
            ),
            resources(json!({"cpu": "0.25", "memory": "768Mi"}), json!({"cpu": "1", "memory": "1536Mi"})),
        ),
        (resources(json!({"cpu": 1}), json!({})), resources(json!({"cpu": "1e0"}), NONE)),
        (resources(json!({"memory": "1G"}), json!({})), resources(json!({"memory": "1000000k"}), json!({}))),
        (
            template(json!({"tmpDirSizeLimit": "1Gi"}), NONE),
            template(json!({"tmpDirSizeLimit": "1024Mi"}), NONE),
        ),
        (
            template(json!({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]}), NONE),
            template(json!({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1024Mi"}}]}), NONE),
        ),
        // The order of what has names of its own.
        (
            template(
                json!({"volumes": [volume("a"), volume("b")], "tolerations": [toleration("a"), toleration("b")],
                    "imagePullSecrets": [{"name": "a"}, {"name": "b"}]}),
                json!({"volumeMounts": [mount("a"), mount("b")], "env": [variable("A"), variable("B")]}),
            ),
            template(
                json!({"volumes": [volume("b"), volume("a")], "tolerations": [toleration("b"), toleration("a")],
                    "imagePullSecrets": [{"name": "b"}, {"name": "a"}]}),
                json!({"volumeMounts": [mount("b"), mount("a")], "env": [variable("B"), variable("A")]}),
            ),
        ),
        // What Kubernetes fills in, and what says nothing.
        (
            template(
                json!({"volumes": [{"name": "v", "secret": {"secretName": "s"}}], "tolerations": []}),
                json!({"volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}]}),
            ),
            template(
                json!({"volumes": [{"name": "v", "secret": {"secretName": "s", "defaultMode": 420, "optional": false}}],
                    "affinity": {}, "metadata": {"labels": {}}}),
                json!({"volumeMounts": [{"name": "v", "mountPath": "/mnt/v", "readOnly": false}], "env": []}),
            ),
        ),
        (
            json!({"jvmOptions": {"-Xms": "1g", "-Xmx": "1G"}}),
            json!({"jvmOptions": {"-Xms": "1024m", "-Xmx": "1048576K"}}),
        ),
    ]
}

/// Pools that differ.
fn different() -> Vec<(Value, Value)> {
    let variables = |first: &str, second: &str| json!({"env": [{"name": "A", "value": first}, {"name": "B", "value": second}]});
    let mut swapped = variables("x", "$(A)");
    swapped["env"].as_array_mut().unwrap().reverse();
    vec![
        (resources(json!({"cpu": "250m"}), NONE), resources(json!({"cpu": "251m"}), NONE)),
        (resources(json!({"memory": "1Gi"}), NONE), resources(json!({"memory": "1G"}), NONE)),
        (template(NONE, variables("x", "y")), template(NONE, variables("x", "z"))),
        // One variable refers to the other, so their order counts.
        (template(NONE, variables("x", "$(A)")), template(NONE, swapped)),
        (template(json!({"enableServiceLinks": false}), NONE), template(NONE, NONE)),
        (
            template(json!({"securityContext": {"runAsUser": 0}}), NONE),
            template(json!({"securityContext": {}}), NONE),
        ),
        (
            template(json!({"metadata": {"labels": {"protocol": "TCP"}}}), NONE),
            template(json!({"metadata": {"labels": {}}}), NONE),
        ),
        (
            template(json!({"metadata": {"annotations": {"limits": "1"}}}), NONE),
            template(json!({"metadata": {"annotations": {"limits": "1000m"}}}), NONE),
        ),
        (json!({"jvmOptions": {"-Xmx": "1g"}}), json!({"jvmOptions": {"-Xmx": "1025m"}})),
    ]
}

const NONE: Value = Value::Null;

#[test]
fn what_means_the_same_restarts_nothing() {
    for (one, other) in same() {
        for (before, after) in [(&one, &other), (&other, &one)] {
            assert_eq!(notes(before, after), Vec::<String>::new(), "{before} to {after}");
        }
    }
}

#[test]
fn what_means_something_else_restarts_every_pod() {
    for (one, other) in different() {
        for (before, after) in [(&one, &other), (&other, &one)] {
            assert_eq!(notes(before, after).len(), 3, "{before} to {after}");
        }
    }
}

/// Name, input, and what is changed in it.
type Golden = (&'static str, &'static str, fn(&mut World));

const GOLDEN: &[Golden] = &[
    ("dual roles", "dual-role.input.yaml", |_| {}),
    ("brokers with a rack and two claims", "split-pools.input.yaml", |_| {}),
    ("controllers", "split-pools.input.yaml", |world| world.observed.pools.swap(0, 1)),
    ("no resources", "dual-role.input.yaml", |world| world.pool(0, |pool| pool["spec"]["resources"] = NONE)),
    ("resources in odd units", "dual-role.input.yaml", |world| {
        world.pool(0, |pool| {
            pool["spec"]["resources"] =
                json!({"requests": {"cpu": "0.25", "memory": "0.75Gi"}, "limits": {"cpu": 2, "memory": "1e9"}});
        });
    }),
    ("one ephemeral volume with a limit", "dual-role.input.yaml", |world| {
        world.pool(0, |pool| pool["spec"]["storage"] = json!({"type": "ephemeral", "sizeLimit": "2048Mi"}));
    }),
    ("one claim", "dual-role.input.yaml", |world| {
        world.pool(0, |pool| pool["spec"]["storage"] = json!({"type": "persistent-claim", "size": "1Gi"}));
    }),
    ("a rack from a variable", "dual-role.input.yaml", |world| {
        world.kafka(|kafka| {
            kafka["spec"]["kafka"]["rack"] = json!({"type": "environment-variable", "envVarName": "ZONE"});
        });
    }),
    ("a template of the pod", "split-pools.input.yaml", |world| {
        world.kafka(|kafka| {
            kafka["spec"]["kafka"]["template"]["pod"] = json!({
                "metadata": {"labels": {"team": "a"}, "annotations": {"example.com/inject": "true"}},
                "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd", "nvme"]}]}]}}},
                "tolerations": [{"key": "kafka", "operator": "Exists", "effect": "NoSchedule"}],
                "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
                "terminationGracePeriodSeconds": 120, "priorityClassName": "high", "enableServiceLinks": false,
                "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a", "b"]}], "tmpDirSizeLimit": "10Mi",
                "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
                "securityContext": {"runAsUser": 1000, "fsGroup": 0},
            });
        });
    }),
    ("templates of the containers", "dual-role.input.yaml", |world| {
        world.pool(0, |pool| {
            pool["spec"]["template"] = json!({
                "pod": {
                    "volumes": [{"name": "v", "secret": {"secretName": "s", "items": [{"key": "a", "path": "b"}]}}],
                    "templatedVolumes": [{"name": "t", "persistentVolumeClaim": {"claimName": "t-{nodeId}"}}],
                },
                "kafkaContainer": {
                    "env": [
                        {"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"},
                        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": true}}},
                    ],
                    "volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}, {"name": "t", "mountPath": "/mnt/t", "readOnly": true}],
                    "securityContext": {"privileged": false, "capabilities": {"add": ["NET_ADMIN"]}},
                },
                "initContainer": {"env": [{"name": "A", "value": "1"}]},
            });
        });
    }),
    ("settings of the operator", "dual-role.input.yaml", |world| {
        let settings = std::sync::Arc::make_mut(&mut world.observed.settings);
        settings.image_pull_policy = Some("Always".to_owned());
        settings.image_pull_secrets = vec!["one".to_owned(), "two".to_owned()];
        settings.shared_environment.insert("HTTP_PROXY".to_owned(), "http://proxy".to_owned());
        settings.custom_kafka_labels.insert("istio".to_owned(), "off".to_owned());
    }),
    ("an image and probes of its own", "dual-role.input.yaml", |world| {
        world.kafka(|kafka| {
            kafka["spec"]["kafka"]["image"] = json!("example.com/kafka@sha256:0");
            kafka["spec"]["kafka"]["livenessProbe"] =
                json!({"initialDelaySeconds": 15, "timeoutSeconds": 10});
        });
    }),
    ("listeners", "dual-role.input.yaml", |world| {
        world.kafka(|kafka| {
            kafka["spec"]["kafka"]["listeners"] = json!([
                {"name": "one", "port": 9095, "type": "internal", "tls": true},
                {"name": "two", "port": 9096, "type": "internal", "tls": false},
            ]);
        });
    }),
];

/// Name, and what is changed in the spec of the resource.
type GoldenWorkers = (&'static str, fn(&mut Value));

const GOLDEN_CONNECT: &[GoldenWorkers] = &[
    ("workers", |_| {}),
    ("workers with a rack, metrics and logging", |spec| {
        spec["rack"] = json!({"topologyKey": "topology.kubernetes.io/zone"});
        spec["metricsConfig"] = json!({"type": "strimziMetricsReporter"});
        spec["logging"] = json!({"type": "inline", "loggers": {"rootLogger.level": "WARN"}});
    }),
    ("workers with templates and options of the virtual machine", |spec| {
        spec["jvmOptions"] =
            json!({"-Xms": "512m", "-Xmx": "1g", "javaSystemProperties": [{"name": "a", "value": "b"}]});
        spec["livenessProbe"] = json!({"initialDelaySeconds": 15, "timeoutSeconds": 10});
        spec["template"] = json!({
            "pod": {
                "metadata": {"labels": {"team": "a"}, "annotations": {"example.com/inject": "true"}},
                "tolerations": [{"key": "kafka", "operator": "Exists", "effect": "NoSchedule"}],
                "volumes": [{"name": "v", "secret": {"secretName": "s"}}],
            },
            "connectContainer": {
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"}],
                "volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}],
            },
        });
    }),
];

/// What the first pod of a pod set would be restarted for, in one line.
fn golden_line(name: &str, set: &Value) -> String {
    let annotations = &set["spec"]["pods"][0]["metadata"]["annotations"];
    let of = |key: &str| annotations[key].as_str().unwrap();
    let (revision, resources) = (of("strimzi.io/revision"), of("strimzi.io/resource-revision"));
    format!("{revision} {resources} {} {name}\n", of("strimzi.io/configuration-hash"))
}

/// A pod that runs is restarted when the revisions, or the fingerprint of its configuration, that the operator computes for it are
/// others. So a difference here means that the new version of the operator restarts every pod of every cluster once. If that is
/// really meant, the file is to be replaced by the text that the test shows.
#[test]
fn revisions_are_those_of_former_versions_of_the_operator() {
    let mut found = String::new();
    for (name, file, change) in GOLDEN {
        let mut world = World::load(file);
        change(&mut world);
        let pool = world.observed.pools[0].metadata.name.clone().unwrap();
        world.observed.pools.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        let plan = world.plan();
        let cluster = world.observed.kafka.as_ref().unwrap().metadata.name.clone().unwrap();
        let set = object(&plan, "StrimziPodSet", &format!("{cluster}-{pool}"));
        found.push_str(&golden_line(name, set));
    }
    for (name, change) in GOLDEN_CONNECT {
        let mut connect = Connect::new(&common::reference("connect.input.yaml"));
        change(&mut connect.resource["spec"]);
        let plan = connect.plan();
        found.push_str(&golden_line(name, connect::object(&plan, "StrimziPodSet", "pipes-connect")));
    }
    let plan = Mirror::new(&common::reference("mirror.input.yaml")).plan();
    let set = plan.apply.iter().find(|write| write.reference.kind == "StrimziPodSet").unwrap();
    found.push_str(&golden_line("workers of a mirror", &set.object));
    assert_eq!(found, common::reference("revisions.txt"), "found:\n{found}");
}

#[test]
fn another_image_of_the_operator_restarts_no_pod_of_kafka() {
    let mut world = world(&json!({}));
    world.settle();
    let settings = std::sync::Arc::make_mut(&mut world.observed.settings);
    settings.operator_image = "kastellan/operator:next".to_owned();
    let plan = world.plan();
    assert_eq!(plan.roll.wanted, []);
    let image = |plan: &Plan| {
        let set = object(plan, "StrimziPodSet", "my-dual");
        set["spec"]["pods"][0]["spec"]["initContainers"][0]["image"].as_str().unwrap().to_owned()
    };
    assert_eq!(image(&plan), "kastellan/operator:next", "the next restart brings the new agent");
    world.kafka(|kafka| kafka["spec"]["kafka"]["image"] = json!("example.com/kafka:1"));
    assert_eq!(world.plan().roll.wanted.len(), 3, "Kafka's own image does");
}

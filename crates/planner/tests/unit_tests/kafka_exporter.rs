//! What `spec.kafkaExporter` makes, and that all of it goes with the section.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{World, condition, documents, kafka_status, object};
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

const NAME: &str = "my-kafka-exporter";

fn world(section: Value) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| kafka["spec"]["kafkaExporter"] = section);
    world
}

/// Kinds and names of what a plan makes beyond what it makes without the section.
fn added(plan: &Plan) -> BTreeSet<(String, String)> {
    let without = World::load("dual-role.input.yaml").settle();
    let names = |plan: &Plan| -> BTreeSet<(String, String)> {
        plan.apply.iter().map(|one| (one.reference.kind.clone(), one.reference.name.clone())).collect()
    };
    names(plan).difference(&names(&without)).cloned().collect()
}

fn container(plan: &Plan) -> Value {
    object(plan, "Deployment", NAME)["spec"]["template"]["spec"]["containers"][0].clone()
}

fn variables(plan: &Plan) -> BTreeMap<String, String> {
    let all = container(plan)["env"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.iter().map(|one| (text(&one["name"]), text(&one["value"]))).collect()
}

fn waits_for(plan: &Plan) -> String {
    plan.waiting_for.join("; ")
}

// The reference objects have no cluster with an exporter: names, labels, ports, keys, variables and probes are those of
// its description (strimzi.md, 3.4).
#[test]
fn the_section_makes_what_strimzi_makes_under_its_names() {
    let plan = world(json!({})).settle();
    let kinds = ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount"];
    let mut expected: BTreeSet<(String, String)> =
        kinds.iter().map(|kind| ((*kind).to_owned(), NAME.to_owned())).collect();
    expected.insert(("Secret".to_owned(), "my-kafka-exporter-certs".to_owned()));
    assert_eq!(added(&plan), expected);
    for (kind, name) in &expected {
        let object = object(&plan, kind, name);
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["strimzi.io/name"], NAME, "{kind}");
        assert_eq!(labels["strimzi.io/component-type"], "kafka-exporter", "{kind}");
        assert_eq!(object["metadata"]["ownerReferences"][0]["kind"], "Kafka", "{kind}");
    }
    let secret = object(&plan, "Secret", "my-kafka-exporter-certs");
    let keys: Vec<&String> = secret["data"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["kafka-exporter.crt", "kafka-exporter.key"]);
    let policy = object(&plan, "NetworkPolicy", NAME);
    assert_eq!(policy["spec"]["ingress"], json!([{"ports": [{"port": 9404, "protocol": "TCP"}]}]));
    let budget = object(&plan, "PodDisruptionBudget", NAME);
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    let container = container(&plan);
    assert_eq!(container["name"], NAME);
    assert_eq!(container["image"], "kastellan/operator:test");
    assert_eq!(container["command"], json!(["/kafka-exporter"]));
    assert_eq!(container["ports"][0]["containerPort"], 9404);
    for probe in ["livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["path"], "/healthz", "{probe}");
        assert_eq!(container[probe]["timeoutSeconds"], 15, "{probe}");
    }
    let variables = variables(&plan);
    for (name, value) in [
        ("KAFKA_EXPORTER_KAFKA_SERVER", "my-kafka-bootstrap:9091"),
        ("KAFKA_EXPORTER_KAFKA_VERSION", "4.3.1"),
        ("KAFKA_EXPORTER_LOGGING", "0"),
        ("KAFKA_EXPORTER_GROUP_REGEX", ".*"),
        ("KAFKA_EXPORTER_TOPIC_REGEX", ".*"),
        ("KAFKA_EXPORTER_ENABLE_SARAMA", "false"),
        ("KAFKA_EXPORTER_OFFSET_SHOW_ALL", "true"),
        ("KASTELLAN_EXPORTER_TRUSTED_CERTIFICATES", "/etc/kafka-exporter/cluster-ca-certs/cluster-ca.crt"),
    ] {
        assert_eq!(variables.get(name).map(String::as_str), Some(value), "{name}");
    }
    let pod = &object(&plan, "Deployment", NAME)["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], NAME);
    assert_eq!(pod["automountServiceAccountToken"], false);
    let secrets: Vec<&Value> =
        pod["volumes"].as_array().unwrap().iter().map(|one| &one["secret"]["secretName"]).collect();
    assert_eq!(secrets, [&Value::Null, &json!("my-trustbundle"), &json!("my-kafka-exporter-certs")]);
}

#[test]
fn every_setting_reaches_the_container() {
    let section = json!({
        "image": "mirror/operator:1", "groupRegex": "orders-.*", "groupExcludeRegex": "test", "topicRegex": "a|b",
        "topicExcludeRegex": "^__", "logging": "debug", "enableSaramaLogging": true, "showAllOffsets": false,
        "resources": {"limits": {"memory": "64Mi"}},
        "livenessProbe": {"initialDelaySeconds": 7}, "readinessProbe": {"periodSeconds": 9},
        "template": {
            "deployment": {"metadata": {"labels": {"a": "deployment"}}, "deploymentStrategy": "Recreate"},
            "pod": {"metadata": {"annotations": {"b": "pod"}}, "terminationGracePeriodSeconds": 3},
            "container": {"env": [{"name": "KASTELLAN_EXPORTER_INTERVAL_MS", "value": "30000"}]},
            "serviceAccount": {"metadata": {"labels": {"c": "account"}}},
            "podDisruptionBudget": {"maxUnavailable": 0},
        },
    });
    let plan = world(section).settle();
    let variables = variables(&plan);
    for (name, value) in [
        ("KAFKA_EXPORTER_GROUP_REGEX", "orders-.*"),
        ("KAFKA_EXPORTER_GROUP_EXCLUDE_REGEX", "test"),
        ("KAFKA_EXPORTER_TOPIC_REGEX", "a|b"),
        ("KAFKA_EXPORTER_TOPIC_EXCLUDE_REGEX", "^__"),
        ("KAFKA_EXPORTER_LOGGING", "1"),
        ("KAFKA_EXPORTER_ENABLE_SARAMA", "true"),
        ("KAFKA_EXPORTER_OFFSET_SHOW_ALL", "false"),
        ("KASTELLAN_EXPORTER_INTERVAL_MS", "30000"),
    ] {
        assert_eq!(variables.get(name).map(String::as_str), Some(value), "{name}");
    }
    let container = container(&plan);
    assert_eq!(container["image"], "mirror/operator:1");
    assert_eq!(container["resources"]["limits"]["memory"], "64Mi");
    assert_eq!(container["livenessProbe"]["initialDelaySeconds"], 7);
    assert_eq!(container["readinessProbe"]["periodSeconds"], 9);
    let deployment = object(&plan, "Deployment", NAME);
    assert_eq!(deployment["metadata"]["labels"]["a"], "deployment");
    assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
    assert_eq!(deployment["spec"]["template"]["metadata"]["annotations"]["b"], "pod");
    assert_eq!(deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], 3);
    assert_eq!(object(&plan, "ServiceAccount", NAME)["metadata"]["labels"]["c"], "account");
    assert_eq!(object(&plan, "PodDisruptionBudget", NAME)["spec"]["maxUnavailable"], 0);
}

#[test]
fn the_deployment_waits_for_the_brokers_and_the_cluster_for_the_deployment() {
    let mut world = world(json!({}));
    let first = world.plan();
    let has = |plan: &Plan| {
        plan.apply.iter().any(|one| one.reference.kind == "Deployment" && one.reference.name == NAME)
    };
    assert!(
        !has(&first) && waits_for(&first).contains("is made when the brokers are ready"),
        "{}",
        waits_for(&first)
    );
    world.apply(&first);
    world.run_everything();
    let second = world.plan();
    assert!(
        has(&second) && waits_for(&second).contains("my-kafka-exporter is not available"),
        "{}",
        waits_for(&second)
    );
    let settled = world.settle();
    assert_eq!(condition(&settled, "Ready").unwrap()["status"], "True", "{}", kafka_status(&settled));
    // One that is there stays when a broker is away.
    let pod = world.observed.pods.keys().next().unwrap().clone();
    world.observed.pods.remove(&pod);
    let away = world.plan();
    assert!(has(&away) && away.delete.is_empty(), "{:?}", away.delete);
}

#[test]
fn all_of_it_goes_with_the_section_and_nothing_else() {
    let mut world = world(json!({}));
    let expected = added(&world.settle());
    world.kafka(|kafka| drop(kafka["spec"].as_object_mut().unwrap().remove("kafkaExporter")));
    let plan = world.plan();
    let gone: BTreeSet<(String, String)> =
        plan.delete.iter().map(|one| (one.object.kind.clone(), one.object.name.clone())).collect();
    assert_eq!(gone, expected);
    world.apply(&plan);
    assert!(world.plan().delete.is_empty());
}

#[test]
fn a_new_certificate_restarts_neither_exporter_nor_entity_operator() {
    let mut world = world(json!({}));
    let before = world.settle();
    let pod = |plan: &Plan, name: &str| object(plan, "Deployment", name)["spec"]["template"].clone();
    world.observed.secrets.remove("my-kafka-exporter-certs");
    let after = world.plan();
    assert_ne!(
        object(&before, "Secret", "my-kafka-exporter-certs")["data"],
        object(&after, "Secret", "my-kafka-exporter-certs")["data"]
    );
    for name in [NAME, "my-entity-operator"] {
        assert_eq!(pod(&before, name), pod(&after, name), "{name}");
    }
}

#[test]
fn an_annotation_selects_another_program_which_is_started_with_its_certificate() {
    let mut world = world(json!({"image": "quay.io/strimzi/kafka:4.3.1"}));
    let program = "/opt/kafka-exporter/kafka_exporter_run.sh";
    let annotate = |world: &mut World, value: &str| {
        let value = value.to_owned();
        world.kafka(|kafka| {
            kafka["metadata"]["annotations"]["kastellan.io/kafka-exporter-program"] = json!(value);
        });
    };
    annotate(&mut world, program);
    let before = world.settle();
    assert_eq!(container(&before)["command"], json!([program]));
    let started_with = |plan: &Plan| {
        let pod = &object(plan, "Deployment", NAME)["spec"]["template"]["metadata"]["annotations"];
        pod["strimzi.io/server-cert-hash"].clone()
    };
    assert!(started_with(&before).is_string());
    world.observed.secrets.remove("my-kafka-exporter-certs");
    assert_ne!(started_with(&before), started_with(&world.plan()));
    annotate(&mut world, "sh -c evil");
    let refused = kafka_status(&world.plan()).to_string();
    assert!(
        refused.contains("kastellan.io/kafka-exporter-program") && refused.contains("is no path"),
        "{refused}"
    );
}

#[test]
fn what_the_exporter_could_not_read_is_refused_and_what_runs_stays() {
    let mut world = world(json!({}));
    world.settle();
    for (field, value) in [
        ("groupRegex", "("),
        ("topicRegex", "(?=x)"),
        ("groupExcludeRegex", "(?:a{1000}){1000}"),
        ("topicExcludeRegex", "["),
        ("logging", "loud"),
    ] {
        let mut wrong = world.clone();
        wrong.kafka(|kafka| kafka["spec"]["kafkaExporter"] = json!({field: value}));
        let plan = wrong.plan();
        let message = condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(&format!("spec.kafkaExporter.{field}")), "{field}: {message}");
        assert!(plan.delete.is_empty(), "{field}");
    }
    let template =
        json!({"template": {"container": {"env": [{"name": "KAFKA_EXPORTER_LOGGING", "value": "2"}]}}});
    world.kafka(|kafka| kafka["spec"]["kafkaExporter"] = template);
    let message = condition(&world.plan(), "NotReady").unwrap()["message"].to_string();
    assert!(message.contains("KAFKA_EXPORTER_LOGGING"), "{message}");
}

#[test]
fn a_strangers_object_of_that_name_stops_the_exporter_and_nothing_else() {
    let mut world = world(json!({}));
    let theirs = json!({"metadata": {"name": "my-kafka-exporter-certs", "labels": {"owner": "somebody"}}});
    world.strangers.insert(("Secret", "my-kafka-exporter-certs"), theirs);
    let plan = world.settle();
    let kinds = |kind: &str| plan.apply.iter().filter(|one| one.reference.kind == kind).count();
    let has = |kind: &str, name: &str| {
        plan.apply.iter().any(|one| one.reference.kind == kind && one.reference.name == name)
    };
    assert!(!has("Secret", "my-kafka-exporter-certs") && !has("Deployment", NAME));
    assert!(kinds("StrimziPodSet") > 0 && has("Deployment", "my-entity-operator"));
    assert!(waits_for(&plan).contains("my-kafka-exporter-certs"), "{}", waits_for(&plan));
}

#[test]
fn the_example_is_carried_out_as_it_stands() {
    let mut all = documents(include_str!("../../../../examples/kafka-exporter.yaml"));
    for (index, document) in all.iter_mut().enumerate() {
        document["metadata"]["namespace"] = json!("shop");
        document["metadata"]["uid"] = json!(format!("uid-of-{index}"));
    }
    let plan = World::new(all).settle();
    assert_eq!(condition(&plan, "Ready").unwrap()["status"], "True", "{}", kafka_status(&plan));
    assert_eq!(condition(&plan, "Warning"), None);
    let container =
        &object(&plan, "Deployment", "watched-kafka-exporter")["spec"]["template"]["spec"]["containers"][0];
    assert!(container["env"].to_string().contains("^console-consumer-"));
}

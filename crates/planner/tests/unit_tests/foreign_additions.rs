//! What other people add to objects that the operator makes.

use std::sync::Arc;

use crate::common::{World, condition, object, warning_with};
use serde_json::{Value, json};

/// A settled cluster whose entity operator was changed by hand.
fn changed(change: impl FnOnce(&mut Value)) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    let live = world.observed.deployments.get_mut("my-entity-operator").unwrap();
    let mut value = serde_json::to_value(live.as_ref()).unwrap();
    change(&mut value);
    *live = Arc::new(serde_json::from_value(value).unwrap());
    world
}

fn push(list: &mut Value, member: Value) {
    list.as_array_mut().unwrap().push(member);
}

#[test]
fn what_was_added_to_the_entity_operator_is_named_and_stays() {
    let mut world = changed(|deployment| {
        let pod = &mut deployment["spec"]["template"]["spec"];
        push(&mut pod["containers"], json!({"name": "shell", "image": "busybox"}));
        push(&mut pod["volumes"], json!({"name": "host", "hostPath": {"path": "/"}}));
        push(&mut pod["containers"][0]["env"], json!({"name": "LD_PRELOAD", "value": "/tmp/x.so"}));
        push(&mut pod["containers"][0]["volumeMounts"], json!({"name": "host", "mountPath": "/host"}));
        pod["initContainers"] = json!([{"name": "before", "image": "busybox"}]);
        pod["hostNetwork"] = json!(true);
    });
    let plan = world.plan();
    let message = warning_with(&plan, "ForeignAdditions").unwrap();
    for word in [
        "Deployment my-entity-operator",
        "container shell",
        "volume host",
        "variable LD_PRELOAD of container topic-operator",
        "mount /host of container topic-operator",
        "initContainer before",
        "hostNetwork: true",
    ] {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert!(!message.contains("/tmp/x.so"), "no values: {message}");
    assert!(condition(&plan, "Ready").is_some(), "it is no failure");
    let wanted = object(&plan, "Deployment", "my-entity-operator").to_string();
    assert!(!wanted.contains("shell") && !wanted.contains("LD_PRELOAD"));
}

#[test]
fn what_runs_in_a_container_or_renames_hosts_is_named() {
    let command = json!({"exec": {"command": ["/tmp/x.so"]}});
    let message = |change: &dyn Fn(&mut Value)| {
        let mut world = changed(|deployment| change(&mut deployment["spec"]["template"]["spec"]));
        warning_with(&world.plan(), "ForeignAdditions").unwrap()
    };
    for part in ["startupProbe", "postStart", "preStop"] {
        let message = message(&|pod| match part {
            "startupProbe" => pod["containers"][0][part] = command.clone(),
            _ => pod["containers"][0]["lifecycle"] = json!({part: command}),
        });
        assert!(message.contains(&format!("{part} of container topic-operator")), "{message}");
        assert!(!message.contains("/tmp/x.so"), "no values: {message}");
    }
    let aliased =
        message(&|pod| pod["hostAliases"] = json!([{"ip": "10.1.2.3", "hostnames": ["my-kafka-bootstrap"]}]));
    assert!(aliased.contains("hostAlias 10.1.2.3"), "{aliased}");
    let renamed = message(&|pod| pod["dnsConfig"] = json!({"nameservers": ["10.1.2.3"]}));
    assert!(renamed.contains("dnsConfig") && renamed.contains("spec.entityOperator.template"), "{renamed}");
}

#[test]
fn an_addition_to_the_exporter_belongs_into_the_exporters_own_template() {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| kafka["spec"]["kafkaExporter"] = json!({}));
    world.settle();
    let live = world.observed.deployments.get_mut("my-kafka-exporter").unwrap();
    let mut value = serde_json::to_value(live.as_ref()).unwrap();
    push(&mut value["spec"]["template"]["spec"]["containers"], json!({"name": "shell", "image": "busybox"}));
    *live = Arc::new(serde_json::from_value(value).unwrap());
    let message = warning_with(&world.plan(), "ForeignAdditions").unwrap();
    assert!(
        message.contains("Deployment my-kafka-exporter") && message.contains("spec.kafkaExporter.template"),
        "{message}"
    );
}

#[test]
fn an_addition_to_a_proxy_without_a_template_belongs_into_an_override() {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["listeners"] = json!([{"name": "ext", "port": 9094, "type": "loadbalancer", "tls": true,
            "configuration": {"singleAddress": {}}}]);
    });
    world.settle();
    let live = world.observed.deployments.get_mut("my-kafka-ext-proxy").unwrap();
    let mut value = serde_json::to_value(live.as_ref()).unwrap();
    push(&mut value["spec"]["template"]["spec"]["containers"], json!({"name": "shell", "image": "busybox"}));
    *live = Arc::new(serde_json::from_value(value).unwrap());
    let message = warning_with(&world.plan(), "ForeignAdditions").unwrap();
    assert!(message.contains("Deployment my-kafka-ext-proxy"), "{message}");
    assert!(message.contains("spec.objectOverrides.Deployment/my-kafka-ext-proxy"), "{message}");
    assert!(!message.contains("entityOperator") && !message.contains("template"), "{message}");
}

#[test]
fn what_the_operator_wrote_itself_is_no_addition() {
    assert_eq!(warning_with(&changed(|_| {}).plan(), "ForeignAdditions"), None);
    // It is about to take this out: the user took it out of the template.
    let mut world = changed(|deployment| {
        push(
            &mut deployment["spec"]["template"]["spec"]["containers"][0]["env"],
            json!({"name": "A", "value": "1"}),
        );
        let env = json!({"k:{\"name\":\"topic-operator\"}": {"f:env": {"k:{\"name\":\"A\"}": {}}}});
        deployment["metadata"]["managedFields"] = json!([{"manager": "strimzi-kafka-operator", "operation": "Apply",
            "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": env}}}}}]);
    });
    assert_eq!(warning_with(&world.plan(), "ForeignAdditions"), None);
}

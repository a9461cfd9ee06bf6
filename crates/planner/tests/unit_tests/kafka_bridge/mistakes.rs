//! KafkaBridge: what is said of mistakes, of fields without effect and of older manifests.

use serde_json::{Value, json};

use super::{properties, secured, web};
use crate::common::bridge::{object, verdict, warnings};

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn what_is_wrong_is_named_with_its_field_all_at_once_and_what_runs_stays() {
    type Change = fn(&mut Value);
    let mut whole = secured();
    whole.settle();
    let cases: [(Change, &str); 17] = [
        (
            |spec| spec["authentication"]["passwordSecret"]["secretName"] = json!("none"),
            "Secret \"none\" does not exist",
        ),
        (
            |spec| spec["authentication"]["passwordSecret"]["password"] = json!("none"),
            "Secret \"web\" has no key \"none\"",
        ),
        (
            |spec| spec["tls"]["trustedCertificates"][0]["pattern"] = json!("*.pem"),
            "no key of Secret \"shop-cluster-ca-cert\" matches",
        ),
        (|spec| spec["authentication"] = json!({"type": "oauth"}), "spec.authentication.type"),
        (
            |spec| {
                spec["authentication"] =
                    json!({"type": "custom", "sasl": true, "config": {"sasl.mechanism": "OAUTHBEARER"}});
            },
            "spec.authentication.config.sasl.mechanism: \"OAUTHBEARER\" is not spoken",
        ),
        (|spec| spec["http"]["port"] = json!(8081), "spec.http.port: 8081 is the port of health and metrics"),
        (
            |spec| spec["http"]["cors"]["allowedMethods"] = json!(["GET,POST"]),
            "spec.http.cors.allowedMethods[0]",
        ),
        (
            |spec| {
                spec["http"]["tls"] = json!({"certificateAndKey": {"secretName": "web", "certificate": "user.crt", "key": "nokey"},
                "config": {"ssl.keystore.location": "/x"}});
            },
            "spec.http.tls.config.ssl.keystore.location: is set by the operator",
        ),
        (
            |spec| spec["http"]["tls"] = json!({"certificateAndKey": {"secretName": "web", "certificate": "user.crt", "key": "nokey"}}),
            "spec.http.tls.certificateAndKey.key: Secret \"web\" has no key \"nokey\"",
        ),
        (
            |spec| spec["consumer"]["config"]["group.id"] = json!("g"),
            "spec.consumer.config.group.id: is set by the operator",
        ),
        (
            |spec| spec["producer"]["config"]["x"] = json!("${strimzisecrets:a/b:c}"),
            "spec.producer.config.x: strimzisecrets is not known",
        ),
        (
            |spec| spec["adminClient"] = json!({"config": {"a b": 1}}),
            "spec.adminClient.config: \"a b\" is not the name",
        ),
        (|spec| spec["config"] = json!({"http.port": 1}), "spec.config.http.port: is set by the operator"),
        (|spec| spec["consumer"]["timeoutSeconds"] = json!(-2), "spec.consumer.timeoutSeconds: -2"),
        (|spec| spec["replicas"] = json!(-1), "spec.replicas"),
        (|spec| spec["replicas"] = json!(2_000_000), "spec.replicas: 2000000 is more than 300"),
        (
            |spec| {
                spec["template"] =
                    json!({"bridgeContainer": {"volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}]}});
            },
            "there is no volume \"v\"",
        ),
    ];
    for (change, expected) in cases {
        let mut bridge = whole.clone();
        change(&mut bridge.resource["spec"]);
        let plan = bridge.plan();
        let (type_, message) = verdict(&plan);
        assert!(type_ == "NotReady" && message.contains(expected), "{expected}: {type_} {message}");
        assert!(plan.apply.is_empty() && plan.delete.is_empty());
        assert!(plan.status.as_ref().unwrap().url.is_some(), "what is known stays");
    }
    let mut bridge = whole;
    bridge.resource["spec"]["http"]["port"] = json!(8081);
    bridge.resource["spec"]["replicas"] = json!(-1);
    bridge.resource["metadata"]["annotations"] = json!({"kastellan.io/bridge-runtime": "go"});
    let message = verdict(&bridge.plan()).1;
    for part in ["spec.http.port", "spec.replicas", "\"go\" is no program of a bridge"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn an_option_of_the_jvm_that_the_script_would_take_for_several_is_refused_without_its_value() {
    for options in [
        json!({"javaSystemProperties": [{"name": "a", "value": "hunter2 -Dother=1"}]}),
        json!({"javaSystemProperties": [{"name": "a", "value": "hunter2*"}]}),
        json!({"javaSystemProperties": [{"name": "hunter2 b", "value": "1"}]}),
        json!({"-XX": {"OnError": "hunter2 ; rm"}}),
        json!({"-XX": {"HeapDumpPath": "/tmp/[hunter2]"}}),
        json!({"-Xmx": "1g -hunter2"}),
    ] {
        let mut bridge = web();
        bridge.resource["metadata"]["annotations"] = json!({"kastellan.io/bridge-runtime": "java"});
        bridge.resource["spec"]["image"] = json!("bridge:1");
        bridge.resource["spec"]["jvmOptions"] = options.clone();
        let (type_, message) = verdict(&bridge.plan());
        assert!(type_ == "NotReady" && message.contains("spec.jvmOptions."), "{options}: {message}");
        assert!(message.contains("without blanks") && !message.contains("hunter2"), "{message}");
        // Our own program has no such script, and the options have no effect there.
        bridge.resource["metadata"]["annotations"] = json!({});
        assert!(warnings(&bridge.plan()).join("\n").contains("FieldsWithoutEffect: spec.jvmOptions"));
    }
}

#[test]
fn what_has_no_effect_is_said_and_older_manifests_are_taken_as_they_are() {
    let mut bridge = web();
    let spec = bridge.resource["spec"].as_object_mut().unwrap();
    spec.remove("replicas");
    spec.insert("enableMetrics".to_owned(), json!(true));
    spec.insert("jvmOptions".to_owned(), json!({"-Xmx": "1g"}));
    spec.insert("tracing".to_owned(), json!({"type": "jaeger"}));
    spec.insert("clientRackInitImage".to_owned(), json!("i"));
    let plan = bridge.plan();
    let said = warnings(&plan).join("\n");
    for part in [
        "DeprecatedFields: spec.replicas is missing: 1 is used",
        "DeprecatedFields: spec.enableMetrics: write spec.metricsConfig",
        "FieldsWithoutEffect: spec.jvmOptions",
        "FieldsWithoutEffect: spec.clientRackInitImage",
        "UnsupportedFields: spec.tracing: jaeger is no more",
    ] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    let file = properties(&plan);
    assert_eq!(
        (file.get("bridge.metrics"), file.get("bridge.tracing")),
        (Some("strimziMetricsReporter"), None)
    );
    assert_eq!(object(&plan, "Deployment", "web-bridge")["spec"]["replicas"], 1);
}

#[test]
fn names_that_no_service_can_have_are_refused_before_anything_is_made() {
    let mut bridge = web();
    bridge.resource["metadata"]["name"] = json!("a.web");
    let (type_, message) = verdict(&bridge.plan());
    assert!(type_ == "NotReady" && message.contains("metadata.name"), "{message}");
}

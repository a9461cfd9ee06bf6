//! KafkaBridge: the objects, the options, what restarts the pods, and what is said of mistakes.

mod mistakes;

use std::sync::Arc;

use planner::kafka_bridge::plan::BridgePlan;
use serde_json::{Value, json};

use crate::common::bridge::{Bridge, names, object, verdict, warnings};
use crate::common::connect::{certificate, secret};
use crate::common::reference;

fn web() -> Bridge {
    Bridge::new(&reference("bridge.input.yaml"))
}

/// With trust in a cluster's certificate, and a password.
fn secured() -> Bridge {
    let mut bridge = web();
    let spec = &mut bridge.resource["spec"];
    spec["tls"] =
        json!({"trustedCertificates": [{"secretName": "shop-cluster-ca-cert", "pattern": "*.crt"}]});
    spec["authentication"] = json!({"type": "scram-sha-512", "username": "a\"b",
        "passwordSecret": {"secretName": "web", "password": "password"}});
    bridge
}

fn properties(plan: &BridgePlan) -> api::properties::Properties {
    let text = object(plan, "ConfigMap", "web-bridge-config")["data"]["application.properties"].as_str();
    api::properties::parse(text.unwrap()).unwrap()
}

fn template(plan: &BridgePlan) -> Value {
    object(plan, "Deployment", "web-bridge")["spec"]["template"].clone()
}

fn annotation(plan: &BridgePlan, key: &str) -> Value {
    template(plan)["metadata"]["annotations"][key].clone()
}

fn container(plan: &BridgePlan) -> Value {
    template(plan)["spec"]["containers"][0].clone()
}

#[test]
fn a_settled_bridge_is_ready_and_nothing_is_written_again() {
    let mut bridge = web();
    let first = bridge.plan();
    assert_eq!(verdict(&first).0, "NotReady");
    assert_eq!(first.status.as_ref().unwrap().url, None, "nobody answers there yet");
    bridge.settle();
    let plan = bridge.plan();
    assert!(plan.apply.iter().all(|write| !write.is_change()), "{:?}", plan.apply);
    assert!(plan.delete.is_empty() && plan.waiting_for.is_empty());
    let status = plan.status.as_ref().unwrap();
    assert_eq!(verdict(&plan).0, "Ready");
    assert_eq!(status.url.as_deref(), Some("http://web-bridge-service.case-connect-mm2-bridge.svc:8080"));
    assert_eq!(status.replicas, Some(1));
    let selector = "strimzi.io/cluster=web,strimzi.io/name=web-bridge,strimzi.io/kind=KafkaBridge";
    assert_eq!(status.label_selector.as_deref(), Some(selector));
    assert_eq!(
        names(&plan),
        [
            "Service web-bridge-service",
            "ConfigMap web-bridge-config",
            "ServiceAccount web-bridge",
            "PodDisruptionBudget web-bridge",
            "Deployment web-bridge",
        ]
    );
}

#[test]
fn the_file_says_what_the_resource_says() {
    let plan = web().plan();
    let file = properties(&plan);
    for (name, value) in [
        ("bridge.id", "web"),
        ("kafka.bootstrap.servers", "shop-kafka-bootstrap:9092"),
        ("kafka.security.protocol", "PLAINTEXT"),
        ("kafka.producer.acks", "1"),
        ("kafka.consumer.auto.offset.reset", "earliest"),
        ("http.host", "0.0.0.0"),
        ("http.port", "8080"),
        ("http.cors.enabled", "true"),
        ("http.cors.allowedOrigins", "https://example.com"),
        ("http.cors.allowedMethods", "GET,POST"),
        ("http.consumer.enabled", "true"),
        ("http.producer.enabled", "true"),
        ("http.timeoutSeconds", "60"),
    ] {
        assert_eq!(file.get(name), Some(value), "{name}");
    }
    assert_eq!(file.len(), 13, "{}", file.to_text());
    let container = container(&plan);
    assert_eq!(
        container["command"],
        json!(["/kafka-bridge", "--config-file", "/opt/strimzi/custom-config/application.properties"])
    );
    assert_eq!(container["image"], "kastellan/operator:test");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/ready");
    assert_eq!(container["livenessProbe"]["httpGet"]["port"], "rest-api-mgmt");
    assert_eq!(template(&plan)["spec"]["automountServiceAccountToken"], false);
}

#[test]
fn trust_and_passwords_are_files_and_no_plan_shows_them() {
    let plan = secured().plan();
    let file = properties(&plan);
    let jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"a\\\"b\" \
                password=\"${kastellanjaas:/opt/kafka/clients/client:password}\";";
    for (name, value) in [
        ("kafka.security.protocol", "SASL_SSL"),
        ("kafka.sasl.mechanism", "SCRAM-SHA-512"),
        ("kafka.sasl.jaas.config", jaas),
        ("kafka.ssl.truststore.type", "PEM"),
        ("kafka.ssl.truststore.certificates", "${strimzidir:/opt/kafka/trusted-certs:ca.crt}"),
    ] {
        assert_eq!(file.get(name), Some(value), "{name}");
    }
    let spec = &template(&plan)["spec"];
    let volumes = spec["volumes"].as_array().unwrap();
    let own = volumes.iter().find(|volume| volume["name"] == "client-credentials").unwrap();
    let items = json!([{"key": "password", "path": "password"}]);
    assert_eq!(own["secret"]["items"], items, "no other key of the Secret gets into the pod");
    let shown = serde_json::to_string(&plan).unwrap();
    assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMg"), "no plan shows a password");
    assert!(names(&plan).contains(&"Secret web-bridge-tls-trusted-certs".to_owned()));
    assert!(!names(&plan).iter().any(|name| name.starts_with("Role")), "the pods read files, no Secrets");

    let mut bridge = secured();
    let own = json!({"secretName": "web", "certificate": "user.crt", "key": "user.key"});
    bridge.resource["spec"]["authentication"] = json!({"type": "tls", "certificateAndKey": own});
    let file = properties(&bridge.plan());
    assert_eq!(file.get("kafka.security.protocol"), Some("SSL"));
    let key = "${strimzidir:/opt/kafka/clients/client:client.key}";
    assert_eq!(file.get("kafka.ssl.keystore.key"), Some(key));
}

#[test]
fn a_changed_secret_restarts_the_pods_for_the_keys_that_are_named_alone() {
    const AUTH: &str = "strimzi.io/auth-hash";
    let mut bridge = secured();
    let before = bridge.settle();
    assert_eq!(annotation(&web().plan(), AUTH), "0");
    bridge.refer(secret("web", &[("password", "hunter2"), ("other", "y")]));
    let plan = bridge.plan();
    assert!(plan.apply.iter().all(|write| !write.is_change()), "that key is of no use to the bridge");
    bridge.refer(secret("web", &[("password", "hunter3")]));
    let plan = bridge.plan();
    assert_ne!(annotation(&plan, AUTH), annotation(&before, AUTH));
    assert_eq!(verdict(&plan).0, "Ready", "the pods serve on meanwhile");
    assert!(!plan.waiting_for.is_empty(), "and the change is waited for");
    let generation = |plan: &BridgePlan| plan.status.as_ref().unwrap().observed_generation;
    assert_eq!(generation(&plan), generation(&before));
    bridge.settle();
    assert!(bridge.plan().waiting_for.is_empty());
}

#[test]
fn loggers_and_labels_restart_nothing_and_options_do() {
    const CONFIGURATION: &str = "strimzi.io/configuration-hash";
    let mut bridge = web();
    let before = bridge.settle();
    bridge.resource["spec"]["logging"] = json!({"type": "inline", "loggers": {"rootLogger.level": "DEBUG"}});
    bridge.resource["metadata"]["labels"] = json!({"team": "a"});
    let plan = bridge.plan();
    assert_eq!(template(&plan), template(&before), "labels reach the pods with the next restart");
    let text = object(&plan, "ConfigMap", "web-bridge-config")["data"]["log4j2.properties"].to_string();
    assert!(text.contains("rootLogger.level=DEBUG"), "{text}");
    bridge.resource["spec"]["producer"]["config"]["acks"] = json!("all");
    assert_ne!(annotation(&bridge.plan(), CONFIGURATION), annotation(&before, CONFIGURATION));

    let mut bridge = web();
    bridge.resource["spec"]["logging"] =
        json!({"type": "external", "valueFrom": {"configMapKeyRef": {"name": "logs", "key": "k"}}});
    assert!(verdict(&bridge.plan()).1.contains("ConfigMap \"logs\" does not exist"));
    let map = json!({"metadata": {"name": "logs"}, "data": {"k": "rootLogger.level=TRACE\n"}});
    bridge
        .observed
        .referred_config_maps
        .insert("logs".to_owned(), Arc::new(serde_json::from_value(map).unwrap()));
    let text =
        object(&bridge.plan(), "ConfigMap", "web-bridge-config")["data"]["log4j2.properties"].to_string();
    assert!(text.contains("rootLogger.level=TRACE"), "{text}");
}

#[test]
fn no_pods_are_a_wish_like_any_other_and_all_of_several_are_waited_for() {
    let mut bridge = web();
    bridge.settle();
    bridge.resource["spec"]["replicas"] = json!(3);
    let plan = bridge.plan();
    assert!(!plan.waiting_for.is_empty());
    bridge.apply(&plan);
    bridge.available(Some(2));
    assert_eq!(bridge.plan().waiting_for, ["deployment web-bridge is not available"]);
    bridge.deploy();
    assert!(bridge.plan().waiting_for.is_empty());
    bridge.resource["spec"]["replicas"] = json!(0);
    let plan = bridge.settle();
    let status = plan.status.as_ref().unwrap();
    assert_eq!((verdict(&plan).0.as_str(), status.replicas, &status.url), ("Ready", Some(0), &None));
    assert_eq!(object(&plan, "Deployment", "web-bridge")["spec"]["replicas"], 0);
}

#[test]
fn what_keeps_a_pod_from_being_ready_stands_in_the_status() {
    let mut bridge = web();
    let plan = bridge.plan();
    bridge.apply(&plan);
    bridge.available(Some(0));
    let status = json!({"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "web-bridge", "ready": false, "image": "i", "imageID": "", "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]});
    bridge.pod("web-bridge-1-2", &status);
    let plan = bridge.plan();
    let (type_, message) = verdict(&plan);
    assert!(type_ == "NotReady" && message.contains("no such image"), "{message}");
    assert!(
        warnings(&plan).iter().any(|said| said.starts_with("PodNotReady") && said.contains("no such image"))
    );
}

#[test]
fn the_http_server_has_a_certificate_that_is_read_again_without_a_restart() {
    let mut bridge = web();
    let (certificate_of_server, key) = certificate();
    bridge.refer(secret("https", &[("tls.crt", &certificate_of_server), ("tls.key", &key), ("ca.crt", "x")]));
    let own = json!({"secretName": "https", "certificate": "tls.crt", "key": "tls.key"});
    bridge.resource["spec"]["http"]["tls"] =
        json!({"certificateAndKey": own, "config": {"ssl.enabled.protocols": "TLSv1.3"}});
    let plan = bridge.settle();
    let file = properties(&plan);
    for (name, value) in [
        ("http.ssl.enable", "true"),
        ("http.ssl.keystore.certificate.location", "/opt/strimzi/bridge-http-certs/https/tls.crt"),
        ("http.ssl.keystore.key.location", "/opt/strimzi/bridge-http-certs/https/tls.key"),
        ("http.ssl.enabled.protocols", "TLSv1.3"),
    ] {
        assert_eq!(file.get(name), Some(value), "{name}");
    }
    let url = plan.status.as_ref().unwrap().url.clone();
    assert_eq!(url.as_deref(), Some("https://web-bridge-service.case-connect-mm2-bridge.svc:8080"));
    let discovery =
        &object(&plan, "Service", "web-bridge-service")["metadata"]["annotations"]["strimzi.io/discovery"];
    let discovery: Value = serde_json::from_str(discovery.as_str().unwrap()).unwrap();
    assert_eq!((&discovery[0]["tls"], &discovery[1]["tls"]), (&json!(true), &json!(false)));
    let (renewed, key) = certificate();
    bridge.refer(secret("https", &[("tls.crt", &renewed), ("tls.key", &key)]));
    assert!(bridge.plan().apply.iter().all(|write| !write.is_change()));
}

#[test]
fn a_rack_comes_from_a_label_or_a_variable() {
    let mut bridge = web();
    bridge.resource["spec"]["rack"] = json!({"topologyKey": "zone"});
    let plan = bridge.plan();
    assert_eq!(
        properties(&plan).get("kafka.consumer.client.rack"),
        Some("${strimzidir:/opt/strimzi/init:rack.id}")
    );
    let binding = object(&plan, "ClusterRoleBinding", "strimzi-case-connect-mm2-bridge-web-bridge-init");
    assert_eq!(binding["roleRef"]["name"], "strimzi-kafka-client");
    assert_eq!(binding["subjects"][0]["name"], "web-bridge");
    let spec = &template(&plan)["spec"];
    assert_eq!(spec["initContainers"][0]["command"], json!(["/kafka-agent", "rack", "zone"]));
    assert!(spec["affinity"].to_string().contains("zone"));
    bridge.resource["spec"]["rack"] = json!({"type": "environment-variable", "envVarName": "ZONE"});
    let plan = bridge.plan();
    assert_eq!(properties(&plan).get("kafka.consumer.client.rack"), Some("${strimzienv:ZONE}"));
    assert!(template(&plan)["spec"]["initContainers"].is_null());
    assert!(!names(&plan).iter().any(|name| name.starts_with("ClusterRoleBinding")));
}

#[test]
fn the_bridge_in_java_is_started_from_its_own_image() {
    let mut bridge = secured();
    bridge.resource["metadata"]["annotations"] = json!({"kastellan.io/bridge-runtime": "java"});
    assert!(verdict(&bridge.plan()).1.contains("spec.image: is missing"));
    let spec = &mut bridge.resource["spec"];
    spec["image"] = json!("mirror/strimzi/kafka-bridge:1.1.0");
    spec["jvmOptions"] = json!({"-Xmx": "1g", "-XX": {"UseG1GC": "true"}, "javaSystemProperties": [{"name": "a", "value": "b"}]});
    spec["resources"] = json!({"limits": {"memory": "2Gi"}});
    spec["metricsConfig"] = json!({"type": "strimziMetricsReporter"});
    let plan = bridge.plan();
    let container = container(&plan);
    assert_eq!(container["args"], json!(["/opt/strimzi/bin/docker/kafka_bridge_run.sh"]));
    assert!(container["command"].is_null());
    let variables = container["env"].as_array().unwrap().clone();
    let variable = |name: &str| {
        let found = variables.iter().find(|variable| variable["name"] == name);
        found.map(|variable| variable["value"].as_str().unwrap().to_owned())
    };
    assert_eq!(variable("KAFKA_HEAP_OPTS").as_deref(), Some("-Xmx1g"));
    assert_eq!(variable("STRIMZI_DYNAMIC_HEAP_PERCENTAGE"), None);
    assert_eq!(variable("KAFKA_JVM_PERFORMANCE_OPTS").as_deref(), Some("-XX:+UseG1GC"));
    assert_eq!(variable("STRIMZI_JAVA_SYSTEM_PROPERTIES").as_deref(), Some("-Da=b"));
    let file = properties(&plan);
    assert!(
        file.get("kafka.sasl.jaas.config")
            .unwrap()
            .contains("${strimzidir:/opt/kafka/clients/client:password}")
    );
    assert_eq!(file.get("kafka.consumer.config.providers"), Some("strimzienv,strimzifile,strimzidir"));
    let allowed = "/opt/strimzi,/opt/kafka,/mnt";
    assert_eq!(file.get("kafka.admin.config.providers.strimzidir.param.allowed.paths"), Some(allowed));
    assert_eq!(file.get("kafka.prometheus.metrics.reporter.listener.enable"), Some("false"));
    assert!(warnings(&plan).is_empty(), "{:?}", warnings(&plan));
}

#[test]
fn metrics_tracing_and_options_of_the_bridge_itself() {
    let mut bridge = web();
    let spec = &mut bridge.resource["spec"];
    spec["tracing"] = json!({"type": "opentelemetry"});
    spec["config"] = json!({"kastellan.consumer.prefetch.bytes": 1_048_576});
    spec["metricsConfig"] = json!({"type": "jmxPrometheusExporter",
        "valueFrom": {"configMapKeyRef": {"name": "rules", "key": "k"}}});
    let map = json!({"metadata": {"name": "rules"}, "data": {"k": "rules: []\n"}});
    bridge
        .observed
        .referred_config_maps
        .insert("rules".to_owned(), Arc::new(serde_json::from_value(map).unwrap()));
    let plan = bridge.plan();
    let file = properties(&plan);
    assert_eq!(file.get("bridge.tracing"), Some("opentelemetry"));
    assert_eq!(file.get("bridge.metrics"), Some("jmxPrometheusExporter"));
    assert_eq!(file.get("kastellan.consumer.prefetch.bytes"), Some("1048576"));
    let data = &object(&plan, "ConfigMap", "web-bridge-config")["data"];
    assert!(data["metrics-config.json"].is_null(), "our program has no rules: {data}");
}

#[test]
fn templates_reach_the_objects() {
    let mut bridge = web();
    let metadata = json!({"metadata": {"labels": {"l": "x"}, "annotations": {"a": "y"}}});
    let mut deployment = metadata.clone();
    deployment["deploymentStrategy"] = json!("Recreate");
    let mut pod = metadata.clone();
    pod["terminationGracePeriodSeconds"] = json!(77);
    let mut service = metadata.clone();
    service["ipFamilyPolicy"] = json!("PreferDualStack");
    let mut budget = metadata.clone();
    budget["maxUnavailable"] = json!(2);
    bridge.resource["spec"]["template"] = json!({"deployment": deployment, "pod": pod, "apiService": service,
        "podDisruptionBudget": budget, "serviceAccount": metadata, "clusterRoleBinding": metadata,
        "bridgeContainer": {"env": [{"name": "OTEL_SERVICE_NAME", "value": "web"}]},
        "initContainer": {"env": [{"name": "B", "value": "c"}]}});
    bridge.resource["spec"]["rack"] = json!({"topologyKey": "zone"});
    let plan = bridge.plan();
    let binding = "strimzi-case-connect-mm2-bridge-web-bridge-init";
    for (kind, name) in [
        ("Deployment", "web-bridge"),
        ("Service", "web-bridge-service"),
        ("PodDisruptionBudget", "web-bridge"),
        ("ServiceAccount", "web-bridge"),
        ("ClusterRoleBinding", binding),
    ] {
        let metadata = &object(&plan, kind, name)["metadata"];
        assert_eq!(
            (&metadata["labels"]["l"], &metadata["annotations"]["a"]),
            (&json!("x"), &json!("y")),
            "{kind}"
        );
    }
    assert_eq!(object(&plan, "Deployment", "web-bridge")["spec"]["strategy"], json!({"type": "Recreate"}));
    assert_eq!(object(&plan, "PodDisruptionBudget", "web-bridge")["spec"]["maxUnavailable"], 2);
    assert_eq!(object(&plan, "Service", "web-bridge-service")["spec"]["ipFamilyPolicy"], "PreferDualStack");
    let template = template(&plan);
    assert_eq!(template["metadata"]["labels"]["l"], "x");
    assert_eq!(template["spec"]["terminationGracePeriodSeconds"], 77);
    assert!(template["spec"]["containers"][0]["env"].to_string().contains("OTEL_SERVICE_NAME"));
    assert!(template["spec"]["initContainers"][0]["env"].to_string().contains("\"B\""));
}

#[test]
fn what_nothing_wants_any_more_goes_and_objects_of_somebody_else_stay() {
    let mut bridge = secured();
    bridge.resource["spec"]["rack"] = json!({"topologyKey": "zone"});
    bridge.settle();
    let spec = bridge.resource["spec"].as_object_mut().unwrap();
    for field in ["rack", "tls"] {
        spec.remove(field);
    }
    let gone = |plan: &BridgePlan| -> Vec<String> {
        plan.delete.iter().map(|one| one.object.kind.clone()).collect()
    };
    assert_eq!(gone(&bridge.plan()), ["ClusterRoleBinding", "Secret"]);

    let mut bridge = web();
    bridge.settle();
    let id = bridge.observed.others.keys().find(|id| id.kind == "Service").unwrap().clone();
    let mut facts = bridge.observed.others[&id].clone();
    facts.controller = Some(planner::live_object::NamedOwner {
        group: "apps.example.com".to_owned(),
        kind: "Other".to_owned(),
        name: "other".to_owned(),
    });
    bridge.observed.others.insert(id, facts);
    bridge.resource["spec"]["http"]["port"] = json!(9090);
    let plan = bridge.plan();
    assert!(!names(&plan).iter().any(|name| name.starts_with("Service ") || name.starts_with("Deployment")));
    let (type_, message) = verdict(&plan);
    assert!(type_ == "NotReady" && message.contains("belongs to Other other"), "{message}");
}

#[test]
fn settings_of_the_operator_hold_for_every_bridge() {
    let mut bridge = web();
    let settings = Arc::make_mut(&mut bridge.observed.settings);
    settings.kafka_bridge_image = Some("mirror/operator:1".to_owned());
    settings.custom_kafka_bridge_labels = [("pod".to_owned(), "x".to_owned())].into();
    settings.custom_kafka_bridge_service_labels = [("service".to_owned(), "y".to_owned())].into();
    settings.custom_kafka_bridge_service_annotations =
        [("note".to_owned(), "z".to_owned()), ("strimzi.io/discovery".to_owned(), "!".to_owned())].into();
    let plan = bridge.plan();
    assert_eq!(container(&plan)["image"], "mirror/operator:1");
    assert_eq!(template(&plan)["metadata"]["labels"]["pod"], "x");
    let metadata = &object(&plan, "Service", "web-bridge-service")["metadata"];
    assert_eq!(
        (&metadata["labels"]["service"], &metadata["annotations"]["note"]),
        (&json!("y"), &json!("z"))
    );
    assert!(metadata["annotations"]["strimzi.io/discovery"].as_str().unwrap().contains("8080"));
}

#[test]
fn the_example_is_made_without_a_warning() {
    let path = format!("{}/../../examples/kafka-bridge.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut bridge = Bridge::new(&text);
    let plan = bridge.settle();
    assert_eq!(verdict(&plan).0, "Ready");
    assert!(warnings(&plan).is_empty(), "{:?}", warnings(&plan));
}

//! Metrics, JMX, quotas and tiered storage of a Kafka resource: what they make, what is refused, what is said of jars that are
//! not there, and that all of it goes with the sections.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::{World, condition, documents, kafka_status, object, pool_status, warning_with};
use api::agent::{AgentReport, PlugIn};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use planner::kafka::admin_call::AdminCall;
use planner::kafka::cluster::Rate;
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

const POD: &str = "my-dual-0";

fn world(section: &str, content: Value) -> World {
    let mut world = World::load("dual-role.input.yaml");
    rules(&mut world, "lowercaseOutputName: true\nrules: []\n");
    world.kafka(|kafka| kafka["spec"]["kafka"][section] = content);
    world
}

fn rules(world: &mut World, text: &str) {
    let map = json!({"metadata": {"name": "rules", "namespace": "s1"}, "data": {"m.yml": text}});
    let map: ConfigMap = serde_json::from_value(map).unwrap();
    world.observed.config_maps.insert("rules".to_owned(), Arc::new(map));
}

fn exporter() -> Value {
    json!({"type": "jmxPrometheusExporter", "valueFrom": {"configMapKeyRef": {"name": "rules", "key": "m.yml"}}})
}

fn lines(plan: &Plan, pod: &str) -> BTreeMap<String, String> {
    let text = object(plan, "ConfigMap", pod)["data"]["server.config"].as_str().unwrap().to_owned();
    let lines = text.lines().map(|line| line.split_once('=').unwrap());
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn pod(plan: &Plan) -> Value {
    let set = object(plan, "StrimziPodSet", "my-dual");
    set["spec"]["pods"][0].clone()
}

/// Names and numbers of the ports of the container, of the headless Service and of the policy.
fn ports(plan: &Plan) -> [String; 3] {
    let text = |value: &Value| value.to_string();
    [
        text(&pod(plan)["spec"]["containers"][0]["ports"]),
        text(&object(plan, "Service", "my-kafka-brokers")["spec"]["ports"]),
        text(&object(plan, "NetworkPolicy", "my-network-policy-kafka")["spec"]["ingress"]),
    ]
}

fn problem(world: &mut World) -> String {
    let plan = world.plan();
    let condition =
        condition(&plan, "NotReady").unwrap_or_else(|| panic!("not refused: {}", kafka_status(&plan)));
    condition["message"].as_str().unwrap().to_owned()
}

#[test]
fn the_exporter_gets_its_rules_as_json_and_a_port() {
    let mut world = world("metricsConfig", exporter());
    let plan = world.settle();
    let map = object(&plan, "ConfigMap", POD);
    assert_eq!(map["data"]["metrics-config.json"], r#"{"lowercaseOutputName":true,"rules":[]}"#);
    assert_eq!(lines(&plan, POD)["metric.reporters"], "org.apache.kafka.common.metrics.JmxReporter");
    let agent: Value = serde_json::from_str(map["data"]["agent.config"].as_str().unwrap()).unwrap();
    assert_eq!(agent["plugIns"], json!([{"type": "jmxPrometheusExporter", "port": 9404}]));
    let [container, service, policy] = ports(&plan);
    assert!(container.contains(r#""containerPort":9404,"name":"tcp-prometheus""#), "{container}");
    assert!(!service.contains("9404"), "Prometheus looks at pods: {service}");
    assert!(policy.contains(r#"{"ports":[{"port":9404,"protocol":"TCP"}]}"#), "{policy}");
    assert_eq!(condition(&plan, "Ready").unwrap()["status"], "True", "{}", kafka_status(&plan));

    // The exporter itself reads other rules: nothing restarts for them.
    rules(&mut world, "rules: [{pattern: .*}]\n");
    let plan = world.plan();
    let map = object(&plan, "ConfigMap", POD);
    assert_eq!(map["data"]["metrics-config.json"], r#"{"rules":[{"pattern":".*"}]}"#);
    assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);

    // Without the section nothing of it is left, after a restart.
    world.apply(&plan);
    world.kafka(|kafka| kafka["spec"]["kafka"]["metricsConfig"] = Value::Null);
    let plan = world.plan();
    assert_eq!(plan.roll.wanted.len(), 3, "{:?}", plan.roll.wanted);
    assert!(object(&plan, "ConfigMap", POD)["data"]["metrics-config.json"].is_null());
    assert!(ports(&plan).iter().all(|text| !text.contains("9404")));
}

#[test]
fn rules_that_the_exporter_could_not_read_are_refused() {
    let mut world = world("metricsConfig", exporter());
    rules(&mut world, "rules: [");
    let said = problem(&mut world);
    assert!(said.contains("spec.kafka.metricsConfig.valueFrom.configMapKeyRef.key: key \"m.yml\" of ConfigMap \"rules\" is not YAML"), "{said}");
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["metricsConfig"]["valueFrom"]["configMapKeyRef"]["key"] = json!("x");
    });
    assert!(problem(&mut world).contains("has no key \"x\""));
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["metricsConfig"]["valueFrom"]["configMapKeyRef"]["name"] = json!("none");
    });
    assert!(problem(&mut world).contains("ConfigMap \"none\" does not exist"));
    world.kafka(|kafka| kafka["spec"]["kafka"]["metricsConfig"]["valueFrom"] = Value::Null);
    assert!(problem(&mut world).contains("configMapKeyRef: is missing"));
}

#[test]
fn the_reporter_is_put_beside_those_of_the_user() {
    let section =
        json!({"type": "strimziMetricsReporter", "values": {"allowList": ["kafka_log.*", "kafka_server.*"]}});
    let mut world = world("metricsConfig", section);
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["metric.reporters"] = json!("a.Mine"));
    let plan = world.settle();
    let found = lines(&plan, POD);
    for (name, value) in [
        ("metric.reporters", "a.Mine,io.strimzi.kafka.metrics.prometheus.ServerKafkaMetricsReporter"),
        ("kafka.metrics.reporters", "io.strimzi.kafka.metrics.prometheus.ServerYammerMetricsReporter"),
        ("prometheus.metrics.reporter.listener.enable", "true"),
        ("prometheus.metrics.reporter.listener", "http://:9404"),
        ("prometheus.metrics.reporter.allowlist", "kafka_log.*,kafka_server.*"),
    ] {
        assert_eq!(found[name], value);
    }
    assert!(ports(&plan)[0].contains("9404"));

    // The agent may have to leave the reporter out: so nobody sets it at run time, and a change of the list restarts.
    world.tell_options(&[]);
    let plan = world.plan();
    assert!(plan.calls.is_empty(), "{:?}", plan.calls);
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["metric.reporters"] = json!("a.Other"));
    assert_eq!(world.plan().roll.wanted.len(), 3);

    world.kafka(|kafka| kafka["spec"]["kafka"]["metricsConfig"]["values"]["allowList"] = json!(["a,b", " "]));
    let said = problem(&mut world);
    assert!(said.contains("allowList[0]: \"a,b\" holds the separator ','"), "{said}");
    assert!(said.contains("allowList[1]: \" \" is not a regular expression"), "{said}");
}

#[test]
fn without_a_list_the_reporter_offers_what_dashboards_show() {
    let plan = world("metricsConfig", json!({"type": "strimziMetricsReporter"})).settle();
    let found = lines(&plan, POD);
    assert!(
        found["prometheus.metrics.reporter.allowlist"]
            .starts_with("kafka_cluster_partition.*,kafka_controller")
    );
    assert_eq!(
        found["metric.reporters"],
        "org.apache.kafka.common.metrics.JmxReporter,io.strimzi.kafka.metrics.prometheus.ServerKafkaMetricsReporter"
    );
}

#[test]
fn the_password_of_jmx_is_made_once_and_mounted() {
    let mut world = world("jmxOptions", json!({"authentication": {"type": "password"}}));
    let plan = world.settle();
    let [container, service, policy] = ports(&plan);
    assert!(container.contains(r#""containerPort":9999,"name":"jmx""#), "{container}");
    assert!(service.contains(r#""name":"jmx","port":9999"#), "{service}");
    assert!(policy.contains(r#"{"ports":[{"port":9999,"protocol":"TCP"}]}"#), "{policy}");
    let spec = &pod(&plan)["spec"];
    let volumes = spec["volumes"].to_string();
    assert!(volumes.contains(r#""secretName":"my-kafka-jmx""#), "{volumes}");
    assert!(spec["containers"][0]["volumeMounts"].to_string().contains("/opt/kafka/jmx"));
    let secret = world.observed.secrets["my-kafka-jmx"].clone();
    let word = |key: &str| String::from_utf8(secret.data.as_ref().unwrap()[key].0.clone()).unwrap();
    let (user, password) = (word("jmx-username"), word("jmx-password"));
    assert_eq!((user.as_str(), password.len()), ("kafka-jmx", 16));
    // It is in the Secret and nowhere else.
    for object in plan.apply.iter().filter(|object| object.reference.kind != "Secret") {
        assert!(!object.object.to_string().contains(&password), "{:?}", object.reference);
    }
    assert!(!format!("{plan:?}").contains(&password));
    assert!(!serde_json::to_string(&plan).unwrap().contains(&password));

    // What a user writes there stays, and what is taken out is made anew.
    let secret = Arc::make_mut(world.observed.secrets.get_mut("my-kafka-jmx").unwrap());
    let data = secret.data.as_mut().unwrap();
    data.insert("jmx-username".to_owned(), ByteString(b"me".to_vec()));
    data.remove("jmx-password");
    let plan = world.plan();
    world.apply(&plan);
    let secret = world.observed.secrets["my-kafka-jmx"].clone();
    assert_eq!(secret.data.as_ref().unwrap()["jmx-username"].0, b"me");
    assert_eq!(secret.data.as_ref().unwrap()["jmx-password"].0.len(), 16);
    assert!(plan.roll.wanted.is_empty(), "the agent follows the Secret: {:?}", plan.roll.wanted);

    // Without a password there is no Secret; without the section no port.
    world.kafka(|kafka| kafka["spec"]["kafka"]["jmxOptions"] = json!({}));
    let is_deleted = |plan: &Plan| plan.delete.iter().any(|gone| gone.object.name == "my-kafka-jmx");
    let plan = world.plan();
    assert!(!is_deleted(&plan), "pods still mount it");
    let said = warning_with(&plan, "JmxWithoutAuthentication").unwrap();
    assert!(said.contains("port 9999") && said.contains("authentication: {type: password}"), "{said}");
    world.apply(&plan);
    world.observed.pods.clear();
    world.run_everything();
    let plan = world.plan();
    assert!(is_deleted(&plan), "{:?}", plan.delete);
    assert!(ports(&plan)[1].contains("9999"));
    world.kafka(|kafka| kafka["spec"]["kafka"]["jmxOptions"] = Value::Null);
    assert!(ports(&world.plan()).iter().all(|text| !text.contains("9999")));
}

#[test]
fn a_class_path_leads_to_jars_and_to_nothing_else() {
    let refused = |path: &str| {
        let manager = json!({"className": "a.Rsm", "classPath": path, "config": {}});
        let mut world = world("tieredStorage", json!({"type": "custom", "remoteStorageManager": manager}));
        let plan = world.plan();
        let why =
            condition(&plan, "NotReady").map(|condition| condition["message"].as_str().unwrap().to_owned());
        why.filter(|why| why.contains("classPath"))
    };
    for good in ["/opt/rsm/*", "/opt/rsm/a.jar:/mnt/kafka-libs/*", "/opt/rsm/core/*:/opt/rsm/s3/*"] {
        assert_eq!(refused(good), None, "{good}");
    }
    let long = format!("/{}", "x".repeat(5000));
    for bad in [
        "/*",
        "/",
        "rsm/*",
        "/x:${strimzidir:/opt/kafka/node-certs:a.key}",
        "/opt/../*",
        "/opt/a\n/*",
        "/*/*",
        &long,
    ] {
        assert!(refused(bad).is_some(), "{bad}");
    }
}

fn quota_calls(plan: &Plan) -> Vec<BTreeMap<String, Option<Rate>>> {
    let calls = plan.calls.iter().filter_map(|call| match call {
        AdminCall::AlterDefaultUserQuotas { changes } => Some(changes.clone()),
        _ => None,
    });
    calls.collect()
}

#[test]
fn kafkas_own_quotas_are_set_kept_and_leave_with_the_section() {
    let mut world =
        world("quotas", json!({"type": "kafka", "producerByteRate": 1000, "requestPercentage": 55}));
    world.default_quotas = Some(BTreeMap::new());
    let plan = world.settle();
    let wanted = BTreeMap::from([
        ("producer_byte_rate".to_owned(), Some(Rate(1000.0))),
        ("request_percentage".to_owned(), Some(Rate(55.0))),
    ]);
    assert_eq!(quota_calls(&plan), [wanted]);
    assert_eq!(plan.look_again_seconds(), Some(2), "it is looked at again soon");

    // What somebody changes by hand is set back, and what is right is left alone.
    world.default_quotas = Some(BTreeMap::from([
        ("producer_byte_rate".to_owned(), 1000.0),
        ("request_percentage".to_owned(), 99.0),
        ("consumer_byte_rate".to_owned(), 7.0),
    ]));
    let changes = BTreeMap::from([
        ("consumer_byte_rate".to_owned(), None),
        ("request_percentage".to_owned(), Some(Rate(55.0))),
    ]);
    assert_eq!(quota_calls(&world.plan()), [changes]);
    let right: BTreeMap<String, f64> =
        [("producer_byte_rate".to_owned(), 1000.0), ("request_percentage".to_owned(), 55.0)].into();
    world.default_quotas = Some(right.clone());
    let plan = world.plan();
    assert!(quota_calls(&plan).is_empty());
    world.apply(&plan);

    // Without the section they go, also when Kafka does not answer for a while and the operator forgets everything.
    world.kafka(|kafka| kafka["spec"]["kafka"]["quotas"] = Value::Null);
    world.default_quotas = None;
    let plan = world.plan();
    assert!(quota_calls(&plan).is_empty());
    world.apply(&plan);
    world.default_quotas = Some(right);
    let changes =
        BTreeMap::from([("producer_byte_rate".to_owned(), None), ("request_percentage".to_owned(), None)]);
    let plan = world.plan();
    assert_eq!(quota_calls(&plan), [changes]);
    world.apply(&plan);
    world.default_quotas = Some(BTreeMap::new());
    let plan = world.plan();
    world.apply(&plan);

    // From then on those that somebody sets by hand are his.
    world.default_quotas = Some(BTreeMap::from([("consumer_byte_rate".to_owned(), 7.0)]));
    assert!(quota_calls(&world.plan()).is_empty());
    assert!(!world.asked.iter().any(|need| matches!(need, Need::DefaultQuotas)), "and nobody asks");
}

#[test]
fn the_plug_in_for_quotas_is_configured_on_brokers() {
    let section = json!({"type": "strimzi", "producerByteRate": 1000, "consumerByteRate": 2000,
        "minAvailableRatioPerVolume": 0.25, "excludedPrincipals": ["User:CN=a", "User:b"]});
    let mut world = world("quotas", section);
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["client.quota.callback.class"] = json!("a.Mine"));
    let plan = world.settle();
    let found = lines(&plan, POD);
    let at = |name: &str| found[&format!("client.quota.callback.{name}")].as_str();
    assert_eq!(at("class"), "io.strimzi.kafka.quotas.StaticQuotaCallback");
    assert_eq!(at("static.kafka.admin.bootstrap.servers"), "my-kafka-brokers:9091");
    assert_eq!(at("static.kafka.admin.security.protocol"), "SSL");
    assert_eq!(at("static.kafka.admin.ssl.keystore.location"), "/var/opt/kafka/node.pem");
    assert_eq!((at("static.produce"), at("static.fetch")), ("1000", "2000"));
    assert_eq!(at("static.storage.per.volume.limit.min.available.ratio"), "0.25");
    assert_eq!(
        at("static.excluded.principal.name.list"),
        "User:CN=my-kafka,O=io.strimzi;User:CN=my-cruise-control,O=io.strimzi;User:CN=a;User:b"
    );
    let said = warning_with(&plan, "QuotasPluginConflict").unwrap();
    assert!(said.contains("client.quota.callback.class is not used"), "{said}");

    let mut split = World::load("split-pools.input.yaml");
    split.kafka(|kafka| kafka["spec"]["kafka"]["quotas"] = json!({"type": "strimzi", "producerByteRate": 1}));
    let plan = split.settle();
    assert!(lines(&plan, "shop-brokers-0").contains_key("client.quota.callback.class"));
    assert!(!lines(&plan, "shop-controllers-3").contains_key("client.quota.callback.class"));
}

#[test]
fn quotas_that_cannot_be_are_refused_and_those_that_mean_nothing_named() {
    for (section, said) in [
        (json!({"type": "kafka", "producerByteRate": 0}), "producerByteRate: 0 is not taken by Kafka"),
        (
            json!({"type": "kafka", "controllerMutationRate": -1.5}),
            "controllerMutationRate: -1.5 is not taken",
        ),
        (
            json!({"type": "strimzi", "minAvailableBytesPerVolume": 1, "minAvailableRatioPerVolume": 0.5}),
            "write only one of them",
        ),
        (
            json!({"type": "strimzi", "excludedPrincipals": ["a;b"]}),
            "excludedPrincipals[0]: \"a;b\" holds the separator",
        ),
    ] {
        let message = problem(&mut world("quotas", section));
        assert!(message.contains(said), "{message}");
    }
    let mut odd = world("quotas", json!({"type": "kafka", "minAvailableBytesPerVolume": 1}));
    odd.default_quotas = Some(BTreeMap::new());
    let said = warning_with(&odd.settle(), "UnsupportedFields").unwrap();
    assert!(said.contains("minAvailableBytesPerVolume means nothing with type: kafka"), "{said}");
}

fn tiered() -> Value {
    json!({"type": "custom", "remoteStorageManager": {"className": "a.Rsm", "classPath": "/opt/rsm/*",
        "config": {"bucket": "b", "key": "${strimzienv:KEY}"}}})
}

#[test]
fn tiered_storage_is_configured_and_controllers_know_of_it() {
    let mut split = World::load("split-pools.input.yaml");
    split.kafka(|kafka| kafka["spec"]["kafka"]["tieredStorage"] = tiered());
    let plan = split.settle();
    let broker = lines(&plan, "shop-brokers-0");
    for (name, value) in [
        ("remote.log.storage.system.enable", "true"),
        ("remote.log.metadata.manager.impl.prefix", "rlmm.config."),
        ("remote.log.metadata.manager.listener.name", "REPLICATION-9091"),
        ("rlmm.config.remote.log.metadata.common.client.bootstrap.servers", "shop-kafka-brokers:9091"),
        ("rlmm.config.remote.log.metadata.common.client.ssl.truststore.type", "PEM"),
        ("remote.log.storage.manager.class.name", "a.Rsm"),
        ("remote.log.storage.manager.class.path", "/opt/rsm/*"),
        ("remote.log.storage.manager.impl.prefix", "rsm.config."),
        ("rsm.config.bucket", "b"),
        ("rsm.config.key", "${strimzienv:KEY}"),
    ] {
        assert_eq!(broker[name], value);
    }
    // Else no topic could be made that has remote storage.
    let controller = lines(&plan, "shop-controllers-3");
    assert_eq!(controller["remote.log.storage.system.enable"], "true");
    assert!(!controller.contains_key("remote.log.storage.manager.class.name"));

    let message = problem(&mut world("tieredStorage", json!({"type": "custom"})));
    assert!(
        message.contains("spec.kafka.tieredStorage.remoteStorageManager.className: is missing"),
        "{message}"
    );
    let mut odd = tiered();
    odd["remoteStorageManager"]["className"] = json!("a b");
    odd["remoteStorageManager"]["config"]["x=1\ny"] = json!("z");
    let message = problem(&mut world("tieredStorage", odd));
    assert!(message.contains("\"a b\" is not the name of a Java class"), "{message}");
    assert!(message.contains("is not the name of an option"), "{message}");
}

#[test]
fn a_jar_that_pods_run_without_is_named_with_how_to_add_it() {
    let mut world = world("metricsConfig", exporter());
    world.settle();
    let missing = AgentReport {
        missing_plug_ins: vec![PlugIn::JmxPrometheusExporter { port: 9404 }, PlugIn::QuotasPlugIn],
        certificates: None,
        unresponsive: None,
    };
    for pod in ["my-dual-0", "my-dual-2"] {
        world.agents.insert(pod.to_owned(), missing.clone());
    }
    let plan = world.plan();
    assert_eq!(condition(&plan, "Ready").unwrap()["status"], "True", "it runs: {}", kafka_status(&plan));
    let said = warning_with(&plan, "PlugInMissing").unwrap();
    for part in [
        "KafkaNodePool dual: my-dual-0, my-dual-2 run without the JMX Prometheus Exporter, which spec.kafka.metricsConfig asks for",
        "no jar jmx_prometheus_javaagent*.jar in /opt/kafka/libs of the image nor in /mnt/kafka-libs",
        "io.prometheus.jmx:jmx_prometheus_javaagent",
        "spec.kafka.image",
        "template.kafkaContainer.volumeMounts",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("Quotas"), "what is not asked for is not missed: {said}");
    let status = pool_status(&plan, "dual");
    assert!(status["conditions"].to_string().contains("PlugInMissing"), "{status}");

    // All found, nothing to say; and a cluster without such sections asks nobody.
    for report in world.agents.values_mut() {
        *report = AgentReport::default();
    }
    assert_eq!(warning_with(&world.plan(), "PlugInMissing"), None);
    let mut plain = World::load("dual-role.input.yaml");
    plain.settle();
    plain.plan();
    assert!(!plain.asked.iter().any(|need| matches!(need, Need::AgentReports(_))));
}

/// Applies an example, as a user would, and lets it run.
fn example(text: &str) -> (World, Plan) {
    let mut all = documents(text);
    for (index, document) in all.iter_mut().enumerate() {
        document["metadata"]["namespace"] = json!("shop");
        document["metadata"]["uid"] = json!(format!("uid-of-{index}"));
    }
    let mut world = World::new(all);
    world.default_quotas = Some(BTreeMap::new());
    let plan = world.settle();
    assert_eq!(condition(&plan, "Ready").unwrap()["status"], "True", "{}", kafka_status(&plan));
    assert_eq!(condition(&plan, "Warning"), None);
    (world, plan)
}

#[test]
fn the_examples_are_carried_out_as_they_stand() {
    let (_, plan) = example(include_str!("../../../../examples/metrics.yaml"));
    let map = object(&plan, "ConfigMap", "watched-dual-0");
    assert!(map["data"]["metrics-config.json"].as_str().unwrap().contains("kafka_server_raftmetrics_$1"));
    let set = object(&plan, "StrimziPodSet", "watched-dual").to_string();
    assert!(set.contains("/mnt/kafka-libs") && set.contains("registry.example.com/kafka-jars:1"));
    let (world, _) = example(include_str!("../../../../examples/jmx.yaml"));
    let secret = &world.observed.secrets["traced-kafka-jmx"];
    assert_eq!(secret.metadata.labels.as_ref().unwrap()["team"], "operations");
    let (_, plan) = example(include_str!("../../../../examples/quotas.yaml"));
    assert_eq!(quota_calls(&plan)[0].len(), 4);
    let (_, plan) = example(include_str!("../../../../examples/tiered-storage.yaml"));
    assert!(lines(&plan, "archive-dual-0")["rsm.config.storage.backend.class"].ends_with("S3Storage"));
}

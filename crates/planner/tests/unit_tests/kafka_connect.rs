//! KafkaConnect: the objects, the options, which workers restart and when, and what is said of mistakes.

use std::collections::BTreeSet;

use crate::common::connect::{Connect, certificate, has, object, restarts, secret, verdict};
use crate::common::reference;
use api::agent::PlugIn;
use planner::kafka_connect::plan::ConnectPlan;
use serde_json::{Value, json};

fn pipes() -> Connect {
    Connect::new(&reference("connect.input.yaml"))
}

fn properties(plan: &ConnectPlan) -> api::properties::Properties {
    let text = object(plan, "ConfigMap", "pipes-connect-config")["data"]["kafka-connect.properties"].as_str();
    api::properties::parse(text.unwrap()).unwrap()
}

fn pods(plan: &ConnectPlan) -> Vec<Value> {
    object(plan, "StrimziPodSet", "pipes-connect")["spec"]["pods"].as_array().unwrap().clone()
}

#[test]
fn a_settled_cluster_is_ready_and_nothing_is_written_again() {
    let mut connect = pipes();
    let first = connect.plan();
    assert_eq!(verdict(&first).0, "NotReady");
    assert_eq!(first.status.as_ref().unwrap().url, None, "nobody answers there yet");
    connect.settle();
    let plan = connect.plan();
    assert!(plan.apply.iter().all(|write| !write.is_change()), "{:?}", plan.apply);
    assert!(plan.delete.is_empty() && plan.calls.is_empty());
    let status = plan.status.as_ref().unwrap();
    assert_eq!(verdict(&plan).0, "Ready");
    assert_eq!(status.url.as_deref(), Some("http://pipes-connect-api.case-connect-mm2-bridge.svc:8083"));
    assert_eq!(status.replicas, Some(2));
    let selector = "strimzi.io/cluster=pipes,strimzi.io/name=pipes-connect,strimzi.io/kind=KafkaConnect";
    assert_eq!(status.label_selector.as_deref(), Some(selector));
}

#[test]
fn the_configuration_names_files_and_providers_and_keeps_the_users_options() {
    let mut connect = pipes();
    connect.resource["spec"]["config"]["config.providers"] = json!("mine");
    connect.resource["spec"]["config"]["config.providers.mine.class"] = json!("a.B");
    let plan = connect.plan();
    let properties = properties(&plan);
    for (name, value) in [
        ("bootstrap.servers", "shop-kafka-bootstrap:9093"),
        ("group.id", "pipes"),
        ("config.storage.topic", "pipes-configs"),
        ("rest.advertised.host.name", "${strimzienv:ADVERTISED_HOSTNAME}"),
        ("plugin.path", "/opt/kafka/plugins"),
        ("security.protocol", "SSL"),
        ("producer.security.protocol", "SSL"),
        ("consumer.ssl.truststore.location", "/opt/kafka/trusted-certs/ca.crt"),
        ("admin.ssl.keystore.location", "/var/opt/kafka/client.pem"),
        ("config.providers", "mine,strimzienv,strimzifile,strimzidir,strimzisecrets"),
        ("config.providers.mine.class", "a.B"),
        ("config.providers.strimzifile.param.allowed.paths", "/mnt,/opt/kafka/trusted-certs,/opt/kafka/init"),
        ("config.providers.strimzidir.param.allowed.paths", "/mnt,/opt/kafka/trusted-certs,/opt/kafka/init"),
        ("config.storage.replication.factor", "-1"),
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ] {
        assert_eq!(properties.get(name), Some(value), "{name}");
    }
    let pod = &pods(&plan)[0];
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let own = volumes.iter().find(|volume| volume["name"] == "client-credentials").unwrap();
    assert_eq!(own["secret"]["secretName"], "pipes");
    let items = json!([{"key": "user.crt", "path": "client.crt"}, {"key": "user.key", "path": "client.key"}]);
    assert_eq!(own["secret"]["items"], items, "no other key of the Secret gets into the pod");
}

#[test]
fn passwords_are_placeholders_and_names_are_escaped() {
    for (type_, mechanism, module) in [
        ("scram-sha-512", "SCRAM-SHA-512", "scram.ScramLoginModule"),
        ("scram-sha-256", "SCRAM-SHA-256", "scram.ScramLoginModule"),
        ("plain", "PLAIN", "plain.PlainLoginModule"),
    ] {
        let mut connect = pipes();
        connect.refer(secret("pw", &[("p", "hunter2")]));
        let password = json!({"secretName": "pw", "password": "p"});
        connect.resource["spec"]["authentication"] =
            json!({"type": type_, "username": "a\"b\\c", "passwordSecret": password});
        connect.resource["spec"].as_object_mut().unwrap().remove("tls");
        let plan = connect.plan();
        let properties = properties(&plan);
        assert_eq!(properties.get("producer.sasl.mechanism"), Some(mechanism));
        assert_eq!(properties.get("security.protocol"), Some("SASL_PLAINTEXT"));
        let jaas = format!(
            "org.apache.kafka.common.security.{module} required username=\"a\\\"b\\\\c\" \
             password=\"${{kastellanjaas:/opt/kafka/clients/client:password}}\";"
        );
        assert_eq!(properties.get("sasl.jaas.config"), Some(jaas.as_str()));
        let shown = serde_json::to_string(&plan).unwrap();
        assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMg"), "no plan shows a password");
        assert!(!has(&plan, "Secret", "pipes-connect-tls-trusted-certs"));
        let role = object(&plan, "Role", "pipes-connect");
        assert_eq!(role["rules"][0]["resourceNames"], json!(["pw"]));
    }
}

#[test]
fn only_certificates_of_the_named_keys_are_trusted() {
    let mut connect = pipes();
    let ((first, _), (second, key)) = (certificate(), certificate());
    let mixed = format!("{key}{second}");
    connect.refer(secret("one", &[("a.crt", &first), ("b.pem", "not a certificate")]));
    connect.refer(secret("two", &[("mixed", &mixed)]));
    connect.resource["spec"]["tls"]["trustedCertificates"] = json!([
        {"secretName": "one", "pattern": "*.crt"}, {"secretName": "two", "certificate": "mixed"}]);
    let plan = connect.plan();
    let trusted = object(&plan, "Secret", "pipes-connect-tls-trusted-certs")["data"]["ca.crt"].clone();
    let bytes: k8s_openapi::ByteString = serde_json::from_value(trusted).unwrap();
    let text = String::from_utf8(bytes.0).unwrap();
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2);
    assert!(!text.contains("PRIVATE"), "a private key beside a certificate goes nowhere");
}

#[test]
fn a_changed_secret_restarts_the_workers_one_by_one_and_only_for_the_keys_that_are_named() {
    let mut connect = pipes();
    connect.settle();
    let before = connect.observed.referred_secrets["pipes"].as_ref().clone();
    let text = |key: &str| String::from_utf8(before.data.as_ref().unwrap()[key].0.clone()).unwrap();
    let (crt, key) = (text("user.crt"), text("user.key"));
    connect.refer(secret("pipes", &[("user.crt", &crt), ("user.key", &key), ("user.password", "other")]));
    let plan = connect.plan();
    assert!(plan.calls.is_empty() && plan.waiting_for.is_empty(), "that key is of no use to the workers");

    let (crt, key) = certificate();
    connect.refer(secret("pipes", &[("user.crt", &crt), ("user.key", &key)]));
    let plan = connect.plan();
    assert!(plan.calls.is_empty(), "first the pod set is written");
    assert_eq!(verdict(&plan).0, "Ready", "the workers serve on meanwhile");
    connect.apply(&plan);
    let plan = connect.plan();
    assert_eq!(plan.calls.len(), 1);
    assert_eq!(restarts(&plan)[0].pod, "pipes-connect-0");
    assert!(restarts(&plan)[0].notes[0].contains("credentials"), "{:?}", plan.calls);
    connect.apply(&plan);
    assert!(connect.plan().calls.is_empty(), "the other one waits for the first");
    connect.make_pods();
    let plan = connect.plan();
    assert_eq!(restarts(&plan)[0].pod, "pipes-connect-1");
    connect.settle();
    assert!(connect.plan().calls.is_empty());
}

#[test]
fn a_worker_that_is_not_ready_restarts_first_and_one_that_needs_no_restart_is_waited_for() {
    let mut connect = pipes();
    connect.settle();
    connect.resource["spec"]["config"]["offset.flush.interval.ms"] = json!(1000);
    connect.unready("pipes-connect-1");
    let plan = connect.plan();
    connect.apply(&plan);
    assert_eq!(restarts(&connect.plan())[0].pod, "pipes-connect-1");

    let mut connect = pipes();
    connect.settle();
    let asked = json!({"strimzi.io/manual-rolling-update": "true"});
    let mut pod = connect.observed.pods["pipes-connect-0"].as_ref().clone();
    pod.metadata
        .annotations
        .as_mut()
        .unwrap()
        .extend(serde_json::from_value::<std::collections::BTreeMap<String, String>>(asked).unwrap());
    connect.observed.pods.insert("pipes-connect-0".to_owned(), std::sync::Arc::new(pod));
    assert_eq!(restarts(&connect.plan())[0].pod, "pipes-connect-0");
    connect.unready("pipes-connect-1");
    assert!(connect.plan().calls.is_empty(), "no second worker is taken away");
}

#[test]
fn logging_and_labels_restart_nothing() {
    let mut connect = pipes();
    connect.settle();
    connect.resource["spec"]["logging"] = json!({"type": "inline", "loggers": {"rootLogger.level": "DEBUG"}});
    connect.resource["metadata"]["labels"] = json!({"team": "a"});
    let plan = connect.plan();
    connect.apply(&plan);
    assert!(connect.plan().calls.is_empty());
    let text = object(&plan, "ConfigMap", "pipes-connect-config")["data"]["log4j2.properties"].to_string();
    assert!(text.contains("rootLogger.level=DEBUG") && text.contains("monitorInterval"), "{text}");
}

#[test]
fn a_restart_that_was_asked_for_on_the_pod_set_is_remembered_until_every_pod_had_it() {
    let mut connect = pipes();
    connect.settle();
    let mut set = connect.observed.pod_sets["pipes-connect"].as_ref().clone();
    let key = "strimzi.io/manual-rolling-update".to_owned();
    set.metadata.annotations.get_or_insert_default().insert(key, "true".to_owned());
    connect.observed.pod_sets.insert("pipes-connect".to_owned(), std::sync::Arc::new(set));
    let plan = connect.plan();
    let annotations = &object(&plan, "StrimziPodSet", "pipes-connect")["metadata"]["annotations"];
    assert_eq!(annotations["strimzi.io/manual-rolling-update"], "false");
    connect.apply(&plan);
    assert_eq!(restarts(&connect.plan())[0].pod, "pipes-connect-0");
}

#[test]
fn no_workers_are_a_wish_like_any_other() {
    let mut connect = pipes();
    connect.settle();
    connect.resource["spec"]["replicas"] = json!(0);
    let plan = connect.settle();
    assert!(pods(&plan).is_empty());
    let status = plan.status.as_ref().unwrap();
    assert_eq!((verdict(&plan).0.as_str(), status.replicas, &status.url), ("Ready", Some(0), &None));
    assert_eq!(object(&plan, "PodDisruptionBudget", "pipes-connect")["spec"]["minAvailable"], 0);
}

#[test]
fn what_is_wrong_is_named_with_its_field_and_what_runs_stays() {
    type Change = fn(&mut Value);
    let mut whole = pipes();
    whole.settle();
    let cases: [(Change, &str); 11] = [
        (
            |spec| spec["authentication"]["certificateAndKey"]["secretName"] = json!("none"),
            "Secret \"none\" does not exist",
        ),
        (
            |spec| spec["authentication"]["certificateAndKey"]["key"] = json!("none"),
            "Secret \"pipes\" has no key \"none\"",
        ),
        (
            |spec| spec["tls"]["trustedCertificates"][0]["secretName"] = json!("none"),
            "spec.tls.trustedCertificates[0].secretName",
        ),
        (
            |spec| spec["tls"]["trustedCertificates"][0]["pattern"] = json!("*.pem"),
            "no key of Secret \"shop-cluster-ca-cert\" matches",
        ),
        (
            |spec| spec["config"]["ssl.keystore.location"] = json!("/x"),
            "spec.config.ssl.keystore.location: is set by the operator",
        ),
        (|spec| spec["version"] = json!("9.9.9"), "spec.version"),
        (|spec| spec["authentication"] = json!({"type": "oauth"}), "write type: custom"),
        (
            |spec| spec["authentication"] = json!({"type": "plain"}),
            "spec.authentication.username: is missing",
        ),
        (
            |spec| spec["authentication"] = json!({"type": "custom", "config": {"acks": 1}}),
            "is no option of authentication",
        ),
        (|spec| spec["replicas"] = json!(-1), "spec.replicas"),
        (
            |spec| {
                spec["logging"] =
                    json!({"type": "external", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}});
            },
            "ConfigMap \"m\" does not exist",
        ),
    ];
    for (change, expected) in cases {
        let mut connect = whole.clone();
        change(&mut connect.resource["spec"]);
        let plan = connect.plan();
        let (type_, message) = verdict(&plan);
        assert!(type_ == "NotReady" && message.contains(expected), "{expected}: {type_} {message}");
        assert!(plan.apply.is_empty() && plan.delete.is_empty() && plan.calls.is_empty());
        assert!(plan.status.as_ref().unwrap().url.is_some(), "what is known stays");
    }
}

#[test]
fn older_manifests_are_taken_as_they_are() {
    let mut connect = pipes();
    let spec = connect.resource["spec"].as_object_mut().unwrap();
    for field in ["groupId", "configStorageTopic", "statusStorageTopic", "offsetStorageTopic", "replicas"] {
        spec.remove(field);
    }
    spec["config"]["group.id"] = json!("old-group");
    let secret = json!({"secretKeyRef": {"name": "s", "key": "k"}});
    spec.insert("externalConfiguration".to_owned(), json!({"env": [{"name": "A", "valueFrom": secret}]}));
    spec["config"]["offset.storage.topic"] = json!("old-offsets");
    let plan = connect.plan();
    let properties = properties(&plan);
    assert_eq!(properties.get("group.id"), Some("old-group"));
    assert_eq!(properties.get("offset.storage.topic"), Some("old-offsets"));
    assert_eq!(properties.get("status.storage.topic"), Some("connect-cluster-status"));
    assert_eq!(pods(&plan).len(), 3);
    let conditions = plan.status.as_ref().unwrap().conditions.clone().unwrap();
    let said = |text: &str| {
        conditions.iter().any(|one| one.type_ == "Warning" && one.message.as_ref().unwrap().contains(text))
    };
    assert!(said("spec.externalConfiguration") && said("connectContainer.env"), "{conditions:?}");
    assert!(
        said("write spec.groupId instead") && said("spec.statusStorageTopic is missing"),
        "{conditions:?}"
    );
}

#[test]
fn variables_and_volumes_of_older_manifests_are_in_the_workers() {
    let mut connect = pipes();
    let secret = json!({"secretKeyRef": {"name": "s", "key": "k"}});
    connect.resource["spec"]["externalConfiguration"] = json!({
        "env": [
            {"name": "PASSWORD", "valueFrom": secret},
            {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}},
            {"name": "KAFKA_HEAP", "valueFrom": secret},
        ],
        "volumes": [
            {"name": "my.secret", "secret": {"secretName": "s", "items": [{"key": "k", "path": "p"}]}},
            {"name": "map", "configMap": {"name": "m"}},
        ],
    });
    let plan = connect.plan();
    let spec = &pods(&plan)[0]["spec"];
    let worker = &spec["containers"][0];
    let variables = worker["env"].as_array().unwrap();
    assert!(variables.contains(&json!({"name": "PASSWORD", "valueFrom": secret})), "{variables:?}");
    assert!(variables.iter().any(|one| one["name"] == "LEVEL"));
    assert!(variables.iter().all(|one| one["name"] != "KAFKA_HEAP"), "that one is Kafka's");
    let volumes = spec["volumes"].as_array().unwrap();
    let volume = volumes.iter().find(|one| one["name"] == "ext-conf-my-secret").unwrap();
    assert_eq!(volume["secret"]["items"], json!([{"key": "k", "path": "p"}]));
    let mounts = worker["volumeMounts"].as_array().unwrap();
    let place = |name: &str| mounts.iter().find(|one| one["name"] == name).unwrap()["mountPath"].clone();
    assert_eq!(place("ext-conf-my-secret"), "/opt/kafka/external-configuration/my.secret");
    assert_eq!(place("ext-conf-map"), "/opt/kafka/external-configuration/map");
    let properties = properties(&plan);
    for provider in ["strimzifile", "strimzidir"] {
        let readable = properties.get(&format!("config.providers.{provider}.param.allowed.paths")).unwrap();
        assert!(readable.ends_with(",/opt/kafka/external-configuration"), "{readable}");
    }
    for (wrong, words) in [
        (
            json!({"env": [{"name": "A", "value": "b"}]}),
            "spec.externalConfiguration.env[0].valueFrom: has to have",
        ),
        (json!({"env": [{"valueFrom": secret}]}), "spec.externalConfiguration.env[0].name: is missing"),
        (
            json!({"volumes": [{"name": "../x", "secret": {"secretName": "s"}}]}),
            "volumes[0].name: \"../x\" is no",
        ),
        (json!({"volumes": [{"name": "x"}]}), "volumes[0]: has to have either secret or configMap"),
        (
            json!({"volumes": [{"name": "x", "secret": {"secretName": "s"}}, {"name": "x", "configMap": {"name": "m"}}]}),
            "volumes[1].name: is used twice",
        ),
    ] {
        connect.resource["spec"]["externalConfiguration"] = wrong;
        let message = verdict(&connect.plan()).1;
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn jars_that_workers_do_not_find_are_named_with_what_adds_them() {
    let mut connect = pipes();
    connect.resource["spec"]["tracing"] = json!({"type": "opentelemetry"});
    connect.settle();
    let said = |connect: &Connect| format!("{:?}", connect.plan().status.as_ref().unwrap().conditions);
    assert!(!said(&connect).contains("PlugInMissing"), "nobody said so");
    let missing = BTreeSet::from([PlugIn::Tracing, PlugIn::SecretsProvider, PlugIn::QuotasPlugIn]);
    connect.observed.missing_plug_ins.insert("pipes-connect-0".to_owned(), missing);
    let message = said(&connect);
    for words in [
        "PlugInMissing",
        "pipes-connect-0 runs without OpenTelemetry, which spec.tracing asks for",
        "no jar with the class io.opentelemetry.instrumentation.kafkaclients.v2_6.TracingConsumerInterceptor",
        "io.opentelemetry:opentelemetry-exporter-otlp of Maven Central",
        "spec.image, or mount a volume with it at /mnt/kafka-libs",
    ] {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert!(!message.contains("strimzisecrets") && !message.contains("Quotas"), "{message}");
    connect.resource["spec"]["tracing"] = json!(null);
    assert!(!said(&connect).contains("PlugInMissing"), "nothing asks for it any more");
}

#[test]
fn workers_are_traced_where_the_resource_says_so() {
    let mut connect = pipes();
    let before = connect.plan();
    assert_eq!(properties(&before).get("consumer.interceptor.classes"), None);
    connect.resource["spec"]["tracing"] = json!({"type": "opentelemetry"});
    connect.resource["spec"]["template"]["connectContainer"]["env"] =
        json!([{"name": "OTEL_SERVICE_NAME", "value": "pipes"}]);
    let plan = connect.plan();
    let properties = properties(&plan);
    for (option, class) in
        [("consumer", "TracingConsumerInterceptor"), ("producer", "TracingProducerInterceptor")]
    {
        let expected = format!("io.opentelemetry.instrumentation.kafkaclients.v2_6.{class}");
        assert_eq!(properties.get(&format!("{option}.interceptor.classes")), Some(expected.as_str()));
    }
    let environment = pods(&plan)[0]["spec"]["containers"][0]["env"].to_string();
    assert!(environment.contains(r#"{"name":"STRIMZI_TRACING","value":"opentelemetry"}"#), "{environment}");
    assert!(environment.contains("OTEL_SERVICE_NAME"), "{environment}");
    let map = object(&plan, "ConfigMap", "pipes-connect-config");
    let mut files = map["data"].as_object().unwrap().values();
    let asks = |file: &str| file.split_whitespace().collect::<String>().contains(r#"{"type":"tracing"}"#);
    assert!(files.any(|file| asks(file.as_str().unwrap())), "the agent looks for the jars");

    connect.resource["spec"]["tracing"] = json!({"type": "jaeger"});
    let plan = connect.plan();
    let said = format!("{:?}", plan.status.as_ref().unwrap().conditions);
    assert!(said.contains("jaeger is no more, and nothing is traced"), "{said}");
    assert!(!pods(&plan)[0].to_string().contains("STRIMZI_TRACING"));
}

#[test]
fn racks_metrics_jmx_and_plug_ins_get_what_they_need() {
    let mut connect = pipes();
    let spec = &mut connect.resource["spec"];
    spec["rack"] = json!({"topologyKey": "topology.kubernetes.io/zone"});
    spec["metricsConfig"] =
        json!({"type": "strimziMetricsReporter", "values": {"allowList": ["kafka_connect.*"]}});
    spec["jmxOptions"] = json!({"authentication": {"type": "password"}});
    spec["plugins"] =
        json!([{"name": "debezium", "artifacts": [{"type": "image", "reference": "r/debezium:1"}]}]);
    let plan = connect.plan();
    let properties = properties(&plan);
    assert_eq!(properties.get("consumer.client.rack"), Some("${strimzidir:/opt/kafka/init:rack.id}"));
    assert_eq!(properties.get("prometheus.metrics.reporter.allowlist"), Some("kafka_connect.*"));
    assert_eq!(properties.get("producer.prometheus.metrics.reporter.listener.enable"), Some("false"));
    let binding = object(&plan, "ClusterRoleBinding", "strimzi-case-connect-mm2-bridge-pipes-connect-init");
    assert_eq!(binding["roleRef"]["name"], "strimzi-kafka-client");
    assert!(has(&plan, "Secret", "pipes-kafka-connect-jmx"));
    let pod = &pods(&plan)[0];
    let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array().unwrap();
    let at = |path: &str| mounts.iter().any(|mount| mount["mountPath"].as_str().unwrap().starts_with(path));
    assert!(
        at("/opt/kafka/plugins/debezium/") && at("/opt/kafka/init") && at("/opt/kafka/jmx"),
        "{mounts:?}"
    );
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    assert!(volumes.iter().any(|volume| volume["image"]["reference"] == "r/debezium:1"));
    let ports = object(&plan, "Service", "pipes-connect")["spec"]["ports"].to_string();
    assert!(ports.contains("jmx"), "{ports}");
}

#[test]
fn what_nothing_wants_any_more_goes_and_a_secret_that_pods_mount_goes_after_them() {
    let mut connect = pipes();
    connect.settle();
    connect.resource["spec"].as_object_mut().unwrap().remove("tls");
    connect.resource["spec"]["authentication"] = json!({"type": "custom"});
    connect.resource["metadata"]["annotations"] = json!({});
    let gone = |plan: &ConnectPlan| -> Vec<String> {
        plan.delete.iter().map(|one| format!("{} {}", one.object.kind, one.object.name)).collect()
    };
    let plan = connect.plan();
    let first = gone(&plan);
    assert!(first.contains(&"NetworkPolicy pipes-connect".to_owned()), "{first:?}");
    assert!(!first.contains(&"Secret pipes-connect-tls-trusted-certs".to_owned()), "{first:?}");
    connect.settle();
    let last = gone(&connect.plan());
    let after = connect.observed.secrets.contains_key("pipes-connect-tls-trusted-certs");
    assert!(last.contains(&"Secret pipes-connect-tls-trusted-certs".to_owned()) || !after, "{last:?}");
}

#[test]
fn names_that_no_service_can_have_are_refused_before_anything_is_made() {
    let mut connect = pipes();
    connect.resource["metadata"]["name"] = json!("pipes.of.our.own");
    let (type_, message) = verdict(&connect.plan());
    assert!(type_ == "NotReady" && message.contains("metadata.name"), "{message}");
}

#[test]
fn objects_of_somebody_else_stay_as_they_are_and_so_do_the_pods() {
    let mut connect = pipes();
    connect.settle();
    let id = connect.observed.others.keys().find(|id| id.name == "pipes-connect-api").unwrap().clone();
    let mut facts = connect.observed.others[&id].clone();
    facts.controller = Some(planner::live_object::NamedOwner {
        group: "apps.example.com".to_owned(),
        kind: "Other".to_owned(),
        name: "other".to_owned(),
    });
    connect.observed.others.insert(id, facts);
    connect.resource["spec"]["config"]["offset.flush.interval.ms"] = json!(1000);
    let plan = connect.plan();
    assert!(!has(&plan, "Service", "pipes-connect-api") && !has(&plan, "StrimziPodSet", "pipes-connect"));
    assert!(plan.calls.is_empty() && plan.delete.is_empty());
    let (type_, message) = verdict(&plan);
    assert!(type_ == "NotReady" && message.contains("belongs to Other other"), "{message}");
}

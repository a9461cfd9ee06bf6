//! KafkaMirrorMaker2: its connectors and their options, both versions of the resource, what is refused, and what annotations do.

use std::collections::BTreeMap;
use std::time::Duration;

use planner::kafka_connector::actual::State;
use planner::kafka_connector::call::ConnectorCall;
use planner::kafka_connector::past::FailureKind;
use planner::kafka_mirror_maker2::group;
use planner::kafka_mirror_maker2::observed::Connect;
use planner::kafka_mirror_maker2::plan::{MirrorMaker2Call, MirrorMaker2Plan};
use planner::workers::sharing::{Field, Sharing};
use serde_json::{Value, json};

use crate::common::connect::{certificate, secret};
use crate::common::mirror::Mirror;
use crate::common::reference;

const SOURCE: &str = "src->dst.MirrorSourceConnector";
const CHECKPOINT: &str = "src->dst.MirrorCheckpointConnector";

fn mirror() -> Mirror {
    Mirror::new(&reference("mirror.input.yaml"))
}

fn properties(plan: &MirrorMaker2Plan) -> api::properties::Properties {
    let map = plan.apply.iter().find(|write| write.reference.name == "mirror-mirrormaker2-config").unwrap();
    let text = map.object["data"]["kafka-connect.properties"].as_str().unwrap();
    api::properties::parse(text).unwrap()
}

fn agent(plan: &MirrorMaker2Plan) -> Value {
    let map = plan.apply.iter().find(|write| write.reference.name == "mirror-mirrormaker2-config").unwrap();
    serde_json::from_str(map.object["data"]["agent.config"].as_str().unwrap()).unwrap()
}

fn calls(plan: &MirrorMaker2Plan) -> Vec<(String, ConnectorCall)> {
    let calls = plan.calls.iter().filter_map(|call| match call {
        MirrorMaker2Call::Connector { name, doing, .. } => Some((name.clone(), doing.call.clone())),
        _ => None,
    });
    calls.collect()
}

fn has(config: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(config.get(*name).map(String::as_str), Some(*value), "{name} in {config:#?}");
    }
}

#[test]
fn a_mirror_becomes_a_source_and_a_checkpoint_connector_and_a_settled_one_changes_nothing() {
    let mut mirror = mirror();
    assert_eq!(mirror.verdict().0, "NotReady");
    let made = mirror.made();
    assert_eq!(made.keys().collect::<Vec<_>>(), [CHECKPOINT, SOURCE]);
    has(
        &made[SOURCE],
        &[
            ("name", SOURCE),
            ("connector.class", "org.apache.kafka.connect.mirror.MirrorSourceConnector"),
            ("tasks.max", "2"),
            ("replication.factor", "-1"),
            ("topics", "orders.*"),
            ("groups", ".*"),
            ("source.cluster.alias", "src"),
            ("target.cluster.alias", "dst"),
            ("source.cluster.bootstrap.servers", "src-kafka-bootstrap:9092"),
            ("target.cluster.bootstrap.servers", "dst-kafka-bootstrap:9092"),
            ("source.cluster.security.protocol", "SASL_PLAINTEXT"),
            ("target.cluster.security.protocol", "PLAINTEXT"),
            ("source.cluster.sasl.mechanism", "SCRAM-SHA-512"),
        ],
    );
    has(&made[CHECKPOINT], &[("sync.group.offsets.enabled", "true"), ("groups", ".*")]);
    assert!(!made[CHECKPOINT].contains_key("tasks.max"));
    let plan = mirror.plan();
    assert!(plan.apply.iter().all(|write| !write.is_change()) && plan.calls.is_empty(), "{plan:?}");
    assert_eq!(mirror.verdict().0, "Ready");
    let status = plan.common.status.unwrap();
    assert_eq!(
        status.url.as_deref(),
        Some("http://mirror-mirrormaker2-api.case-connect-mm2-bridge.svc:8083")
    );
    let names: Vec<&Value> = status.connectors.iter().flatten().map(|connector| &connector["name"]).collect();
    assert_eq!(names, [CHECKPOINT, SOURCE]);
    let bytes = "org.apache.kafka.connect.converters.ByteArrayConverter";
    for option in ["key.converter", "value.converter", "header.converter"] {
        assert_eq!(properties(&mirror.plan()).get(option), Some(bytes));
    }
}

#[test]
fn passwords_stay_placeholders_that_the_worker_resolves_out_of_a_file_that_the_agent_makes_ready() {
    let mut mirror = mirror();
    let made = mirror.made();
    let jaas = &made[SOURCE]["source.cluster.sasl.jaas.config"];
    let (_, placeholder) = jaas.split_once("password=\"").unwrap();
    let placeholder = placeholder.strip_suffix("\";").unwrap();
    let agent = agent(&mirror.plan());
    let password = &agent["jaasPasswords"][0];
    let target = password["target"].as_str().unwrap();
    let (folder, file) = target.rsplit_once('/').unwrap();
    assert_eq!(placeholder, format!("${{strimzidir:{folder}:{file}}}"));
    assert!(password["source"].as_str().unwrap().starts_with("/opt/kafka/clients/source-"), "{password}");
    let allowed = properties(&mirror.plan());
    let allowed = allowed.get("config.providers.strimzidir.param.allowed.paths").unwrap();
    assert!(allowed.split(',').any(|path| path == folder), "{allowed}");
    let all = format!("{:?} {made:?}", mirror.plan());
    assert!(!all.contains("hunter2") && !all.contains("aHVudGVyMg"), "no plan shows a password");
}

#[test]
fn trust_and_certificates_of_both_sides_are_files_of_their_own() {
    let mut mirror = mirror();
    let (first, second) = (certificate().0, certificate().0);
    for (name, pem) in [("there", &first), ("here", &second)] {
        mirror.observed.referred_secrets.insert(name.to_owned(), secret(name, &[("ca.crt", pem)]));
    }
    let own = json!({"type": "tls", "certificateAndKey": {"secretName": "mm", "certificate": "user.crt", "key": "user.key"}});
    let trust = |name: &str| json!({"trustedCertificates": [{"secretName": name, "pattern": "*.crt"}]});
    let spec = &mut mirror.resource["spec"];
    spec["target"]["tls"] = trust("there");
    spec["target"]["authentication"] = own.clone();
    spec["mirrors"][0]["source"]["tls"] = trust("here");
    spec["mirrors"][0]["source"]["authentication"] = own;
    let made = mirror.made();
    has(
        &made[CHECKPOINT],
        &[
            ("source.cluster.security.protocol", "SSL"),
            ("source.cluster.ssl.truststore.location", "/opt/kafka/trusted-certs/src-ca.crt"),
            ("target.cluster.ssl.truststore.location", "/opt/kafka/trusted-certs/ca.crt"),
            ("target.cluster.ssl.keystore.location", "/var/opt/kafka/target.pem"),
        ],
    );
    let key_store = &made[SOURCE]["source.cluster.ssl.keystore.location"];
    let plan = mirror.plan();
    let stores = agent(&plan)["keystores"].clone();
    assert_eq!(stores.as_array().unwrap().len(), 2);
    assert_eq!(stores[1]["target"], json!(key_store));
    let trusted = plan.apply.iter().find(|write| write.reference.name == "mirror-connect-tls-trusted-certs");
    let keys: Vec<&String> = trusted.unwrap().object["data"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["ca.crt", "src-ca.crt"]);
    // A changed Secret of a source restarts the workers.
    mirror
        .observed
        .referred_secrets
        .insert("here".to_owned(), secret("here", &[("ca.crt", &certificate().0)]));
    let plan = mirror.plan();
    mirror.apply(&plan);
    assert!(
        matches!(mirror.plan().calls.as_slice(), [MirrorMaker2Call::Restart(_)]),
        "{:?}",
        mirror.plan().calls
    );
}

#[test]
fn an_older_resource_means_the_same_as_one_of_this_version() {
    let mut new = mirror();
    let mirrors = &mut new.resource["spec"]["mirrors"][0];
    mirrors["topicsExcludePattern"] = json!("private.*");
    mirrors["checkpointConnector"]["state"] = json!("paused");
    new.resource["spec"]["replicas"] = json!(3);
    let mut old = new.clone();
    let spec = old.resource["spec"].as_object_mut().unwrap();
    spec.remove("replicas");
    let target = spec.remove("target").unwrap();
    let source = spec["mirrors"][0].as_object_mut().unwrap().remove("source").unwrap();
    let topics = json!({"group.id": target["groupId"], "config.storage.topic": target["configStorageTopic"],
        "status.storage.topic": target["statusStorageTopic"], "offset.storage.topic": target["offsetStorageTopic"]});
    spec.insert("connectCluster".to_owned(), json!("dst"));
    spec.insert(
        "clusters".to_owned(),
        json!([source, {"alias": "dst", "bootstrapServers": target["bootstrapServers"], "config": topics}]),
    );
    let mirror = &mut spec["mirrors"][0];
    (mirror["sourceCluster"], mirror["targetCluster"]) = (json!("src"), json!("dst"));
    mirror.as_object_mut().unwrap().remove("topicsExcludePattern");
    mirror["topicsBlacklistPattern"] = json!("private.*");
    mirror["checkpointConnector"].as_object_mut().unwrap().remove("state");
    mirror["checkpointConnector"]["pause"] = json!(true);
    assert_eq!(new.made(), old.made());
    assert_eq!(properties(&new.plan()).to_text(), properties(&old.plan()).to_text());
    let warnings = old.warnings();
    for word in ["spec.clusters", "spec.mirrors[].topicsBlacklistPattern", "checkpointConnector.pause"] {
        assert!(warnings.contains(word), "{word}: {warnings}");
    }
    assert!(new.warnings().is_empty(), "{}", new.warnings());
    // Heartbeats of older resources go on.
    old.resource["spec"]["mirrors"][0]["heartbeatConnector"] =
        json!({"config": {"heartbeats.topic.replication.factor": 1}});
    let made = old.made();
    assert!(made.contains_key("src->dst.MirrorHeartbeatConnector"), "{made:?}");
    assert!(old.warnings().contains("heartbeatConnector"));
}

#[test]
fn everything_that_is_wrong_is_named_at_once_and_what_runs_stays() {
    let mut mirror = mirror();
    mirror.settle();
    let spec = &mut mirror.resource["spec"];
    spec["target"]["config"] = json!({"rest.port": 1, "plugin.path": "/x"});
    spec["target"]["alias"] = json!("d st");
    spec["mirrors"][0]["sourceConnector"]["config"] =
        json!({"name": "x", "connector.class": "y", "tasks.max": 7, "source.cluster.bootstrap.servers": "z"});
    spec["mirrors"][0]["source"]["config"] = json!({"ssl.truststore.location": "/x", "group.id": "g"});
    let second = json!({"source": {"alias": "src", "bootstrapServers": "dst-kafka-bootstrap:9092"},
        "sourceConnector": {"config": {"connector.plugin.version": "1"}}});
    let third = json!({"source": {"alias": "d st", "bootstrapServers": "x:1"}});
    let fourth = json!({"sourceCluster": "nowhere"});
    spec["mirrors"].as_array_mut().unwrap().extend([second, third, fourth, json!({})]);
    let plan = mirror.plan();
    assert!(plan.apply.is_empty() && plan.delete.is_empty() && plan.calls.is_empty());
    let (type_, message) = mirror.verdict();
    assert_eq!(type_, "NotReady");
    for field in [
        "spec.target.alias: \"d st\" is no alias",
        "spec.target.config.rest.port: is set by the operator",
        "spec.target.config.plugin.path",
        "spec.mirrors[0].sourceConnector.config.name: is set by the operator",
        "spec.mirrors[0].sourceConnector.config.connector.class",
        "spec.mirrors[0].sourceConnector.config.tasks.max",
        "spec.mirrors[0].sourceConnector.config.source.cluster.bootstrap.servers",
        "spec.mirrors[0].source.config.ssl.truststore.location",
        "spec.mirrors[0].source.config.group.id: is an option of the workers",
        "spec.mirrors[1].source.alias: \"src\" is the source of spec.mirrors[0], too",
        "spec.mirrors[1].source.bootstrapServers: has an address of the target",
        "spec.mirrors[1].sourceConnector.config.connector.plugin.version",
        "spec.mirrors[2].source.alias: \"d st\" is the target, too",
        "spec.mirrors[3].sourceCluster: no cluster has the alias \"nowhere\"",
        "spec.mirrors[4].source: is missing",
    ] {
        assert!(message.contains(field), "{field}: {message}");
    }
    for (change, expected) in [
        (json!({"target": null}), "spec.target: is missing"),
        (json!({"mirrors": []}), "spec.mirrors: is empty"),
    ] {
        let mut mirror = self::mirror();
        let spec = mirror.resource["spec"].as_object_mut().unwrap();
        for (field, value) in change.as_object().unwrap() {
            spec.insert(field.clone(), value.clone());
        }
        let message = mirror.verdict().1;
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let mut old = self::mirror();
    old.resource["spec"]["mirrors"][0]["targetCluster"] = json!("elsewhere");
    assert!(old.verdict().1.contains("spec.mirrors[0].targetCluster: \"elsewhere\" is not \"dst\""));
    let mut missing = self::mirror();
    missing.observed.referred_secrets.clear();
    let message = missing.verdict().1;
    assert!(message.contains("spec.mirrors[0].source.authentication.passwordSecret.secretName"), "{message}");
}

#[test]
fn connectors_that_the_resource_does_not_ask_for_go_and_states_are_led() {
    let mut mirror = mirror();
    mirror.settle();
    let mirrors = &mut mirror.resource["spec"]["mirrors"][0];
    mirrors.as_object_mut().unwrap().remove("checkpointConnector");
    mirrors["sourceConnector"]["state"] = json!("stopped");
    let plan = mirror.plan();
    assert!(
        plan.calls.contains(&MirrorMaker2Call::Remove { name: CHECKPOINT.to_owned() }),
        "{:?}",
        plan.calls
    );
    assert_eq!(calls(&plan), [(SOURCE.to_owned(), ConnectorCall::Stop)]);
    assert!(mirror.settle().calls.is_empty());
    assert_eq!(mirror.connectors()[SOURCE].connector.state, State::Stopped);
    assert_eq!(mirror.verdict().0, "Ready");
    // Without workers it is ready, and nothing is known of connectors.
    mirror.resource["spec"]["replicas"] = json!(0);
    mirror.settle();
    let status = mirror.plan().common.status.unwrap();
    assert_eq!((mirror.verdict().0.as_str(), &status.url, &status.connectors), ("Ready", &None, &None));
    mirror.annotate("strimzi.io/restart-connector", SOURCE);
    let words = "strimzi.io/restart-connector: waits until there are workers";
    assert!(mirror.warnings().contains(words), "{}", mirror.warnings());
}

#[test]
fn a_connector_that_cannot_be_removed_is_told_of_and_tried_again_after_a_while() {
    let mut mirror = mirror();
    mirror.settle();
    mirror.resource["metadata"]["generation"] = json!(7);
    mirror.removals.add(["old->dst.MirrorSourceConnector".to_owned()]);
    let removal = MirrorMaker2Call::Remove { name: "old->dst.MirrorSourceConnector".to_owned() };
    assert_eq!(mirror.plan().calls, std::slice::from_ref(&removal), "also one that Connect does not list");
    let (kind, now) = (FailureKind::Failed, mirror.now);
    mirror.removals.note_failed("old->dst.MirrorSourceConnector", kind, "timed out".to_owned(), now);
    let plan = mirror.plan();
    assert!(plan.calls.is_empty(), "not at once: {:?}", plan.calls);
    assert!(plan.look_again.unwrap() <= Duration::from_secs(5));
    let status = plan.common.status.unwrap();
    assert_ne!(status.observed_generation, mirror.resource().metadata.generation, "it is not done");
    mirror.now = "2026-06-01T00:10:00Z".parse().unwrap();
    assert_eq!(mirror.plan().calls, [removal]);
    let (type_, message) = mirror.verdict();
    let words = "connector old->dst.MirrorSourceConnector is to be removed, and runs on until that is done: timed out";
    assert!(type_ == "NotReady" && message.contains(words), "{message}");
}

#[test]
fn nobody_removes_connectors_while_another_resource_may_have_asked_for_them() {
    let mut mirror = mirror();
    mirror.settle();
    mirror.removals.add(["a->b.MirrorSourceConnector".to_owned()]);
    let sharing = |field| Sharing {
        kind: "KafkaMirrorMaker2",
        namespace: "x".to_owned(),
        name: "other".to_owned(),
        field,
        is_apart: false,
    };
    mirror.observed.sharing = vec![sharing(Field::ConfigTopic)];
    assert!(mirror.plan().calls.is_empty());
    let is_told = |mirror: &Mirror| {
        let warnings = mirror.warnings();
        warnings.contains("SharedGroup") && warnings.contains("KafkaMirrorMaker2 of another namespace")
    };
    assert!(is_told(&mirror));
    mirror.observed.sharing[0].is_apart = true;
    assert_eq!(mirror.plan().calls.len(), 1, "what the author of another namespace writes holds nothing");
    assert!(is_told(&mirror));
    mirror.observed.sharing = vec![sharing(Field::OffsetTopic)];
    assert_eq!(mirror.plan().calls.len(), 1, "with other options and states there are no common connectors");

    // Two older resources without a group of their own have the same one, in the same Kafka.
    let mut one = mirror.clone();
    one.resource["spec"]["target"] = json!(null);
    one.resource["spec"]["connectCluster"] = json!("dst");
    one.resource["spec"]["clusters"] =
        json!([{"alias": "dst", "bootstrapServers": "dst.case-connect-mm2-bridge:9092"}]);
    let mut other = one.clone();
    other.resource["metadata"]["namespace"] = json!("elsewhere");
    let keys = |mirror: &Mirror| group::keys(&mirror.resource());
    assert_eq!(keys(&one).intersection(&keys(&other)).count(), 4);
    other.resource["spec"]["clusters"][0]["config"] = json!({"group.id": "x".repeat(1000)});
    assert_eq!(keys(&one).intersection(&keys(&other)).count(), 3);
    assert_eq!(keys(&other).len(), 3, "what is no name is no key");
}

#[test]
fn a_connector_that_failed_is_told_and_restarted_by_itself_and_a_connect_that_is_away_is_waited_for() {
    let mut mirror = mirror();
    mirror.resource["spec"]["mirrors"][0]["sourceConnector"]["autoRestart"] = json!({"enabled": true});
    mirror.settle();
    let task = mirror.connectors().get_mut(SOURCE).unwrap().tasks.get_mut(&0).unwrap();
    (task.state, task.trace) = (State::Failed, Some("java.lang.X: boom".to_owned()));
    let (type_, message) = mirror.verdict();
    assert!(type_ == "NotReady" && message.contains(SOURCE) && message.contains("boom"), "{message}");
    let plan = mirror.plan();
    let restart = ConnectorCall::Restart { include_tasks: true, only_failed: true, automatic: true };
    assert_eq!(calls(&plan), [(SOURCE.to_owned(), restart)]);
    let told = plan.common.status.unwrap().auto_restart_statuses.unwrap();
    assert_eq!((told[0].count, told[0].connector_name.as_deref()), (Some(1), Some(SOURCE)));
    mirror.connectors().get_mut(SOURCE).unwrap().tasks.get_mut(&0).unwrap().state = State::Running;
    mirror.settle();
    let since = mirror.now;
    mirror.connect = Connect::Away { since };
    assert_eq!(mirror.verdict().0, "Ready", "a worker that is replaced is back soon");
    mirror.now = "2026-06-01T00:01:00Z".parse().unwrap();
    let (type_, message) = mirror.verdict();
    assert!(type_ == "NotReady" && message.contains("no worker"), "{message}");
    assert!(mirror.plan().common.status.unwrap().connectors.is_some(), "what was known stays");
}

#[test]
fn annotations_ask_for_restarts_and_offsets_of_one_connector() {
    let mut whole = mirror();
    whole.resource["spec"]["mirrors"][0]["sourceConnector"]["listOffsets"] =
        json!({"toConfigMap": {"name": "offsets"}});
    whole.settle();
    let with = |annotations: &[(&str, &str)]| {
        let mut mirror = whole.clone();
        for (key, value) in annotations {
            mirror.annotate(key, value);
        }
        mirror
    };
    let restart =
        |include_tasks, only_failed| ConnectorCall::Restart { include_tasks, only_failed, automatic: false };
    for (annotations, call) in [
        (vec![("strimzi.io/restart-connector", SOURCE)], restart(false, false)),
        (
            vec![("strimzi.io/restart-connector", "src->dst.MirrorSourceConnector:includeTasks,onlyFailed")],
            restart(true, true),
        ),
        (
            vec![("strimzi.io/restart-connector-task", "src->dst.MirrorSourceConnector:0")],
            ConnectorCall::RestartTask { task: 0 },
        ),
        (
            vec![("strimzi.io/connector-offsets", "list"), ("strimzi.io/mirrormaker-connector", SOURCE)],
            ConnectorCall::ListOffsets { config_map: "offsets".to_owned() },
        ),
    ] {
        let plan = with(&annotations).plan();
        assert_eq!(calls(&plan), [(SOURCE.to_owned(), call)], "{annotations:?}");
        let MirrorMaker2Call::Connector { offsets_key, .. } = &plan.calls[0] else { panic!() };
        assert_eq!(offsets_key, "src--dst.MirrorSourceConnector.json");
    }
    for (annotations, words) in [
        (vec![("strimzi.io/restart-connector", "a->b.X")], "has no connector \"a->b.X\""),
        (vec![("strimzi.io/connector-offsets", "list")], "strimzi.io/mirrormaker-connector"),
        (
            vec![("strimzi.io/connector-offsets", "reset"), ("strimzi.io/mirrormaker-connector", SOURCE)],
            "has to be stopped",
        ),
        (
            vec![("strimzi.io/connector-offsets", "list"), ("strimzi.io/mirrormaker-connector", CHECKPOINT)],
            "spec.mirrors[0].checkpointConnector.listOffsets.toConfigMap.name is missing",
        ),
    ] {
        let mirror = with(&annotations);
        assert!(calls(&mirror.plan()).is_empty(), "{annotations:?}");
        assert!(mirror.warnings().contains(words), "{words}: {}", mirror.warnings());
        assert_eq!(mirror.verdict().0, "Ready");
    }
}

#[test]
fn racks_and_metrics_reach_the_connectors() {
    let mut mirror = mirror();
    mirror.resource["spec"]["rack"] = json!({"topologyKey": "topology.kubernetes.io/zone"});
    mirror.resource["spec"]["metricsConfig"] =
        json!({"type": "strimziMetricsReporter", "values": {"allowList": ["kafka_connect.*"]}});
    let made = mirror.made();
    has(
        &made[SOURCE],
        &[
            ("consumer.client.rack", "${strimzidir:/opt/kafka/init:rack.id}"),
            ("prometheus.metrics.reporter.listener.enable", "false"),
            ("prometheus.metrics.reporter.allowlist", "kafka_connect.*"),
        ],
    );
}

#[test]
fn connectors_of_traced_workers_have_the_interceptors_that_the_agent_found() {
    let mut mirror = mirror();
    mirror.resource["spec"]["tracing"] = json!({"type": "opentelemetry"});
    let made = mirror.made();
    has(
        &made[SOURCE],
        &[
            ("consumer.interceptor.classes", "${strimzidir:/var/opt/kafka/jaas:consumer-interceptors}"),
            ("producer.interceptor.classes", "${strimzidir:/var/opt/kafka/jaas:producer-interceptors}"),
        ],
    );
}

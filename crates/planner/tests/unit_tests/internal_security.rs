//! `strimzi.io/internal-cluster-security`: how the parts of a cluster talk with each other.

use crate::common::{World, condition, kafka_status, object};
use api::properties::Properties;
use planner::kafka::cluster::InternalSecurity;
use planner::kafka::plan::Plan;
use planner::kafka::transitions::internal_security::in_use;
use serde_json::{Value, json};

const ANNOTATION: &str = "strimzi.io/internal-cluster-security";

fn security(encryption: &str, authentication: &str) -> Value {
    json!({"encryption": {"type": encryption}, "authentication": {"type": authentication}})
}

fn ask(world: &mut World, encryption: &str, authentication: &str) {
    world.kafka(|kafka| {
        kafka["metadata"]["annotations"][ANNOTATION] =
            json!(security(encryption, authentication).to_string());
    });
}

/// A cluster with authorization, exporter, quotas and tiered storage that asks for these types.
fn world(encryption: &str, authentication: &str) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        kafka["spec"]["kafkaExporter"] = json!({});
        kafka["spec"]["kafka"]["authorization"] = json!({"type": "simple"});
        kafka["spec"]["kafka"]["quotas"] = json!({"type": "strimzi", "producerByteRate": 1000});
        kafka["spec"]["kafka"]["tieredStorage"] =
            json!({"type": "custom", "remoteStorageManager": {"className": "a.B"}});
    });
    ask(&mut world, encryption, authentication);
    world
}

fn server_config(plan: &Plan) -> Properties {
    let text = object(plan, "ConfigMap", "my-dual-0")["data"]["server.config"].as_str().unwrap().to_owned();
    api::properties::parse(&text).unwrap()
}

fn variables(plan: &Plan, deployment: &str, container: usize) -> Vec<String> {
    let container =
        &object(plan, "Deployment", deployment)["spec"]["template"]["spec"]["containers"][container];
    let all = container["env"].as_array().unwrap();
    all.iter()
        .map(|one| format!("{}={}", one["name"].as_str().unwrap(), one["value"].as_str().unwrap()))
        .collect()
}

fn has(variables: &[String], start: &str) -> bool {
    variables.iter().any(|one| one.starts_with(start))
}

#[test]
fn without_encryption_every_part_speaks_plainly_and_clients_keep_their_certificates() {
    let plan = world("none", "none").settle();
    let lines = server_config(&plan);
    let protocols = lines.get("listener.security.protocol.map").unwrap();
    assert!(protocols.starts_with("CONTROLPLANE-9090:PLAINTEXT,REPLICATION-9091:PLAINTEXT,"), "{protocols}");
    assert!(protocols.contains("TLS-9093:SSL"), "listeners of clients are as they are: {protocols}");
    for (name, _) in lines.iter() {
        let internal = name.starts_with("listener.name.controlplane-9090.")
            || name.starts_with("listener.name.replication-9091.");
        assert!(!internal, "{name}");
    }
    let quotas = "client.quota.callback.static.kafka.admin.";
    let tiered = "rlmm.config.remote.log.metadata.common.client.";
    for prefix in [quotas, tiered] {
        assert_eq!(lines.get(&format!("{prefix}security.protocol")), Some("PLAINTEXT"));
        assert_eq!(lines.get(&format!("{prefix}ssl.keystore.location")), None);
    }
    assert!(lines.get("super.users").unwrap().split(';').any(|user| user == "User:ANONYMOUS"));
    let agent: Value = serde_json::from_str(
        object(&plan, "ConfigMap", "my-dual-0")["data"]["agent.config"].as_str().unwrap(),
    )
    .unwrap();
    assert_eq!(agent["internalTls"], false);

    let topics = variables(&plan, "my-entity-operator", 0);
    assert!(
        has(&topics, "STRIMZI_SECURITY_PROTOCOL=PLAINTEXT") && !has(&topics, "STRIMZI_TLS_"),
        "{topics:?}"
    );
    let users = variables(&plan, "my-entity-operator", 1);
    assert!(
        !has(&users, "STRIMZI_CLUSTER_CA_CERT_SECRET_NAME") && !has(&users, "STRIMZI_EO_KEY"),
        "{users:?}"
    );
    assert!(
        has(&users, "STRIMZI_CA_CERT_NAME=my-clients-ca-cert"),
        "users still get certificates: {users:?}"
    );
    let exporter = variables(&plan, "my-kafka-exporter", 0);
    assert!(!exporter.iter().any(|one| one.contains("/etc/kafka-exporter/")), "{exporter:?}");

    let status = kafka_status(&plan);
    assert_eq!(status["clusterSecurity"], security("none", "none"));
    let warning = condition(&plan, "Warning").unwrap();
    assert_eq!(warning["reason"], "InternalClusterSecurityOff", "{status:#}");
    assert!(warning["message"].as_str().unwrap().contains("super user"), "{warning}");
}

#[test]
fn without_authentication_the_parts_encrypt_and_ask_for_no_certificate() {
    let plan = world("strimzi-tls", "none").settle();
    let lines = server_config(&plan);
    assert!(
        lines
            .get("listener.security.protocol.map")
            .unwrap()
            .starts_with("CONTROLPLANE-9090:SSL,REPLICATION-9091:SSL,")
    );
    for listener in ["controlplane-9090", "replication-9091"] {
        let prefix = format!("listener.name.{listener}.");
        assert!(lines.get(&format!("{prefix}ssl.keystore.location")).is_some());
        assert_eq!(lines.get(&format!("{prefix}ssl.client.auth")), None);
    }
    assert!(lines.get("super.users").unwrap().ends_with(";User:ANONYMOUS"));
    assert!(has(&variables(&plan, "my-entity-operator", 0), "STRIMZI_SECURITY_PROTOCOL=SSL"));
    assert_eq!(kafka_status(&plan)["clusterSecurity"], security("strimzi-tls", "none"));
}

#[test]
fn a_written_out_default_means_what_nothing_means() {
    let written = world("strimzi-tls", "strimzi-mtls").settle();
    let mut unwritten = world("strimzi-tls", "strimzi-mtls");
    unwritten
        .kafka(|kafka| drop(kafka["metadata"]["annotations"].as_object_mut().unwrap().remove(ANNOTATION)));
    assert_eq!(server_config(&written), server_config(&unwritten.settle()));
    assert_eq!(kafka_status(&written)["clusterSecurity"], security("strimzi-tls", "strimzi-mtls"));
    assert!(!server_config(&written).get("super.users").unwrap().contains("ANONYMOUS"));
}

#[test]
fn a_cluster_that_is_there_keeps_what_it_has() {
    let kinds = [("strimzi-tls", "strimzi-mtls"), ("strimzi-tls", "none"), ("none", "none")];
    for had in kinds {
        for asked in kinds.into_iter().filter(|asked| *asked != had) {
            let mut world = world(had.0, had.1);
            let settled = world.settle();
            world.apply(&settled);
            let in_use_before = in_use(&world.observed);
            ask(&mut world, asked.0, asked.1);
            let plan = world.plan();
            let refusal = condition(&plan, "NotReady").unwrap_or_else(|| panic!("{had:?} {asked:?}"));
            assert_eq!(refusal["reason"], "InvalidResourceException");
            let message = refusal["message"].as_str().unwrap();
            assert!(message.contains(ANNOTATION) && message.contains("cannot change"), "{message}");
            let part = format!(
                r#""encryption": {{"type": "{}"}}, "authentication": {{"type": "{}"}}"#,
                had.0, had.1
            );
            assert!(message.contains(&part), "it says what to write: {message}");
            assert!(plan.apply.is_empty() && plan.roll.wanted.is_empty(), "what runs is left as it is");
            assert_eq!(kafka_status(&plan)["clusterSecurity"], security(had.0, had.1));
            assert_eq!(
                in_use(&world.observed),
                in_use_before,
                "the operator goes on speaking as the nodes do"
            );

            // The same when the status was lost, as after a restored backup.
            world.kafka(|kafka| drop(kafka.as_object_mut().unwrap().remove("status")));
            let message =
                condition(&world.plan(), "NotReady").unwrap()["message"].as_str().unwrap().to_owned();
            assert!(message.contains("cannot change"), "{message}");
            assert_eq!(in_use(&world.observed), in_use_before);

            // A correction heals it.
            ask(&mut world, had.0, had.1);
            let status = kafka_status(&world.plan());
            assert!(!status["conditions"].to_string().contains("InvalidResourceException"), "{status:#}");
        }
    }
}

#[test]
fn a_cluster_that_is_not_there_yet_is_spoken_with_as_it_asks() {
    assert_eq!(in_use(&world("none", "none").observed), InternalSecurity::Plain);
    assert_eq!(in_use(&World::load("dual-role.input.yaml").observed), InternalSecurity::MutualTls);
}

//! Resources are validated without a cluster: by themselves, as a command line or an admission webhook has them.

use crate::common;

use std::sync::Arc;

use api::{Kafka, KafkaNodePool};
use planner::kafka::cluster::Cluster;
use planner::kafka::validate::{Invalid, Specs, alone, validate};
use serde_json::{Value, json};

/// A Kafka resource and a pool of a file, changed.
fn resources(change: impl FnOnce(&mut Value, &mut Value)) -> (Kafka, Vec<Arc<KafkaNodePool>>) {
    let mut documents = common::documents(&common::reference("dual-role.input.yaml"));
    documents.sort_by_key(|document| document["kind"] != "Kafka");
    let (kafka, pools) = documents.split_at_mut(1);
    change(&mut kafka[0], &mut pools[0]);
    let pools = pools.iter().map(|pool| Arc::new(serde_json::from_value(pool.clone()).unwrap()));
    (serde_json::from_value(kafka[0].clone()).unwrap(), pools.collect())
}

fn lint(change: impl FnOnce(&mut Value, &mut Value)) -> Result<Cluster, Invalid> {
    let (kafka, pools) = resources(change);
    alone(Specs { kafka: &kafka, pools: &pools }, &common::settings()).map(|(cluster, _)| cluster)
}

#[test]
fn the_resources_alone_say_what_they_ask_for() {
    let (kafka, pools) = resources(|_, pool| pool["spec"]["replicas"] = json!(5));
    let validated = validate(Specs { kafka: &kafka, pools: &pools }, &common::settings());
    assert!(validated.findings.problems.is_empty(), "{:?}", validated.findings);
    let wanted = validated.wanted.unwrap();
    assert_eq!((wanted.cluster.name.as_str(), wanted.pools[0].replicas), ("my", Some(5)));
    assert!(wanted.pools[0].pool.controller && wanted.pools[0].pool.broker);
    assert!(wanted.pools[0].pool.nodes.is_empty(), "which nodes there are is not known");
}

#[test]
fn a_cluster_that_is_not_applied_yet_is_judged_as_a_whole() {
    let cluster = lint(|_, _| {}).unwrap();
    assert_eq!(cluster.broker_ids().into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    let too_few = lint(|kafka, _| kafka["spec"]["kafka"]["config"]["default.replication.factor"] = json!(4));
    assert!(too_few.unwrap_err().message().contains("4 is more than the 3 brokers"));
    let no_controller = lint(|_, pool| pool["spec"]["roles"] = json!(["broker"]));
    assert!(no_controller.unwrap_err().message().contains("the role controller"));
    let too_large = lint(|_, pool| pool["spec"]["replicas"] = json!(i32::MAX));
    assert!(too_large.unwrap_err().message().contains("KASTELLAN_MAX_NODES"));
}

#[test]
fn every_mistake_is_named_at_once() {
    let message = lint(|kafka, pool| {
        kafka["spec"]["kafka"]["version"] = json!("9.9.9");
        kafka["spec"]["kafka"]["listeners"][0]["port"] = json!(9091);
        pool["spec"]["storage"] = json!({"type": "jbod", "volumes": []});
    })
    .unwrap_err()
    .message();
    for part in
        ["spec.kafka.version", "spec.kafka.listeners[0].port", "KafkaNodePool dual spec.storage.volumes"]
    {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn what_they_refer_to_is_taken_for_given() {
    let external = json!({"type": "external",
        "valueFrom": {"configMapKeyRef": {"name": "log4j", "key": "log4j2.properties"}}});
    let own = json!({"secretName": "own", "certificate": "tls.crt", "key": "tls.key"});
    let cluster = lint(|kafka, _| {
        kafka["spec"]["kafka"]["logging"] = external;
        kafka["spec"]["kafka"]["listeners"][1]["configuration"] = json!({"brokerCertChainAndKey": own});
    });
    assert!(cluster.is_ok(), "{cluster:?}");
}

#[test]
fn claims_for_devices_have_a_name_each() {
    let claims = json!({"claims": [{"name": "gpu"}, {"request": "a"}, {"name": "gpu", "request": "b"}]});
    let message = lint(|kafka, pool| {
        pool["spec"]["resources"] = claims.clone();
        let spec = &mut kafka["spec"];
        spec["kafkaExporter"]["resources"] = claims.clone();
        spec["entityOperator"]["topicOperator"]["resources"] = claims.clone();
        spec["entityOperator"]["userOperator"]["resources"] = claims.clone();
    })
    .unwrap_err()
    .message();
    for section in [
        "KafkaNodePool dual spec",
        "spec.kafkaExporter",
        "spec.entityOperator.topicOperator",
        "spec.entityOperator.userOperator",
    ] {
        for part in ["claims[1].name: is missing", "claims[2].name: \"gpu\" is used twice"] {
            let part = format!("{section}.resources.{part}");
            assert!(message.contains(&part), "{part}: {message}");
        }
    }
    let named = json!({"claims": [{"name": "gpu"}, {"name": "nic", "request": "a"}]});
    assert!(lint(|_, pool| pool["spec"]["resources"] = named).is_ok());
}

#[test]
fn brokers_have_several_volumes_only_with_a_metadata_version_that_knows_them() {
    let volume = |id: i32| json!({"id": id, "type": "persistent-claim", "size": "1Gi"});
    let judged = |version: &str, volumes: &[Value], roles: &[&str]| {
        let judged = lint(|kafka, pool| {
            kafka["spec"]["kafka"]["metadataVersion"] = json!(version);
            pool["spec"]["storage"] = json!({"type": "jbod", "volumes": volumes});
            pool["spec"]["roles"] = json!(roles);
        });
        judged.map_err(|invalid| invalid.message()).err().unwrap_or_default()
    };
    let (both, two) = (["controller", "broker"], [volume(0), volume(1)]);
    let said = judged("3.6", &two, &both);
    for part in ["KafkaNodePool dual spec.storage.volumes", "3.7-IV2", "3.6-IV2", "one volume"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(judged("3.7", &two, &both), "");
    assert_eq!(judged("3.6", &two[..1], &both), "");
    assert!(!judged("3.6", &two, &["controller"]).contains("spec.storage"));
}

#[test]
fn what_can_do_nothing_is_named_without_its_value() {
    let (kafka, pools) = resources(|kafka, _| {
        kafka["spec"]["kafka"]["brokerRackInitImage"] = json!("some/image");
        let entity = &mut kafka["spec"]["entityOperator"];
        entity["template"] = json!({"deployment": {"deploymentStrategy": "RollingUpdate"}});
        entity["userOperator"]["jvmOptions"] =
            json!({"-Xmx": "1g", "javaSystemProperties": [{"name": "a.b", "value": "hidden"}]});
    });
    let specs = Specs { kafka: &kafka, pools: &pools };
    let (_, warnings) = alone(specs, &common::settings()).unwrap();
    let said = &warnings.iter().find(|one| one.reason == "FieldsWithoutEffect").unwrap().message;
    for part in [
        "spec.kafka.brokerRackInitImage",
        "spec.entityOperator.template.deployment.deploymentStrategy",
        "spec.entityOperator.userOperator.jvmOptions: -Xmx, javaSystemProperties[a.b]",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("hidden") && !said.contains("topicOperator"), "{said}");
}

//! Whatever stands in a manifest: what comes out is accepted, and no document ends the program.

use kubectl_kafka::convert::{OutcomeKind, convert, summary, text};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::schema::complaints;
use crate::{converted, input, json as as_json};

#[test]
fn every_resource_of_every_input_fits_its_definition() {
    for file in [
        "krallistic",
        "koperator",
        "koperator-kraft",
        "koperator-sasl",
        "koperator-topics-and-users",
        "tenxcloud",
    ] {
        for resource in converted(&input(file)).resources() {
            assert_eq!(complaints(&as_json(resource)), Vec::<String>::new(), "{file}");
        }
    }
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("external".to_owned()),
        Just("10Gi".to_owned()),
        Just("-1".to_owned()),
        Just("Local".to_owned()),
        Just("{{ .BrokerId }}".to_owned()),
        Just(".example.com".to_owned()),
        "[a-z][a-z0-9-]{0,20}",
        "[ -~]{0,20}",
        "\\PC{0,12}",
    ]
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(0),
        Just(-1),
        Just(9092),
        Just(9404),
        Just(29_092),
        Just(70_000),
        Just(i64::MAX),
        0..20i64
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::from),
        word().prop_map(Value::from),
        word().prop_map(|word| json!([word])),
        word().prop_map(|word| json!({"name": word, "value": word})),
        (word(), word()).prop_map(|(key, value)| json!({key: value})),
    ]
}

fn properties() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("auto.create.topics.enable"),
        Just("default.replication.factor"),
        Just("authorizer.class.name"),
        Just("super.users"),
        Just("listener.name.external.sasl.enabled.mechanisms"),
        Just("sasl.enabled.mechanisms"),
        Just("metric.reporters"),
        Just("num.io.threads"),
        Just("log.dirs"),
        Just("unknown.option"),
        Just("ssl.key.password"),
    ];
    let line = (name, word()).prop_map(|(name, value)| format!("{name}={value}"));
    proptest::collection::vec(line, 0..6).prop_map(|lines| lines.join("\n"))
}

fn disk() -> impl Strategy<Value = Value> {
    let claim = (word(), word()).prop_map(|(size, class)| {
        json!({"mountPath": "/a", "pvcSpec": {"storageClassName": class, "resources": {"requests": {"storage": size}}}})
    });
    prop_oneof![
        claim,
        word().prop_map(|limit| json!({"mountPath": limit, "emptyDir": {"sizeLimit": limit}})),
        anything()
    ]
}

/// A `BrokerConfig` of fields that are right, almost right, or anything.
fn broker_config() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        Just("config"),
        Just("kafkaHeapOpts"),
        Just("kafkaJvmPerfOpts"),
        Just("log4jConfig"),
        Just("brokerAnnotations"),
        Just("brokerLabels"),
        Just("envs"),
        Just("volumes"),
        Just("volumeMounts"),
        Just("nodeSelector"),
        Just("tolerations"),
        Just("affinity"),
        Just("processRoles"),
        Just("nodePortExternalIP"),
        Just("nodePortNodeAddressType"),
        Just("terminationGracePeriodSeconds"),
        Just("priorityClassName"),
        Just("resourceRequirements"),
        Just("securityContext"),
        Just("imagePullSecrets"),
        Just("unknown"),
    ];
    let heap = prop_oneof![Just("-Xmx2G -Xms2G"), Just("-Xmx -XX: -D -D=a"), Just("-XX:+A -XX:B=c -Dx.y=z")];
    (
        proptest::collection::vec(disk(), 0..3),
        proptest::collection::btree_map(names, anything(), 0..5),
        heap,
        properties(),
        any::<bool>(),
    )
        .prop_map(|(disks, more, heap, config, usual)| {
            let mut all = json!({"storageConfigs": disks});
            for (name, value) in more {
                all[name] = value;
            }
            if usual {
                all["kafkaHeapOpts"] = json!(heap);
                all["config"] = json!(config);
            }
            all
        })
}

fn listener() -> impl Strategy<Value = Value> {
    let types =
        prop_oneof![Just("plaintext"), Just("ssl"), Just("sasl_ssl"), Just("sasl_plaintext"), Just("other")];
    let methods = prop_oneof![Just(Value::Null), Just(json!("NodePort")), Just(json!("LoadBalancer"))];
    (word(), types, number(), number(), methods, word(), anything()).prop_map(
        |(name, type_, port, start, method, host, annotations)| {
            json!({"name": name, "type": type_, "containerPort": port, "externalStartingPort": start, "accessMethod": method,
                "hostnameOverride": host, "serviceAnnotations": annotations, "sslClientAuth": host})
        },
    )
}

prop_compose! {
    fn cluster()(
        group in broker_config(),
        own in proptest::option::of(broker_config()),
        ids in proptest::collection::vec(number(), 1..5),
        read_only in properties(),
        cluster_wide in properties(),
        internal in proptest::collection::vec(listener(), 0..3),
        external in proptest::collection::vec(listener(), 0..3),
        more in proptest::collection::btree_map(
            prop_oneof![Just("rackAwareness"), Just("disruptionBudget"), Just("envs"), Just("oneBrokerPerNode"), Just("kRaft"),
                Just("envoyConfig"), Just("alertManagerConfig"), Just("unknown")],
            anything(), 0..4),
        metadata in proptest::option::of(anything()),
    ) -> Value {
        let brokers: Vec<Value> = ids.iter().enumerate().map(|(index, id)| match (&own, index) {
            (Some(own), 0) => json!({"id": id, "brokerConfigGroup": "default", "brokerConfig": own}),
            _ => json!({"id": id, "brokerConfigGroup": "default"}),
        }).collect();
        let mut spec = json!({
            "brokerConfigGroups": {"default": group}, "brokers": brokers, "readOnlyConfig": read_only,
            "clusterWideConfig": cluster_wide,
            "listenersConfig": {"internalListeners": internal, "externalListeners": external},
        });
        for (name, value) in more {
            spec[name] = value;
        }
        json!({"apiVersion": "kafka.banzaicloud.io/v1beta1", "kind": "KafkaCluster",
            "metadata": {"name": "kafka", "labels": metadata, "annotations": metadata}, "spec": spec})
    }
}

prop_compose! {
    fn older_cluster()(
        brokers in number(),
        disk in word(),
        class in word(),
        topics in proptest::collection::vec((word(), number(), number()), 0..3),
        options in proptest::collection::btree_map(
            prop_oneof![Just("logRetentionHours"), Just("compressionType"), Just("offsetTopicReplicationFactor"), Just("other")],
            anything(), 0..3),
        grace in anything(),
        ratio in anything(),
    ) -> Value {
        let topics: Vec<Value> = topics.into_iter()
            .map(|(name, partitions, replicas)| json!({"name": name, "partitions": partitions, "replicationFactor": replicas}))
            .collect();
        json!({"apiVersion": "krallistic.github.com/v1", "kind": "Kafkacluster", "metadata": {"name": "kafka"},
            "spec": {"brokerCount": brokers, "storageClass": class, "resources": {"diskSpace": disk, "memory": disk, "cpu": disk},
                "topics": topics, "kafkaOptions": options, "minimumGracePeriod": grace, "leaderImbalanceRatio": ratio}})
    }
}

/// Converts a manifest: it ends, what comes out fits, and a manifest that is refused is refused for its nodes alone.
fn fits(manifest: &Value) -> Result<(), TestCaseError> {
    let conversion = convert(&manifest.to_string()).unwrap();
    for resource in conversion.resources() {
        prop_assert_eq!(complaints(&as_json(resource)), Vec::<String>::new());
    }
    let printed = text(&conversion).unwrap();
    let read: Vec<Value> = serde_saphyr::from_multiple(&printed).unwrap();
    prop_assert_eq!(read.len(), conversion.resources().count());
    prop_assert!(!summary(&conversion).is_empty());
    for outcome in &conversion.documents {
        if let OutcomeKind::Failed(problems) = &outcome.kind {
            let of_nodes =
                ["spec.brokers is missing", "spec.brokerCount", "spec.roles", "KASTELLAN_MAX_NODES"];
            let expected = |problem: &String| of_nodes.iter().any(|words| problem.contains(words));
            prop_assert!(problems.iter().all(expected), "{problems:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_out_of_koperators_manifests_is_accepted(manifest in cluster()) {
        fits(&manifest)?;
    }

    #[test]
    fn what_comes_out_of_krallistics_manifests_is_accepted(manifest in older_cluster()) {
        fits(&manifest)?;
    }

    #[test]
    fn no_text_ends_the_program(input in "\\PC{0,200}") {
        let _ = convert(&input);
    }
}

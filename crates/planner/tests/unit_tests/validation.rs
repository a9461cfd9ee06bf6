//! Bad input: the status names the field and what to do, nothing that runs is touched, and a correction heals it.

use crate::common::{World, condition, kafka_status, object};
use serde_json::{Value, json};

type Change = fn(&mut World);

fn kafka_section(world: &mut World, change: impl FnOnce(&mut Value)) {
    world.kafka(|kafka| change(&mut kafka["spec"]["kafka"]));
}

/// What is changed, and what the message must contain.
const CASES: &[(&str, Change, &[&str])] = &[
    ("no pool", |world| world.observed.pools.clear(), &["KafkaNodePool", "strimzi.io/cluster: my"]),
    (
        "two listeners on one port",
        |world| kafka_section(world, |kafka| kafka["listeners"][1]["port"] = json!(9092)),
        &["spec.kafka.listeners[1].port", "9092", "\"plain\""],
    ),
    (
        "two listeners of one name",
        |world| kafka_section(world, |kafka| kafka["listeners"][1]["name"] = json!("plain")),
        &["spec.kafka.listeners[1].name", "plain"],
    ),
    (
        "a pool without roles",
        |world| world.pool(0, |pool| pool["spec"]["roles"] = json!([])),
        &["KafkaNodePool dual spec.roles", "[controller, broker]"],
    ),
    (
        "more nodes than an operator plans",
        |world| world.pool(0, |pool| pool["spec"]["replicas"] = json!(1000)),
        &["KafkaNodePool dual spec.replicas", "1000", "300 nodes", "KASTELLAN_MAX_NODES"],
    ),
    (
        "more controllers than a quorum makes sense with",
        |world| world.pool(0, |pool| pool["spec"]["replicas"] = json!(51)),
        &["KafkaNodePool dual spec.replicas", "51", "50 controllers", "roles: [broker]"],
    ),
    (
        "certificates between the parts of the cluster without encryption",
        |world| {
            world.kafka(|kafka| {
                kafka["metadata"]["annotations"]["strimzi.io/internal-cluster-security"] =
                    json!(r#"{"encryption": {"type": "none"}, "authentication": {"type": "strimzi-mtls"}}"#);
            });
        },
        &["metadata.annotations.strimzi.io/internal-cluster-security", "strimzi-tls", "strimzi-mtls", "none"],
    ),
    (
        "an unknown encryption between the parts of the cluster",
        |world| {
            world.kafka(|kafka| {
                kafka["metadata"]["annotations"]["strimzi.io/internal-cluster-security"] =
                    json!(r#"{"encryption": {"type": "mesh"}}"#);
            });
        },
        &["metadata.annotations.strimzi.io/internal-cluster-security", "encryption", "strimzi-tls and none"],
    ),
    (
        "internal security that is no JSON",
        |world| {
            world.kafka(|kafka| {
                kafka["metadata"]["annotations"]["strimzi.io/internal-cluster-security"] = json!("none");
            });
        },
        &["metadata.annotations.strimzi.io/internal-cluster-security", "is not JSON"],
    ),
    (
        "an unknown version",
        |world| kafka_section(world, |kafka| kafka["version"] = json!("9.9.9")),
        &["spec.kafka.version", "9.9.9", "4.3.1"],
    ),
    (
        "an unknown metadata version",
        |world| kafka_section(world, |kafka| kafka["metadataVersion"] = json!("9.9")),
        &["spec.kafka.metadataVersion", "9.9", "4.3-IV0"],
    ),
    (
        "a version without an image",
        |world| kafka_section(world, |kafka| kafka["version"] = json!("4.3.0")),
        &["spec.kafka.image", "4.3.0", "STRIMZI_KAFKA_IMAGES"],
    ),
    (
        "a forbidden option",
        |world| kafka_section(world, |kafka| kafka["config"]["log.dirs"] = json!("/tmp")),
        &["spec.kafka.config.log.dirs", "remove it"],
    ),
    (
        "an option of the wrong type",
        |world| kafka_section(world, |kafka| kafka["config"]["num.io.threads"] = json!("many")),
        &["spec.kafka.config", "num.io.threads", "many", "whole number"],
    ),
    (
        "an option out of range",
        |world| kafka_section(world, |kafka| kafka["config"]["num.io.threads"] = json!(0)),
        &["num.io.threads must be at least 1"],
    ),
    (
        "more replicas than brokers",
        |world| kafka_section(world, |kafka| kafka["config"]["default.replication.factor"] = json!(5)),
        &["spec.kafka.config.default.replication.factor", "3 brokers"],
    ),
    (
        "a volume without a size",
        |world| {
            world.pool(0, |pool| {
                pool["spec"]["storage"]["volumes"][0] = json!({"id": 0, "type": "persistent-claim"});
            });
        },
        &["KafkaNodePool dual spec.storage.volumes[0].size", "100Gi"],
    ),
    (
        "a volume without an id",
        |world| world.pool(0, |pool| pool["spec"]["storage"]["volumes"][0] = json!({"type": "ephemeral"})),
        &["spec.storage.volumes[0].id"],
    ),
    (
        "a missing listener certificate",
        |world| {
            kafka_section(world, |kafka| {
                let reference = json!({"secretName": "mine", "certificate": "a.crt", "key": "a.key"});
                kafka["listeners"][1]["configuration"] = json!({"brokerCertChainAndKey": reference});
            });
        },
        &["spec.kafka.listeners[1].configuration.brokerCertChainAndKey.secretName", "\"mine\"", "create it"],
    ),
    (
        "a name that no certificate can hold",
        |world| {
            kafka_section(world, |kafka| {
                let names = json!(["ok.example.com", "*.example.com", "schl\u{fc}ssel.example.com"]);
                kafka["listeners"][1]["configuration"] = json!({"bootstrap": {"alternativeNames": names}});
            });
        },
        &["spec.kafka.listeners[1].configuration.bootstrap.alternativeNames[2]", "host name"],
    ),
    (
        "a missing logging ConfigMap",
        |world| {
            kafka_section(world, |kafka| {
                let reference = json!({"configMapKeyRef": {"name": "logs", "key": "log4j2.properties"}});
                kafka["logging"] = json!({"type": "external", "valueFrom": reference});
            });
        },
        &["spec.kafka.logging.valueFrom.configMapKeyRef.name", "\"logs\""],
    ),
    (
        "a client certificate without encryption",
        |world| kafka_section(world, |kafka| kafka["listeners"][1]["tls"] = json!(false)),
        &["spec.kafka.listeners[1].authentication.type", "tls: true"],
    ),
    (
        "an option for another listener type",
        |world| kafka_section(world, |kafka| kafka["listeners"][0]["configuration"] = json!({"class": "x"})),
        &["spec.kafka.listeners[0].configuration.class"],
    ),
    (
        "renewal before the beginning",
        |world| {
            world.kafka(|kafka| kafka["spec"]["clusterCa"] = json!({"validityDays": 30, "renewalDays": 30}));
        },
        &["spec.clusterCa.renewalDays"],
    ),
    (
        "a window that is no window",
        |world| world.kafka(|kafka| kafka["spec"]["maintenanceTimeWindows"] = json!(["at night"])),
        &["spec.maintenanceTimeWindows[0]"],
    ),
    (
        "another namespace",
        |world| {
            world.kafka(|kafka| {
                kafka["spec"]["entityOperator"]["topicOperator"] = json!({"watchedNamespace": "other"});
            });
        },
        &["spec.entityOperator.topicOperator.watchedNamespace", "other"],
    ),
    (
        "a namespace that lets only the topic operator in",
        |world| {
            std::sync::Arc::make_mut(&mut world.observed.settings).entity_operator_watched_namespace = true;
            let grant = [("topicOperator".to_owned(), "other/x, s1/my".to_owned())].into();
            world.observed.watch_grants = [("guests".to_owned(), grant)].into();
            world.kafka(|kafka| {
                kafka["spec"]["entityOperator"] = json!({
                    "topicOperator": {"watchedNamespace": "guests"}, "userOperator": {"watchedNamespace": "guests"},
                });
            });
        },
        &[
            "spec.entityOperator.userOperator.watchedNamespace",
            "kastellan-watch-grant",
            "`userOperator: s1/my`",
        ],
    ),
    (
        "an option behind a blank",
        |world| kafka_section(world, |kafka| kafka["config"][" super.users"] = json!("User:ANONYMOUS")),
        &["spec.kafka.config", "\" super.users\"", "letters, digits"],
    ),
    (
        "two lines in the name of an option",
        |world| {
            kafka_section(world, |kafka| {
                kafka["config"]["x=1\nlistener.name.replication-9091.ssl.client.auth"] = json!("none");
            });
        },
        &["spec.kafka.config", "\"x=1\\nlistener.name.replication-9091.ssl.client.auth\"", "letters, digits"],
    ),
    (
        "a super user that is two",
        |world| {
            kafka_section(world, |kafka| {
                kafka["authorization"]["superUsers"] = json!(["a", "u-scram;User:u-plain"]);
            });
        },
        &["spec.kafka.authorization.superUsers[1]", "\"u-scram;User:u-plain\"", "item of its own"],
    ),
    (
        "a super user of two lines",
        |world| {
            kafka_section(world, |kafka| kafka["authorization"]["superUsers"] = json!(["a\nb"]));
        },
        &["spec.kafka.authorization.superUsers[0]", "\"a\\nb\""],
    ),
    (
        "a super user without a name",
        |world| kafka_section(world, |kafka| kafka["authorization"]["superUsers"] = json!([""])),
        &["spec.kafka.authorization.superUsers[0]", "remove"],
    ),
    (
        "an authorizer that is no class",
        |world| {
            kafka_section(world, |kafka| {
                kafka["authorization"] = json!({"type": "custom", "authorizerClass": "a.B\nx=y"});
            });
        },
        &["spec.kafka.authorization.authorizerClass", "\"a.B\\nx=y\"", "Java class"],
    ),
    (
        "a rack from something that is no variable",
        |world| {
            kafka_section(world, |kafka| {
                kafka["rack"] = json!({"type": "environment-variable", "envVarName": "A}x${strimzienv:B"});
            });
        },
        &["spec.kafka.rack.envVarName", "environment variable"],
    ),
    (
        "an advertised host that is two listeners",
        |world| {
            kafka_section(world, |kafka| {
                kafka["listeners"][0]["configuration"] =
                    json!({"brokers": [{"broker": 0, "advertisedHost": "a:1,TLS-9093://evil"}]});
            });
        },
        &["spec.kafka.listeners[0].configuration.brokers[0].advertisedHost", "host name"],
    ),
    (
        "a template that is no host",
        |world| {
            kafka_section(world, |kafka| {
                kafka["listeners"][0]["configuration"] = json!({"advertisedHostTemplate": "b{nodeid}.x"});
            });
        },
        &["spec.kafka.listeners[0].configuration.advertisedHostTemplate", "{nodeId}", "{nodePodName}"],
    ),
    (
        "two lines in the name of a listener's option",
        |world| {
            kafka_section(world, |kafka| {
                kafka["listeners"][0]["authentication"] =
                    json!({"type": "custom", "sasl": true, "listenerConfig": {"a\nb": "c"}});
            });
        },
        &["spec.kafka.listeners[0].authentication.listenerConfig", "\"a\\nb\"", "letters, digits"],
    ),
    (
        "two lines in the name of a logger",
        |world| {
            kafka_section(world, |kafka| {
                kafka["logging"] = json!({"type": "inline", "loggers": {"a\nb": "INFO"}});
            });
        },
        &["spec.kafka.logging.loggers", "\"a\\nb\""],
    ),
    (
        "two lines in the level of a logger",
        |world| {
            world.kafka(|kafka| {
                kafka["spec"]["entityOperator"]["topicOperator"] =
                    json!({"logging": {"type": "inline", "loggers": {"rootLogger.level": "INFO\nx=y"}}});
            });
        },
        &["spec.entityOperator.topicOperator.logging.loggers.rootLogger.level", "\"INFO\\nx=y\""],
    ),
    (
        "two lines in a system property",
        |world| {
            world.pool(0, |pool| {
                pool["spec"]["jvmOptions"] =
                    json!({"javaSystemProperties": [{"name": "a", "value": "b\0c"}]});
            });
        },
        &["KafkaNodePool dual spec.jvmOptions.javaSystemProperties[0]"],
    ),
    (
        "two lines in an option of the JVM",
        |world| {
            kafka_section(world, |kafka| kafka["jvmOptions"] = json!({"-XX": {"A\nB": "1"}}));
        },
        &["spec.kafka.jvmOptions.-XX"],
    ),
    (
        "a label of ours",
        |world| world.kafka(|kafka| kafka["metadata"]["labels"] = json!({"strimzi.io/name": "x"})),
        &["metadata.labels", "strimzi.io/name"],
    ),
];

#[test]
fn every_mistake_is_named_and_disturbs_nothing_and_a_correction_heals_it() {
    for (what, change, parts) in CASES {
        let mut world = World::load("dual-role.input.yaml");
        world.settle();
        let (kafka, pools) = (world.observed.kafka.clone(), world.observed.pools.clone());
        change(&mut world);
        let plan = world.plan();
        let not_ready = condition(&plan, "NotReady").unwrap_or_else(|| panic!("{what} is accepted"));
        let message = not_ready["message"].as_str().unwrap();
        for part in *parts {
            assert!(message.contains(part), "{what}: {message:?} does not say {part:?}");
        }
        assert!(
            plan.apply.is_empty()
                && plan.delete.is_empty()
                && plan.roll.wanted.is_empty()
                && plan.calls.is_empty()
        );
        assert!(condition(&plan, "Ready").is_none());
        assert_eq!(kafka_status(&plan)["clusterId"], "the-cluster", "what was known stays known");
        world.apply(&plan);
        (world.observed.kafka, world.observed.pools) = (
            kafka.map(|kafka| {
                let mut kafka = kafka.as_ref().clone();
                kafka.status = world.observed.kafka.as_ref().unwrap().status.clone();
                std::sync::Arc::new(kafka)
            }),
            pools,
        );
        let healed = world.plan();
        assert!(condition(&healed, "Ready").is_some(), "{what}: {:?}", healed.waiting_for);
        assert!(healed.roll.wanted.is_empty(), "{what}: {:?}", healed.roll.wanted);
    }
}

/// Only a new cluster: a role that is in use is kept.
#[test]
fn a_namespace_that_lets_the_operators_in_is_worked_in() {
    let mut world = World::load("dual-role.input.yaml");
    std::sync::Arc::make_mut(&mut world.observed.settings).entity_operator_watched_namespace = true;
    let grant = ["topicOperator", "userOperator"].map(|key| (key.to_owned(), "s1/my".to_owned()));
    world.observed.watch_grants = [("guests".to_owned(), grant.into())].into();
    world.kafka(|kafka| {
        let watched = json!({"watchedNamespace": "guests"});
        kafka["spec"]["entityOperator"] = json!({"topicOperator": watched, "userOperator": watched});
    });
    let plan = world.plan();
    let there = |kind: &str| {
        let of_kind = plan.apply.iter().map(|object| &object.reference).filter(|object| object.kind == kind);
        of_kind.filter(|object| object.namespace.as_deref() == Some("guests")).count()
    };
    assert_eq!((there("Role"), there("RoleBinding")), (1, 2));
    // Another cluster of this name has its own.
    let names = |world: &mut World| -> std::collections::BTreeSet<String> {
        let there = |write: &objects::Write| write.reference.namespace.as_deref() == Some("guests");
        world
            .plan()
            .apply
            .iter()
            .filter(|write| there(write))
            .map(|write| write.reference.name.clone())
            .collect()
    };
    let own = names(&mut world);
    assert!(own.contains("s1.my-entity-operator"), "{own:?}");
    let grant = ["topicOperator", "userOperator"].map(|key| (key.to_owned(), "s2/my".to_owned()));
    world.observed.watch_grants = [("guests".to_owned(), grant.into())].into();
    world.kafka(|kafka| kafka["metadata"]["namespace"] = json!("s2"));
    world.pool(0, |pool| pool["metadata"]["namespace"] = json!("s2"));
    let others = names(&mut world);
    assert!(others.len() == 3 && others.is_disjoint(&own), "{others:?}");
}

#[test]
fn rights_of_an_older_name_go_when_the_new_ones_are_there() {
    let mut world = World::load("dual-role.input.yaml");
    std::sync::Arc::make_mut(&mut world.observed.settings).entity_operator_watched_namespace = true;
    let grant = ["topicOperator", "userOperator"].map(|key| (key.to_owned(), "s1/my".to_owned()));
    world.observed.watch_grants = [("guests".to_owned(), grant.into())].into();
    world.kafka(|kafka| {
        kafka["spec"]["entityOperator"] = json!({"topicOperator": {"watchedNamespace": "guests"}});
    });
    world.settle();
    let old = |kind: &str, name: &str| objects::ObjectId {
        api_version: "rbac.authorization.k8s.io/v1".to_owned(),
        kind: kind.to_owned(),
        namespace: Some("guests".to_owned()),
        name: name.to_owned(),
    };
    let facts = planner::live_object::LiveObject {
        kind: Some("Kafka".to_owned()),
        cluster: Some("my".to_owned()),
        component: Some("my-entity-operator".to_owned()),
        made_by_operator: true,
        ..Default::default()
    };
    let rights = [old("Role", "my-entity-operator"), old("RoleBinding", "my-entity-topic-operator-role")];
    for object in &rights {
        world.observed.others.insert(object.clone(), facts.clone());
    }
    let plan = world.plan();
    // Deletions come after all writes.
    assert!(plan.apply.iter().any(|object| object.reference.name == "s1.my-entity-topic-operator-role"));
    for object in &rights {
        assert!(plan.delete.iter().any(|deletion| deletion.object == *object), "{object:?}");
    }
    assert!(plan.finalizers.is_empty() && !plan.needs.contains(&planner::kafka::need::Need::HeldTopics));
}

#[test]
fn a_new_cluster_without_controllers_is_refused() {
    let mut world = World::load("dual-role.input.yaml");
    world.pool(0, |pool| pool["spec"]["roles"] = json!(["broker"]));
    let plan = world.plan();
    let message = condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("spec.roles") && message.contains("controller"), "{message}");
    assert!(plan.apply.is_empty());
}

#[test]
fn an_authority_that_the_user_must_supply_is_asked_for_by_name() {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| kafka["spec"]["clientsCa"] = json!({"generateCertificateAuthority": false}));
    let plan = world.plan();
    let message = condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("spec.clientsCa.generateCertificateAuthority"), "{message}");
    assert!(message.contains("my-clients-ca-cert") && message.contains("ca.crt"), "{message}");
}

#[test]
fn all_mistakes_are_named_at_once() {
    let mut world = World::load("dual-role.input.yaml");
    kafka_section(&mut world, |kafka| {
        kafka["version"] = json!("1.0.x");
        kafka["listeners"][1]["port"] = json!(9092);
    });
    world.pool(0, |pool| pool["spec"]["roles"] = json!([]));
    let plan = world.plan();
    let message = condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned();
    for part in ["spec.kafka.version", "listeners[1].port", "spec.roles"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_listener_for_an_empty_list_of_peers_is_open_and_warned_about() {
    let mut world = World::load("dual-role.input.yaml");
    kafka_section(&mut world, |kafka| kafka["listeners"][0]["networkPolicyPeers"] = json!([]));
    let plan = world.plan();
    let status = kafka_status(&plan);
    let conditions = status["conditions"].as_array().unwrap();
    let warned = conditions.iter().any(|condition| {
        let message = condition["message"].as_str().unwrap_or_default();
        condition["type"] == "Warning"
            && message.contains("spec.kafka.listeners[0].networkPolicyPeers")
            && message.contains("everybody")
    });
    assert!(warned, "{conditions:?}");
    let policy = object(&plan, "NetworkPolicy", "my-network-policy-kafka");
    let rules = policy["spec"]["ingress"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["ports"][0]["port"] == 9092).unwrap();
    assert!(rule["from"].is_null(), "{rule}");
}

#[test]
fn sections_that_are_not_carried_out_are_warned_about() {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| kafka["spec"]["cruiseControl"] = json!({}));
    let plan = world.plan();
    assert!(!plan.apply.is_empty());
    assert!(condition(&plan, "Warning").unwrap()["message"].as_str().unwrap().contains("spec.cruiseControl"));
}

//! The rules of listeners, each with a resource that breaks it: by themselves, as they are written, without a cluster.

use crate::common;

use std::sync::Arc;

use api::{Kafka, KafkaNodePool};
use planner::findings::Warning;
use planner::kafka::validate::{Specs, alone};
use serde_json::{Value, json};

const ALL: [&str; 7] = ["internal", "cluster-ip", "nodeport", "loadbalancer", "ingress", "route", "tlsroute"];

/// What a resource with these listeners is told; empty: nothing is wrong. With the warnings.
fn judged(listeners: &Value) -> (String, Vec<Warning>) {
    let mut documents = common::documents(&common::reference("dual-role.input.yaml"));
    documents.sort_by_key(|document| document["kind"] != "Kafka");
    documents[0]["spec"]["kafka"]["listeners"] = listeners.clone();
    let kafka: Kafka = serde_json::from_value(documents[0].clone()).unwrap();
    let pools = documents[1..].iter().map(|pool| Arc::new(serde_json::from_value(pool.clone()).unwrap()));
    let pools: Vec<Arc<KafkaNodePool>> = pools.collect();
    match alone(Specs { kafka: &kafka, pools: &pools }, &common::settings()) {
        Ok((_, warnings)) => (String::new(), warnings),
        Err(invalid) => (invalid.message(), invalid.warnings),
    }
}

/// An encrypted listener with what its type cannot do without, and more.
fn listener(type_: &str, more: &Value) -> Value {
    let mut configuration = match type_ {
        "ingress" => json!({"bootstrap": {"host": "a.example"}, "hostTemplate": "b{nodeId}.example"}),
        "tlsroute" => json!({"bootstrap": {"host": "a.example"}, "hostTemplate": "b{nodeId}.example",
            "parentRefs": [{"name": "edge"}]}),
        _ => json!({}),
    };
    merge(&mut configuration, more);
    json!({"name": "ext", "port": 9094, "type": type_, "tls": true, "configuration": configuration})
}

fn merge(into: &mut Value, more: &Value) {
    for (name, value) in more.as_object().unwrap() {
        match (into.get_mut(name), value) {
            (Some(inner @ Value::Object(_)), Value::Object(_)) => merge(inner, value),
            _ => into[name] = value.clone(),
        }
    }
}

#[test]
fn each_option_is_for_its_types_and_refused_for_all_others() {
    let outside = &ALL[1..];
    let on_nodes = &["nodeport", "loadbalancer"][..];
    let by_host = &["ingress", "route", "tlsroute"][..];
    let balancer = &["loadbalancer"][..];
    let broker = |option: &str, value: Value| json!({"brokers": [{"broker": 0, option: value}]});
    for (option, configuration, types) in [
        ("useServiceDnsDomain", json!({"useServiceDnsDomain": true}), &["internal", "cluster-ip"][..]),
        ("createBootstrapService", json!({"createBootstrapService": false}), balancer),
        ("ipFamilyPolicy", json!({"ipFamilyPolicy": "SingleStack"}), outside),
        ("ipFamilies", json!({"ipFamilies": ["IPv4"]}), outside),
        ("publishNotReadyAddresses", json!({"publishNotReadyAddresses": true}), outside),
        ("class", json!({"class": "edge"}), &["ingress", "loadbalancer"]),
        (
            "preferredNodePortAddressType",
            json!({"preferredNodePortAddressType": "InternalIP"}),
            &["nodeport"],
        ),
        ("externalTrafficPolicy", json!({"externalTrafficPolicy": "Local"}), on_nodes),
        ("loadBalancerSourceRanges", json!({"loadBalancerSourceRanges": ["192.0.2.0/24"]}), balancer),
        ("allocateLoadBalancerNodePorts", json!({"allocateLoadBalancerNodePorts": false}), balancer),
        ("finalizers", json!({"finalizers": ["a.example/b"]}), balancer),
        ("hostTemplate", json!({"hostTemplate": "c{nodeId}.example"}), by_host),
        ("perBrokerLabelsTemplate", json!({"perBrokerLabelsTemplate": {"a": "b"}}), outside),
        ("perBrokerAnnotationsTemplate", json!({"perBrokerAnnotationsTemplate": {"a": "b"}}), outside),
        ("parentRefs", json!({"parentRefs": [{"name": "other"}]}), &["tlsroute"]),
        ("singleAddress", json!({"singleAddress": {}}), &["cluster-ip", "nodeport", "loadbalancer"]),
        ("bootstrap.host", json!({"bootstrap": {"host": "c.example"}}), by_host),
        ("bootstrap.nodePort", json!({"bootstrap": {"nodePort": 32000}}), on_nodes),
        ("bootstrap.loadBalancerIP", json!({"bootstrap": {"loadBalancerIP": "192.0.2.1"}}), balancer),
        ("bootstrap.externalIPs", json!({"bootstrap": {"externalIPs": ["192.0.2.1"]}}), &["nodeport"]),
        ("bootstrap.labels", json!({"bootstrap": {"labels": {"a": "b"}}}), outside),
        ("bootstrap.annotations", json!({"bootstrap": {"annotations": {"a": "b"}}}), outside),
        ("bootstrap.alternativeNames", json!({"bootstrap": {"alternativeNames": ["c.example"]}}), &ALL[..]),
        ("brokers[0].host", broker("host", json!("c.example")), by_host),
        ("brokers[0].nodePort", broker("nodePort", json!(32001)), on_nodes),
        ("brokers[0].loadBalancerIP", broker("loadBalancerIP", json!("192.0.2.1")), balancer),
        ("brokers[0].externalIPs", broker("externalIPs", json!(["192.0.2.1"])), &["nodeport"]),
        ("brokers[0].labels", broker("labels", json!({"a": "b"})), outside),
        ("brokers[0].annotations", broker("annotations", json!({"a": "b"})), outside),
        ("brokers[0].advertisedHost", broker("advertisedHost", json!("c.example")), &ALL[..]),
        ("brokers[0].advertisedPort", broker("advertisedPort", json!(19092)), &ALL[..]),
        ("advertisedHostTemplate", json!({"advertisedHostTemplate": "c{nodeId}.example"}), &ALL[..]),
        ("advertisedPortTemplate", json!({"advertisedPortTemplate": "19092 + {nodeId}"}), &ALL[..]),
        ("maxConnections", json!({"maxConnections": 100}), &ALL[..]),
        ("maxConnectionCreationRate", json!({"maxConnectionCreationRate": 10}), &ALL[..]),
    ] {
        for type_ in ALL {
            let (said, _) = judged(&json!([listener(type_, &configuration)]));
            if types.contains(&type_) {
                assert_eq!(said, "", "{option} of {type_}");
            } else {
                let refusal = format!(
                    "listeners[0].configuration.{option}: does not apply to a listener of type \"{type_}\""
                );
                assert!(said.contains(&refusal), "{option} of {type_}: {said}");
            }
        }
    }
}

#[test]
fn names_and_ports_are_possible_and_used_once() {
    for (name, port, says) in [
        ("plain", 9093, "listeners[1].name: \"plain\" is used twice"),
        ("tls", 9092, "listeners[1].port: 9092 is already used by listener \"plain\""),
        ("TLS", 9093, "listeners[1].name: \"TLS\" must be 1 to 11 lower-case letters and digits"),
        ("a-listener", 9093, "must be 1 to 11 lower-case letters and digits"),
        ("", 9093, "must be 1 to 11 lower-case letters and digits"),
        ("twelveletter", 9093, "must be 1 to 11 lower-case letters and digits"),
        ("tls", 9091, "listeners[1].port: 9091 cannot be used"),
        ("tls", 9404, "listeners[1].port: 9404 cannot be used"),
        ("tls", 9999, "listeners[1].port: 9999 cannot be used"),
        ("tls", 65536, "listeners[1].port: 65536 cannot be used"),
    ] {
        let (said, _) = judged(&json!([
            {"name": "plain", "port": 9092, "type": "internal", "tls": false},
            {"name": name, "port": port, "type": "internal", "tls": true},
        ]));
        assert!(said.contains(says), "{name} {port}: {said}");
    }
    assert!(judged(&json!([])).0.contains("spec.kafka.listeners: is empty"));
}

#[test]
fn what_needs_tls_is_refused_without_it() {
    let own =
        json!({"brokerCertChainAndKey": {"secretName": "own", "certificate": "tls.crt", "key": "tls.key"}});
    for (type_, authentication, configuration, says) in [
        (
            "internal",
            json!({"type": "tls"}),
            json!({}),
            Some("listeners[0].authentication.type: \"tls\" needs an encrypted"),
        ),
        ("internal", json!({"type": "scram-sha-512"}), json!({}), None),
        ("internal", Value::Null, own, Some("brokerCertChainAndKey: needs an encrypted listener")),
        ("route", Value::Null, json!({}), Some("listeners[0].tls: a listener of type \"route\"")),
        ("ingress", Value::Null, json!({}), Some("listeners[0].tls: a listener of type \"ingress\"")),
        ("tlsroute", Value::Null, json!({}), None),
        ("nodeport", Value::Null, json!({}), None),
    ] {
        let mut listener = listener(type_, &configuration);
        listener["tls"] = json!(false);
        listener["authentication"] = authentication.clone();
        let (said, _) = judged(&json!([listener]));
        match says {
            Some(says) => assert!(said.contains(says), "{type_} {authentication}: {said}"),
            None => assert_eq!(said, "", "{type_} {authentication}"),
        }
    }
}

#[test]
fn what_a_type_cannot_do_without_is_named() {
    for (type_, without, says) in [
        ("ingress", "bootstrap", "configuration.bootstrap.host: is missing"),
        ("ingress", "hostTemplate", "configuration.brokers: the host of broker 0 is missing"),
        ("tlsroute", "bootstrap", "configuration.bootstrap.host: is missing"),
        ("tlsroute", "hostTemplate", "configuration.brokers: the host of broker 0 is missing"),
        ("tlsroute", "parentRefs", "configuration.parentRefs: is missing"),
    ] {
        let mut listener = listener(type_, &json!({}));
        listener["configuration"].as_object_mut().unwrap().remove(without);
        let (said, _) = judged(&json!([listener]));
        assert!(said.contains(says), "{type_} without {without}: {said}");
    }
}

#[test]
fn a_custom_authentication_leaves_the_key_store_to_the_operator() {
    let mut custom = listener("internal", &json!({}));
    custom["authentication"] =
        json!({"type": "custom", "sasl": true, "listenerConfig": {"ssl.keystore.location": "/mine"}});
    let (said, _) = judged(&json!([custom]));
    assert!(
        said.contains("authentication.listenerConfig.ssl.keystore.location: the key store is the operator's"),
        "{said}"
    );
    custom["authentication"]["listenerConfig"] = json!({"sasl.enabled.mechanisms": "OAUTHBEARER"});
    assert_eq!(judged(&json!([custom])).0, "");
}

#[test]
fn every_rule_that_is_broken_is_named_at_once() {
    let mut route = listener("route", &json!({"class": "x", "brokers": [{"broker": 1, "nodePort": 32000}]}));
    route["tls"] = json!(false);
    let mut second = listener("nodeport", &json!({"parentRefs": [{"name": "edge"}]}));
    second["authentication"] = json!({"type": "tls"});
    second["tls"] = json!(false);
    let (said, _) = judged(&json!([route, second]));
    for part in [
        "listeners[0].tls",
        "listeners[0].configuration.class",
        "listeners[0].configuration.brokers[0].nodePort",
        "listeners[1].name",
        "listeners[1].port",
        "listeners[1].configuration.parentRefs",
        "listeners[1].authentication.type",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn what_is_said_of_brokers_that_are_not_there_is_only_warned_of() {
    let brokers = json!({"brokers": [{"broker": 1, "nodePort": 32001}, {"broker": 7, "nodePort": 32007},
        {"broker": 9, "advertisedHost": "nine.example"}]});
    let (said, warnings) = judged(&json!([listener("nodeport", &brokers)]));
    assert_eq!(said, "");
    let warning = warnings.iter().find(|warning| warning.reason == "ListenerBrokerUnknown").unwrap();
    assert!(warning.message.contains("listeners[0].configuration.brokers"), "{}", warning.message);
    assert!(warning.message.contains("7 or 9"), "{}", warning.message);
    let (_, warnings) =
        judged(&json!([listener("nodeport", &json!({"brokers": [{"broker": 2, "nodePort": 32002}]}))]));
    assert!(!warnings.iter().any(|warning| warning.reason == "ListenerBrokerUnknown"));
}

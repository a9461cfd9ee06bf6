//! Every property of a Kafka and of a KafkaNodePool does something: set to another value, it changes the plan, in an object, a
//! configuration, a status or a call. What does nothing stands in docs/differences.md with the reason.

use crate::paths;

use std::collections::{BTreeMap, BTreeSet};

use paths::contexts;
use paths::table;
use paths::trial::Trial;
use serde_json::json;

/// Whether a path is one of those or lies below it.
fn is_below(path: &str, sections: &BTreeSet<&str>) -> bool {
    let in_section = |section: &&str| {
        path.strip_prefix(*section).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    sections.iter().any(in_section)
}

#[test]
fn every_property_acts_or_stands_in_the_list_of_those_that_do_not() {
    let trial = Trial::new();
    let list = table::without_effect();
    let listed: BTreeSet<&str> = list.keys().map(String::as_str).collect();
    let mut all = Vec::new();
    for (kind, _) in table::KINDS {
        let paths =
            table::paths(kind).into_iter().filter(|path| !is_below(path, &["spec.cruiseControl"].into()));
        all.extend(paths.map(|path| (kind, path)));
    }
    assert_eq!(all.len(), 1616, "the contract has so many properties");
    // An object or a list of objects acts when something in it does.
    let is_part = |path: &(&str, String)| {
        let below = |other: &&(&str, String)| {
            other.0 == path.0 && other.1 != path.1 && is_below(&other.1, &[path.1.as_str()].into())
        };
        !all.iter().any(|other| below(&other))
    };
    let tried: Vec<_> = all.iter().filter(|path| is_part(path)).collect();
    let (half, rest) = tried.split_at(tried.len() / 2);
    let complaints = |paths: &[&(&'static str, String)]| -> BTreeMap<String, String> {
        let wrong =
            paths.iter().filter_map(|(kind, path)| Some((path.clone(), trial.acts(kind, path).err()?)));
        wrong.collect()
    };
    let mut silent = std::thread::scope(|scope| {
        let other = scope.spawn(|| complaints(half));
        let mut silent = complaints(rest);
        silent.extend(other.join().unwrap());
        silent
    });
    let acts = |section: &&&str| !silent.keys().any(|path| is_below(path, &[**section].into()));
    let wrongly: Vec<_> = listed.iter().filter(acts).collect();
    assert!(
        wrongly.is_empty(),
        "these act and stand in docs/differences.md as fields without effect: {wrongly:?}"
    );
    silent.retain(|path, _| !is_below(path, &listed));
    let silent: Vec<String> = silent.into_values().collect();
    assert!(silent.is_empty(), "{} do nothing:\n{}", silent.len(), silent.join("\n"));
    let without_effect = tried.iter().filter(|path| is_below(&path.1, &listed)).count();
    assert!(without_effect <= 10, "{without_effect} properties do nothing: {list:?}");
    assert!(list.values().all(|reason| reason.len() > 20), "{list:?}");
}

const INTERNAL: &[&str] = &["internal"];
const CLUSTER_IP: &[&str] = &["cluster-ip"];
const NODE_PORT: &[&str] = &["nodeport"];
const LOAD_BALANCER: &[&str] = &["loadbalancer"];
const ROUTE: &[&str] = &["route"];
const TLS_ROUTE: &[&str] = &["tlsroute"];
const INGRESS: &[&str] = &["ingress"];
const TYPES: [&[&str]; 7] = [INTERNAL, CLUSTER_IP, NODE_PORT, LOAD_BALANCER, ROUTE, TLS_ROUTE, INGRESS];

/// Options of a listener, and the types that they are for.
fn options() -> Vec<(&'static str, Vec<&'static str>)> {
    let not_internal = TYPES[1..].concat();
    let by_host = [ROUTE, TLS_ROUTE, INGRESS].concat();
    let on_nodes = [NODE_PORT, LOAD_BALANCER].concat();
    let lb = LOAD_BALANCER.to_vec();
    let mut options = vec![
        ("useServiceDnsDomain", [INTERNAL, CLUSTER_IP].concat()),
        ("createBootstrapService", lb.clone()),
        ("ipFamilyPolicy", not_internal.clone()),
        ("ipFamilies", not_internal.clone()),
        ("publishNotReadyAddresses", not_internal.clone()),
        ("class", [INGRESS, LOAD_BALANCER].concat()),
        ("preferredNodePortAddressType", NODE_PORT.to_vec()),
        ("externalTrafficPolicy", on_nodes.clone()),
        ("loadBalancerSourceRanges", lb.clone()),
        ("allocateLoadBalancerNodePorts", lb.clone()),
        ("finalizers", lb.clone()),
        ("hostTemplate", by_host.clone()),
        ("perBrokerAnnotationsTemplate", not_internal.clone()),
        ("perBrokerLabelsTemplate", not_internal.clone()),
        ("bootstrap.host", by_host.clone()),
        ("bootstrap.nodePort", on_nodes.clone()),
        ("bootstrap.loadBalancerIP", lb.clone()),
        ("bootstrap.annotations", not_internal.clone()),
        ("bootstrap.labels", not_internal.clone()),
        ("bootstrap.externalIPs", NODE_PORT.to_vec()),
        ("brokers[].host", by_host),
        ("brokers[].nodePort", on_nodes),
        ("brokers[].loadBalancerIP", lb),
        ("brokers[].annotations", not_internal.clone()),
        ("brokers[].labels", not_internal),
        ("brokers[].externalIPs", NODE_PORT.to_vec()),
        ("parentRefs[].name", TLS_ROUTE.to_vec()),
    ];
    for option in [
        "advertisedHostTemplate",
        "advertisedPortTemplate",
        "brokers[].advertisedHost",
        "brokers[].advertisedPort",
        "bootstrap.alternativeNames",
        "maxConnections",
        "maxConnectionCreationRate",
        "brokerCertChainAndKey.secretName",
    ] {
        options.push((option, TYPES.concat()));
    }
    options
}

#[test]
fn every_option_of_a_listener_acts_for_the_types_that_it_is_for_and_is_refused_for_the_others() {
    let trial = Trial::new();
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for (option, types) in options() {
        let path = format!("spec.kafka.listeners[].configuration.{option}");
        for type_ in TYPES.concat() {
            let context = contexts::listener(type_, option);
            tried += 1;
            let result = trial.acts_in("Kafka", &path, &[context]);
            if types.contains(&type_) {
                wrong.extend(result.err());
                continue;
            }
            let name = option.replace("[].name", "").replace("[]", "[0]");
            let says = format!("configuration.{name}: does not apply to a listener of type \"{type_}\"");
            match result {
                Err(why) if why.contains(&json!(says).to_string().trim_matches('"').to_owned()) => {}
                other => wrong.push(format!("{type_} {option}: {other:?}")),
            }
        }
    }
    assert_eq!(tried, 35 * 7);
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

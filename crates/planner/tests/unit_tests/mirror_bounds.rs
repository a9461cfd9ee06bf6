//! KafkaMirrorMaker2 resources that are larger than anybody can have meant, and workers that say more than a status has room for.

use planner::kafka_connector::actual::State;
use serde_json::{Value, json};

use crate::common::connect::{certificate, secret};
use crate::common::mirror::Mirror;
use crate::common::reference;

fn mirror() -> Mirror {
    Mirror::new(&reference("mirror.input.yaml"))
}

/// A mirror of a source of its own.
fn one_mirror(alias: &str) -> Value {
    json!({"source": {"alias": alias, "bootstrapServers": "h:1"}, "sourceConnector": {}, "checkpointConnector": {}})
}

#[test]
fn what_nobody_can_have_meant_is_refused_in_a_few_words() {
    let mut whole = mirror();
    let all: Vec<Value> = (0..20_000).map(|number| one_mirror(&format!("a{number}"))).collect();
    whole.resource["spec"]["mirrors"] = json!(all);
    let message = whole.verdict().1;
    assert!(message.contains("spec.mirrors: 20000 items are more than 500"), "{message}");

    // Aliases that no cluster has, in a resource with very many clusters and names of any length.
    let mut old = mirror();
    let spec = old.resource["spec"].as_object_mut().unwrap();
    spec.remove("target");
    let cluster = |number: usize| json!({"alias": format!("aaaaaaaa{number:05}"), "bootstrapServers": "h"});
    let mut clusters: Vec<Value> = (0..8000).map(cluster).collect();
    clusters.push(json!({"alias": "b".repeat(100_000), "bootstrapServers": "t:1"}));
    spec.insert("clusters".to_owned(), json!(clusters));
    spec.insert("connectCluster".to_owned(), json!("b".repeat(100_000)));
    let mut mirrors = vec![json!({"sourceCluster": "x"}); 20_000];
    mirrors.extend(vec![json!({"sourceCluster": "aaaaaaaa00000", "targetCluster": "y".repeat(1000)}); 20]);
    mirrors.rotate_right(20);
    spec.insert("mirrors".to_owned(), json!(mirrors));
    let message = old.verdict().1;
    assert!(message.len() < 100_000, "{} characters", message.len());
    for words in ["no cluster has the alias \"x\"", "\"aaaaaaaa00000\"", "and 7996 more", "… is no alias"] {
        assert!(message.contains(words), "{words}: {message}");
    }

    let mut dots = mirror();
    dots.resource["spec"]["mirrors"][0]["source"]["alias"] = json!("..x");
    let (type_, message) = dots.verdict();
    let words = "spec.mirrors[0].source.alias: \"..x\" is no alias";
    assert!(type_ == "NotReady" && message.contains(words), "no Secret has the key ..x-ca.crt: {message}");
}

#[test]
fn trusted_certificates_of_all_sources_together_fit_into_one_secret() {
    let mut whole = mirror();
    let keys: Vec<(String, String)> =
        (0..4).map(|number| (format!("{number}.crt"), certificate().0)).collect();
    let texts: Vec<(&str, &str)> = keys.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    whole.observed.referred_secrets.insert("s".to_owned(), secret("s", &texts));
    let trusting = |number: usize| {
        let mut mirror = one_mirror(&format!("a{number}"));
        mirror["source"]["tls"] = json!({"trustedCertificates": [{"secretName": "s", "pattern": "*.crt"}]});
        mirror
    };
    whole.resource["spec"]["mirrors"] = json!((0..100).map(trusting).collect::<Vec<_>>());
    let bounded = |mirror: &Mirror, largest: usize| {
        let mut mirror = mirror.clone();
        let mut settings = mirror.observed.settings.as_ref().clone();
        settings.largest_config_map = largest;
        mirror.observed.settings = std::sync::Arc::new(settings);
        mirror.verdict().1
    };
    let message = bounded(&whole, bytes * 10);
    let words = ".source.tls.trustedCertificates[0].pattern: the trusted certificates of the resource";
    assert_eq!(message.matches(words).count(), 1, "the first one that there is no room for: {message}");
    let message = bounded(&whole, bytes * 200);
    assert!(!message.contains("trusted certificates"), "{message}");
}

#[test]
fn a_status_has_room_for_what_workers_say_of_very_many_connectors() {
    let mut whole = mirror();
    let all: Vec<Value> = (0..200).map(|number| one_mirror(&format!("a{number}"))).collect();
    whole.resource["spec"]["mirrors"] = json!(all);
    whole.settle();
    for actual in whole.connectors().values_mut() {
        let part = actual.tasks[&0].clone();
        actual.tasks = (0..50).map(|id| (id, part.clone())).collect();
        for task in actual.tasks.values_mut().chain([&mut actual.connector]) {
            task.state = State::Failed;
            task.trace = Some("java.lang.Exception: no\n\tat a.B\n".repeat(200));
            task.worker = "w".repeat(5000);
        }
    }
    let status = serde_json::to_string(&whole.plan().common.status.unwrap()).unwrap();
    assert!(status.len() < 1_000_000, "{} characters", status.len());
    assert!(status.contains("java.lang.Exception"), "the first stacks are told");
}

//! Proxies of single addresses in the life of a cluster: when they come, go and are away.

use crate::common::exposure::{self, exposed};
use crate::common::{World, condition, kafka_status, object, warning_with};
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

#[test]
fn a_proxy_that_is_away_for_long_makes_the_cluster_not_ready() {
    let mut world = exposed("loadbalancer", &json!({"singleAddress": {}}));
    world.give_addresses();
    let plan = world.settle();
    world.apply(&plan);
    assert!(condition(&world.plan(), "Ready").is_some(), "{:#}", kafka_status(&world.plan()));
    let lost = |world: &mut World, since: jiff::Timestamp| {
        let live = world.observed.deployments.get_mut("my-kafka-ext-proxy").unwrap();
        let status = json!({"updatedReplicas": 2, "replicas": 2, "unavailableReplicas": 2, "conditions": [
            {"type": "Available", "status": "False", "lastTransitionTime": since.to_string()}]});
        std::sync::Arc::make_mut(live).status = Some(serde_json::from_value(status).unwrap());
    };
    let now = world.now;
    lost(&mut world, now - jiff::SignedDuration::from_mins(1));
    assert!(condition(&world.plan(), "Ready").is_some(), "it may come back");
    lost(&mut world, now - jiff::SignedDuration::from_mins(10));
    let plan = world.plan();
    let why = condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(why.contains("my-kafka-ext-proxy"), "{why}");
    let words = warning_with(&plan, "DeploymentNotAvailable").unwrap();
    assert!(words.contains("my-kafka-ext-proxy"), "{words}");
}

const PODS: [&str; 3] = ["my-dual-0", "my-dual-1", "my-dual-2"];

fn listeners(single: bool, more: &Value) -> Value {
    let mut configuration = if single { json!({"singleAddress": {}}) } else { json!({}) };
    configuration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([{"name": "ext", "port": 9094, "type": "loadbalancer", "tls": true, "configuration": configuration,
        "networkPolicyPeers": [{"podSelector": {"matchLabels": {"app": "client"}}}]}])
}

/// A cluster that runs with or without one address.
fn running(single: bool, more: &Value) -> World {
    let mut world = exposure::world("loadbalancer", &json!({}));
    world.kafka(|kafka| kafka["spec"]["kafka"]["listeners"] = listeners(single, more));
    for _ in 0..3 {
        let plan = world.plan();
        world.apply(&plan);
        world.give_addresses();
    }
    let plan = world.settle();
    assert!(condition(&plan, "Ready").is_some(), "{:#}", kafka_status(&plan));
    world
}

fn words(plan: &Plan) -> Option<String> {
    warning_with(plan, "ListenerAddressesChange")
}

/// Whether the plan changes a Service.
fn changes(plan: &Plan, service: &str) -> bool {
    let mut writes = plan.apply.iter().filter(|write| write.reference.kind == "Service");
    writes.any(|write| write.reference.name == service && write.is_change())
}

fn advertised(plan: &Plan, pod: &str) -> String {
    let config = object(plan, "ConfigMap", pod)["data"]["server.config"].as_str().unwrap().to_owned();
    config.lines().find(|line| line.starts_with("advertised.listeners=")).unwrap().to_owned()
}

fn own_service(pod: &str) -> String {
    pod.replacen("my-dual-", "my-dual-ext-", 1)
}

/// Who may connect to the port of the brokers.
fn peers(plan: &Plan) -> String {
    let policy = object(plan, "NetworkPolicy", "my-network-policy-kafka");
    let rules = policy["spec"]["ingress"].as_array().unwrap();
    rules.iter().find(|rule| rule["ports"][0]["port"] == 9094).unwrap()["from"].to_string()
}

#[test]
fn clients_go_the_former_way_until_the_proxy_is_available_and_their_broker_has_told_the_new_address() {
    let mut world = running(false, &json!({}));
    assert_eq!(words(&world.plan()), None);
    world.kafka(|kafka| kafka["spec"]["kafka"]["listeners"] = listeners(true, &json!({})));
    world.now += jiff::SignedDuration::from_mins(1);
    let plan = world.plan();
    assert!(words(&plan).unwrap().contains("listener ext: all brokers get one address"));
    let former = |plan: &Plan| {
        assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
        for pod in PODS {
            assert!(!changes(plan, &own_service(pod)), "{pod}");
            let own = format!("{}.example.org:9094", own_service(pod));
            assert!(advertised(plan, pod).contains(&own), "{}", advertised(plan, pod));
        }
        let servers = kafka_status(plan)["listeners"][0]["bootstrapServers"].clone();
        assert_eq!(servers, "my-kafka-ext-bootstrap.example.org:9094");
        assert!(
            peers(plan).contains("client") && peers(plan).contains("my-kafka-ext-proxy"),
            "{}",
            peers(plan)
        );
    };
    former(&plan);
    assert!(!changes(&plan, "my-kafka-ext-bootstrap"));
    assert!(object(&plan, "Deployment", "my-kafka-ext-proxy")["spec"].is_object());
    world.apply(&plan);
    let plan = world.plan();
    former(&plan);
    assert!(!changes(&plan, "my-kafka-ext-bootstrap"), "the proxy is not available");
    world.run_everything();
    let plan = world.plan();
    former(&plan);
    assert!(changes(&plan, "my-kafka-ext-bootstrap"));
    world.apply(&plan);
    world.give_addresses();
    // Now each broker is told, and its own Service is left to clients until it was restarted.
    let mut told: Vec<String> = Vec::new();
    while told.len() < PODS.len() {
        let plan = world.plan();
        assert_eq!(plan.roll.wanted.len(), PODS.len() - told.len());
        let [pod] = plan.roll.now.as_slice() else { panic!("{:?}", plan.roll) };
        let (_, number) = pod.rsplit_once('-').unwrap();
        assert!(advertised(&plan, pod).contains(&format!("my-kafka-ext-bootstrap.example.org:2000{number}")));
        for name in PODS {
            assert!(!changes(&plan, &own_service(name)), "{name}");
            let type_ = &world.observed.exposed.services[&own_service(name)].spec.as_ref().unwrap().type_;
            let is_told = told.iter().any(|known| known == name);
            assert_eq!(type_.as_deref(), Some(if is_told { "ClusterIP" } else { "LoadBalancer" }), "{name}");
        }
        assert!(words(&plan).is_some() && peers(&plan).contains("client"));
        world.apply(&plan);
        world.restart(pod);
        let after = world.plan();
        assert!(changes(&after, &own_service(pod)), "{pod} is reached through the proxy alone");
        world.apply(&after);
        told.push(pod.clone());
    }
    let plan = world.settle();
    assert!(words(&plan).is_none() && condition(&plan, "Ready").is_some(), "{:#}", kafka_status(&plan));
    assert!(!peers(&plan).contains("client"), "{}", peers(&plan));
}

#[test]
fn the_proxy_stays_until_every_broker_has_told_an_address_of_its_own() {
    let mut world = running(true, &json!({}));
    world.now += jiff::SignedDuration::from_mins(1);
    assert_eq!(words(&world.plan()), None);
    world.kafka(|kafka| kafka["spec"]["kafka"]["listeners"] = listeners(false, &json!({})));
    let stays = |plan: &Plan| {
        assert!(!changes(plan, "my-kafka-ext-bootstrap"));
        let gone = plan.delete.iter().any(|gone| gone.object.name.contains("-ext-"));
        assert!(!gone && words(plan).is_some(), "{:?}", plan.delete);
        assert!(
            peers(plan).contains("client") && peers(plan).contains("my-kafka-ext-proxy"),
            "{}",
            peers(plan)
        );
    };
    let plan = world.plan();
    stays(&plan);
    assert!(plan.roll.wanted.is_empty() && changes(&plan, "my-dual-ext-0"), "there is no load balancer yet");
    assert!(advertised(&plan, "my-dual-0").contains("my-kafka-ext-bootstrap.example.org:20000"));
    world.apply(&plan);
    world.give_addresses();
    for _ in PODS {
        let plan = world.plan();
        stays(&plan);
        let [pod] = plan.roll.now.as_slice() else { panic!("{:?}", plan.roll) };
        assert!(advertised(&plan, pod).contains(&format!("{}.example.org:9094", own_service(pod))));
        world.apply(&plan);
        world.restart(pod);
    }
    let plan = world.plan();
    assert!(changes(&plan, "my-kafka-ext-bootstrap"));
    let gone: Vec<&str> = plan.delete.iter().map(|gone| gone.object.kind.as_str()).collect();
    assert!(gone.contains(&"Deployment") && gone.contains(&"ConfigMap"), "{gone:?}");
    world.apply(&plan);
    let plan = world.settle();
    assert!(words(&plan).is_none() && condition(&plan, "Ready").is_some(), "{:#}", kafka_status(&plan));
    assert!(!peers(&plan).contains("proxy"), "{}", peers(&plan));
}

#[test]
fn node_ports_that_the_resource_names_move_at_once_and_a_warning_says_what_that_does() {
    let ports = json!({"brokers": [{"broker": 0, "nodePort": 32000}]});
    let mut world = running(false, &ports);
    world.kafka(|kafka| kafka["spec"]["kafka"]["listeners"] = listeners(true, &ports));
    let plan = world.plan();
    assert!(changes(&plan, "my-kafka-ext-bootstrap") && changes(&plan, "my-dual-ext-0"));
    assert!(
        words(&plan).unwrap().contains("the former addresses are gone, since the node ports of brokers move")
    );
}

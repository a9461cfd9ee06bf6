//! Under which addresses brokers tell clients to reach them.

use crate::common::{World, kafka_status};
use planner::kafka::cluster::{Addresses, Cluster, Node};
use planner::kafka::config::server;
use planner::kafka::settled::settle;
use serde_json::json;

fn cluster(world: &World) -> Cluster {
    settle(world.observed.kafka.as_deref().unwrap(), &world.observed, world.now).unwrap().cluster
}

fn line(cluster: &Cluster, id: i32, option: &str) -> String {
    let node = Node { id, pool: &cluster.pools[0] };
    let text = server::whole(&server::fixed(cluster, node), cluster, node);
    api::properties::parse(&text).unwrap().get(option).unwrap().to_owned()
}

#[test]
fn what_the_resource_says_of_a_broker_comes_before_its_template_and_that_before_the_exposure() {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        let listeners = &mut kafka["spec"]["kafka"]["listeners"];
        listeners[0]["configuration"] = json!({"useServiceDnsDomain": true});
        listeners[1]["configuration"] = json!({"advertisedHostTemplate": "b{nodeId}.example.org",
            "brokers": [{"broker": 1, "advertisedHost": "one.example.org"}, {"broker": 2, "advertisedPort": 19093}]});
    });
    let cluster = cluster(&world);
    let of = |id: i32, listener: usize| {
        let address = cluster.addresses.of_broker(id, &cluster.listeners[listener]).unwrap();
        format!("{}:{}", address.host, address.port)
    };
    assert_eq!(of(0, 0), "my-dual-0.my-kafka-brokers.s1.svc.cluster.local:9092");
    assert_eq!((of(0, 1).as_str(), of(1, 1).as_str()), ("b0.example.org:9093", "one.example.org:9093"));
    assert_eq!(of(2, 1), "b2.example.org:19093");
    assert!(line(&cluster, 2, "advertised.listeners").ends_with("TLS-9093://b2.example.org:19093"));
    let status = kafka_status(&world.settle());
    assert_eq!(status["listeners"][1]["bootstrapServers"], "my-kafka-bootstrap.s1.svc:9093");
    assert_eq!(
        status["listeners"][1]["addresses"],
        json!([{"host": "my-kafka-bootstrap.s1.svc", "port": 9093}])
    );
}

#[test]
fn a_broker_has_no_listener_of_which_it_could_not_say_where_it_is() {
    let mut cluster = cluster(&World::load("dual-role.input.yaml"));
    assert!(line(&cluster, 0, "listeners").contains("PLAIN-9092://"));
    cluster.addresses = Addresses::default();
    for option in ["listeners", "advertised.listeners", "listener.security.protocol.map"] {
        let text = line(&cluster, 0, option);
        assert!(text.contains("REPLICATION-9091") && !text.contains("PLAIN-9092"), "{option}={text}");
    }
}

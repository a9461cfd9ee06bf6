//! Which node gets a request.

use std::collections::BTreeMap;

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;

use super::*;
use crate::Node;
use crate::values::text;

fn cluster() -> ClusterDescription {
    let node = |id: i32, fenced| (id, Node { id, host: format!("b{id}"), port: 9091, rack: None, fenced });
    ClusterDescription {
        cluster_id: "c".into(),
        controller_id: Some(0),
        nodes: BTreeMap::from([node(0, false), node(1, true), node(2, false)]),
    }
}

#[tokio::test]
async fn settings_are_checked_before_any_connection() {
    let none: [&str; 0] = [];
    assert!(Admin::new(AdminConfig::brokers(none)).is_err());
    let error = Admin::new(AdminConfig::brokers(["kafka"])).unwrap_err();
    assert!(error.to_string().contains("\"kafka\" is not host:port"), "{error}");
}

#[test]
fn known_nodes_stand_in_for_the_bootstrap_addresses_but_fenced_ones_do_not() {
    assert_eq!(candidates(&["boot:1".into()], Some(&cluster())), ["boot:1", "b0:9091", "b2:9091"]);
    assert_eq!(candidates(&["b0:9091".into()], Some(&cluster())), ["b0:9091", "b2:9091"]);
}

#[tokio::test]
async fn after_a_failure_the_next_node_is_asked() {
    let admin = Admin::new(AdminConfig::brokers(["one:1", "two:2"])).unwrap();
    assert_eq!(admin.any_address(&HashMap::new()), "one:1");
    admin.look_elsewhere(Some("one:1"));
    assert_eq!(admin.any_address(&HashMap::new()), "two:2");
    // A failure of another node changes nothing.
    admin.look_elsewhere(Some("one:1"));
    assert_eq!(admin.any_address(&HashMap::new()), "two:2");
    admin.look_elsewhere(Some("two:2"));
    assert_eq!(admin.any_address(&HashMap::new()), "one:1");
}

#[tokio::test]
async fn connections_to_addresses_that_no_node_has_any_more_are_given_up() {
    let admin = Admin::new(AdminConfig::brokers(["boot:1"])).unwrap();
    let named = |host: &str| {
        let broker = DescribeClusterBroker::default().with_host(text(host)).with_port(9091);
        admin.remember(&DescribeClusterResponse::default().with_brokers(vec![broker])).unwrap();
    };
    admin.node("boot:1");
    for index in 0..10 {
        named(&format!("b{index}"));
        admin.node(&format!("b{index}:9091"));
    }
    let mut known: Vec<String> = admin.routes().nodes.keys().cloned().collect();
    known.sort();
    assert_eq!(known, ["b9:9091", "boot:1"]);
}

#[test]
fn only_an_answer_from_the_wrong_node_fails_the_whole_request() {
    assert_eq!(misrouted([0, 36, 3]), Ok(()));
    assert_eq!(misrouted([0, 41]).unwrap_err().code, ErrorCode::NOT_CONTROLLER);
}

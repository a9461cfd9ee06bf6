//! Addresses that lead to another Kafka cluster, or to a server that the client was not told of.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use kafka_admin::{Admin, AdminConfig, AdminError};
use kafka_protocol::messages::ApiKey;
use test_support::{BrokerStandIn, PaperCluster};
use tokio::net::TcpListener;

/// The one broker of a cluster.
async fn broker(id: &str) -> (BrokerStandIn, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let paper = PaperCluster::at(id, &[address]);
    let answer = move |key, version| Some((Duration::ZERO, paper.answer(key, version)?));
    (BrokerStandIn::start(listener, answer), address)
}

fn config(addresses: &[String]) -> AdminConfig {
    AdminConfig::brokers(addresses).with_request_timeout(Duration::from_secs(5))
}

/// What a broker was asked beside what its connection takes.
fn asked(broker: &BrokerStandIn) -> Vec<ApiKey> {
    broker.asked().into_iter().filter(|key| *key != ApiKey::ApiVersions).collect()
}

#[tokio::test]
async fn a_broker_of_another_cluster_is_asked_for_nothing_but_its_cluster() {
    let (other, address) = broker("other").await;
    let admin = Admin::new(config(&[address.to_string()]).with_cluster_id("own")).unwrap();
    for _ in 0..2 {
        let error = admin.list_topics().await.unwrap_err();
        assert!(
            matches!(&error, AdminError::OtherCluster { found, wanted, .. } if (found.as_str(), wanted.as_str()) == ("other", "own")),
            "{error}"
        );
        assert!(admin.unregister_broker(1).await.is_err());
    }
    assert!(asked(&other).iter().all(|key| *key == ApiKey::DescribeCluster), "{:?}", other.asked());
}

#[tokio::test]
async fn a_broker_of_another_cluster_is_passed_over() {
    let ((other, first), (own, second)) = (broker("other").await, broker("own").await);
    let admin = Admin::new(config(&[first.to_string(), second.to_string()]).with_cluster_id("own")).unwrap();
    assert_eq!(admin.describe_cluster().await.unwrap().cluster_id, "own");
    assert_eq!(admin.list_topics().await.unwrap().len(), 1);
    assert_eq!(asked(&other), [ApiKey::DescribeCluster]);
    assert!(asked(&own).contains(&ApiKey::Metadata));
}

#[tokio::test]
async fn a_client_that_was_told_where_hosts_are_connects_to_no_others() {
    let ((meant, address), (stranger, elsewhere)) = (broker("own").await, broker("own").await);
    let at = |host: &str, address: SocketAddr| format!("{host}:{}", address.port());
    let hosts = BTreeMap::from([("c-p-0.c-kafka-brokers.ns.svc".to_owned(), address.ip())]);
    let of = |bootstrap: String| Admin::new(config(&[bootstrap]).with_hosts(hosts.clone())).unwrap();
    let admin = of(at("c-p-0.c-kafka-brokers.ns.svc", address));
    assert_eq!(admin.describe_cluster().await.unwrap().cluster_id, "own");
    for host in ["localhost", "127.0.0.1", "c-kafka-bootstrap.ns.svc"] {
        let limited = of(at(host, elsewhere)).within(Duration::from_millis(200));
        let error = limited.describe_cluster().await.unwrap_err().to_string();
        assert!(error.contains("none of the hosts"), "{error}");
    }
    // The node that the broker names is one of an address that nobody told of.
    assert!(admin.within(Duration::from_millis(200)).list_topics_of(0).await.is_err());
    assert_eq!((stranger.asked(), asked(&meant).contains(&ApiKey::Metadata)), (vec![], false));
}

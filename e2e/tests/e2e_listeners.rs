//! Every way into a cluster, used from outside of its pods by the address that the status reports.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use api::{Kafka, KafkaNodePool};
use e2e::edge::Edge;
use e2e::outside::{Outside, connection, is_open};
use e2e::{Scenario, has_condition};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

const CLUSTER: &str = "open";
const MINUTE: Duration = Duration::from_mins(1);
const RECORDS: &str = "200";
/// The listeners: name, whether TLS.
const LISTENERS: [(&str, bool); 8] = [
    ("in", false),
    ("cip", true),
    ("np", false),
    ("lb", true),
    ("ing", true),
    ("rt", true),
    ("gw", true),
    ("one", true),
];

fn pool(name: &str, roles: &[&str]) -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": CLUSTER}},
        "spec": {
            "replicas": 1, "roles": roles, "storage": {"type": "jbod", "volumes": [
                {"id": 0, "type": "persistent-claim", "size": "1Gi", "kraftMetadata": "shared", "deleteClaim": true}]},
            "resources": {"requests": {"cpu": "50m", "memory": "384Mi"}, "limits": {"memory": "768Mi"}},
            "jvmOptions": {"-Xms": "256m", "-Xmx": "256m", "-XX": {"UseSerialGC": "true", "TieredStopAtLevel": "1"}},
        },
    })
}

fn kafka() -> Value {
    let hosts = |kind: &str| {
        json!({"bootstrap": {"host": format!("start.{kind}.example.test")},
            "hostTemplate": format!("b{{nodeId}}.{kind}.example.test")})
    };
    let mut gateway = hosts("gateway");
    gateway["parentRefs"] = json!([{"name": "edge"}]);
    // Certificates do not name the Kubernetes nodes, at whose addresses clients of node ports are.
    let listener = |name: &str, port: u16, type_: &str, configuration: &Value| {
        let tls = LISTENERS.contains(&(name, true));
        json!({"name": name, "port": port, "type": type_, "tls": tls, "configuration": configuration})
    };
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": CLUSTER},
        "spec": {"kafka": {
            "version": "4.3.1",
            "listeners": [
                listener("in", 9092, "internal", &json!({})),
                listener("cip", 9093, "cluster-ip", &json!({})),
                listener("np", 9094, "nodeport", &json!({"preferredNodePortAddressType": "InternalIP"})),
                listener("lb", 9095, "loadbalancer", &json!({})),
                listener("ing", 9096, "ingress", &hosts("ingress")),
                listener("rt", 9097, "route", &json!({})),
                listener("gw", 9098, "tlsroute", &gateway),
                listener("one", 9099, "loadbalancer", &json!({"singleAddress": {"firstBrokerPort": 19090}})),
            ],
            "config": {
                // Every broker leads some partition of every topic.
                "num.partitions": 6, "default.replication.factor": 1, "min.insync.replicas": 1,
                "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 3,
                "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1,
                "group.initial.rebalance.delay.ms": 0,
            },
        }},
    })
}

/// Where clients of a listener begin, as the status says.
fn bootstrap(kafka: &Kafka, listener: &str) -> Result<String> {
    let all = kafka.status.iter().flat_map(|status| status.listeners.iter().flatten());
    let found = all.into_iter().find(|status| status.name.as_deref() == Some(listener));
    found
        .and_then(|status| status.bootstrap_servers.clone())
        .with_context(|| format!("the status has no address of {listener}"))
}

/// What a broker tells clients of a listener.
async fn told(scenario: &Scenario, pod: &str, listener: &str) -> Result<String> {
    let map = scenario.api::<ConfigMap>().get(pod).await?;
    let file = map.data.and_then(|mut data| data.remove("server.config")).context("no configuration")?;
    let line = file.lines().find_map(|line| line.strip_prefix("advertised.listeners=")).context("no line")?;
    let mut items = line.split(',');
    let prefix = format!("{}-", listener.to_uppercase());
    let item = items.find(|item| item.starts_with(&prefix)).context("no such listener")?;
    Ok(item.split_once("://").context("no address")?.1.to_owned())
}

/// Produces and consumes through a listener.
async fn use_listener(client: &Outside, kafka: &Kafka, (name, tls): (&str, bool), topic: &str) -> Result<()> {
    let address = bootstrap(kafka, name)?;
    client.run(&address, topic, tls, &["produce", RECORDS]).await.with_context(|| name.to_owned())?;
    client
        .run(&address, topic, tls, &["consume", RECORDS, "--group", topic])
        .await
        .with_context(|| name.to_owned())?;
    Ok(())
}

async fn proxy_pods(scenario: &Scenario) -> Result<Vec<String>> {
    let selector = ListParams::default().labels("strimzi.io/component-type=kafka-proxy");
    let mut uids: Vec<String> =
        scenario.api::<Pod>().list(&selector).await?.items.iter().filter_map(ResourceExt::uid).collect();
    uids.sort();
    Ok(uids)
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_of_every_type_lead_to_the_brokers() -> Result<()> {
    let scenario = Scenario::new("e2e-listeners").await?;
    let edge = Edge::start(&scenario.client, &scenario.namespace)?;
    scenario.stage("listeners: one cluster with a listener of every type, and one with a single address");
    for (name, roles) in [("first", &["controller", "broker"][..]), ("more", &["broker"][..])] {
        scenario.apply_value(&pool(name, roles)).await?;
    }
    scenario.apply_value(&kafka()).await?;
    let kafka = scenario.until_ready(CLUSTER, Duration::from_mins(4)).await?;
    let client = Outside::of(&scenario, CLUSTER).await?;
    client.knows_names(&scenario, &edge).await?;
    for listener in LISTENERS {
        scenario.stage(&format!("listeners: through {} at {}", listener.0, bootstrap(&kafka, listener.0)?));
        let topic = format!("through-{}", listener.0);
        use_listener(&client, &kafka, listener, &topic).await?;
    }
    // On the heap: what the stages wait for is large.
    Box::pin(a_balancer_moves(&scenario, &edge, &client)).await?;
    Box::pin(a_broker_comes(&scenario, &client)).await?;

    scenario.stage("listeners: without the single address its proxy goes");
    let mut without = self::kafka();
    if let Some(listeners) = without["spec"]["kafka"]["listeners"].as_array_mut() {
        listeners.retain(|listener| listener["name"] != "one");
    }
    scenario.apply_value(&without).await?;
    let name = format!("{CLUSTER}-kafka-one-proxy");
    scenario.until::<Deployment>(&name, "its end", MINUTE, |found| found.is_none()).await?;
    scenario.remove().await
}

async fn a_balancer_moves(scenario: &Scenario, edge: &Edge, client: &Outside) -> Result<()> {
    scenario.stage("listeners: a load balancer gets another address: its broker restarts once");
    let before = scenario.kafka_pods(CLUSTER).await?;
    let pod = before.keys().find(|name| name.contains("-more-")).context("no broker")?.clone();
    let moved = edge.move_balancer(&pod.replace("-more-", "-more-lb-")).context("no balancer")?;
    let is_new = |found: Option<&Pod>| {
        found.is_some_and(|found| {
            found.metadata.deletion_timestamp.is_none()
                && has_condition(found.status.as_ref(), "Ready")
                && found.uid().as_ref() != before.get(&pod)
        })
    };
    let restarted = scenario.until::<Pod>(&pod, "a new ready pod", Duration::from_mins(3), is_new).await?;
    let kafka = scenario.until_ready(CLUSTER, Duration::from_mins(4)).await?;
    let now = told(scenario, &pod, "lb").await?;
    ensure!(now == format!("{moved}:9095"), "it tells {now}, and its balancer is {moved}");
    client.knows_names(scenario, edge).await?;
    use_listener(client, &kafka, ("lb", true), "through-lb-again").await?;
    let mut wanted = before;
    wanted.insert(pod, restarted.and_then(|pod| pod.uid()).unwrap_or_default());
    let after = scenario.kafka_pods(CLUSTER).await?;
    ensure!(after == wanted, "one pod restarts, once: {wanted:?}, {after:?}");
    Ok(())
}

async fn a_broker_comes(scenario: &Scenario, client: &Outside) -> Result<()> {
    scenario.stage("listeners: a broker more behind the single address: no connection to the others is lost");
    let kafka = scenario.until_ready(CLUSTER, Duration::from_mins(4)).await?;
    let before = scenario.kafka_pods(CLUSTER).await?;
    let start: SocketAddr = bootstrap(&kafka, "one")?.parse()?;
    let mut open = vec![(start, connection(start).await?)];
    for pod in before.keys() {
        let address: SocketAddr = told(scenario, pod, "one").await?.parse()?;
        ensure!(address.ip() == start.ip(), "{address} is another address than {start}");
        open.push((address, connection(address).await?));
    }
    let proxies = proxy_pods(scenario).await?;
    let patch = Patch::Merge(json!({"spec": {"replicas": 2}}));
    scenario.api::<KafkaNodePool>().patch("more", &PatchParams::default(), &patch).await?;
    let two = |pool: Option<&KafkaNodePool>| {
        let ids = pool.and_then(|pool| pool.status.as_ref()?.node_ids.clone());
        ids.is_some_and(|ids| ids.len() == 2)
    };
    let grown = scenario.until::<KafkaNodePool>("more", "two nodes", MINUTE, two).await?;
    let ids = grown.and_then(|pool| pool.status?.node_ids).unwrap_or_default();
    let mut names = ids.iter().map(|id| format!("{CLUSTER}-more-{id}"));
    let newest = names.find(|name| !before.contains_key(name)).context("no new broker")?;
    let is_ready =
        |found: Option<&Pod>| found.is_some_and(|found| has_condition(found.status.as_ref(), "Ready"));
    scenario.until::<Pod>(&newest, "a ready pod", Duration::from_mins(3), is_ready).await?;
    scenario.until_ready(CLUSTER, Duration::from_mins(4)).await?;
    let address: SocketAddr = told(scenario, &newest, "one").await?.parse()?;
    // Kubernetes brings the files into the pods of the proxy in its own time.
    let reached = async {
        while connection(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), reached).await.context("the new broker is not reached")?;
    use_listener(client, &kafka, ("one", true), "through-one-again").await?;
    for (address, stream) in &mut open {
        ensure!(is_open(stream).await, "the connection to {address} was lost");
    }
    ensure!(proxy_pods(scenario).await? == proxies, "the proxy restarted");
    Ok(())
}

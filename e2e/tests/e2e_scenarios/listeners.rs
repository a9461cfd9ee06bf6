//! Every way into a cluster, used from outside of its pods by the address that the status reports.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use api::{Kafka, KafkaNodePool};
use e2e::edge::Edge;
use e2e::held::{Connection, Held};
use e2e::outside::{Outside, connection, is_open};
use e2e::{Scenario, bootstrap_of, is_ready};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::net::TcpStream;

const CLUSTER: &str = "open";
const MINUTE: Duration = Duration::from_mins(1);
const RECORDS: &str = "200";
/// Which pods those of proxies are.
const PROXIES: &str = "strimzi.io/component-type=kafka-proxy";
/// Port of broker 0 at the single address.
const FIRST: u16 = 19_090;
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
                listener("one", 9099, "loadbalancer", &json!({"singleAddress": {"firstBrokerPort": FIRST}})),
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

/// Produces and consumes through a listener.
async fn use_listener(client: &Outside, kafka: &Kafka, (name, tls): (&str, bool), topic: &str) -> Result<()> {
    let address = bootstrap_of(kafka, name)?;
    client.run(&address, topic, tls, &["produce", RECORDS]).await.with_context(|| name.to_owned())?;
    client
        .run(&address, topic, tls, &["consume", RECORDS, "--group", topic])
        .await
        .with_context(|| name.to_owned())?;
    Ok(())
}

/// Pods of proxies, by UID.
async fn proxy_pods(scenario: &Scenario) -> Result<BTreeMap<String, Pod>> {
    let selector = ListParams::default().labels(PROXIES);
    let pods = scenario.api::<Pod>().list(&selector).await?.items.into_iter();
    Ok(pods.filter_map(|pod| Some((pod.uid()?, pod))).collect())
}

/// Has the kubelet bring changed files into the pods of proxies now: it does so when a pod changes, or once in a good minute.
async fn look_now(scenario: &Scenario, why: &str) -> Result<()> {
    let note = format!("example.com/look={why}");
    scenario.kubectl(&["annotate", "pod", "--selector", PROXIES, "--overwrite", &note]).await?;
    Ok(())
}

/// The node id in the name of a pod.
fn id(pod: &str) -> Result<i32> {
    pod.rsplit_once('-').and_then(|(_, id)| id.parse().ok()).with_context(|| format!("{pod} has no node id"))
}

/// Waits until a port leads to its broker at every pod of the proxy, or until it is nowhere any more.
async fn until_port(scenario: &Scenario, port: u16, is_there: bool) -> Result<()> {
    let reached = async {
        loop {
            let mut all = true;
            for pod in proxy_pods(scenario).await?.into_values() {
                let address =
                    pod.status.and_then(|status| status.pod_ip).context("a proxy has no address")?;
                let address = SocketAddr::new(address.parse()?, port);
                // A port that is there and leads to nobody takes connections, too.
                all &= if is_there {
                    connection(address).await.is_ok()
                } else {
                    TcpStream::connect(address).await.is_err()
                };
            }
            if all {
                return Ok::<_, anyhow::Error>(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_mins(4), reached).await;
    outcome.with_context(|| format!("port {port} of the proxy is there or not, contrary to {is_there}"))?
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
    let kafka = scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;
    let client = Outside::of(&scenario, CLUSTER).await?;
    client.knows_names(&scenario, &edge).await?;
    for listener in LISTENERS {
        scenario.stage(&format!(
            "listeners: through {} at {}",
            listener.0,
            bootstrap_of(&kafka, listener.0)?
        ));
        let topic = format!("through-{}", listener.0);
        use_listener(&client, &kafka, listener, &topic).await?;
    }
    scenario.stage("listeners: a client holds connections through the single address");
    let mut held = client.hold(&bootstrap_of(&kafka, "one")?, "through-one", true)?;
    held.until("a connection to each broker", |all| all.values().filter(|one| one.is_up).count() == 2)
        .await?;
    // On the heap: what the stages wait for is large.
    Box::pin(a_balancer_moves(&scenario, &edge, &client, &mut held)).await?;
    let newest = Box::pin(a_broker_comes(&scenario, &client, &held)).await?;
    Box::pin(a_broker_goes(&scenario, &newest, &held)).await?;
    drop(held);
    Box::pin(the_single_address_moves(&scenario, &edge, &client)).await?;
    scenario.remove().await
}

/// One broker restarts: the connection to the other one stays, also that through the proxy.
async fn a_balancer_moves(scenario: &Scenario, edge: &Edge, client: &Outside, held: &mut Held) -> Result<()> {
    scenario.stage("listeners: a load balancer gets another address: its broker restarts once");
    let before = scenario.kafka_pods(CLUSTER).await?;
    let pod = before.keys().find(|name| name.contains("-more-")).context("no broker")?.clone();
    let moved = edge.move_balancer(&pod.replace("-more-", "-more-lb-")).context("no balancer")?;
    let uid = scenario.until_replaced(&pod, before.get(&pod)).await?;
    let kafka = scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;
    let now = scenario.told(&pod, "lb").await?;
    ensure!(now == format!("{moved}:9095"), "it tells {now}, and its balancer is {moved}");
    client.knows_names(scenario, edge).await?;
    use_listener(client, &kafka, ("lb", true), "through-lb-again").await?;
    let mut wanted = before;
    wanted.insert(pod.clone(), uid);
    let after = scenario.kafka_pods(CLUSTER).await?;
    ensure!(after == wanted, "one pod restarts, once: {wanted:?}, {after:?}");
    let restarted = id(&pod)?;
    let is_back = |one: &Connection| one.is_up && one.lost > 0;
    let all = held
        .until("the connection to the broker that restarted", |all| all.get(&restarted).is_some_and(is_back))
        .await?;
    let kept = Connection { is_up: true, lost: 0 };
    let mut others = all.iter().filter(|(id, _)| **id != restarted);
    ensure!(
        others.all(|(_, one)| *one == kept) && all.len() == 2,
        "a connection to a broker that stayed was lost: {all:?}"
    );
    Ok(())
}

/// The answer is the name of the new broker's pod.
async fn a_broker_comes(scenario: &Scenario, client: &Outside, held: &Held) -> Result<String> {
    scenario.stage("listeners: a broker more behind the single address: no connection to the others is lost");
    let kafka = scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;
    let (before, connections) = (scenario.kafka_pods(CLUSTER).await?, held.now());
    let start: SocketAddr = bootstrap_of(&kafka, "one")?.parse()?;
    let mut open = vec![(start, connection(start).await?)];
    for pod in before.keys() {
        let address: SocketAddr = scenario.told(pod, "one").await?.parse()?;
        ensure!(address.ip() == start.ip(), "{address} is another address than {start}");
        open.push((address, connection(address).await?));
    }
    let proxies: Vec<String> = proxy_pods(scenario).await?.into_keys().collect();
    set_replicas(scenario, 2).await?;
    let two = |pool: Option<&KafkaNodePool>| {
        let ids = pool.and_then(|pool| pool.status.as_ref()?.node_ids.clone());
        ids.is_some_and(|ids| ids.len() == 2)
    };
    let grown = scenario.until::<KafkaNodePool>("more", "two nodes", MINUTE, two).await?;
    let ids = grown.and_then(|pool| pool.status?.node_ids).unwrap_or_default();
    let mut names = ids.iter().map(|id| format!("{CLUSTER}-more-{id}"));
    let newest = names.find(|name| !before.contains_key(name)).context("no new broker")?;
    scenario.until_replaced(&newest, None).await?;
    scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;
    look_now(scenario, "comes").await?;
    let address: SocketAddr = scenario.told(&newest, "one").await?.parse()?;
    until_port(scenario, address.port(), true).await?;
    use_listener(client, &kafka, ("one", true), "through-one-again").await?;
    for (address, stream) in &mut open {
        ensure!(is_open(stream).await, "the connection to {address} was lost");
    }
    ensure!(proxy_pods(scenario).await?.into_keys().eq(proxies), "the proxy restarted");
    stay(held, &connections)?;
    Ok(newest)
}

async fn a_broker_goes(scenario: &Scenario, pod: &str, held: &Held) -> Result<()> {
    scenario.stage("listeners: that broker goes: no connection to the others is lost");
    let connections = held.now();
    let proxies: Vec<String> = proxy_pods(scenario).await?.into_keys().collect();
    let port = FIRST + u16::try_from(id(pod)?)?;
    // Its partitions of a topic go with it.
    let approve = json!({"metadata": {"annotations": {"strimzi.io/skip-broker-scaledown-check": "true"}}});
    scenario.api::<Kafka>().patch(CLUSTER, &PatchParams::default(), &Patch::Merge(&approve)).await?;
    set_replicas(scenario, 1).await?;
    scenario.until::<Pod>(pod, "its end", Duration::from_mins(4), |found| found.is_none()).await?;
    scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;
    look_now(scenario, "goes").await?;
    until_port(scenario, port, false).await?;
    ensure!(proxy_pods(scenario).await?.into_keys().eq(proxies), "the proxy restarted");
    stay(held, &connections)
}

async fn set_replicas(scenario: &Scenario, replicas: i32) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    scenario.api::<KafkaNodePool>().patch("more", &PatchParams::default(), &patch).await?;
    Ok(())
}

/// No connection that was there before was lost.
fn stay(held: &Held, before: &BTreeMap<i32, Connection>) -> Result<()> {
    let now = held.now();
    let is_kept = |(id, one): (&i32, &Connection)| !one.is_up || now.get(id) == Some(one);
    ensure!(before.iter().all(is_kept), "a connection was lost: {before:?}, {now:?}");
    Ok(())
}

/// New clients write through both listeners, whose addresses they have of this status.
async fn begin(client: &Outside, kafka: &Kafka) -> Result<()> {
    for name in ["lb", "one"] {
        let (address, topic) = (bootstrap_of(kafka, name)?, format!("while-{name}"));
        client.run(&address, &topic, true, &["produce", "20"]).await?;
    }
    Ok(())
}

/// One listener gets the single address and another one loses it, while clients begin at the addresses that they know.
async fn the_single_address_moves(scenario: &Scenario, edge: &Edge, client: &Outside) -> Result<()> {
    scenario.stage("listeners: lb gets a single address and one loses it: clients of both go on meanwhile");
    let former = scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;
    let before = scenario.kafka_pods(CLUSTER).await?;
    begin(client, &former).await?;
    let mut moved = kafka();
    for listener in moved["spec"]["kafka"]["listeners"].as_array_mut().into_iter().flatten() {
        match listener["name"].as_str() {
            Some("lb") => listener["configuration"] = json!({"singleAddress": {}}),
            Some("one") => listener["configuration"] = json!({}),
            _ => {}
        }
    }
    scenario.apply_value(&moved).await?;
    let has_moved = |kafka: Option<&Kafka>| {
        is_ready(kafka) && !json!(kafka).to_string().contains("ListenerAddressesChange")
    };
    let is_over = AtomicBool::new(false);
    let change = async {
        for (pod, uid) in &before {
            scenario.until_replaced(pod, Some(uid)).await?;
        }
        let kafka =
            scenario.until::<Kafka>(CLUSTER, "its addresses", Duration::from_mins(8), has_moved).await?;
        is_over.store(true, Ordering::Relaxed);
        kafka.context("the Kafka resource is gone")
    };
    // Whatever brokers tell at the moment, a client gets through.
    let used = async {
        while !is_over.load(Ordering::Relaxed) {
            begin(client, &former).await.context("a client was cut off")?;
        }
        Ok::<_, anyhow::Error>(())
    };
    let (kafka, ()) = tokio::try_join!(change, used)?;

    scenario.stage("listeners: through both as they are now");
    client.knows_names(scenario, edge).await?;
    for name in ["lb", "one"] {
        let (then, now) = (bootstrap_of(&former, name)?, bootstrap_of(&kafka, name)?);
        ensure!(then == now, "clients of {name} begin at {now} in place of {then}");
        use_listener(client, &kafka, (name, true), &format!("through-{name}-moved")).await?;
    }
    let start: SocketAddr = bootstrap_of(&kafka, "lb")?.parse()?;
    for pod in before.keys() {
        let port = 20_000 + u16::try_from(id(pod)?)?;
        ensure!(scenario.told(pod, "lb").await? == SocketAddr::new(start.ip(), port).to_string(), "{pod}");
        let own = scenario.told(pod, "one").await?;
        ensure!(own.ends_with(":9099") && !own.starts_with(&start.ip().to_string()), "{pod} tells {own}");
    }
    let name = format!("{CLUSTER}-kafka-one-proxy");
    scenario.until::<Deployment>(&name, "its end", MINUTE, |found| found.is_none()).await?;
    Ok(())
}

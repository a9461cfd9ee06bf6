//! Nodes of a real Kafka that are given new certificates and another authority while they run. Afterwards every connection between them is
//! cut and the active controller changes: what they find each other with are the new certificates alone.
//!
//! `KASTELLAN_CERTIFICATE_ROUNDS` says how often in a row; default: once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::relay::Relay;
use crate::support::{Agent, Authority, Container, DIRECTORY, class_path, free_ports, https, wait_for};
use kafka_admin::{Admin, AdminConfig, NewTopic};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;

/// How long a leaf is valid that ends while the test runs: longer than it takes to be taken up and replaced.
const SHORT: Duration = Duration::from_mins(1);

/// Ports of a node.
struct Ports {
    controller: u16,
    replication: u16,
    plain: u16,
    /// The relays of the other nodes to the first two.
    relays: [Relay; 2],
}

impl Ports {
    fn new() -> Self {
        let [controller, replication, plain] = free_ports();
        Self { controller, replication, plain, relays: [controller, replication].map(Relay::start) }
    }
}

/// Three nodes that are broker and controller in one, with mTLS between them.
struct Cluster {
    containers: Vec<Container>,
    ports: Vec<Ports>,
    runtime: Runtime,
}

const DIRECTORIES: [&str; 3] = [DIRECTORY, "JEXY6aqzQY-32P5TStzaFw", "JEXY6aqzQY-32P5TStzaFA"];

/// A topic whose partitions lie on all nodes.
const TOPIC: &str = "orders";

impl Cluster {
    fn new(authority: &Authority) -> Self {
        let ports: Vec<Ports> = (0..3).map(|_| Ports::new()).collect();
        let relay = |id: usize| format!("localhost:{}", ports[id].relays[0].port);
        let voters: Vec<String> =
            (0..3).map(|id| format!("{id}@{}:{}", relay(id), DIRECTORIES[id])).collect();
        let bootstrap: Vec<String> = (0..3).map(relay).collect();
        let containers =
            (0..3).map(|id| node(id, &ports[id], &voters.join(","), &bootstrap.join(","))).collect();
        let cluster = Self { containers, ports, runtime: Runtime::new().unwrap() };
        cluster.trust(&[authority]);
        cluster.issue(authority, None);
        cluster
    }

    fn trust(&self, authorities: &[&Authority]) {
        let all: Vec<&str> = authorities.iter().map(|one| one.certificate.as_str()).collect();
        for container in &self.containers {
            replace(container, "opt/kafka/trust-bundle/cluster-ca.crt", &all.concat());
        }
    }

    /// Gives each node a leaf, and returns that of the first.
    fn issue(&self, authority: &Authority, end: Option<SystemTime>) -> (String, String) {
        for container in &self.containers {
            let (key, certificate) = authority.issue_until("node", end);
            replace(container, "opt/kafka/node-certs/p.key", &key);
            replace(container, "opt/kafka/node-certs/p.crt", &certificate);
        }
        let first = &self.containers[0];
        (first.read("opt/kafka/node-certs/p.key"), first.read("opt/kafka/node-certs/p.crt"))
    }

    /// Waits until all nodes say that the file, as it is now, is in use on every connection.
    fn wait_for_use(&self, agents: &[Agent], file: &str) {
        for (container, agent) in self.containers.iter().zip(agents) {
            let hash = kafka_agent::tls::hash(container.read(file).as_bytes());
            wait_for(&format!("{file} in use"), || {
                let state = agent.state()?;
                (state["certificates"]["files"][container.text(file)] == hash.as_str()).then_some(())
            });
        }
    }

    /// Asks one node, which may stand still.
    fn ask<T>(&self, node: usize, call: impl AsyncFnOnce(Admin) -> Option<T>) -> Option<T> {
        let config = AdminConfig::brokers([format!("localhost:{}", self.ports[node].plain)])
            .with_request_timeout(Duration::from_secs(4));
        self.runtime.block_on(async { call(Admin::new(config).unwrap()).await })
    }

    /// Makes the topic: leaders, followers and the quorum take part.
    fn make_topic(&self) {
        let configs = [("min.insync.replicas".to_owned(), "3".to_owned())].into();
        let topic =
            NewTopic { partitions: Some(6), replication_factor: Some(3), configs, ..NewTopic::new(TOPIC) };
        wait_for("the topic", || {
            self.ask(0, async |admin| {
                let made = admin.create_topics(vec![topic.clone()], false).await.ok()?.remove(TOPIC)?;
                // The answer to an attempt that made it may have been lost.
                let is_there = made.map_or_else(|error| error.name() == "TOPIC_ALREADY_EXISTS", |_| true);
                is_there.then_some(())
            })
        });
    }

    /// The active controller, as a node knows it.
    fn active_controller(&self, asked: usize) -> Option<usize> {
        let leader = self.ask(asked, async |admin| admin.describe_quorum().await.ok()?.leader_id)?;
        usize::try_from(leader).ok()
    }

    /// Waits until every node has all of the metadata, and every partition is in sync on all nodes.
    fn wait_until_whole(&self) {
        wait_for("a quorum of all nodes and partitions in sync", || {
            self.ask(0, async |admin| {
                let quorum = admin.describe_quorum().await.ok()?;
                let now = quorum.leader_caught_up_ms()?;
                let caught_up =
                    quorum.voters.iter().filter(|voter| voter.behind_ms(now).is_some_and(|ms| ms < 2000));
                let topics: BTreeMap<_, _> = admin.list_topics().await.ok()?;
                let mut partitions = topics.get(TOPIC)?.partitions.iter();
                let in_sync = partitions.all(|one| one.isr.len() == 3 && one.leader.is_some());
                (caught_up.count() == 3 && in_sync).then_some(())
            })
        });
    }

    /// Cuts every connection between the nodes, and has another node become the active controller: the present controller stands still until then.
    fn cut_and_change_controller(&self, agents: &[Agent]) {
        self.cut(0..3);
        self.wait_until_whole();
        self.write();
        let leader = wait_for("the active controller", || self.active_controller(0));
        let other = (leader + 1) % 3;
        let process = agents[leader].jvm().unwrap();
        kill_process(process, Signal::STOP).unwrap();
        wait_for("another active controller", || {
            // The connections of the stopped node stay open: cut them, so that requests to it fail at once.
            self.cut([leader]);
            self.active_controller(other).filter(|now| *now != leader)
        });
        kill_process(process, Signal::CONT).unwrap();
        self.cut(0..3);
        self.wait_until_whole();
        self.write();
    }

    /// Writes records, each of which every node has to fetch from the leader of its partition before it is acknowledged. A batch for each record
    /// brings them to all partitions.
    fn write(&self) {
        let servers = format!("bootstrap.servers=localhost:{}", self.ports[0].plain);
        let output = Command::new("java")
            .args([
                "-XX:TieredStopAtLevel=1",
                "-cp",
                &class_path(),
                "org.apache.kafka.tools.ProducerPerformance",
            ])
            .args(["--topic", TOPIC, "--num-records", "60", "--record-size", "10", "--throughput", "-1"])
            .args(["--producer-props", &servers, "acks=all", "batch.size=1", "delivery.timeout.ms=60000"])
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success() && said.contains("60 records sent"), "{said}");
        assert!(!said.contains("Exception"), "{said}");
    }

    /// Cuts every connection between others and these nodes.
    fn cut(&self, nodes: impl IntoIterator<Item = usize>) {
        for relay in nodes.into_iter().flat_map(|node| &self.ports[node].relays) {
            relay.cut();
        }
    }

    /// Whether each listener of each node takes a client. `servers` is the authority of the nodes.
    fn accepted(&self, servers: &Authority, client: &(String, String)) -> Vec<bool> {
        let ports = self.ports.iter().flat_map(|node| [node.controller, node.replication]);
        ports.map(|port| is_taken(port, servers, client)).collect()
    }
}

/// The files of a mounted Secret are replaced, never written in place.
fn replace(container: &Container, path: &str, content: &str) {
    container.put(&format!("{path}.next"), content);
    std::fs::rename(container.path(&format!("{path}.next")), container.path(path)).unwrap();
}

fn node(id: usize, ports: &Ports, voters: &str, bootstrap: &str) -> Container {
    let container = Container::new().with_kafka();
    let at = |path: &str| container.text(path);
    let jar = container.path("opt/kastellan/kastellan-tls.jar");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images/tls-jar.sh");
    let made = Command::new(script).arg(crate::support::libs()).arg(&jar).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let Ports { controller, replication, plain, relays } = ports;
    let [controller_relay, replication_relay] = relays.each_ref().map(|relay| relay.port);
    let data = at("data/kafka-log");
    let agent = format!(
        r#"{{"nodeId":{id},"podName":"test-{id}","roles":["controller","broker"],
            "keystores":[{{"target":"{}","key":"{}","certificates":"{}"}}],"clientAuthorities":"{}",
            "metadataLogDir":"{data}","logDirs":["{data}"],"initialControllers":"{voters}",
            "controllerPort":{controller},"replicationPort":{replication},"heap":{{"xms":"96m","xmx":"256m"}},
            "jvmPerformanceOptions":["-XX:+UseSerialGC"]}}"#,
        at("var/opt/kafka/node.pem"),
        at("opt/kafka/node-certs/p.key"),
        at("opt/kafka/node-certs/p.crt"),
        at("opt/kafka/trust-bundle/cluster-ca.crt"),
    );
    container.put("opt/kafka/custom-config/agent.config", &agent);
    let mut server = format!(
        "node.id={id}\nprocess.roles=broker,controller\ncontroller.listener.names=CONTROLPLANE-9090\n\
         controller.quorum.bootstrap.servers={bootstrap}\n\
         listeners=CONTROLPLANE-9090://127.0.0.1:{controller},REPLICATION-9091://127.0.0.1:{replication},PLAIN-9092://127.0.0.1:{plain}\n\
         advertised.listeners=CONTROLPLANE-9090://localhost:{controller_relay},REPLICATION-9091://localhost:{replication_relay},PLAIN-9092://localhost:{plain}\n\
         listener.security.protocol.map=CONTROLPLANE-9090:SSL,REPLICATION-9091:SSL,PLAIN-9092:PLAINTEXT\n\
         inter.broker.listener.name=REPLICATION-9091\nmetadata.log.dir={data}\nlog.dirs={data}\n\
         offsets.topic.replication.factor=1\nlog.cleaner.dedupe.buffer.size=33554432\n"
    );
    for listener in ["controlplane-9090", "replication-9091"] {
        let prefix = format!("listener.name.{listener}.ssl");
        write!(
            server,
            "{prefix}.keystore.type=PEM\n{prefix}.keystore.location={}\n{prefix}.truststore.type=PEM\n\
             {prefix}.truststore.location={}\n{prefix}.client.auth=required\n",
            at("var/opt/kafka/node.pem"),
            at("opt/kafka/trust-bundle/cluster-ca.crt")
        )
        .unwrap();
    }
    container.put("opt/kafka/custom-config/server.config", &server);
    container
}

/// Whether a listener takes a client of the authority. It never speaks HTTP, but ends a connection that it takes without an alert.
fn is_taken(port: u16, servers: &Authority, client: &(String, String)) -> bool {
    match https(port, "/", &servers.certificate, Some(client)) {
        Ok(_) => true,
        Err(error) => {
            assert!(!error.contains("refused"), "nobody listens on port {port}: {error}");
            !error.contains("alert") && !error.contains("invalid peer certificate")
        }
    }
}

#[test]
fn new_leaves_and_another_authority_take_effect_on_every_connection_without_a_restart() {
    let rounds = std::env::var("KASTELLAN_CERTIFICATE_ROUNDS").map_or(1, |text| text.parse().unwrap());
    let (leaf, trust) = ("opt/kafka/node-certs/p.crt", "opt/kafka/trust-bundle/cluster-ca.crt");
    let mut former = Authority::new();
    let cluster = Cluster::new(&former);
    let mut agents: Vec<Agent> = cluster.containers.iter().map(Container::start).collect();
    for agent in &mut agents {
        agent.wait_for_state(3);
    }
    let processes: Vec<Pid> = agents.iter().map(|agent| agent.jvm().unwrap()).collect();
    cluster.wait_for_use(&agents, leaf);
    cluster.make_topic();

    // A key that does not belong to its certificate is not taken.
    replace(&cluster.containers[0], "opt/kafka/node-certs/p.key", &former.issue("node").0);
    wait_for("the agent's complaint", || {
        agents[0].output().contains("does not belong to the certificate").then_some(())
    });

    for round in 1..=rounds {
        // A renewal, and the leaf of before ends.
        let end = SystemTime::now() + SHORT;
        let ending = cluster.issue(&former, Some(end));
        cluster.wait_for_use(&agents, leaf);
        assert_eq!(cluster.accepted(&former, &ending), [true; 6]);
        let renewed = cluster.issue(&former, None);
        cluster.wait_for_use(&agents, leaf);
        wait_for("the end of the leaf", || (SystemTime::now() > end + Duration::from_secs(1)).then_some(()));
        cluster.cut_and_change_controller(&agents);
        assert_eq!(cluster.accepted(&former, &ending), [false; 6], "its time is over");
        assert_eq!(cluster.accepted(&former, &renewed), [true; 6]);

        // Another authority, and the one of before is trusted no longer.
        let present = Authority::new();
        cluster.trust(&[&former, &present]);
        cluster.wait_for_use(&agents, trust);
        let replaced = cluster.issue(&present, None);
        cluster.wait_for_use(&agents, leaf);
        cluster.trust(&[&present]);
        cluster.wait_for_use(&agents, trust);
        cluster.cut_and_change_controller(&agents);
        assert_eq!(cluster.accepted(&present, &renewed), [false; 6], "its authority is gone");
        assert_eq!(cluster.accepted(&present, &replaced), [true; 6]);

        let now: Vec<Pid> = agents.iter().map(|agent| agent.jvm().unwrap()).collect();
        assert_eq!(now, processes, "no restart");
        println!("{round} of {rounds}: another leaf and another authority are in use, and nothing else is");
        former = present;
    }
}

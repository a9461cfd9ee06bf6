//! Nodes of a real Kafka that are given new certificates and another authority while they run.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal};
use support::{Agent, Authority, Container, DIRECTORY, free_ports, https, wait_for};

/// Ports of a node.
#[derive(Clone, Copy)]
struct Ports {
    controller: u16,
    replication: u16,
    plain: u16,
}

/// Three nodes that are broker and controller in one, with mTLS between them.
struct Cluster {
    containers: Vec<Container>,
    ports: Vec<Ports>,
}

const DIRECTORIES: [&str; 3] = [DIRECTORY, "JEXY6aqzQY-32P5TStzaFw", "JEXY6aqzQY-32P5TStzaFA"];

impl Cluster {
    fn new(authority: &Authority) -> Self {
        let ports: Vec<Ports> = (0..3)
            .map(|_| {
                let [controller, replication, plain] = free_ports();
                Ports { controller, replication, plain }
            })
            .collect();
        let voters: Vec<String> =
            (0..3).map(|id| format!("{id}@localhost:{}:{}", ports[id].controller, DIRECTORIES[id])).collect();
        let bootstrap: Vec<String> =
            ports.iter().map(|node| format!("localhost:{}", node.controller)).collect();
        let containers =
            (0..3).map(|id| node(id, ports[id], &voters.join(","), &bootstrap.join(","))).collect();
        let cluster = Self { containers, ports };
        cluster.trust(&[authority]);
        cluster.issue(authority);
        cluster
    }

    fn trust(&self, authorities: &[&Authority]) {
        let all: Vec<&str> = authorities.iter().map(|one| one.certificate.as_str()).collect();
        for container in &self.containers {
            replace(container, "opt/kafka/trust-bundle/cluster-ca.crt", &all.concat());
        }
    }

    fn issue(&self, authority: &Authority) {
        for container in &self.containers {
            let (key, certificate) = authority.issue("node");
            replace(container, "opt/kafka/node-certs/p.key", &key);
            replace(container, "opt/kafka/node-certs/p.crt", &certificate);
        }
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

    /// Makes a topic with a replica on each of two nodes, through the node `via`: leaders, followers and the quorum take part.
    fn make_topic(&self, via: usize, name: &str) -> bool {
        let output = Command::new("java")
            .args([
                "-XX:TieredStopAtLevel=1",
                "-cp",
                &support::class_path(),
                "org.apache.kafka.tools.TopicCommand",
            ])
            .args([
                "--bootstrap-server",
                &format!("localhost:{}", self.ports[via].plain),
                "--create",
                "--topic",
                name,
            ])
            .args(["--partitions", "2", "--replication-factor", "2"])
            .output()
            .unwrap();
        output.status.success()
    }
}

/// The files of a mounted Secret are replaced, never written in place.
fn replace(container: &Container, path: &str, content: &str) {
    container.put(&format!("{path}.next"), content);
    std::fs::rename(container.path(&format!("{path}.next")), container.path(path)).unwrap();
}

fn node(id: usize, ports: Ports, voters: &str, bootstrap: &str) -> Container {
    let container = Container::new().with_kafka();
    let at = |path: &str| container.text(path);
    let jar = container.path("opt/kastellan/kastellan-tls.jar");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images/tls-jar.sh");
    let made = Command::new(script).arg(support::libs()).arg(&jar).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let Ports { controller, replication, plain } = ports;
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
         advertised.listeners=CONTROLPLANE-9090://localhost:{controller},REPLICATION-9091://localhost:{replication},PLAIN-9092://localhost:{plain}\n\
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
        Err(error) => !error.contains("alert") && !error.contains("invalid peer certificate"),
    }
}

#[test]
fn another_authority_and_new_keys_take_effect_on_every_connection_without_a_restart() {
    let (former, present) = (Authority::new(), Authority::new());
    let cluster = Cluster::new(&former);
    let mut agents: Vec<Agent> = cluster.containers.iter().map(Container::start).collect();
    for agent in &mut agents {
        agent.wait_for_state(3);
    }
    let processes: Vec<Pid> = agents.iter().map(|agent| agent.jvm().unwrap()).collect();
    let (leaf, trust) = ("opt/kafka/node-certs/p.crt", "opt/kafka/trust-bundle/cluster-ca.crt");
    cluster.wait_for_use(&agents, leaf);
    assert!(cluster.make_topic(0, "before"));
    let client_of_former = former.issue("client");
    assert!(is_taken(cluster.ports[0].replication, &former, &client_of_former));

    // A key that does not belong to its certificate is not taken.
    replace(&cluster.containers[0], "opt/kafka/node-certs/p.key", &present.issue("node").0);
    wait_for("the agent's complaint", || {
        agents[0].output().contains("does not belong to the certificate").then_some(())
    });

    cluster.trust(&[&former, &present]);
    cluster.wait_for_use(&agents, trust);
    cluster.issue(&present);
    cluster.wait_for_use(&agents, leaf);
    cluster.trust(&[&present]);
    cluster.wait_for_use(&agents, trust);

    let client_of_present = present.issue("client");
    for ports in &cluster.ports {
        for port in [ports.controller, ports.replication] {
            assert!(is_taken(port, &present, &client_of_present), "{port} takes the present authority");
            assert!(!is_taken(port, &present, &client_of_former), "{port} takes no former one");
        }
    }
    assert_eq!(agents.iter().map(|agent| agent.jvm().unwrap()).collect::<Vec<_>>(), processes, "no restart");

    // Whoever leads the quorum stops, one after the other: the others find each other with new connections.
    for (stopped, other) in [(0, 1), (1, 2), (2, 0)] {
        agents[stopped].signal(Signal::TERM);
        agents[stopped].wait_for_exit();
        wait_for("a topic without the stopped node", || {
            cluster.make_topic(other, &format!("without-{stopped}")).then_some(())
        });
        agents[stopped] = cluster.containers[stopped].start();
        agents[stopped].wait_for_state(3);
    }
}

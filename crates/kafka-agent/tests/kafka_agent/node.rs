//! The agent with a real Kafka: formats, starts, tells how it is, stops, starts again.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use crate::support::{Authority, Container, DIRECTORY, free_ports, https, wait_for};
use rustix::process::Signal;

/// A node that is broker and controller in one, with mTLS on its internal listeners as in a real pod.
struct Node {
    container: Container,
    authority: Authority,
    plain: u16,
}

impl Node {
    fn new() -> Self {
        Self::with_internal_tls(true)
    }

    fn with_internal_tls(internal_tls: bool) -> Self {
        let container = Container::new().with_kafka();
        let authority = Authority::new();
        let [controller, replication, plain] = free_ports();
        container.put("opt/kafka/trust-bundle/cluster-ca.crt", &authority.certificate);
        let node = Self { container, authority, plain };
        node.new_certificate();
        let at = |path: &str| node.container.text(path);
        let agent = format!(
            r#"{{"nodeId":0,"podName":"test-0","roles":["controller","broker"],
                "keystores":[{{"target":"{}","key":"{}","certificates":"{}"}}],"clientAuthorities":"{}",
                "metadataLogDir":"{d0}","logDirs":["{d0}","{d1}"],
                "initialControllers":"0@localhost:{controller}:{DIRECTORY}","controllerPort":{controller},
                "replicationPort":{replication},"internalTls":{internal_tls},"heap":{{"xms":"128m","xmx":"256m"}},
                "jvmPerformanceOptions":["-XX:+UseSerialGC"]}}"#,
            at("var/opt/kafka/node.pem"),
            at("opt/kafka/node-certs/p.key"),
            at("opt/kafka/node-certs/p.crt"),
            at("opt/kafka/trust-bundle/cluster-ca.crt"),
            d0 = at("data-0/kafka-log0"),
            d1 = at("data-1/kafka-log0"),
        );
        node.container.put("opt/kafka/custom-config/agent.config", &agent);
        let internal = if internal_tls { "SSL" } else { "PLAINTEXT" };
        let mut server = format!(
            "node.id=0\nprocess.roles=broker,controller\ncontroller.listener.names=CONTROLPLANE-9090\n\
             controller.quorum.bootstrap.servers=localhost:{controller}\nbroker.rack=${{strimzidir:/opt/kafka/init:rack.id}}\n\
             listeners=CONTROLPLANE-9090://0.0.0.0:{controller},REPLICATION-9091://0.0.0.0:{replication},PLAIN-9092://0.0.0.0:{plain}\n\
             advertised.listeners=CONTROLPLANE-9090://localhost:{controller},REPLICATION-9091://localhost:{replication},PLAIN-9092://localhost:{plain}\n\
             listener.security.protocol.map=CONTROLPLANE-9090:{internal},REPLICATION-9091:{internal},PLAIN-9092:PLAINTEXT\n\
             inter.broker.listener.name=REPLICATION-9091\nmetadata.log.dir={}\nlog.dirs={},{}\n\
             offsets.topic.replication.factor=1\nlog.cleaner.dedupe.buffer.size=33554432\n",
            at("data-0/kafka-log0"),
            at("data-0/kafka-log0"),
            at("data-1/kafka-log0"),
        );
        for listener in ["controlplane-9090", "replication-9091"].into_iter().filter(|_| internal_tls) {
            let prefix = format!("listener.name.{listener}.ssl");
            let settings = format!(
                "{prefix}.keystore.type=PEM\n{prefix}.keystore.location={}\n{prefix}.truststore.type=PEM\n\
                 {prefix}.truststore.location={}\n{prefix}.client.auth=required\n",
                at("var/opt/kafka/node.pem"),
                at("opt/kafka/trust-bundle/cluster-ca.crt")
            );
            server.push_str(&settings);
        }
        node.container.put("opt/kafka/custom-config/server.config", &server);
        node.container.put("opt/kafka/init/rack.id", "zone-a");
        node
    }

    fn new_certificate(&self) {
        let (key, certificate) = self.authority.issue("node");
        self.container.put("opt/kafka/node-certs/p.key", &key);
        self.container.put("opt/kafka/node-certs/p.crt", &certificate);
    }

    fn create_topic(&self) {
        let output = Command::new("java")
            .args([
                "-XX:TieredStopAtLevel=1",
                "-cp",
                &crate::support::class_path(),
                "org.apache.kafka.tools.TopicCommand",
            ])
            .args(["--bootstrap-server", &format!("localhost:{}", self.plain), "--create", "--topic", "t"])
            .args(["--partitions", "4", "--replication-factor", "1"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn without_internal_tls_the_node_becomes_running_and_its_agent_answers_plainly() {
    let node = Node::with_internal_tls(false);
    let mut agent = node.container.start();
    agent.wait_for_state(3);
    assert!(node.container.probe("readiness").status.success());
    let mut stream = TcpStream::connect(("127.0.0.1", node.container.port)).unwrap();
    stream.write_all(b"GET /v1/broker-state HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(r#"{"brokerState":3,"#), "{answer}");
}

#[test]
fn a_node_lives_through_first_start_clean_stop_crash_and_foreign_data() {
    let node = Node::new();
    let container = &node.container;
    assert!(!container.probe("liveness").status.success(), "there is no agent yet");

    // First start: formats without Kafka's tool, becomes running, tells the operator over mTLS.
    let mut agent = container.start();
    wait_for("the agent's socket", || agent.broker_state());
    assert!(!container.probe("readiness").status.success());
    assert!(container.probe("liveness").status.success(), "a node that starts is alive");
    agent.wait_for_state(3);
    assert!(container.probe("readiness").status.success());
    assert!(container.probe("liveness").status.success());
    assert!(!agent.output().contains("formatted by Kafka's own tool"));
    assert!(agent.output().contains("broker.rack = zone-a"), "the placeholder is resolved");
    let metadata = container.read("data-0/kafka-log0/meta.properties");
    assert!(metadata.contains(&format!("directory.id={DIRECTORY}")));
    let second_disk = container.read("data-1/kafka-log0/meta.properties");
    let operator = node.authority.issue("cluster-operator");
    let answer =
        https(container.port, "/v1/broker-state", &node.authority.certificate, Some(&operator)).unwrap();
    assert!(answer.contains(r#"{"brokerState":3,"certificateHash":""#), "{answer}");
    assert!(
        https(container.port, "/v1/ready", &node.authority.certificate, Some(&operator))
            .unwrap()
            .contains("204")
    );
    assert!(
        https(container.port, "/v1/ready", &node.authority.certificate, None).is_err(),
        "a certificate is needed"
    );

    // A renewed Secret is taken over while Kafka runs.
    let hash = agent.state().unwrap()["certificateHash"].clone();
    node.new_certificate();
    wait_for("the new certificate", || (agent.state()?["certificateHash"] != hash).then_some(()));
    assert!(
        container
            .read("var/opt/kafka/node.pem")
            .contains(container.read("opt/kafka/node-certs/p.crt").trim())
    );

    // Clean stop: the JVM's exit code is passed on.
    node.create_topic();
    agent.signal(Signal::TERM);
    let stopping = wait_for("the agent stopping", || {
        let state = agent.broker_state();
        if state == Some(3) { None } else { Some(state) }
    });
    assert!(matches!(stopping, Some(6 | 0) | None), "{stopping:?}");
    assert_eq!(agent.wait_for_exit(), Some(143));
    assert!(
        agent.output().contains("Kafka Server stopped") || agent.output().contains("shut down completed")
    );

    // Second start: same data, no recovery; then the JVM is killed.
    let mut agent = container.start();
    let first_state = wait_for("the agent's socket", || agent.broker_state());
    assert_eq!(first_state, 1);
    agent.wait_for_state(3);
    assert!(!agent.output().contains("preparing the storage"));
    assert_eq!(container.read("data-0/kafka-log0/meta.properties"), metadata);
    assert_eq!(container.read("data-1/kafka-log0/meta.properties"), second_disk);
    rustix::process::kill_process(agent.jvm().unwrap(), Signal::KILL).unwrap();
    assert_eq!(agent.wait_for_exit(), Some(137));

    // Third start: recovery is told apart, and over in the end.
    let mut agent = container.start();
    agent.wait_for_state(2);
    agent.wait_for_state(3);
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_for_exit(), Some(143));

    // Data of another cluster is not touched.
    container.put("opt/kafka/custom-config/cluster.id", "AnotherClusterIdentifier");
    let mut agent = container.start();
    assert_eq!(agent.wait_for_exit(), Some(1));
    let output = agent.output();
    assert!(output.contains("belongs to cluster MkU3OEVBNTcwNTJENDM2Qg"), "{output}");
    assert_eq!(container.read("data-0/kafka-log0/meta.properties"), metadata);
}

#[test]
fn a_controller_of_an_unknown_metadata_version_is_formatted_by_kafkas_tool_and_runs() {
    let container = Container::new().with_kafka();
    let [port] = free_ports();
    let data = container.text("data/kafka-log3");
    container.put("opt/kafka/custom-config/metadata.version", "3.9-IV0\n");
    let agent = format!(
        r#"{{"nodeId":3,"podName":"c-3","roles":["controller"],"metadataLogDir":"{data}","logDirs":["{data}"],
            "initialControllers":"3@localhost:{port}:{DIRECTORY}","controllerPort":{port},"internalTls":false,
            "dynamicHeapMaxBytes":268435456,"jvmPerformanceOptions":["-XX:+UseSerialGC"]}}"#
    );
    container.put("opt/kafka/custom-config/agent.config", &agent);
    let server = format!(
        "node.id=3\nprocess.roles=controller\ncontroller.listener.names=CONTROLPLANE-9090\n\
         controller.quorum.bootstrap.servers=localhost:{port}\nlisteners=CONTROLPLANE-9090://0.0.0.0:{port}\n\
         advertised.listeners=CONTROLPLANE-9090://localhost:{port}\n\
         listener.security.protocol.map=CONTROLPLANE-9090:PLAINTEXT\nmetadata.log.dir={data}\nlog.dirs={data}\n"
    );
    container.put("opt/kafka/custom-config/server.config", &server);
    let mut agent = container.start();
    agent.wait_for_state(3);
    assert!(agent.output().contains("formatted by Kafka's own tool"));
    assert!(container.probe("readiness").status.success());
    agent.signal(Signal::INT);
    agent.wait_for_exit();
}

/// A controller of a static quorum, as clusters that were taken over have them.
fn static_controller(id: i32, port: u16, voters: &str) -> Container {
    let container = Container::new().with_kafka();
    let data = container.text("data/kafka-log");
    let agent = format!(
        r#"{{"nodeId":{id},"podName":"c-{id}","roles":["controller"],"metadataLogDir":"{data}","logDirs":["{data}"],
            "staticVoters":true,"controllerPort":{port},"internalTls":false,"heap":{{"xmx":"256m"}},
            "jvmPerformanceOptions":["-XX:+UseSerialGC"]}}"#
    );
    container.put("opt/kafka/custom-config/agent.config", &agent);
    put_voters(&container, id, port, voters);
    container
}

fn put_voters(container: &Container, id: i32, port: u16, voters: &str) {
    let data = container.text("data/kafka-log");
    let server = format!(
        "node.id={id}\nprocess.roles=controller\ncontroller.listener.names=CONTROLPLANE-9090\n\
         controller.quorum.voters={voters}\nlisteners=CONTROLPLANE-9090://0.0.0.0:{port}\n\
         listener.security.protocol.map=CONTROLPLANE-9090:PLAINTEXT\nmetadata.log.dir={data}\nlog.dirs={data}\n"
    );
    container.put("opt/kafka/custom-config/server.config", &server);
}

const QUORUM_STATE: &str = "data/kafka-log/__cluster_metadata-0/quorum-state";

fn quorum_state(container: &Container) -> Option<serde_json::Value> {
    serde_json::from_str(&std::fs::read_to_string(container.path(QUORUM_STATE)).ok()?).ok()
}

#[test]
fn a_static_voter_remembers_its_vote_also_when_the_voters_change() {
    let [port, other] = free_ports();
    let container = static_controller(0, port, &format!("0@localhost:{port}"));
    let mut agent = container.start();
    agent.wait_for_state(3);
    agent.signal(Signal::TERM);
    agent.wait_for_exit();

    // The node voted in an election that went on to epoch 41 without it.
    let mut state = quorum_state(&container).unwrap();
    assert_eq!(state["data_version"], 0, "a static quorum: {state}");
    state["leaderEpoch"] = 41.into();
    state["leaderId"] = (-1).into();
    state["votedId"] = 1.into();
    container.put(QUORUM_STATE, &state.to_string());

    // It starts with that vote and with a set of voters that is not the one in the file.
    let voters = format!("0@localhost:{port},1@localhost:{other}");
    put_voters(&container, 0, port, &voters);
    let second = static_controller(1, other, &voters);
    let mut agent = container.start();
    let mut other_agent = second.start();
    agent.wait_for_state(3);
    other_agent.wait_for_state(3);
    let elected = wait_for("a leader of both", || {
        let states = [quorum_state(&container)?, quorum_state(&second)?];
        let leader = states[0]["leaderId"].as_i64().filter(|id| *id >= 0)?;
        (states[1]["leaderId"].as_i64() == Some(leader)).then(|| states[0].clone())
    });
    assert!(elected["leaderEpoch"].as_i64() > Some(41), "the vote was forgotten: {elected}");
    for mut agent in [agent, other_agent] {
        agent.signal(Signal::TERM);
        agent.wait_for_exit();
    }
}

#[test]
fn kafka_runs_on_without_a_broken_disk() {
    let node = Node::new();
    let container = &node.container;
    let mut agent = container.start();
    agent.wait_for_state(3);
    agent.signal(Signal::TERM);
    agent.wait_for_exit();

    // Reading this file gives EIO.
    let file = container.path("data-1/kafka-log0/meta.properties");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/proc/self/mem", &file).unwrap();
    let mut agent = container.start();
    agent.wait_for_state(3);
    assert!(agent.output().contains("a disk failed: Kafka runs without it"), "{}", agent.output());
    node.create_topic();
    agent.signal(Signal::TERM);
    agent.wait_for_exit();
}

/// A producer that is ended with the test: it waits for what does not come.
struct Producer(std::process::Child);

impl Drop for Producer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_kafka_that_takes_connections_and_answers_nothing_is_told_of_with_the_time_for_which_it_has_been_so() {
    let node = Node::new();
    let container = &node.container;
    let server = container.read("opt/kafka/custom-config/server.config");
    let server = format!("{server}num.io.threads=1\nlog.segment.bytes=1048576\n");
    container.put("opt/kafka/custom-config/server.config", &server);
    let mut agent = container.start();
    agent.wait_for_state(3);
    node.create_topic();
    assert_eq!(agent.state().unwrap()["unresponsive"], serde_json::Value::Null);

    // A disk that hangs: the file that a new segment begins with is a pipe that nobody reads. The only thread for requests waits for it.
    let folders: Vec<String> = ["data-0", "data-1"]
        .iter()
        .flat_map(|disk| (0..4).map(move |partition| format!("{disk}/kafka-log0/t-{partition}")))
        .collect();
    let made = wait_for("the folders of the partitions", || {
        let made: Vec<&String> = folders.iter().filter(|folder| container.path(folder).is_dir()).collect();
        (made.len() == 4).then_some(made)
    });
    for folder in made {
        for offset in 1..60 {
            let pipe = container.path(&format!("{folder}/{offset:020}.snapshot"));
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        }
    }
    let servers = format!("bootstrap.servers=localhost:{}", node.plain);
    let producer = Command::new("java")
        .args(["-XX:TieredStopAtLevel=1", "-cp", &crate::support::class_path()])
        .args(["org.apache.kafka.tools.ProducerPerformance", "--topic", "t", "--num-records", "200"])
        .args(["--record-size", "100000", "--throughput", "-1", "--producer-props", &servers, "batch.size=1"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let _producer = Producer(producer);
    let silent = || agent.state()?["unresponsive"]["brokerForSeconds"].as_u64();
    wait_for("a Kafka that has been silent for 25 s", || silent().filter(|seconds| *seconds >= 25));
    assert_eq!(agent.broker_state(), Some(3));
    assert!(TcpStream::connect(("127.0.0.1", node.plain)).is_ok(), "it takes connections");
    assert!(!container.probe("readiness").status.success());
    assert!(
        container.probe("liveness").status.success(),
        "it is not ended without a look at the other nodes"
    );
}

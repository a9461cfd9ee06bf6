//! What the agent does in a pod before Kafka comes into play.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use support::{Authority, Container, wait_for};

const NODE: &str = r#"{"kind":"Node","metadata":{"labels":{"topology.kubernetes.io/zone":"zone-b"}},
    "status":{"addresses":[{"type":"InternalIP","address":"10.1.2.3"},{"type":"ExternalIP","address":"198.51.100.7"}]}}"#;

/// An HTTPS server that answers each connection with the node; the requests come out of the channel.
fn api_server(authority: &Authority) -> (u16, Receiver<String>) {
    let (key, certificate) = authority.issue("kube-apiserver");
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                request.push(byte[0]);
            }
            let length = NODE.len();
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{NODE}");
            let _ = sender.send(String::from_utf8_lossy(&request).into_owned());
        }
    });
    (port, receiver)
}

fn put_service_account(container: &Container, authority: &Authority) {
    let account = "var/run/secrets/kubernetes.io/serviceaccount";
    container.put(&format!("{account}/token"), "the-token");
    container.put(&format!("{account}/ca.crt"), &authority.certificate);
}

/// The configuration of a broker, with further keys.
fn put_broker(container: &Container, further: &str) {
    let data = container.text("data");
    let config = format!(
        r#"{{"nodeId":0,"podName":"p","roles":["broker"],"metadataLogDir":"{data}","logDirs":["{data}"]{further}}}"#
    );
    container.put("opt/kafka/custom-config/agent.config", &config);
    container.put("opt/kafka/custom-config/server.config", "node.id=0\n");
}

/// Puts a JVM and a jar into the container: a shell script that is called in Kafka's place.
fn put_java(container: &Container, script: &str) {
    container.put("opt/kafka/libs/kafka.jar", "");
    container.put("jdk/bin/java", &format!("#!/bin/sh\n{script}\n"));
    let program = container.path("jdk/bin/java");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn rack_and_addresses_come_from_the_node_object() {
    let authority = Authority::new();
    let (port, requests) = api_server(&authority);
    let container = Container::new();
    put_service_account(&container, &authority);
    let data = container.text("data");
    container.put(
        "opt/kafka/custom-config/agent.config",
        &format!(
            r#"{{"nodeId":0,"podName":"p","roles":["broker"],"metadataLogDir":"{data}","logDirs":["{data}"],
                "rack":{{"type":"topologyLabel","key":"topology.kubernetes.io/zone"}},"nodePortAddresses":true}}"#
        ),
    );
    container.put(
        "opt/kafka/custom-config/server.config",
        "broker.rack=${strimzidir:/opt/kafka/init:rack.id}\n\
         advertised.listeners=E://${strimzifile:/opt/kafka/init/external.address:nodeport.default.address}:30000\n\
         x=${strimzienv:SOMETHING}\n",
    );
    put_java(&container, "exit 1");
    let output = container
        .command(&["run", "--port", "0"])
        .env("JAVA_HOME", container.text("jdk"))
        .env("NODE_NAME", "worker-1")
        .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .env("KUBERNETES_SERVICE_PORT", port.to_string())
        .env("SOMETHING", "a vä\nlue\u{c}")
        .output()
        .unwrap();
    // There is no real JVM in this container, so it goes no further than the configuration.
    assert!(!output.status.success());
    let request = requests.recv().unwrap();
    assert!(request.starts_with("GET /api/v1/nodes/worker-1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("Bearer the-token"), "{request}");
    assert_eq!(container.read("opt/kafka/init/rack.id"), "zone-b");
    let addresses = container.read("opt/kafka/init/external.address");
    assert!(addresses.contains("nodeport.externalip.address=198.51.100.7\n"), "{addresses}");
    let rendered = container.read("var/opt/kafka/server.properties");
    assert_eq!(
        rendered,
        "broker.rack=zone-b\nadvertised.listeners=E://198.51.100.7:30000\nx=a v\\u00E4\\nlue\\f\n"
    );
    let mode =
        std::fs::metadata(container.path("var/opt/kafka/server.properties")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_agent_installs_itself_and_the_copy_works() {
    let container = Container::new();
    let target = container.path("opt/kastellan");
    std::fs::create_dir_all(&target).unwrap();
    let output = container.command(&["install", &target.display().to_string()]).output().unwrap();
    assert!(output.status.success());
    let copy = target.join("kafka-agent");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o755);
    let version = std::process::Command::new(copy).arg("--version").output().unwrap();
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("kafka-agent "));
}

#[test]
fn a_configuration_that_is_not_understood_is_named() {
    let container = Container::new();
    container.put("opt/kafka/custom-config/agent.config", "{\"nodeId\":\"x\"}");
    let output = container.command(&["run", "--port", "0"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("agent.config"), "{text}");
}

/// A port on which nobody answers: connections wait for ever.
fn silent_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

const RACK_AND_ADDRESSES: &str =
    r#","rack":{"type":"topologyLabel","key":"topology.kubernetes.io/zone"},"nodePortAddresses":true"#;

#[test]
fn a_container_that_starts_again_needs_no_api_server() {
    let container = Container::new();
    put_broker(&container, RACK_AND_ADDRESSES);
    put_java(&container, "exit 0");
    let run = |port: &str| {
        let mut command = container.command(&["run", "--port", "0"]);
        command.env("NODE_NAME", "worker-1").env("KUBERNETES_SERVICE_HOST", "127.0.0.1");
        command.env("KUBERNETES_SERVICE_PORT", port).env("JAVA_HOME", container.path("jdk"));
        command.spawn().unwrap()
    };
    let authority = Authority::new();
    put_service_account(&container, &authority);
    let (port, _requests) = api_server(&authority);
    assert!(run(&port.to_string()).wait().unwrap().success());
    assert_eq!(container.read("opt/kafka/init/rack.id"), "zone-b");

    let (_listener, port) = silent_server();
    let mut child = run(&port);
    let status = wait_for("the second start", || child.try_wait().unwrap());
    assert!(status.success());
    assert_eq!(container.read("opt/kafka/init/rack.id"), "zone-b");
}

#[test]
fn a_pod_that_is_asked_to_stop_before_kafka_runs_stops_at_once() {
    let container = Container::new();
    put_broker(&container, RACK_AND_ADDRESSES);
    put_service_account(&container, &Authority::new());
    let (_listener, port) = silent_server();
    let looks_up = [
        ("NODE_NAME", "worker-1"),
        ("KUBERNETES_SERVICE_HOST", "127.0.0.1"),
        ("KUBERNETES_SERVICE_PORT", port.as_str()),
    ];
    let mut agent = container.start_with(&looks_up);
    wait_for("the agent's socket", || agent.state());
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_for_exit(), Some(143));
    assert!(agent.output().contains("asked to stop before Kafka was started"), "{}", agent.output());

    // Kafka's own storage tool takes its time.
    let container = Container::new();
    put_broker(&container, "");
    container.put("opt/kafka/custom-config/metadata.version", "9.9");
    let begun = container.text("begun");
    put_java(&container, &format!("touch {begun}; exec sleep 30"));
    let mut agent = container.start_with(&[("JAVA_HOME", &container.text("jdk"))]);
    wait_for("the tool", || container.path("begun").exists().then_some(()));
    agent.signal(Signal::TERM);
    let asked = std::time::Instant::now();
    assert_eq!(agent.wait_for_exit(), Some(143));
    assert!(asked.elapsed() < std::time::Duration::from_secs(20), "the tool is not waited for");
}

#[test]
fn the_last_words_stand_where_kubernetes_shows_them() {
    let container = Container::new();
    container.put("dev/termination-log", "");
    put_broker(&container, "");
    container.put("data/meta.properties", "cluster.id=AnotherClusterIdentifier\nnode.id=0\n");
    put_java(&container, "kill -9 $$");
    let run = || {
        let mut command = container.command(&["run", "--port", "0"]);
        command.env("JAVA_HOME", container.path("jdk")).output().unwrap()
    };
    assert!(!run().status.success());
    let message = container.read("dev/termination-log");
    assert!(message.contains("belongs to cluster AnotherClusterIdentifier"), "{message}");

    std::fs::remove_file(container.path("data/meta.properties")).unwrap();
    assert_eq!(run().status.code(), Some(137));
    let message = container.read("dev/termination-log");
    assert!(message.starts_with("kafka ended by itself with exit code 137: signal 9 ended it"), "{message}");

    let output = container.command(&["install", "/proc/none"]).output().unwrap();
    assert!(!output.status.success());
    let message = container.read("dev/termination-log");
    assert!(message.contains("cannot write /proc/none/kafka-agent"), "{message}");
}

#[test]
fn connections_are_few_and_the_newest_is_answered() {
    let container = Container::new();
    put_broker(&container, "");
    put_java(&container, "exec sleep 60");
    let mut agent = container.start_with(&[("JAVA_HOME", &container.text("jdk"))]);
    wait_for("the agent's socket", || agent.state());
    let begun = std::time::Instant::now();
    let mut idle = Vec::new();
    for _ in 0..300 {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", container.port)).unwrap();
        // Half a request.
        stream.write_all(b"GET /v1/ready HTTP/1.1\r\nHost: x\r\n").unwrap();
        idle.push(stream);
        let socket = std::os::unix::net::UnixStream::connect(container.path("var/opt/kafka/agent.sock"));
        idle.push(socket.map(std::os::fd::OwnedFd::from).unwrap().into());
    }
    let answer = wait_for("an answer on the port", || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", container.port)).unwrap();
        stream.write_all(b"GET /v1/broker-state HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    });
    assert!(answer.contains("brokerState"), "{answer}");
    assert!(agent.broker_state().is_some(), "probes on the socket are answered too");
    wait_for("the oldest connections to be closed", || (agent.open_files() < 170).then_some(()));
    assert!(begun.elapsed() < std::time::Duration::from_secs(8), "not before their time is over");
    agent.signal(Signal::TERM);
    agent.wait_for_exit();
}

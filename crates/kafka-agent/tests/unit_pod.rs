//! What the agent does in a pod before Kafka comes into play.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use support::{Authority, Container};

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

#[test]
fn rack_and_addresses_come_from_the_node_object() {
    let authority = Authority::new();
    let (port, requests) = api_server(&authority);
    let container = Container::new();
    let account = "var/run/secrets/kubernetes.io/serviceaccount";
    container.put(&format!("{account}/token"), "the-token");
    container.put(&format!("{account}/ca.crt"), &authority.certificate);
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
    let output = container
        .command(&["run", "--port", "0"])
        .env("NODE_NAME", "worker-1")
        .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .env("KUBERNETES_SERVICE_PORT", port.to_string())
        .env("SOMETHING", "a value")
        .output()
        .unwrap();
    // There are no jars in this container, so it goes no further than the configuration.
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("cannot list kafka's jars"), "{text}");
    let request = requests.recv().unwrap();
    assert!(request.starts_with("GET /api/v1/nodes/worker-1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("Bearer the-token"), "{request}");
    assert_eq!(container.read("opt/kafka/init/rack.id"), "zone-b");
    let addresses = container.read("opt/kafka/init/external.address");
    assert!(addresses.contains("nodeport.externalip.address=198.51.100.7\n"), "{addresses}");
    let rendered = container.read("var/opt/kafka/server.properties");
    assert_eq!(rendered, "broker.rack=zone-b\nadvertised.listeners=E://198.51.100.7:30000\nx=a value\n");
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

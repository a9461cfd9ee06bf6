//! Whatever is wrong with a Secret: nothing of its content is said, neither in the log, at any level, nor in the
//! termination message.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod support;

use std::os::unix::fs::PermissionsExt;

use base64::Engine as _;
use support::{Authority, Container};

/// Stands in every Secret. It is valid in passwords, names, URLs and the body of PEM.
const MARK: &str = "hunter2MARK";

/// The agent's container with a node that is complete but for Kafka.
struct Node {
    container: Container,
    authority: Authority,
    agent: serde_json::Value,
}

impl Node {
    fn new() -> Self {
        let container = Container::new();
        let data = container.text("data");
        let agent = serde_json::json!({
            "nodeId": 0, "podName": "p", "roles": ["broker"], "metadataLogDir": data, "logDirs": [data],
        });
        let node = Self { container, authority: Authority::new(), agent };
        node.put("dev/termination-log", "");
        node.put("opt/kafka/libs/kafka.jar", "");
        node.server("x=1");
        node.java("exit 0");
        node
    }

    /// A node with a key store, which also is the agent's own identity.
    fn with_keys(key: &str, certificate: &str, trust: &str) -> Self {
        let mut node = Self::new();
        node.put("opt/kafka/node-certs/p.key", key);
        node.put("opt/kafka/node-certs/p.crt", certificate);
        node.put("opt/kafka/trust-bundle/cluster-ca.crt", trust);
        let at = |path: &str| node.container.text(path);
        node.agent["clientAuthorities"] = at("opt/kafka/trust-bundle/cluster-ca.crt").into();
        node.agent["keystores"] = serde_json::json!([{
            "target": at("var/opt/kafka/node.pem"),
            "key": at("opt/kafka/node-certs/p.key"),
            "certificates": at("opt/kafka/node-certs/p.crt"),
        }]);
        node
    }

    fn put(&self, path: &str, content: &str) {
        self.container.put(path, content);
    }

    fn server(&self, line: &str) {
        self.put("opt/kafka/custom-config/server.config", &format!("node.id=0\n{line}\n"));
    }

    /// The program that the agent takes for the JVM.
    fn java(&self, script: &str) {
        self.put("jdk/bin/java", &format!("#!/bin/sh\n{script}\n"));
        let program = self.container.path("jdk/bin/java");
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the agent to its end; returns all that it said, the termination message last.
    fn run(&self, what: &str) -> (bool, String) {
        self.put("opt/kafka/custom-config/agent.config", &self.agent.to_string());
        let output = self
            .container
            .command(&["run", "--port", "0"])
            .env("JAVA_HOME", self.container.path("jdk"))
            .env("NODE_NAME", "worker-1")
            .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .env("KUBERNETES_SERVICE_PORT", "1")
            .env("PASSWORD", MARK)
            .env("RUST_LOG", "trace")
            .output()
            .unwrap();
        let message = self.container.read("dev/termination-log");
        let said = [&output.stdout[..], &output.stderr, message.as_bytes()].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let bytes = format!("{:?}", MARK.as_bytes());
        let in_base64 = base64::engine::general_purpose::STANDARD.encode(&MARK[..9]);
        for form in [&MARK[..7], &MARK[7..], bytes.trim_matches(['[', ']']), &in_base64] {
            assert!(!said.contains(form), "{what} shows {form}:\n{said}");
        }
        (output.status.success(), message)
    }

    /// Runs into a failure of which the termination message says `part`.
    fn fails(&self, what: &str, part: &str) {
        let (success, message) = self.run(what);
        assert!(!success && message.contains(part), "{what}: {message}");
    }
}

fn pem(label: &str) -> String {
    format!("-----BEGIN {label}-----\n{MARK}{MARK}AA\n-----END {label}-----\n")
}

#[test]
fn a_wrong_placeholder_shows_nothing_of_the_file() {
    let node = Node::new();
    let file = "/mnt/secret/password";
    let broken_pem = pem("PRIVATE KEY").replace('\n', "");
    for (what, content) in [
        ("a password", MARK.to_owned()),
        ("a password with a line end", format!("{MARK}\n")),
        ("a token", format!("eyJhbGciOi.{MARK}.x-y_z")),
        ("a key", pem("PRIVATE KEY")),
        ("a key on one line", broken_pem),
        ("properties", format!("{MARK}={MARK}\nuser {MARK}\n{MARK}\\\n  {MARK}\n")),
    ] {
        node.put(&file[1..], &content);
        node.server(&format!("a=${{strimzifile:{file}:key}}"));
        node.fails(what, "has no key key among its");
    }
    node.put(&file[1..], &format!("a=\\u00{MARK}"));
    node.fails("a wrong escape", "/mnt/secret/password: line 1");
    std::fs::write(node.container.path(&file[1..]), [MARK.as_bytes(), b"\xff"].concat()).unwrap();
    node.fails("a key store", "cannot read /mnt/secret/password");
    node.server("a=${strimzidir:/mnt/secret:password}");
    node.fails("a binary file", "cannot read /mnt/secret/password");
    node.put("opt/kafka/node-certs/other", MARK);
    let link = node.container.path("mnt/secret/link");
    std::os::unix::fs::symlink(node.container.path("opt/kafka/node-certs/other"), link).unwrap();
    node.server("a=${strimzidir:/mnt/secret:link}");
    node.fails("a link to a key of the node", "leads out of the folders");
    node.server("a=${strimzidir:/opt/kafka/node-certs:other}");
    node.fails("a key of the node", "below /mnt");
}

#[test]
fn wrong_key_material_shows_nothing_of_it() {
    let authority = Authority::new();
    let (key, certificate) = authority.issue("node");
    let trust = &authority.certificate;
    let cases = [
        ("a key without PEM", MARK, certificate.as_str(), trust.as_str(), "no private key"),
        (
            "a key on one line",
            &pem("PRIVATE KEY").replace('\n', ""),
            &certificate,
            trust,
            "lines of their own",
        ),
        ("a key that is none", &pem("PRIVATE KEY"), &certificate, trust, "p.key"),
        ("an old key", &pem("EC PRIVATE KEY"), &certificate, trust, "openssl pkcs8"),
        ("an encrypted key", &pem("ENCRYPTED PRIVATE KEY"), &certificate, trust, "no private key"),
        ("a certificate without PEM", &key, MARK, trust, "no certificate"),
        ("a certificate that is none", &key, &pem("CERTIFICATE"), trust, "p.crt"),
        ("a key for a certificate", &key, &pem("PRIVATE KEY"), trust, "no certificate"),
        ("authorities without PEM", &key, &certificate, MARK, "cluster-ca.crt"),
        ("an authority that is none", &key, &certificate, &pem("CERTIFICATE"), "cluster-ca.crt"),
        ("a key for an authority", &key, &certificate, &pem("PRIVATE KEY"), "cluster-ca.crt"),
    ];
    for (what, key, certificate, trust, part) in cases {
        Node::with_keys(key, certificate, trust).fails(what, part);
    }
}

#[test]
fn a_wrong_service_account_shows_nothing_of_its_token() {
    let mut node = Node::new();
    node.agent["rack"] = serde_json::json!({"type": "topologyLabel", "key": "zone"});
    let account = "var/run/secrets/kubernetes.io/serviceaccount";
    node.put(&format!("{account}/token"), MARK);
    for (what, authorities) in [("a token", MARK.to_owned()), ("an authority", pem("CERTIFICATE"))] {
        node.put(&format!("{account}/ca.crt"), &authorities);
        // The agent asks again and again; what it says the first time is enough.
        node.put("opt/kafka/custom-config/agent.config", &node.agent.to_string());
        let log = node.container.path("agent.log");
        let mut agent = node.container.start_with(&[
            ("RUST_LOG", "trace"),
            ("NODE_NAME", "worker-1"),
            ("KUBERNETES_SERVICE_HOST", "127.0.0.1"),
            ("KUBERNETES_SERVICE_PORT", "1"),
        ]);
        let said = support::wait_for("the first answer", || {
            let said = std::fs::read_to_string(&log).unwrap();
            said.contains("trying again").then_some(said)
        });
        assert!(said.contains("ca.crt"), "{what}: {said}");
        assert!(!said.contains(MARK), "{what}: {said}");
        agent.signal(rustix::process::Signal::TERM);
        agent.wait_for_exit();
    }
}

#[test]
fn what_kafkas_tool_quotes_is_masked_and_a_good_start_says_nothing() {
    let node = Node::with_keys(&Authority::new().issue("node").0, "", "");
    let (key, certificate) = node.authority.issue("node");
    node.put("opt/kafka/node-certs/p.key", &key);
    node.put("opt/kafka/node-certs/p.crt", &certificate);
    node.put("opt/kafka/trust-bundle/cluster-ca.crt", &node.authority.certificate);
    node.put("mnt/secret/password", &format!("{MARK}\n"));
    node.put("mnt/secret/users", &format!("admin={MARK}\n"));
    node.server(
        "a=${strimzienv:PASSWORD}\nb=${strimzidir:/mnt/secret:password}\nc=${strimzifile:/mnt/secret/users:admin}",
    );
    node.put("opt/kafka/custom-config/metadata.version", "9.9");
    node.java(&format!("echo 'Invalid value {MARK} for a' >&2; exit 1"));
    node.fails("the tool", "Invalid value [hidden] for a");

    node.put("opt/kafka/custom-config/metadata.version", "4.3");
    node.java("exit 7");
    node.fails("Kafka", "kafka ended by itself with exit code 7");
    assert!(node.container.read("var/opt/kafka/server.properties").contains(MARK), "Kafka gets the values");
    let (key_line, pem) = (key.lines().nth(1).unwrap(), node.container.read("var/opt/kafka/node.pem"));
    assert!(pem.contains(key_line) && !node.container.read("dev/termination-log").contains(key_line));
}

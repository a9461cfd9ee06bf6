//! A container's file-system in a temporary directory, and the agent in it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};

pub(crate) const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";
pub(crate) const DIRECTORY: &str = "JEXY6aqzQY-32P5TStzaFg";

const LOGGING: &str = "rootLogger.level = INFO\nrootLogger.appenderRef.out.ref = OUT\nappender.out.type = Console\n\
    appender.out.name = OUT\nappender.out.layout.type = PatternLayout\nappender.out.layout.pattern = %d %p %m (%c)%n\n";

/// Kafka's jars, as the local Kubernetes' build script fetches them.
pub(crate) fn libs() -> PathBuf {
    let cache = std::env::var_os("KASTELLAN_CACHE").map_or_else(
        || {
            let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            base.unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".cache"))
                .join("kastellan")
        },
        PathBuf::from,
    );
    let libs = cache.join("kafka/4.3.1/libs");
    assert!(libs.is_dir(), "{} is missing: run `e2e/kubernetes/build.sh kafka` first", libs.display());
    libs
}

pub(crate) fn class_path() -> String {
    kafka_agent::jvm::class_path(&libs(), &[]).unwrap()
}

pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Waits for a condition that another process brings about.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "in vain: waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A container's root directory.
pub(crate) struct Container {
    root: tempfile::TempDir,
    pub port: u16,
}

impl Container {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let [port] = free_ports();
        let container = Self { root, port };
        for directory in
            ["opt/kafka/custom-config", "opt/kafka/node-certs", "opt/kafka/trust-bundle", "var/opt/kafka"]
        {
            fs::create_dir_all(container.path(directory)).unwrap();
        }
        container.put("opt/kafka/custom-config/log4j2.properties", LOGGING);
        container.put("opt/kafka/custom-config/cluster.id", CLUSTER);
        container.put("opt/kafka/custom-config/metadata.version", "4.3-IV0");
        container
    }

    pub(crate) fn with_kafka(self) -> Self {
        std::os::unix::fs::symlink(libs(), self.path("opt/kafka/libs")).unwrap();
        self
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn text(&self, path: &str) -> String {
        self.path(path).display().to_string()
    }

    pub(crate) fn put(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-agent"));
        command.arg("--root").arg(self.root.path()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Starts the agent; its output goes to files, to be read by [`Agent::output`].
    pub(crate) fn start(&self) -> Agent {
        self.start_with(&[])
    }

    /// Starts the agent with further environment variables.
    pub(crate) fn start_with(&self, environment: &[(&str, &str)]) -> Agent {
        self.start_as(&["run", "--port", &self.port.to_string()], environment)
    }

    /// Starts the agent of a worker of Kafka Connect.
    pub(crate) fn start_worker(&self, environment: &[(&str, &str)]) -> Agent {
        self.start_as(&["connect"], environment)
    }

    fn start_as(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Agent {
        let log = self.path("agent.log");
        let file = fs::File::create(&log).unwrap();
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied());
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Agent { child, log, socket: self.path("var/opt/kafka/agent.sock") }
    }

    pub(crate) fn probe(&self, kind: &str) -> Output {
        self.command(&["probe", kind]).output().unwrap()
    }
}

/// A running agent; killed with its JVM at the end of the test.
pub(crate) struct Agent {
    child: Child,
    log: PathBuf,
    socket: PathBuf,
}

impl Agent {
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// How the agent ended; `None` while it runs.
    pub(crate) fn exited(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// The body of `/v1/broker-state` over the pod's own socket; `None` while the agent does not answer.
    pub(crate) fn state(&self) -> Option<serde_json::Value> {
        let mut stream = UnixStream::connect(&self.socket).ok()?;
        stream.write_all(b"GET /v1/broker-state HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
    }

    pub(crate) fn broker_state(&self) -> Option<u64> {
        self.state()?["brokerState"].as_u64()
    }

    /// Waits for a state; fails at once when the agent ends instead.
    pub(crate) fn wait_for_state(&mut self, wanted: u64) {
        wait_for(&format!("state {wanted}"), || {
            assert!(self.exited().is_none(), "the agent ended:\n{}", self.output());
            (self.broker_state() == Some(wanted)).then_some(())
        });
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(crate) fn wait_for_exit(&mut self) -> Option<i32> {
        wait_for("the agent's end", || self.exited()).code()
    }

    /// How many files and connections the agent has open.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Process id of the JVM.
    pub(crate) fn jvm(&self) -> Option<rustix::process::Pid> {
        let parent = self.child.id().to_string();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let Some((head, rest)) = stat.rsplit_once(") ") else { continue };
            if rest.split(' ').nth(1) == Some(&parent) {
                return rustix::process::Pid::from_raw(head.split(' ').next()?.parse().ok()?);
            }
        }
        None
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            if let Some(jvm) = self.jvm() {
                let _ = rustix::process::kill_process(jvm, rustix::process::Signal::KILL);
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the agent's output\n{}", self.output());
        }
    }
}

/// A certificate authority that issues for `localhost`.
pub(crate) struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pub certificate: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "test-ca");
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(params, key), certificate }
    }

    /// A key and a certificate, in PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        self.issue_until(name, None)
    }

    /// A key and a certificate that ends at a time, in PEM; `None`: in a far future.
    pub(crate) fn issue_until(&self, name: &str, end: Option<SystemTime>) -> (String, String) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        if let Some(end) = end {
            params.not_after = end.into();
        }
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (key.serialize_pem(), certificate.pem())
    }
}

/// GET over HTTPS; `client` are key and certificate to show. Fails where the handshake or the answer fails.
pub(crate) fn https(
    port: u16,
    path: &str,
    authority: &str,
    client: Option<&(String, String)>,
) -> Result<String, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = match client {
        Some((key, certificate)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            builder
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
                .unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    let name = ServerName::try_from("localhost").unwrap();
    let connection =
        rustls::ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

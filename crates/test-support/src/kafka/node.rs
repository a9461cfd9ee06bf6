//! One Kafka process.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::java::{Java, LOG4J};
use super::process::{START, has_line, signal};
use super::{Authority, Identity, KafkaOptions, write};
use crate::child::Child;
use crate::port::free_port;

/// Id of every test cluster.
const CLUSTER_ID: &str = "S2FzdGVsbGFuLXRlc3Qtay";

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roles {
    /// Broker and controller.
    Both,
    /// Broker.
    Broker,
    /// Controller.
    Controller,
}

/// What the nodes of a cluster have in common.
#[derive(Debug)]
pub(super) struct Blueprint {
    folder: PathBuf,
    options: KafkaOptions,
    authority: Arc<Authority>,
    /// Ports of the first controllers, in the order of their ids.
    controllers: Vec<u16>,
}

impl Blueprint {
    pub(super) fn new(
        folder: &Path,
        options: KafkaOptions,
        authority: Arc<Authority>,
        ids: &[i32],
    ) -> anyhow::Result<Self> {
        let controllers = ids.iter().map(|_| free_port()).collect::<anyhow::Result<_>>()?;
        Ok(Self { folder: folder.to_owned(), options, authority, controllers })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }
}

/// What follows in a node's file are the lines of a test's own; the last of equal names wins.
const FURTHER: &str = "# further lines\n";

fn text_of(lines: &[(String, String)]) -> String {
    let mut text = String::new();
    for (key, value) in lines {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{key}={value}");
    }
    text
}

/// A Kafka process. Killed when dropped.
#[derive(Debug)]
pub struct KafkaNode {
    id: i32,
    roles: Roles,
    folder: PathBuf,
    directory_id: String,
    ports: Ports,
    tls: bool,
    heap_mb: u32,
    authority: Arc<Authority>,
    process: Option<Child>,
    java: Option<Java>,
    /// Length of the log when the process was started last.
    log_start: u64,
    // Dropped last: the data lies in it.
    keep: Option<Arc<tempfile::TempDir>>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    plain: u16,
    tls: u16,
    scram: u16,
    controller: u16,
}

impl KafkaNode {
    pub(super) fn new(plan: &Blueprint, id: i32, roles: Roles) -> anyhow::Result<Self> {
        let known = usize::try_from(id).ok().and_then(|index| plan.controllers.get(index)).copied();
        let ports = Ports {
            plain: free_port()?,
            tls: free_port()?,
            scram: free_port()?,
            controller: known.map_or_else(free_port, Ok)?,
        };
        Ok(Self {
            id,
            roles,
            folder: plan.folder.join(format!("node-{id}")),
            directory_id: directory_id(id),
            ports,
            tls: plan.options.tls,
            heap_mb: plan.options.heap_mb,
            authority: Arc::clone(&plan.authority),
            process: None,
            java: None,
            log_start: 0,
            keep: None,
        })
    }

    pub(super) fn keep(&mut self, folder: Arc<tempfile::TempDir>) {
        self.keep = Some(folder);
    }

    /// `node.id`.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// What it does.
    pub fn roles(&self) -> Roles {
        self.roles
    }

    /// Process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().filter(|process| process.is_running()).map(Child::id)
    }

    /// Address of the plaintext listener; everybody there is the super user `User:ANONYMOUS`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plain)
    }

    /// Address of the TLS listener that asks for a client certificate.
    pub fn tls_bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.tls)
    }

    /// Address of the TLS listener with SCRAM-SHA-512 and SCRAM-SHA-256.
    pub fn scram_bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.scram)
    }

    /// Address of the controller, plaintext.
    pub fn controller_bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.controller)
    }

    /// Port of the controller.
    pub fn controller_port(&self) -> u16 {
        self.ports.controller
    }

    /// The authority that signed the broker's certificate and that it trusts.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Certificate of the authority, PEM.
    pub fn ca_pem(&self) -> &str {
        self.authority.certificate()
    }

    /// A client certificate; `admin` is a super user.
    pub fn client_identity(&self, common_name: &str) -> anyhow::Result<Identity> {
        self.authority.client(common_name)
    }

    /// Id of the directory with the metadata log, as Kafka writes it. Chosen by Kafka for a node that was added later.
    pub fn directory_id(&self) -> anyhow::Result<String> {
        let path = self.log_dir(0).join("meta.properties");
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let id = text.lines().find_map(|line| line.strip_prefix("directory.id="));
        Ok(id.context("no directory.id in meta.properties")?.to_owned())
    }

    /// A data directory, counted from 0.
    pub fn log_dir(&self, index: usize) -> PathBuf {
        self.folder.join(format!("data-{index}"))
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        self.process.as_ref().map(Child::log_tail).unwrap_or_default()
    }

    /// Kills it without a warning.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Ends it in order, as Kubernetes does.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        if process.is_running() {
            signal(process.id(), "TERM")?;
        }
        let deadline = Instant::now() + Duration::from_mins(1);
        while process.is_running() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process.kill();
        Ok(())
    }

    /// Puts other lines in the place of [`KafkaOptions::config`]. They count from the next start.
    pub fn set_config(&self, lines: &[(String, String)]) -> anyhow::Result<()> {
        let path = self.config_path();
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let (usual, _) = text.split_once(FURTHER).context("the file has no further lines")?;
        write(&path, &format!("{usual}{FURTHER}{}", text_of(lines)))
    }

    /// Starts it again on the same ports and data, and waits until it serves.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let java = self.java.clone().context("a node that was never started cannot start again")?;
        self.launch(&java)?;
        self.wait_until_started().await
    }

    /// Stops its time: connections stay open, nothing is answered.
    pub fn pause(&self) -> anyhow::Result<()> {
        let pid = self.pid().context("the node does not run")?;
        signal(pid, "STOP")?;
        // On a busy machine some threads still run for a while after the signal.
        let deadline = Instant::now() + Duration::from_secs(10);
        while !all_threads_stopped(pid)? {
            if Instant::now() > deadline {
                bail!("kafka node {} did not stop within 10 s", self.id);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Ends a pause.
    pub fn resume(&self) -> anyhow::Result<()> {
        signal(self.pid().context("the node does not run")?, "CONT")
    }

    pub(super) fn voter(&self) -> String {
        format!("{}@127.0.0.1:{}:{}", self.id, self.ports.controller, self.directory_id)
    }

    fn config_path(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    fn log4j_path(&self) -> PathBuf {
        self.folder.join("log4j2.properties")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("kafka.log")
    }

    pub(super) fn write_files(&self, plan: &Blueprint) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.folder).with_context(|| format!("make {}", self.folder.display()))?;
        let server = self.authority.server(&["127.0.0.1", "localhost"])?;
        write(&self.folder.join("node.pem"), &format!("{}{}", server.key, server.certificate))?;
        write(&self.folder.join("ca.crt"), self.authority.certificate())?;
        write(&self.log4j_path(), LOG4J)?;
        write(&self.config_path(), &self.properties(plan))
    }

    fn properties(&self, plan: &Blueprint) -> String {
        let roles = match self.roles {
            Roles::Both => "broker,controller",
            Roles::Broker => "broker",
            Roles::Controller => "controller",
        };
        let mut listeners = Vec::new();
        if self.roles != Roles::Controller {
            listeners.push(("PLAIN", self.ports.plain));
            if self.tls {
                listeners.push(("TLS", self.ports.tls));
                listeners.push(("SCRAM", self.ports.scram));
            }
        }
        let address = |(name, port): &(&str, u16)| format!("{name}://127.0.0.1:{port}");
        let advertised: Vec<String> = listeners.iter().map(address).collect();
        if self.roles != Roles::Broker {
            listeners.push(("CONTROLLER", self.ports.controller));
        }
        let bound: Vec<String> = listeners.iter().map(address).collect();
        let dirs: Vec<String> = (0..plan.options.log_dirs.max(1))
            .map(|index| self.log_dir(index).display().to_string())
            .collect();
        let quorum: Vec<String> = plan.controllers.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let replicas = plan.controllers.len().min(3);
        let mut lines: Vec<(String, String)> = [
            ("node.id", self.id.to_string()),
            ("process.roles", roles.to_owned()),
            ("listeners", bound.join(",")),
            (
                "listener.security.protocol.map",
                "PLAIN:PLAINTEXT,TLS:SSL,SCRAM:SASL_SSL,CONTROLLER:PLAINTEXT".to_owned(),
            ),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            ("controller.quorum.bootstrap.servers", quorum.join(",")),
            ("log.dirs", dirs.join(",")),
            ("metadata.log.dir", dirs[0].clone()),
            ("offsets.topic.num.partitions", "3".to_owned()),
            ("offsets.topic.replication.factor", replicas.to_string()),
            ("transaction.state.log.num.partitions", "3".to_owned()),
            ("transaction.state.log.replication.factor", replicas.to_string()),
            ("transaction.state.log.min.isr", "1".to_owned()),
            ("group.initial.rebalance.delay.ms", "0".to_owned()),
            ("auto.create.topics.enable", "false".to_owned()),
            // Kafka's usual 128 MB do not fit into a small heap.
            ("log.cleaner.dedupe.buffer.size", "8388608".to_owned()),
            ("num.network.threads", "2".to_owned()),
            ("num.io.threads", "4".to_owned()),
            ("broker.heartbeat.interval.ms", "500".to_owned()),
            ("broker.session.timeout.ms", "6000".to_owned()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        if self.roles != Roles::Controller {
            lines.push(("advertised.listeners".to_owned(), advertised.join(",")));
            lines.push(("inter.broker.listener.name".to_owned(), "PLAIN".to_owned()));
            if self.tls {
                lines.extend(self.tls_properties());
            }
        }
        if plan.options.authorizer {
            let mut users = vec!["User:ANONYMOUS".to_owned(), "User:CN=admin".to_owned()];
            users.extend(plan.options.super_users.iter().cloned());
            let class = "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned();
            lines.push(("authorizer.class.name".to_owned(), class));
            lines.push(("super.users".to_owned(), users.join(";")));
        }
        format!("{}{FURTHER}{}", text_of(&lines), text_of(&plan.options.config))
    }

    fn tls_properties(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for (listener, client) in [("tls", "required"), ("scram", "none")] {
            for (key, value) in [
                ("ssl.keystore.type", "PEM".to_owned()),
                ("ssl.keystore.location", self.folder.join("node.pem").display().to_string()),
                ("ssl.truststore.type", "PEM".to_owned()),
                ("ssl.truststore.location", self.folder.join("ca.crt").display().to_string()),
                ("ssl.client.auth", client.to_owned()),
            ] {
                lines.push((format!("listener.name.{listener}.{key}"), value));
            }
        }
        let mechanisms = "listener.name.scram.sasl.enabled.mechanisms".to_owned();
        lines.push((mechanisms, "SCRAM-SHA-512,SCRAM-SHA-256".to_owned()));
        for mechanism in ["scram-sha-512", "scram-sha-256"] {
            lines.push((
                format!("listener.name.scram.{mechanism}.sasl.jaas.config"),
                "org.apache.kafka.common.security.scram.ScramLoginModule required;".to_owned(),
            ));
        }
        lines
    }

    pub(super) fn format(&self, java: &Java, plan: &Blueprint, arguments: &[String]) -> Command {
        let mut command = Command::new(java.program());
        command.args(java.arguments(&self.log4j_path(), self.heap_mb, "kafka.tools.StorageTool"));
        command.args(["format", "-t", CLUSTER_ID, "-c"]).arg(self.config_path()).args(arguments);
        for (user, password) in &plan.options.scram_users {
            command.arg("--add-scram").arg(format!("SCRAM-SHA-512=[name={user},password={password}]"));
        }
        for (name, level) in &plan.options.features {
            command.arg("--feature").arg(format!("{name}={level}"));
        }
        command
    }

    pub(super) fn launch(&mut self, java: &Java) -> anyhow::Result<()> {
        let log = self.log_path();
        self.log_start = std::fs::metadata(&log).map_or(0, |file| file.len());
        let mut arguments = java.arguments(&self.log4j_path(), self.heap_mb, "kafka.Kafka");
        arguments.push(self.config_path().display().to_string());
        self.process = Some(Child::start(java.program(), &arguments, &log)?);
        self.java = Some(java.clone());
        Ok(())
    }

    pub(super) async fn wait_until_started(&self) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("the node was not started")?;
        let deadline = Instant::now() + START;
        while !has_line(&self.log_path(), self.log_start)? {
            if !process.is_running() {
                bail!("kafka node {} ended while it started:\n{}", self.id, process.log_tail());
            }
            if Instant::now() > deadline {
                bail!(
                    "kafka node {} did not start within {} s:\n{}",
                    self.id,
                    START.as_secs(),
                    process.log_tail()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Whether the kernel lists every thread of a process as stopped.
fn all_threads_stopped(pid: u32) -> anyhow::Result<bool> {
    let folder = format!("/proc/{pid}/task");
    for thread in std::fs::read_dir(&folder).with_context(|| format!("list {folder}"))?.flatten() {
        // "12 (a name) T ...": the state stands behind the last bracket.
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        if !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T')) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A directory id for each of the first nodes: 22 characters of URL-safe base64, of which the last ends in zero bits.
fn directory_id(id: i32) -> String {
    format!("Kastellan-dir-{id:07}A").chars().take(22).collect()
}

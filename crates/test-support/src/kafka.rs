//! Real Kafka 4.3.1 nodes: one, or a cluster with a dynamic quorum, on free ports of the loopback interface.
//!
//! Every broker has a plaintext listener (where everybody is `User:ANONYMOUS`, a super user), a TLS listener that asks
//! for a certificate, and a TLS listener with SCRAM logins. Controllers listen in plaintext.

mod authority;
pub mod connect;
mod java;
mod node;
mod process;
pub mod tools;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

pub use authority::{Authority, Identity};
pub use connect::ConnectWorker;
pub use java::Java;
pub use node::{KafkaNode, Roles};

use node::Blueprint;

/// The version of Kafka that tests run.
pub const VERSION: &str = "4.3.1";

/// Settings of a node or cluster.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// Whether brokers have the two TLS listeners. Default true.
    pub tls: bool,
    /// Whether access is controlled by ACLs (`StandardAuthorizer`). Default true.
    pub authorizer: bool,
    /// Principals that may do everything, beside `User:ANONYMOUS` and `User:CN=admin`.
    pub super_users: Vec<String>,
    /// Users with SCRAM-SHA-512 passwords from the start: name and password.
    pub scram_users: Vec<(String, String)>,
    /// Data directories of each node. Default 1.
    pub log_dirs: usize,
    /// Largest heap of each node. MB, default 256.
    pub heap_mb: u32,
    /// Further lines of `server.properties`; they win over the usual ones.
    pub config: Vec<(String, String)>,
    /// Levels of features that the storage is formatted with, in place of those of the newest metadata version.
    pub features: Vec<(String, i16)>,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            tls: true,
            authorizer: true,
            super_users: Vec::new(),
            scram_users: Vec::new(),
            log_dirs: 1,
            heap_mb: 256,
            config: Vec::new(),
            features: Vec::new(),
        }
    }
}

impl KafkaOptions {
    /// With a further line of `server.properties`.
    pub fn with_config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((key.into(), value.into()));
        self
    }
}

/// Nodes that form one cluster. All of them are killed when it is dropped, and their data removed.
#[derive(Debug)]
pub struct KafkaCluster {
    nodes: Vec<KafkaNode>,
    plan: Blueprint,
    // Dropped last: the nodes' data lies in it.
    folder: Arc<tempfile::TempDir>,
}

impl KafkaNode {
    /// Starts a cluster of one node that is broker and controller, and waits until it serves.
    pub async fn start(options: KafkaOptions) -> anyhow::Result<Self> {
        let mut cluster = KafkaCluster::start(1, options).await?;
        let mut node = cluster.nodes.remove(0);
        node.keep(Arc::clone(&cluster.folder));
        Ok(node)
    }
}

impl KafkaCluster {
    /// Starts a cluster of nodes 0 to n - 1, each broker and controller, and waits until all of them serve.
    pub async fn start(count: usize, options: KafkaOptions) -> anyhow::Result<Self> {
        let folder = Arc::new(folder()?);
        let authority = Arc::new(Authority::new("kafka-test-ca")?);
        let ids: Vec<i32> = (0..i32::try_from(count)?).collect();
        let plan = Blueprint::new(folder.path(), options, authority, &ids)?;
        let mut nodes: Vec<KafkaNode> =
            ids.iter().map(|id| KafkaNode::new(&plan, *id, Roles::Both)).collect::<anyhow::Result<_>>()?;
        let voters: Vec<String> = nodes.iter().map(KafkaNode::voter).collect();
        let initial = ["--initial-controllers".to_owned(), voters.join(",")];
        boot(&mut nodes, &plan, &initial).await?;
        Ok(Self { nodes, plan, folder })
    }

    /// Starts one more node, which gets no vote in the quorum by itself.
    pub async fn add(&mut self, roles: Roles) -> anyhow::Result<&mut KafkaNode> {
        let id = self.nodes.iter().map(KafkaNode::id).max().unwrap_or(-1) + 1;
        let mut node = vec![KafkaNode::new(&self.plan, id, roles)?];
        boot(&mut node, &self.plan, &["--no-initial-controllers".to_owned()]).await?;
        self.nodes.append(&mut node);
        self.nodes.last_mut().context("a node was added")
    }

    /// The nodes, in the order in which they were started.
    pub fn nodes(&self) -> &[KafkaNode] {
        &self.nodes
    }

    /// A node, to stop or start it. Counted from 0 in the order in which they were started.
    pub fn node(&mut self, index: usize) -> &mut KafkaNode {
        &mut self.nodes[index]
    }

    /// Addresses of the plaintext listeners of the brokers.
    pub fn bootstrap(&self) -> Vec<String> {
        self.nodes.iter().filter(|node| node.roles() != Roles::Controller).map(KafkaNode::bootstrap).collect()
    }

    /// Addresses of the controllers.
    pub fn controller_bootstrap(&self) -> Vec<String> {
        let controllers = self.nodes.iter().filter(|node| node.roles() != Roles::Broker);
        controllers.map(KafkaNode::controller_bootstrap).collect()
    }

    /// The authority that signed the brokers' certificates and that they trust.
    pub fn authority(&self) -> &Authority {
        self.plan.authority()
    }
}

/// A folder for the data of a cluster. A test binary that shares a node among its tests ends without dropping it, so
/// the folders of processes that are gone are removed here.
fn folder() -> anyhow::Result<tempfile::TempDir> {
    const PREFIX: &str = "kastellan-kafka-";
    let parent = std::env::temp_dir();
    for entry in std::fs::read_dir(&parent).with_context(|| format!("list {}", parent.display()))?.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-'));
        if owner.is_some_and(|(pid, _)| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists())
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let prefix = format!("{PREFIX}{}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir().context("make a folder for kafka's data")
}

/// Formats the storage of new nodes and starts them, all at once.
async fn boot(nodes: &mut [KafkaNode], plan: &Blueprint, arguments: &[String]) -> anyhow::Result<()> {
    let folder = plan.folder().to_owned();
    let java = tokio::task::spawn_blocking(move || Java::find(&folder)).await??;
    for node in nodes.iter_mut() {
        node.write_files(plan)?;
    }
    let mut formats = Vec::new();
    for node in nodes.iter() {
        let command = node.format(&java, plan, arguments);
        let name = format!("format the storage of kafka node {}", node.id());
        formats.push(tokio::task::spawn_blocking(move || run(command, &name)));
    }
    for format in formats {
        format.await??;
    }
    for node in nodes.iter_mut() {
        node.launch(&java)?;
    }
    for node in nodes.iter_mut() {
        node.wait_until_started().await?;
    }
    Ok(())
}

/// Runs a program to its end; its output is part of the error.
fn run(mut command: std::process::Command, what: &str) -> anyhow::Result<()> {
    let output = command.output().with_context(|| what.to_owned())?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        anyhow::bail!("{what}: {}", String::from_utf8_lossy(&text));
    }
    Ok(())
}

/// Writes a file that is part of a node's settings.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

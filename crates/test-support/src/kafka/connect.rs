//! A real Kafka Connect worker, in distributed mode, with the file connectors and a connector of the tests' own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::java::{Java, LOG4J};
use super::process::{START, signal};
use super::{KafkaNode, run, write};
use crate::child::Child;
use crate::port::free_port;

/// The class of the connector of the tests: a source without records. Its option `does` has it fail or hang: `work`, `hang-validation`,
/// `hang-start` or `fail-start`; its tasks fail while the file exists that its option `flag` names.
pub const TEST_CLASS: &str = "kastellan.test.TestSourceConnector";

/// Where the sources of that connector are.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/java/kastellan/test");

/// A worker. Killed when dropped.
#[derive(Debug)]
pub struct ConnectWorker {
    port: u16,
    java: Java,
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl ConnectWorker {
    /// Starts a worker of a Kafka cluster and waits until it serves. It takes the name of the group for its topics, too.
    pub async fn start(kafka: &KafkaNode, group: &str) -> anyhow::Result<Self> {
        Self::start_with(kafka, group, &[]).await
    }

    /// The same with further options; they win over the usual ones. Files of its own folder can stand in configurations of connectors
    /// as `${strimzidir:FOLDER:FILE}`.
    pub async fn start_with(
        kafka: &KafkaNode,
        group: &str,
        options: &[(&'static str, String)],
    ) -> anyhow::Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("kastellan-connect-").tempdir().context("make a folder")?;
        let path = folder.path().to_owned();
        let java = tokio::task::spawn_blocking(move || {
            let java = Java::find(&path)?;
            compile(&java, &path)?;
            anyhow::Ok(java)
        })
        .await??;
        let port = free_port()?;
        let lines = [
            ("bootstrap.servers", kafka.bootstrap()),
            ("group.id", group.to_owned()),
            ("listeners", format!("http://127.0.0.1:{port}")),
            ("key.converter", "org.apache.kafka.connect.storage.StringConverter".to_owned()),
            ("value.converter", "org.apache.kafka.connect.storage.StringConverter".to_owned()),
            ("config.storage.topic", format!("{group}-configs")),
            ("offset.storage.topic", format!("{group}-offsets")),
            ("status.storage.topic", format!("{group}-statuses")),
            ("config.storage.replication.factor", "1".to_owned()),
            ("offset.storage.replication.factor", "1".to_owned()),
            ("status.storage.replication.factor", "1".to_owned()),
            ("offset.storage.partitions", "1".to_owned()),
            ("status.storage.partitions", "1".to_owned()),
            ("offset.flush.interval.ms", "500".to_owned()),
            ("scheduled.rebalance.max.delay.ms", "0".to_owned()),
            ("config.providers", "strimzidir".to_owned()),
            (
                "config.providers.strimzidir.class",
                "org.apache.kafka.common.config.provider.DirectoryConfigProvider".to_owned(),
            ),
            ("config.providers.strimzidir.param.allowed.paths", folder.path().display().to_string()),
        ];
        let text: Vec<String> =
            lines.iter().chain(options).map(|(key, value)| format!("{key}={value}")).collect();
        write(&folder.path().join("connect.properties"), &text.join("\n"))?;
        write(&folder.path().join("log4j2.properties"), LOG4J)?;
        let mut worker = Self { port, java, folder, process: None };
        worker.start_again().await?;
        Ok(worker)
    }

    /// Host and port of the REST API.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A folder for files of connectors.
    pub fn folder(&self) -> &Path {
        self.folder.path()
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

    /// Stops its time: connections stay open, nothing is answered.
    pub fn pause(&self) -> anyhow::Result<()> {
        signal(self.process.as_ref().context("the worker does not run")?.id(), "STOP")
    }

    /// Ends a pause.
    pub fn resume(&self) -> anyhow::Result<()> {
        signal(self.process.as_ref().context("the worker does not run")?.id(), "CONT")
    }

    /// Starts it again on the same port, and waits until it serves.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let main_class = "org.apache.kafka.connect.cli.ConnectDistributed";
        let mut arguments =
            self.java.arguments(&self.folder.path().join("log4j2.properties"), 384, main_class);
        // Behind Kafka's own jars, which the archive of loaded classes begins with.
        for argument in &mut arguments {
            if argument.ends_with("/libs/*") {
                *argument = format!("{argument}:{}", classes(self.folder.path()).display());
            }
        }
        arguments.push(self.folder.path().join("connect.properties").display().to_string());
        let process = Child::start(self.java.program(), &arguments, &self.folder.path().join("connect.log"))?;
        let deadline = Instant::now() + START;
        let port = self.port;
        while !tokio::task::spawn_blocking(move || serves(port)).await? {
            if !process.is_running() || Instant::now() > deadline {
                bail!("kafka connect did not start:\n{}", process.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.process = Some(process);
        Ok(())
    }
}

fn classes(folder: &Path) -> PathBuf {
    folder.join("classes")
}

/// Compiles the connector of the tests.
fn compile(java: &Java, folder: &Path) -> anyhow::Result<()> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(SOURCES).with_context(|| format!("list {SOURCES}"))? {
        sources.push(entry.context("list the sources of connectors")?.path());
    }
    let mut command = Command::new("javac");
    command.args(["--release", "17", "-cp"]).arg(java.libs().join("*"));
    command.arg("-d").arg(classes(folder)).args(sources);
    run(command, "compile the connectors of the tests (javac comes with the package default-jdk-headless)")
}

/// Whether the worker lists its connectors.
fn serves(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: connect\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or_default()
}

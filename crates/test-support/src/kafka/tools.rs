//! Kafka's own console clients, for tests that move records.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::java::{Java, LOG4J};
use super::write;

/// Megabytes of heap of a client.
const HEAP: u32 = 128;

/// Writes records to a topic, which has to be there or is made by the broker. The producer is idempotent and sends again for ten
/// minutes: its time-outs on a busy machine say nothing of Kafka.
pub async fn produce(bootstrap: &str, topic: &str, lines: Vec<String>) -> anyhow::Result<()> {
    let arguments = [
        "--bootstrap-server",
        bootstrap,
        "--topic",
        topic,
        "--max-block-ms",
        "600000",
        "--command-property",
        "delivery.timeout.ms=600000",
    ];
    let arguments = arguments.map(ToOwned::to_owned).to_vec();
    run("org.apache.kafka.tools.ConsoleProducer", arguments, lines).await.map(drop)
}

/// Reads so many records of a topic as a member of a group, from where the group stands or from the beginning, and commits that.
pub async fn consume(bootstrap: &str, topic: &str, group: &str, count: usize) -> anyhow::Result<Vec<String>> {
    let count_text = count.to_string();
    let arguments = [
        "--bootstrap-server",
        bootstrap,
        "--topic",
        topic,
        "--group",
        group,
        "--max-messages",
        &count_text,
        "--timeout-ms",
        "30000",
        "--command-property",
        "auto.offset.reset=earliest",
    ];
    let arguments = arguments.map(ToOwned::to_owned).to_vec();
    let text = run("org.apache.kafka.tools.consumer.ConsoleConsumer", arguments, Vec::new()).await?;
    Ok(text.lines().map(ToOwned::to_owned).collect())
}

/// Runs a program with these lines as its input; its output.
async fn run(class: &'static str, arguments: Vec<String>, lines: Vec<String>) -> anyhow::Result<String> {
    tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().context("make a folder")?;
        let java = Java::find(folder.path())?;
        let log4j = folder.path().join("log4j2.properties");
        // What is logged would stand among the records.
        write(&log4j, &format!("{LOG4J}appender.out.target=SYSTEM_ERR\n"))?;
        let mut all = java.arguments(&log4j, HEAP, class);
        all.extend(arguments);
        let mut command = Command::new(java.program());
        command.args(all).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {class}"))?;
        let mut input = child.stdin.take().context("write to the program")?;
        let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
        input.write_all(text.as_bytes()).context("write to the program")?;
        drop(input);
        let output = child.wait_with_output().with_context(|| format!("wait for {class}"))?;
        if !output.status.success() {
            bail!("{class} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    })
    .await?
}

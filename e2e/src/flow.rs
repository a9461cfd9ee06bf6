//! A client that writes and reads without an end while something happens to the cluster.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long the client may take to answer, and in the end to read what is left.
const ANSWER: Duration = Duration::from_mins(3);

/// The client. It ends with this value.
pub struct Flow {
    client: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Flow {
    /// Starts the program of `e2e/client` with its job `flow`.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut client = command.spawn().context("the client does not start")?;
        let input = client.stdin.take().context("no input")?;
        let lines = BufReader::new(client.stdout.take().context("no output")?).lines();
        Ok(Self { client, input, lines })
    }

    /// What the client says of the time since it was asked last: how much it wrote and read, and the longest gaps.
    pub async fn ask(&mut self, stage: &str) -> Result<String> {
        self.input.write_all(format!("{stage}\n").as_bytes()).await.context("the client ended")?;
        self.line().await
    }

    /// Has the client stop, and compare what was acknowledged with what it read.
    pub async fn end(mut self) -> Result<String> {
        drop(self.input);
        let line =
            tokio::time::timeout(ANSWER, self.lines.next_line()).await.context("the client hangs")??;
        let status = tokio::time::timeout(ANSWER, self.client.wait()).await.context("the client hangs")??;
        ensure!(status.success(), "the client failed, and says above why");
        line.context("the client said nothing")
    }

    async fn line(&mut self) -> Result<String> {
        let line =
            tokio::time::timeout(ANSWER, self.lines.next_line()).await.context("the client hangs")??;
        line.context("the client ended, and says above why")
    }
}

//! An operator as a process: its start, its metrics, its processor time and memory.

use std::{
    fmt::Debug,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use kube::{Api, Resource, api::ListParams};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long anything may take before the bench gives up.
const DEADLINE: Duration = Duration::from_mins(30);
/// Between two looks at the metrics: often enough for a figure in tenths of a second, too seldom to be seen in the
/// operator's processor time.
const LOOK: Duration = Duration::from_millis(50);
/// How an operator tells that a resource is as asked for.
const SUCCESSFUL: &str = "strimzi_reconciliations_successful_total";
/// Ticks in a second in /proc, by the Linux ABI.
const TICKS: f64 = 100.0;

/// A running operator. Killed when dropped.
pub(crate) struct Operator {
    process: Child,
    port: u16,
    began: Instant,
}

/// What `/proc` says of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// User and system time, s.
    pub cpu: f64,
    /// Resident memory now, MB.
    pub resident: f64,
    /// Most resident memory so far, MB.
    pub peak: f64,
}

impl Operator {
    /// Starts a binary with these variables; `port` is where it serves its metrics.
    pub(crate) fn start(binary: &Path, port: u16, variables: &[(&str, String)]) -> anyhow::Result<Self> {
        Self::start_command(Command::new(binary), port, variables)
    }

    /// As [`Self::start`], with a command that runs the binary.
    pub(crate) fn start_command(
        mut command: Command,
        port: u16,
        variables: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let began = Instant::now();
        let process = command
            .env("STRIMZI_LOG_LEVEL", "WARN")
            .envs(variables.iter().map(|(name, value)| (*name, value.as_str())))
            // Its log would stand between the rows.
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        Ok(Self { process, port, began })
    }

    /// Processor time and memory.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.process.id());
            std::fs::read_to_string(&path).with_context(|| format!("read {path}"))
        };
        let (stat, status) = (read("stat")?, read("status")?);
        // The command stands in parentheses and may hold blanks; utime and stime are fields 14 and 15.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|n| n.parse::<f64>().ok()).unwrap_or_default();
        let megabytes = |name: &str| -> f64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            let kilobytes = line.split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
            kilobytes.unwrap_or_default() / 1024.0
        };
        Ok(Usage {
            cpu: (ticks(11) + ticks(12)) / TICKS,
            resident: megabytes("VmRSS:"),
            peak: megabytes("VmHWM:"),
        })
    }

    /// How many threads it has now.
    pub(crate) fn threads(&self) -> anyhow::Result<usize> {
        let path = format!("/proc/{}/task", self.process.id());
        Ok(std::fs::read_dir(&path).with_context(|| format!("read {path}"))?.count())
    }

    /// A metric, summed over its labels; 0 while the operator does not serve yet. The name may be followed by a label that
    /// has to be there: `name{kind="Kafka"}`.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let ask = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await?;
            std::io::Result::Ok(text)
        };
        let text = ask.await.unwrap_or_default();
        let (name, label) = name.trim_end_matches('}').split_once('{').unwrap_or((name, ""));
        let of_name = |line: &&str| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']));
            rest.is_some_and(|rest| rest.contains(label))
        };
        text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Fails when the process has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.process.try_wait().context("look at the operator")? {
            Some(status) => bail!("the operator ended with {status}"),
            None => Ok(()),
        }
    }

    /// Waits until a metric reaches a value; the answer is when it did. Asking for metrics costs the operator next to
    /// nothing, unlike a list or a watch of what it works on.
    pub(crate) async fn until(&mut self, name: &str, value: f64) -> anyhow::Result<Instant> {
        loop {
            // Before the metric: another process may serve on the port of one that ended.
            self.check()?;
            let now = self.metric(name).await;
            if now >= value {
                return Ok(Instant::now());
            }
            if self.began.elapsed() > DEADLINE {
                bail!("{name} is {now} and not {value} after {} s", DEADLINE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until so many resources are as they should be; the answer is after how many seconds they were.
    pub(crate) async fn until_ready<K>(
        &mut self,
        api: &Api<K>,
        count: usize,
        is_ready: impl Fn(&K) -> bool,
    ) -> anyhow::Result<f64>
    where
        K: Resource + Clone + DeserializeOwned + Debug,
    {
        loop {
            // At least one success for each; the list tells whether some had several.
            let reached = self.until(SUCCESSFUL, count as f64).await? - self.began;
            let list = api.list(&ListParams::default()).await.context("list resources")?;
            let ready = list.items.iter().filter(|object| is_ready(object)).count();
            if ready >= count {
                return Ok(reached.as_secs_f64());
            }
            if self.began.elapsed() > DEADLINE {
                bail!("{ready} of {count} resources are Ready after {} s", DEADLINE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

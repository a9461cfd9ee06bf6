//! A client that holds a connection to every broker of a topic while something happens to the cluster, and what it says of them.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// A connection to a broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Whether it is there.
    pub is_up: bool,
    /// How often it was lost so far.
    pub lost: u32,
}

/// Connections by the id of their broker.
pub type Connections = BTreeMap<i32, Connection>;

/// The client. It ends with this value.
pub struct Held {
    _client: Child,
    told: watch::Receiver<Connections>,
}

impl Held {
    /// Runs the command, which is one of the program of `e2e/client`.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut client = command.spawn().context("the client does not start")?;
        let mut lines = BufReader::new(client.stdout.take().context("no output")?).lines();
        let (teller, told) = watch::channel(Connections::new());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let Some((id, connection)) = read(&line) else { continue };
                teller.send_modify(|all| {
                    all.insert(id, connection);
                });
            }
        });
        Ok(Self { _client: client, told })
    }

    /// What the client said last.
    pub fn now(&self) -> Connections {
        self.told.borrow().clone()
    }

    /// Waits until the connections are as wanted.
    pub async fn until(&mut self, what: &str, accept: impl Fn(&Connections) -> bool) -> Result<Connections> {
        let wait = self.told.wait_for(|all| accept(all));
        if let Ok(found) = tokio::time::timeout(Duration::from_mins(4), wait).await {
            return Ok(found.context("the client that holds connections ended")?.clone());
        }
        anyhow::bail!("{what} did not come in time: {:?}", self.now())
    }
}

/// Reads a line such as `broker 2: up, lost 0 times`.
fn read(line: &str) -> Option<(i32, Connection)> {
    let (id, rest) = line.strip_prefix("broker ")?.split_once(": ")?;
    let (state, lost) = rest.strip_suffix(" times")?.split_once(", lost ")?;
    Some((id.parse().ok()?, Connection { is_up: state == "up", lost: lost.parse().ok()? }))
}
